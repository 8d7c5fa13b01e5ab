"""What `plan` says before a load: all files that do not fit, what will be slow and why, how long it takes."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import pgsluice
from command import call
from pgsluice.model import State

Conn = psycopg.Connection[tuple[object, ...]]

TABLES = """
CREATE TABLE customers (id integer PRIMARY KEY, name text);
CREATE TABLE orders (id integer PRIMARY KEY, customer integer REFERENCES customers);
INSERT INTO customers VALUES (1, 'a');
INSERT INTO orders VALUES (1, 1);
"""


@pytest.fixture
def data(tmp_path: Path, conn: Conn) -> Path:
    conn.execute(TABLES)
    (tmp_path / "customers.csv").write_text("id,name\n2,b\n")
    (tmp_path / "orders.csv").write_text("id,customer\n2,2\n")
    return tmp_path


def test_all_files_that_do_not_fit_are_told_at_once(db: str, data: Path) -> None:
    (data / "notes.csv").write_text("x,y\n1,2\n")
    (data / "orders.csv").write_text("id,client\n1,2\n")
    (data / "customers_1.csv").write_text("")
    (data / "customers_2.csv").write_bytes(b"id,name\n1,\xfc\xe4\n2,\xe9x\n")
    told = call("plan", data, cwd=data, url=db)
    told.complaint(2, "4 files do not fit")
    for name in ("notes.csv", "orders.csv", "customers_1.csv", "customers_2.csv"):
        assert f"{name}: " in told.err
    # A load looks at the files first.
    call("load", data, cwd=data, url=db).complaint(2, "2 files cannot be loaded")
    (data / "customers_1.csv").unlink()
    with pytest.raises(pgsluice.FileError, match="customers_2"):
        pgsluice.load(data, database_url=db)


def test_what_is_slow_and_why(db: str, conn: Conn, data: Path) -> None:
    assert pgsluice.plan(data, database_url=db).findings == ()
    role = f"loader_{conn.info.dbname}"
    conn.execute("TRUNCATE orders")
    conn.execute(f"CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {conn.info.dbname} TO {role}")
    conn.execute(f"GRANT SELECT, INSERT ON customers, orders TO {role}")
    conn.execute(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER t BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION keep()"
    )
    url = make_conninfo(db, user=role)
    found = pgsluice.plan(data, database_url=url).findings
    assert {f.state for f in found} == {State.SLOW}
    assert {f.subject for f in found} == {"strategy", "rows one by one", "foreign keys"}
    told = call("plan", data, cwd=data, url=url)
    slow = [line for line in told.out.splitlines() if line.startswith("Slow: ")]
    assert any("the table belongs to postgres" in line for line in slow)
    assert any("customers: only an INSERT tells" in line and "trigger" in line for line in slow)
    # The remedy of the foreign keys works.
    [keys] = [f for f in found if f.subject == "foreign keys"]
    assert keys.remedy in told.out
    conn.execute(keys.remedy.removeprefix("as a superuser: ").encode())
    assert "foreign keys" not in {f.subject for f in pgsluice.plan(data, database_url=url).findings}
    conn.execute(f"DROP OWNED BY {role}")


def test_a_missing_index_makes_deletes_slow(db: str, conn: Conn, data: Path) -> None:
    """A foreign key is checked for each row that a load deletes."""
    conn.execute("INSERT INTO orders SELECT n, 1 FROM generate_series(2, 40000) AS n")
    assert pgsluice.plan(data, database_url=db, mode="upsert").findings == ()
    [found] = pgsluice.plan(data, database_url=db, mode="replace").findings
    assert found.state is State.SLOW
    assert found.text.startswith("customers: for each row that the load deletes PostgreSQL searches all rows of")
    assert f"{found.text}. {found.remedy}" in " ".join(
        call("plan", data, "--mode", "replace", cwd=data, url=db).out.split()
    )
    conn.execute(found.remedy.encode())
    assert pgsluice.plan(data, database_url=db, mode="replace").findings == ()


def test_the_estimate_rests_on_earlier_runs(db: str, data: Path) -> None:
    rows = "".join(f"{n},{'x' * 100}\n" for n in range(10, 20_010))
    file = data / "customers.csv"
    file.write_text(f"id,name\n{rows}")
    first = pgsluice.plan(file, database_url=db).estimate
    assert first is not None
    assert first.basis == "no earlier run of these tables"
    assert file.stat().st_size < first.disk < 4 * file.stat().st_size
    spent = pgsluice.load(file, database_url=db).seconds
    again = pgsluice.plan(file, database_url=db).estimate
    assert again is not None
    assert again.basis.startswith("1 earlier run, ")
    assert again.seconds == pytest.approx(spent + 0.5, abs=0.2 + spent / 4)
    told = call("plan", file, cwd=data, url=db).out
    assert "Estimate: about " in told
    assert f"({again.basis})" in told
