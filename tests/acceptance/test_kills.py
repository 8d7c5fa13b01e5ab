"""Loads that are killed, cut off or interrupted in each phase, and loads that meet each other.

A *gate* stops a load where the test wants it: functions of the schema ask :func:`gate`, which waits for an
advisory lock that the test holds as long as the current statement looks like the phase that is meant. The
load's backend then stands still in the very middle of that phase, and its end can be chosen.
"""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from command import call, end, start
from pgsluice import api
from pgsluice.ledger.schema import ensure
from pgsluice.model import RunResult
from pgsluice.postgres.connecting.connect import connect

Connection = psycopg.Connection[tuple[object, ...]]

GATE, PUBLISHING = 4711, 4712
PATIENCE = 90.0
"""Seconds after which something does not happen, on however busy a machine."""

# The gate's functions claim to be immutable, so that an index may be built on one. A foreign key asks a
# function only where its column has another type than the parent's, and that of the cast is ours.
SCHEMA = f"""
CREATE FUNCTION hold() RETURNS void LANGUAGE plpgsql SET lock_timeout = 0 AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared({GATE});
END $$;
CREATE FUNCTION gate(anything integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF current_query() ~ current_setting('gate.phase', true) THEN
    PERFORM public.hold();
  END IF;
  RETURN true;
END $$;
CREATE FUNCTION publishing() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$
BEGIN
  IF NEW.status = 'published' THEN
    PERFORM pg_catalog.pg_advisory_xact_lock_shared({PUBLISHING});
  END IF;
  RETURN NEW;
END $$;
CREATE DOMAIN gated AS integer CHECK (public.gate(VALUE));
CREATE TABLE parent (id integer PRIMARY KEY, name text NOT NULL);
CREATE TYPE pointer AS (id integer);
CREATE FUNCTION pointed(p pointer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  PERFORM public.gate(p.id);
  RETURN p.id;
END $$;
CREATE CAST (pointer AS integer) WITH FUNCTION pointed(pointer) AS IMPLICIT;
CREATE TABLE child (
  id integer CONSTRAINT child_pkey PRIMARY KEY,
  parent_id KEY NOT NULL CONSTRAINT child_parent_fkey REFERENCES parent,
  n gated,
  CONSTRAINT child_gate CHECK (gate(n)),
  CONSTRAINT child_n_check CHECK (n >= 0)
);
CREATE INDEX child_gate_idx ON child (gate(n));
COMMENT ON CONSTRAINT child_pkey ON child IS 'kept';
CREATE TABLE elsewhere (id integer PRIMARY KEY);
"""

COUNT = 3000
FAULTY = {17: "check", 900: "foreign_key", 2000: "unique"}
"""Rows of child.csv that are refused, by their number from 0."""

PHASES = {
    "copy": "^COPY",
    "judge": "pgsluice_violation",
    "index": "^CREATE INDEX",
    "foreign key": "FOREIGN KEY",
    # (?n): a comment may stand above the statement.
    "insert": r'(?n)^INSERT INTO "public"',
    # Stopped first, so that the ledger gets its trigger when the run has checked the ledger.
    "publish": r'(?n)^(CREATE INDEX|INSERT INTO "public")',
}
# A phase in ``make test``, all others in ``make test-slow``.
CASES = [
    (True, "publish"),
    *(
        pytest.param(filled, phase, marks=pytest.mark.slow)
        for filled, phase in [
            *((False, phase) for phase in PHASES if phase != "insert"),
            *((True, phase) for phase in ("copy", "judge", "insert")),
        ]
    ),
]


def write(folder: Path, first: int = 1, key: str = "{}", *, clean: bool = True) -> Path:
    """The two files, with ids from ``first`` on, and keys of parents as the type ``parent_id`` writes them."""
    folder.mkdir()
    with (folder / "parent.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "name"), *((first + i, f"p{first + i}") for i in range(COUNT))])
    rows: list[list[object]] = [[first + i, first + i, i] for i in range(COUNT)]
    for number, kind in () if clean else FAULTY.items():
        rows[number][{"check": 2, "foreign_key": 1, "unique": 0}[kind]] = {
            "check": -1,
            "foreign_key": 10**6,
            "unique": first,
        }[kind]
    for row in rows:
        row[1] = key.format(row[1])
    with (folder / "child.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "parent_id", "n"), *rows])
    return folder


@contextmanager
def closed_gate(uri: str, conn: Connection, phase: str) -> Iterator[Callable[[], int]]:
    """Closes the gate in one phase; gives a function that waits for the load and returns its backend."""
    conn.execute(f"ALTER DATABASE {conn.info.dbname} SET gate.phase = '{PHASES[phase]}'")
    with psycopg.connect(uri, autocommit=True, application_name="gatekeeper") as keeper:
        keeper.execute("SELECT pg_advisory_lock(%s)", (GATE,))
        try:
            if phase == "publish":
                yield lambda: waiting_to_publish(keeper)
            else:
                yield lambda: waiting_at_the_gate(keeper, GATE)
        finally:
            keeper.execute("SELECT pg_advisory_unlock_all()")
            keeper.execute("DROP TRIGGER IF EXISTS gate ON pgsluice.run")


def waiting_to_publish(conn: Connection) -> int:
    """Stops the statement that publishes. The trigger comes after the run has checked the ledger, which has none."""
    waiting_at_the_gate(conn, GATE)
    conn.execute("SELECT pg_advisory_lock(%s)", (PUBLISHING,))
    conn.execute("CREATE TRIGGER gate BEFORE UPDATE ON pgsluice.run FOR EACH ROW EXECUTE FUNCTION public.publishing()")
    conn.execute("SELECT pg_advisory_unlock(%s)", (GATE,))
    return waiting_at_the_gate(conn, PUBLISHING)


def waiting_at_the_gate(conn: Connection, gate: int) -> int:
    return eventually(
        lambda: conn.execute(
            "SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE locktype = 'advisory' AND classid = 0 AND objid = %s AND NOT granted"
            " AND datname = current_database()",
            (gate,),
        ).fetchone()
    )


def eventually(ask: Callable[[], object]) -> int:
    """The first number that ``ask`` brings in a row; fails when it takes too long."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        match ask():
            case (int(value), *_):
                return value
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def sessions(conn: Connection) -> list[tuple[object, ...]]:
    return conn.execute(
        "SELECT pid, application_name, state, query FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name LIKE 'pgsluice%'"
    ).fetchall()


def gone(conn: Connection) -> None:
    """No session of pgsluice is left."""
    eventually(lambda: (1,) if not sessions(conn) else None)


def state(conn: Connection) -> list[tuple[object, ...]]:
    """Rows, constraints, indexes and comments of the target, and every relation that is not the ledger's."""
    return conn.execute(
        "SELECT 'parent', md5(string_agg(p::text, ' ' ORDER BY id)), count(*)::text FROM parent AS p"
        " UNION ALL SELECT 'child', md5(string_agg(c::text, ' ' ORDER BY id)), count(*)::text FROM child AS c"
        " UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid)"
        " || coalesce(obj_description(oid, 'pg_constraint'), '')"
        " FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
        " UNION ALL SELECT 'relation', oid::regclass::text, coalesce(pg_get_indexdef(oid), relkind::text)"
        " FROM pg_class WHERE relnamespace <> ALL ('{pg_catalog,pg_toast,information_schema,pgsluice}'::regnamespace[])"
        " ORDER BY 1, 2, 3"
    ).fetchall()


def prepare(uri: str, conn: Connection, *, filled: bool = False, key: str = "integer") -> None:
    conn.execute(SCHEMA.replace("KEY NOT NULL", f"{key} NOT NULL"))
    if filled:
        conn.execute("INSERT INTO parent VALUES (0, 'old'); INSERT INTO child VALUES (0, 0, 0)")
    with connect(uri) as main:
        main.autocommit = True
        ensure(main)


def statuses(conn: Connection) -> list[object]:
    return [status for (status,) in conn.execute("SELECT status FROM pgsluice.run ORDER BY run_id").fetchall()]


def load(uri: str, data: Path) -> RunResult:
    return api.load(data, database_url=uri, max_rejects="all", data_dir=str(data.parent))


def all_is_there(
    uri: str, conn: Connection, before: list[tuple[object, ...]], data: Path, *, filled: bool, clean: bool
) -> None:
    """The run that published did so with the right rows, and everything that is no row is as before."""
    bad = {} if clean else FAULTY
    _, found = api.rejects(database_url=uri)
    assert sorted(g.kind for g in found.groups for _ in range(g.count)) == sorted(bad.values())
    (last, *_) = api.runs(database_url=uri)
    assert (last.status, last.read, last.loaded, last.rejected) == (
        "published",
        2 * COUNT,
        2 * COUNT - len(bad),
        len(bad),
    )
    after = state(conn)
    old = int(filled)
    assert [row[2] for row in after if row[0] in ("parent", "child")] == [
        str(COUNT - len(bad) + old),
        str(COUNT + old),
    ]
    assert [row for row in after if row[0] not in ("parent", "child")] == [
        row for row in before if row[0] not in ("parent", "child")
    ]
    ids = [i for (i,) in conn.execute("SELECT id FROM child WHERE id > 0 ORDER BY id").fetchall()]
    assert ids == [i + 1 for i in range(COUNT) if i not in bad]
    assert load(uri, data).status == "skipped"


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_ends_a_load_as_ctrl_c_does(name: str, code: int, db: str, conn: Connection, tmp_path: Path) -> None:
    """With a message that says how far the load was, in the ledger, and without a message of psycopg."""
    prepare(db, conn, filled=False, key="integer")
    data = write(tmp_path / "data", key="{}", clean=True)
    before = state(conn)
    with closed_gate(db, conn, "index") as at_gate:
        loading = start("load", data, "--max-rejects", "all", cwd=tmp_path, url=db)
        at_gate()
        loading.send_signal(getattr(signal, name))
        time.sleep(1)  # of two signals that wait together, Python handles SIGINT first
        loading.send_signal(signal.SIGINT)  # impatience, which must not cost the entry of the ledger
        ended = end(loading)
        gone(conn)
    ended.complaint(code, f"interrupted by {name}; nothing was published. It had read ", "of the files", " of 2: ")
    assert "psycopg" not in ended.err
    assert state(conn) == before
    assert conn.execute("SELECT status, detail FROM pgsluice.run").fetchall() == [
        ("interrupted", f"interrupted by {name}")
    ]


@pytest.mark.parametrize(("filled", "phase"), CASES)
def test_killed_in_each_phase(filled: bool, phase: str, db: str, conn: Connection, tmp_path: Path) -> None:
    """Client killed, backend terminated, Ctrl-C, one after the other, each followed by a look."""
    special = phase == "foreign key"
    prepare(db, conn, filled=filled, key="pointer" if special else "integer")
    # Clean rows are not judged, others may be sent another way when an index cannot be built over them.
    clean = phase in ("index", "foreign key")
    data = write(tmp_path / "data", key="({})" if special else "{}", clean=clean)
    before = state(conn)

    with closed_gate(db, conn, phase) as at_gate:
        loading = start("load", data, "--max-rejects", "all", cwd=tmp_path, url=db)
        at_gate()
        loading.kill()
        assert end(loading).code == -signal.SIGKILL
        # Though the gate is still closed: the server notices by itself that its client is gone.
        gone(conn)
    assert state(conn) == before

    with closed_gate(db, conn, phase) as at_gate:
        loading = start("load", data, "--max-rejects", "all", "--no-wait", cwd=tmp_path, url=db)
        conn.execute("SELECT pg_terminate_backend(%s)", (at_gate(),))
        end(loading).complaint(3, "terminat")
        gone(conn)
    assert state(conn) == before

    with closed_gate(db, conn, phase) as at_gate:
        loading = start("load", data, "--max-rejects", "all", cwd=tmp_path, url=db)
        at_gate()
        loading.send_signal(signal.SIGINT)
        end(loading).complaint(130, "interrupted; nothing was published")
        gone(conn)
    assert state(conn) == before

    # With time to wait, a load whose backend was terminated tries again by itself, and is the next run.
    with closed_gate(db, conn, phase) as at_gate:
        loading = start("load", data, "--max-rejects", "all", cwd=tmp_path, url=db)
        conn.execute("SELECT pg_terminate_backend(%s)", (at_gate(),))
    assert end(loading).code == 0
    assert statuses(conn) == ["interrupted", "failed", "interrupted", "published"]
    all_is_there(db, conn, before, data, filled=filled, clean=clean)


def test_children_get_signals_though_the_tests_ignore_them() -> None:
    """A shell ignores SIGINT for ``make test &``, ``nohup`` ignores SIGHUP, and children inherit that."""
    child = (
        "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler"
        " and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL)"
    )
    parent = (
        "import signal, subprocess, sys, conftest; signal.signal(signal.SIGINT, signal.SIG_IGN);"
        " signal.signal(signal.SIGHUP, signal.SIG_IGN);"
        f" conftest.interruptible_children(); subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    )
    tests = str(Path(__file__).parents[1])
    ended = subprocess.run([sys.executable, "-c", parent], cwd=tests, capture_output=True, text=True, check=True)
    assert ended.stdout == "True\n"


def outcome(conn: Connection) -> tuple[object, ...]:
    return conn.execute("SELECT count(*), count(DISTINCT id), min(id), max(id) FROM child").fetchone() or ()


@pytest.mark.parametrize("filled", [pytest.param(False, marks=pytest.mark.slow), True])
def test_two_loads_into_the_same_tables(filled: bool, db: str, conn: Connection, tmp_path: Path) -> None:
    """The second waits and says for whom; with --no-wait it fails at once; a third one is not in the way."""
    prepare(db, conn, filled=filled)
    data = write(tmp_path / "data")
    more = write(tmp_path / "more", first=10_001)
    (tmp_path / "elsewhere.csv").write_text("id\n1\n2\n")
    # Clean rows go past the stage: what takes them in is the COPY.
    with closed_gate(db, conn, "copy" if filled else "index") as at_gate:
        first = start("load", data, "--max-rejects", "all", cwd=tmp_path, url=db)
        pid = at_gate()
        second = start("load", more, "--max-rejects", "all", cwd=tmp_path, url=db)
        assert second.stderr is not None
        told = second.stderr.readline()
        assert f"waiting for run 1 (pid {pid}" in told
        began = time.monotonic()
        call("load", more, "--no-wait", cwd=tmp_path, url=db).complaint(3, "run 1", f"pid {pid}")
        assert time.monotonic() - began < 5
        assert load(db, tmp_path / "elsewhere.csv").status == "published"
        assert second.poll() is None
        assert first.poll() is None
    assert end(first).code == 0
    assert end(second).code == 0
    assert outcome(conn) == (2 * COUNT + filled, 2 * COUNT + filled, 1 - filled, 10_000 + COUNT)
    assert sorted(map(str, statuses(conn))) == ["published"] * 3


def test_the_same_load_twice_at_once(db: str, conn: Connection, tmp_path: Path) -> None:
    """The one that waited finds the files loaded and adds nothing."""
    prepare(db, conn)
    data = write(tmp_path / "data")
    with closed_gate(db, conn, "index") as at_gate:
        first = start("load", data, "--max-rejects", "all", cwd=tmp_path, url=db)
        at_gate()
        second = start("load", data, "--max-rejects", "all", "--json", cwd=tmp_path, url=db)
        eventually(
            lambda: conn.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgsluice'"
                " AND datname = current_database() HAVING count(*) = 2"
            ).fetchone()
        )
    assert end(first).code == 0
    assert end(second).json["status"] == "skipped"
    assert outcome(conn) == (COUNT, COUNT, 1, COUNT)


@pytest.mark.parametrize("moments", [(2, 4, 6), pytest.param((1, 3, 5, 7), marks=pytest.mark.slow)], ids=str)
def test_killed_at_any_moment(db: str, conn: Connection, tmp_path: Path, moments: tuple[int, ...]) -> None:
    """Without a gate, wherever the load is: wholly before or wholly after, and the ledger says which.

    Load number 0 is not killed: it shows how long a load takes.
    """
    prepare(db, conn)
    seconds: list[float] = []
    for number in (0, *moments):
        conn.execute("TRUNCATE parent, child")
        before = state(conn)
        data = write(tmp_path / f"data{number}", first=1 + number)
        began = time.monotonic()
        loading = start("load", data, "--max-rejects", "all", cwd=tmp_path, url=db)
        if seconds:
            # From the start of the process to its end, in equal steps.
            time.sleep(seconds[0] * (0.3 + 0.1 * number))
            loading.kill()
        code = end(loading).code
        seconds.append(time.monotonic() - began)
        gone(conn)
        if outcome(conn)[0]:
            assert statuses(conn)[-1] == "published"
            assert load(db, data).status == "skipped"
        else:
            assert code == -signal.SIGKILL
            assert state(conn) == before
            assert load(db, data).status == "published"
        assert outcome(conn) == (COUNT, COUNT, 1 + number, COUNT + number)
        assert "running" not in statuses(conn)
