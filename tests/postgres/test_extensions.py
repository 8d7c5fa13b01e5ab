"""Extensions on the embedded server: those of contrib, and the two that pgsluice provides in SQL."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import pgsluice
from conftest import fresh_database, server_uri

CONTRIB = ("citext", "hstore", "pg_trgm", "pgcrypto", "uuid-ossp", "btree_gist", "postgres_fdw")
TEXTS = ("", "a", "é", "x" * 55, "x" * 56, "x" * 63, "x" * 64, "x" * 65, "x" * 119, "x" * 120, "x" * 300)
"""Texts of lengths around the block of a hash and the end of its padding."""


@pytest.fixture
def db18() -> Iterator[str]:
    """An empty database on the embedded server with the newest version."""
    with fresh_database(server_uri(18)) as uri:
        yield uri


@pytest.fixture
def conn18(db18: str) -> Iterator[psycopg.Connection]:
    """A connection to ``db18`` with the SQL extensions in a schema that is not in the search path."""
    with psycopg.connect(db18, autocommit=True) as conn:
        conn.execute('CREATE SCHEMA e; CREATE EXTENSION pgcrypto SCHEMA e; CREATE EXTENSION "uuid-ossp" SCHEMA e')
        yield conn


def one(conn: psycopg.Connection, sql: str, *values: object) -> object:
    row = conn.execute(sql.encode(), values).fetchone()
    assert row is not None
    return row[0]


def test_extensions_that_hosted_servers_have(db18: str) -> None:
    with psycopg.connect(db18, autocommit=True) as conn:
        for name in CONTRIB:
            conn.execute(f'CREATE EXTENSION "{name}"'.encode())
        assert one(conn, "SELECT similarity('word', 'two words') > 0.3") is True
        conn.execute("CREATE TABLE t (room int, at tstzrange, EXCLUDE USING gist (room WITH =, at WITH &&))")
        conn.execute("CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw")


def test_a_role_without_superuser_creates_the_sql_extensions(db18: str) -> None:
    with psycopg.connect(db18, autocommit=True) as conn:
        conn.execute("CREATE ROLE t_owner")
        try:
            conn.execute("CREATE SCHEMA s AUTHORIZATION t_owner")
            conn.execute(f"GRANT CREATE ON DATABASE {conn.info.dbname} TO t_owner".encode())
            conn.execute("SET ROLE t_owner")
            conn.execute('CREATE EXTENSION pgcrypto SCHEMA s; CREATE EXTENSION "uuid-ossp" SCHEMA s')
        finally:
            conn.execute("RESET ROLE; DROP OWNED BY t_owner CASCADE; DROP ROLE t_owner")


def test_load_with_citext_key_and_hstore_column(db18: str, tmp_path: Path) -> None:
    schema = tmp_path / "schema.sql"
    schema.write_text(
        'CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION "uuid-ossp"; CREATE EXTENSION pgcrypto;'
        "CREATE TABLE account (mail citext PRIMARY KEY, tags hstore, token uuid DEFAULT uuid_generate_v4(),"
        " secret bytea DEFAULT gen_random_bytes(16));"
        "CREATE TABLE login (id int PRIMARY KEY, mail citext REFERENCES account)"
    )
    files = tmp_path / "files"
    files.mkdir()

    def load(account: str, login: str) -> list[tuple[str, int, str, str]]:
        (files / "account.csv").write_text("mail,tags\n" + account)
        (files / "login.csv").write_text("id,mail\n" + login)
        result = pgsluice.load(files, schema=schema, database_url=db18, max_rejects="all")
        rejects = pgsluice.reject_rows(result.run_id, database_url=db18)
        return [(Path(r.file).name, r.line, r.kind, r.sqlstate) for r in rejects]

    # The first load fills empty tables in place, the second load goes through stages.
    accounts = 'Ann@x.org,"a=>1, b=>NULL"\nbob@x.org,\nANN@X.ORG,c=>2\ncid@x.org,a\n'
    assert load(accounts, "1,ANN@x.org\n2,eve@x.org\n") == [
        ("account.csv", 4, "unique", "23505"),
        ("account.csv", 5, "value", "42601"),
        ("login.csv", 3, "foreign_key", "23503"),
    ]
    assert load("BOB@x.org,\nDee@x.org,d=>4\n", "3,DEE@X.org\n4,eve@x.org\n") == [
        ("account.csv", 2, "unique", "23505"),
        ("login.csv", 3, "foreign_key", "23503"),
    ]
    with psycopg.connect(db18) as conn:
        rows = conn.execute("SELECT mail::text, tags->'a', tags ? 'b' FROM account ORDER BY account.mail").fetchall()
        assert rows == [("Ann@x.org", "1", True), ("bob@x.org", None, None), ("Dee@x.org", None, False)]
        assert conn.execute("SELECT id, mail::text FROM login ORDER BY id").fetchall() == [
            (1, "ANN@x.org"),
            (3, "DEE@X.org"),
        ]
        assert one(conn, "SELECT count(DISTINCT token) + count(DISTINCT secret) FROM account") == 6


def test_uuid_ossp_has_the_results_of_python(conn18: psycopg.Connection) -> None:
    for name in ("dns", "url", "oid", "x500"):
        namespace = getattr(uuid, f"NAMESPACE_{name.upper()}")
        assert one(conn18, f"SELECT e.uuid_ns_{name}()") == namespace
        for text in TEXTS:
            assert one(conn18, "SELECT e.uuid_generate_v3(%s, %s)", namespace, text) == uuid.uuid3(namespace, text)
            assert one(conn18, "SELECT e.uuid_generate_v5(%s, %s)", namespace, text) == uuid.uuid5(namespace, text)
    assert one(conn18, "SELECT e.uuid_nil()") == uuid.UUID(int=0)


@pytest.mark.parametrize("function", ["uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4"])
def test_uuid_ossp_generates_distinct_uuids_of_its_version(conn18: psycopg.Connection, function: str) -> None:
    made = [row[0] for row in conn18.execute(f"SELECT e.{function}() FROM generate_series(1, 1000)".encode())]
    assert len(set(made)) == 1000
    assert {(u.version, u.variant) for u in made} == {(int(function[15]), uuid.RFC_4122)}
    if function != "uuid_generate_v4":
        assert all(u.node >> 40 & 1 for u in made), "a random node has the multicast bit"
        age = f"clock_timestamp() - uuid_extract_timestamp(e.{function}())"
        drift = one(conn18, f"SELECT abs(extract(epoch FROM {age}))")
        assert float(str(drift)) < 5


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "SHA224", "sha256", "sha384", "sha512"])
def test_pgcrypto_has_the_hashes_of_python(conn18: psycopg.Connection, algorithm: str) -> None:
    name = algorithm.lower()
    for text in TEXTS:
        value = text.encode()
        assert one(conn18, "SELECT e.digest(%s::bytea, %s)", value, algorithm) == hashlib.new(name, value).digest()
        assert one(conn18, "SELECT e.digest(%s::text, %s)", text, algorithm) == hashlib.new(name, value).digest()
        for key in (b"", b"k", value, value + value):
            expected = hmac.new(key, value, name).digest()
            assert one(conn18, "SELECT e.hmac(%s::bytea, %s::bytea, %s)", value, key, algorithm) == expected
    assert one(conn18, "SELECT e.hmac('é', 'ü', %s)", algorithm) == hmac.new("ü".encode(), "é".encode(), name).digest()


def test_pgcrypto_has_random_bytes(conn18: psycopg.Connection) -> None:
    for count in (1, 12, 13, 14, 1024):
        values = [row[0] for row in conn18.execute(f"SELECT e.gen_random_bytes({count}) FROM generate_series(1, 50)")]
        assert {len(value) for value in values} == {count}
        assert len(set(values)) > 1
    # The bytes come in groups of 13 from one UUID. A fixed bit at a place of the group would leave 128 values there.
    every = [row[0] for row in conn18.execute("SELECT e.gen_random_bytes(975) FROM generate_series(1, 20)")]
    for place in range(13):
        assert len({value[i] for value in every for i in range(place, 975, 13)}) > 200
    for count in (0, 1025, -1):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="Length not in range"):
            conn18.execute(f"SELECT e.gen_random_bytes({count})".encode())


def test_pgcrypto_says_what_it_has_not(conn18: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match='Cannot use "crc": No such hash algorithm'):
        conn18.execute("SELECT e.digest('a', 'crc')")
    for call in ("crypt('a', 'b')", "gen_salt('bf', 8)", "pgp_sym_encrypt('a', 'b')", "pgp_armor_headers('a')"):
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="not available on the embedded server") as caught:
            conn18.execute(f"SELECT e.{call}".encode())
        assert caught.value.diag.message_hint
