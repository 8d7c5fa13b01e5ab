"""``init --diff``: what existing tables need for files. The proposed statements make the load work."""

from __future__ import annotations

from pathlib import Path

import psycopg

import pgsluice
from command import call
from pgsluice.model import SchemaDiff

TABLES = """
CREATE TABLE customers (id smallint, name varchar(5) NOT NULL, score numeric(4, 1), since date, old text NOT NULL);
CREATE TABLE products (id integer PRIMARY KEY, active boolean);
"""


def _files(folder: Path) -> None:
    folder.mkdir()
    rows = "".join(
        f"{40000 + i},{'' if i == 3 else f'name {i}'},{i * 1000}.25,2024-01-0{i} 10:00:00,x\n" for i in range(1, 9)
    )
    (folder / "customers.csv").write_text("id,name,score,since,note\n" + rows)
    (folder / "products.csv").write_text("id,active\n" + "".join(f"{i},{i % 2}\n" for i in range(1, 9)))
    orders = "".join(f"{i},{40000 + i % 8 + 1},{i % 8 + 1}\n" for i in range(1, 40))
    (folder / "orders.csv").write_text("id,customer_id,product_id\n" + orders)


def _statements(found: SchemaDiff, *, needed: bool) -> list[str]:
    return [p.sql for p in found.proposals if p.needed is needed and not p.sql.startswith("--")]


def test_the_proposals_make_the_load_work(tmp_path: Path, conn: psycopg.Connection, db: str) -> None:
    data = tmp_path / "data"
    _files(data)
    conn.execute(TABLES)
    found = pgsluice.schema_diff(data, database_url=db)
    assert _statements(found, needed=True) == [
        "ALTER TABLE customers ALTER COLUMN id TYPE integer;",
        "ALTER TABLE customers ALTER COLUMN name TYPE text;",
        "ALTER TABLE customers ALTER COLUMN name DROP NOT NULL;",
        "ALTER TABLE customers ALTER COLUMN score TYPE numeric(6, 2);",
        "ALTER TABLE customers ALTER COLUMN since TYPE timestamp;",
        "ALTER TABLE customers ADD COLUMN note text;",
        "ALTER TABLE customers ALTER COLUMN old DROP NOT NULL;",
    ]
    assert found.same == ("products",)
    for proposal in found.proposals:
        conn.execute(proposal.sql.encode())
    result = pgsluice.load(data, database_url=db)
    assert result.rejects.count == 0
    assert sum(t.inserted for t in result.tables) == 8 + 8 + 39
    again = pgsluice.schema_diff(data, database_url=db)
    # The new keys of customers allow a foreign key that could not be proposed before.
    assert [p.why.partition(":")[0] for p in again.proposals if p.needed] == []


def test_a_schema_file(tmp_path: Path, db: str) -> None:
    data = tmp_path / "data"
    _files(data)
    (tmp_path / "schema.sql").write_text(TABLES)
    ended = call("init", "data", "--diff", "--schema", "schema.sql", cwd=tmp_path, url=db)
    assert ended.code == 0, ended
    assert "ALTER TABLE customers ALTER COLUMN id TYPE integer;" in ended.out
    assert "-- No change: products" in ended.out
    assert all(line.startswith(("--", "ALTER", "CREATE", " ", ")")) for line in ended.out.splitlines()), ended.out
    with psycopg.connect(db) as conn:
        assert conn.execute("SELECT count(*) FROM pg_class WHERE relname = 'customers'").fetchone() == (0,)
    assert not (tmp_path / "pgsluice.toml").exists()


def test_the_schema_that_init_writes_needs_no_change(tmp_path: Path, db: str) -> None:
    data = tmp_path / "data"
    _files(data)
    assert call("init", "data", cwd=tmp_path).code == 0
    found = pgsluice.schema_diff(data, schema=tmp_path / "schema.sql", database_url=db)
    assert found.proposals == ()
    assert sorted(found.same) == ["customers", "orders", "products"]


def test_wrong_calls(tmp_path: Path, db: str) -> None:
    _files(tmp_path / "data")
    call("init", "data", "--diff", "--load", cwd=tmp_path, url=db).complaint(2, "--diff writes and loads nothing")
    call("init", "data", "--schema", "x.sql", cwd=tmp_path, url=db).complaint(2, "go with --diff")
    call("init", "data", "--diff", "--into", "nowhere", cwd=tmp_path, url=db).complaint(3, "nowhere")
