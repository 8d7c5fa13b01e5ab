"""``pgsluice doctor``: findings about real servers, each with a remedy that works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import pgsluice
from command import call
from pgsluice.errors import DatabaseError
from pgsluice.model import DoctorResult, Finding, State

Conn = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def role(conn: Conn, db: str) -> Iterator[str]:
    """The address of a role that may log in and do nothing else."""
    conn.execute("DROP ROLE IF EXISTS patient; CREATE ROLE patient LOGIN")
    conn.execute(f"REVOKE ALL ON DATABASE {conn.info.dbname} FROM PUBLIC")  # type: ignore[arg-type]
    conn.execute(f"GRANT CONNECT ON DATABASE {conn.info.dbname} TO patient")  # type: ignore[arg-type]
    yield make_conninfo(db, user="patient")
    conn.execute("DROP OWNED BY patient CASCADE; DROP ROLE patient")


def examine(url: str, *paths: Path, **options: object) -> DoctorResult:
    return pgsluice.doctor(*paths, database_url=url, **options)  # type: ignore[arg-type]


def of(result: DoctorResult, subject: str) -> list[Finding]:
    return [f for f in result.findings if f.subject == subject]


def problems(result: DoctorResult) -> list[Finding]:
    return [f for f in result.findings if f.state is State.PROBLEM]


def write(folder: Path) -> Path:
    (folder / "data").mkdir()
    (folder / "data" / "t.csv").write_text("id\n1\n2\n")
    return folder / "data"


def test_server_that_can_load(any_db: str, any_conn: Conn, tmp_path: Path) -> None:
    any_conn.execute("CREATE TABLE t (id int PRIMARY KEY)")
    result = examine(any_db, write(tmp_path), data_dir=str(tmp_path))
    assert result.ok
    assert not problems(result)
    assert [f.state for f in of(result, "files")] == [State.OK]
    assert all(f.remedy for f in result.findings if f.state is not State.OK)
    # The servers of the tests have fsync off.
    assert [f.state for f in of(result, "fsync")] == [State.RISK]
    assert any_conn.execute("SELECT to_regnamespace('pgsluice')").fetchone() == (None,)


def test_rights_are_granted_as_the_remedies_say(role: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY)")
    data = write(tmp_path)
    seen = []
    while found := problems(examine(role, data, data_dir=str(tmp_path))):
        assert len(seen) < 6, found
        for finding in found:
            seen.append(finding.subject)
            conn.execute(finding.remedy.rpartition("As its owner: ")[2])  # type: ignore[arg-type]
    assert set(seen) == {"rights", "ledger"}
    assert pgsluice.load(data, database_url=role, data_dir=str(tmp_path)).status == "published"
    assert examine(role, data, data_dir=str(tmp_path)).ok


def test_settings_of_the_role(role: str, conn: Conn) -> None:
    conn.execute(
        "ALTER ROLE patient SET statement_timeout = '5min'; ALTER ROLE patient SET maintenance_work_mem = '1MB'"
    )
    conn.execute("ALTER ROLE patient SET effective_cache_size = '64MB'")
    conn.execute("ALTER ROLE patient SET default_transaction_read_only = on")
    result = examine(role)
    [timeouts] = of(result, "timeouts")
    assert timeouts.state is State.OK
    assert "statement_timeout = 300000 ms" in timeouts.text
    assert [f.state for f in of(result, "maintenance_work_mem")] == [State.SLOW]
    [only_reads] = of(result, "server")
    assert only_reads.state is State.PROBLEM
    conn.execute(only_reads.remedy.partition(";")[0])  # type: ignore[arg-type]
    assert not of(examine(role), "server")
    given = examine(make_conninfo(role, options="-c statement_timeout=1000"))
    assert [f.state for f in of(given, "statement_timeout")] == [State.RISK]


def test_files_that_do_not_fit(db: str, tmp_path: Path) -> None:
    [finding] = problems(examine(db, write(tmp_path), data_dir=str(tmp_path)))
    assert (finding.subject, "t.csv" in finding.text) == ("files", True)


def test_extension_that_the_server_lacks(db: str, tmp_path: Path) -> None:
    schema = tmp_path / "schema.sql"
    schema.write_text('create extension if not exists "no such";\nCREATE EXTENSION plpgsql;\nCREATE TABLE t (id int);')
    found = problems(examine(db, write(tmp_path), schema=str(schema), data_dir=str(tmp_path)))
    [finding] = [f for f in found if f.subject == "extensions"]
    assert "no such" in finding.text


def test_command(db: str, conn: Conn, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY)")
    good = call("doctor", write(tmp_path), cwd=tmp_path, url=db)
    assert good.code == 0
    assert "A load can begin" in good.out
    told = call("doctor", "--json", cwd=tmp_path, url=db).json
    assert told["ok"] is True
    assert {f["state"] for f in told["findings"]} <= {"ok", "slow", "risk", "problem"}
    bad = call("doctor", cwd=tmp_path, url=make_conninfo(db, dbname="nowhere"))
    assert bad.code == 3
    assert "problem  connection: there is no database" in bad.out
    assert "Traceback" not in bad.err


def test_remedy_of_a_session_that_only_reads(
    db: str, conn: Conn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn.execute(f"ALTER DATABASE {conn.info.dbname} SET default_transaction_read_only = on")  # type: ignore[arg-type]
    conn.execute("SET default_transaction_read_only = off")
    conn.execute("CREATE TABLE t (id int PRIMARY KEY)")
    data = write(tmp_path)
    with pytest.raises(DatabaseError) as refused:
        pgsluice.load(data, database_url=db, data_dir=str(tmp_path))
    assert "only reads" in refused.value.message
    remedy = refused.value.remedy.partition("export PGOPTIONS=")[2].partition(". If")[0]
    monkeypatch.setenv("PGOPTIONS", remedy.strip("'"))
    assert pgsluice.load(data, database_url=db, data_dir=str(tmp_path)).status == "published"
