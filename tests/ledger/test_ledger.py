from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from pgsluice.errors import CallError, LockedError, PrivilegeError
from pgsluice.ledger import advisory_locks, queries, rejects, replays, runs, schema
from pgsluice.ledger.rejects import RejectRow
from pgsluice.ledger.runs import FileRecord
from pgsluice.model import Progress, Reject, RejectGroup, Verdict, ignore_progress

Conn = psycopg.Connection[Any]


@pytest.fixture
def books(conn: Conn) -> Conn:
    schema.ensure(conn)
    return conn


@pytest.fixture
def other(db: str) -> Iterator[Conn]:
    with psycopg.connect(db, autocommit=True, application_name="the other") as connection:
        yield connection


def record(table_oid: int = 1, sha256: str = "a", status: str = "loaded", size: int = 10) -> FileRecord:
    return FileRecord(table_oid, "public", "t", "t.csv", sha256, size, status, 5, 3, 2)


def reject(number: int, kind: str = "value", file: str = "t.csv") -> RejectRow:
    verdict = Verdict(kind, "a", "", "22P02", f"bad {number}")
    return RejectRow("t", file, number + 1, number, verdict, f"raw {number}")


def status(conn: Conn, run_id: int) -> str:
    row = conn.execute("SELECT status FROM pgsluice.run WHERE run_id = %s", [run_id]).fetchone()
    assert row is not None
    return str(row[0])


def release_run(conn: Conn, run_id: int) -> None:
    """What the end of the session does to the lock of a run."""
    row = conn.execute("SELECT pg_advisory_unlock_shared(%s, %s)", [advisory_locks.RUN_LOCK_CLASS, run_id]).fetchone()
    assert row == (True,)


# --------------------------------------------------------------------------- creation


def test_ensure_on_every_version(any_conn: Conn) -> None:
    assert not schema.exists(any_conn)
    schema.ensure(any_conn)
    schema.ensure(any_conn)
    assert schema.exists(any_conn)
    run_id = runs.start_run(any_conn, {"x": [1, None]})
    runs.record_files(any_conn, run_id, [record()])
    runs.finish_run(any_conn, run_id, "published", 1.5)
    assert rejects.copy_rejects(any_conn, run_id, [reject(1)]) == 1
    assert queries.last_run_with_rejects(any_conn) == run_id
    assert runs.loaded_before(any_conn, [(1, "a"), (1, "b")]) == {(1, "a")}


def test_ensure_by_many_at_once(db: str) -> None:
    def one(_: int) -> None:
        with psycopg.connect(db, autocommit=True) as connection:
            schema.ensure(connection)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, range(12)))


def test_everything_has_a_comment(books: Conn) -> None:
    row = books.execute("""
        SELECT count(*), count(obj_description(oid, 'pg_class')) FROM pg_class
         WHERE relnamespace = 'pgsluice'::regnamespace AND relkind = 'r'
    """).fetchone()
    assert row == (10, 10)


def test_rights(conn: Conn) -> None:
    conn.execute('DROP ROLE IF EXISTS "a role"; CREATE ROLE "a role"; SET ROLE "a role"')
    try:
        with pytest.raises(PrivilegeError) as caught:
            schema.ensure(conn)
        assert caught.value.remedy.startswith("As its owner: GRANT CREATE ON DATABASE t")
        assert caught.value.remedy.endswith(' TO "a role";')

        conn.execute("RESET ROLE")
        schema.ensure(conn)
        conn.execute('SET ROLE "a role"')
        with pytest.raises(PrivilegeError) as caught:
            schema.ensure(conn)
        grants = caught.value.remedy.removeprefix("As its owner: ")

        conn.execute("RESET ROLE")
        conn.execute(grants)
        conn.execute('SET ROLE "a role"')
        schema.ensure(conn)
        run_id = runs.start_run(conn, {})
        runs.record_files(conn, run_id, [record()])
        rejects.copy_rejects(conn, run_id, [reject(1)])
        runs.finish_run(conn, run_id, "failed", 0.1, "no luck")
        assert status(conn, run_id) == "failed"

        conn.execute('RESET ROLE; DROP TABLE pgsluice.reject CASCADE; SET ROLE "a role"')
        with pytest.raises(PrivilegeError, match="may not make the ledger") as caught:
            schema.ensure(conn)
        assert "GRANT USAGE, CREATE ON SCHEMA pgsluice" in caught.value.remedy
    finally:
        conn.execute('RESET ROLE; DROP OWNED BY "a role" CASCADE; DROP ROLE "a role"')


# --------------------------------------------------------------------------- runs and files


def test_what_was_loaded_before(books: Conn) -> None:
    first, second, third = (runs.start_run(books, {}) for _ in range(3))
    runs.record_files(books, first, [record(1, "a"), record(1, "b", size=20), record(2, "c", "skipped")])
    runs.record_files(books, second, [record(1, "d", size=30)])
    runs.record_files(books, third, [record(1, "a")])
    assert runs.loaded_before(books, [(1, "a")]) == set()
    runs.finish_run(books, first, "published", 1.0)
    runs.finish_run(books, second, "vetoed", 1.0, "too many")
    asked = [(1, "a"), (2, "a"), (2, "c"), (1, "d"), (1, "b")]
    assert runs.loaded_before(books, asked) == {(1, "a"), (1, "b")}
    assert runs.sizes_loaded(books, [1, 2]) == {(1, 10), (1, 20)}
    assert runs.sizes_loaded(books, []) == set()
    runs.finish_run(books, third, "published", 1.0)
    assert runs.loaded_before(books, [(1, "a")]) == {(1, "a")}
    assert queries.loaded_rows(books) == {1: (9, 0, False)}


def test_published_only_with_the_rows(books: Conn, db: str) -> None:
    run_id = runs.start_run(books, {})
    with psycopg.connect(db) as main:
        advisory_locks.hold_run(main, run_id)
        runs.record_files(main, run_id, [record()])
        runs.finish_run(main, run_id, "published", 1.0)
        assert runs.mark_interrupted(books) == ()  # does not wait for the row either
        main.rollback()
    assert status(books, run_id) == "running"
    assert runs.loaded_before(books, [(1, "a")]) == set()


def test_runs(books: Conn) -> None:
    assert queries.runs(books, 5) == ()
    ids = [runs.start_run(books, {}) for _ in range(3)]
    runs.record_files(books, ids[0], [record(1), record(1), record(2)])
    runs.finish_run(books, ids[0], "published", 2.5, "fine", "/x.csv")
    newest, _, oldest = queries.runs(books, 5)
    assert [newest.run_id, oldest.run_id] == [ids[2], ids[0]]
    assert (newest.status, newest.seconds, newest.tables, newest.read) == ("running", None, 0, 0)
    assert (oldest.tables, oldest.read, oldest.loaded, oldest.rejected) == (2, 15, 9, 6)
    assert (oldest.seconds, oldest.detail) == (2.5, "fine")
    assert oldest.started[10] == "T"
    assert [run.run_id for run in queries.runs(books, 1)] == [ids[2]]


def test_interrupted(books: Conn, db: str, other: Conn) -> None:
    with psycopg.connect(db, autocommit=True) as dying:
        dead = runs.start_run(dying, {})
    with psycopg.connect(db, autocommit=True) as dying:
        held = runs.start_run(dying, {})
        advisory_locks.hold_run(other, held)
    mine = runs.start_run(books, {})
    _wait_for_end_of_sessions(books, 2)
    assert runs.mark_interrupted(books) == (dead,)
    assert runs.mark_interrupted(books) == ()
    assert [status(books, run_id) for run_id in (dead, held, mine)] == ["interrupted", "running", "running"]
    release_run(other, held)
    release_run(books, mine)
    assert runs.mark_interrupted(other) == (held, mine)


def _wait_for_end_of_sessions(conn: Conn, left: int) -> None:
    """A closed connection takes a moment to vanish on the server's side."""
    for _ in range(100):
        row = conn.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend'"
        ).fetchone()
        if row == (left,):
            return
        time.sleep(0.05)


# --------------------------------------------------------------------------- locks


BIG = 4_000_000_000  # an oid that no signed integer of 32 bits holds


def test_no_wait_says_who(books: Conn, other: Conn) -> None:
    books.execute("CREATE TABLE taken (a int)")
    row = books.execute("SELECT 'taken'::regclass::oid::bigint").fetchone()
    assert row is not None
    run_id = runs.start_run(books, {})
    advisory_locks.hold_run(other, run_id)
    advisory_locks.lock_tables(other, [row[0]], no_wait=True, listen=ignore_progress)
    free = row[0] - 1
    with pytest.raises(LockedError) as caught:
        advisory_locks.lock_tables(books, [row[0], free], no_wait=True, listen=ignore_progress)
    who = f"run {run_id} (pid {other.info.backend_pid}, the other, role postgres, since 2"
    assert caught.value.message.startswith(f"table taken is being loaded by {who}")
    # What it took before it met the other is free again.
    advisory_locks.lock_tables(other, [free, row[0]], no_wait=True, listen=ignore_progress)


def test_waits_until_free(books: Conn, other: Conn) -> None:
    heard: list[Progress] = []
    advisory_locks.lock_tables(other, [BIG, 7, 7], no_wait=False, listen=ignore_progress)
    thread = threading.Thread(
        target=advisory_locks.lock_tables, args=(books, [7, BIG]), kwargs={"no_wait": False, "listen": heard.append}
    )
    thread.start()
    time.sleep(0.7)
    assert thread.is_alive()
    advisory_locks.unlock_tables(other, [7, BIG])
    thread.join(5)
    assert not thread.is_alive()
    assert len(heard) == 1
    assert heard[0].phase == "wait"
    assert heard[0].step.startswith(f"waiting for another run (pid {other.info.backend_pid}, the other")
    with pytest.raises(LockedError):
        advisory_locks.lock_tables(other, [BIG], no_wait=True, listen=ignore_progress)


def test_locks_outlive_a_rollback(books: Conn, db: str) -> None:
    with psycopg.connect(db) as main:
        advisory_locks.lock_tables(main, [BIG], no_wait=True, listen=ignore_progress)
        main.rollback()
        with pytest.raises(LockedError):
            advisory_locks.lock_tables(books, [BIG], no_wait=True, listen=ignore_progress)


# --------------------------------------------------------------------------- rejects


def test_rejects(books: Conn) -> None:
    assert queries.last_run_with_rejects(books) is None
    run_id = runs.start_run(books, {})
    assert rejects.copy_rejects(books, run_id, iter([])) == 0
    assert rejects.copy_rejects(books, run_id, [reject(3), reject(1)]) == 2
    more = [
        reject(2, "parent")._replace(parent_file="p.csv", parent_line=9, raw='a\0b,\u20ac\n"q"'),
        reject(1, file="a.csv"),
    ]
    assert rejects.copy_rejects(books, run_id, iter(more)) == 2
    assert queries.last_run_with_rejects(books) == run_id
    rows = list(queries.reject_rows(books, run_id))
    assert [(row.reject_no, row.file, row.line) for row in rows] == [
        (1, "t.csv", 4), (2, "t.csv", 2), (3, "t.csv", 3), (4, "a.csv", 2),
    ]  # fmt: skip
    assert rows[2] == Reject(
        run_id, "t", "t.csv", 3, "parent", "a", "", "22P02", "bad 2", 'a\\x00b,\u20ac\n"q"', run_id, 3, 2, "p.csv", 9
    )
    assert queries.reject_groups(books, run_id) == (
        RejectGroup("t", "value", "a", "", "22P02", 3, "t.csv:4: bad 3"),
        RejectGroup("t", "parent", "a", "", "22P02", 1, "t.csv:3: bad 2"),
    )
    assert list(queries.reject_rows(books, run_id + 1)) == []
    stored = books.execute("SELECT reject_no, parent_file, parent_line FROM pgsluice.reject WHERE reject_no = 3")
    assert stored.fetchone() == (3, "p.csv", 9)


def test_what_was_replayed(books: Conn, db: str) -> None:
    first = runs.start_run(books, {})
    runs.record_files(books, first, [record()])
    rejects.copy_rejects(books, first, [reject(1), reject(2)])
    second = runs.start_run(books, {}, replay_of=first)
    with psycopg.connect(db) as main:
        replays.mark_replayed(main, first, second, [2])
        main.commit()
        with pytest.raises(CallError, match=f"another replay of run {first}"):
            replays.mark_replayed(main, first, second, [1, 2])
        main.rollback()
    assert [row.reject_no for row in queries.reject_rows(books, first)] == [1]
    assert (queries.replayed_rows(books, first), queries.replayed_rows(books, first, "u")) == (1, 0)
    [run] = [run for run in queries.runs(books, 10) if run.run_id == first]
    assert (run.read, run.loaded, run.rejected, run.replayed) == (5, 3, 1, 1)
    with pytest.raises(psycopg.errors.CheckViolation, match="file_balances"):
        books.execute("UPDATE pgsluice.file SET rows_replayed = rows_replayed + 1")


def test_rejects_of_one_table(books: Conn) -> None:
    run_id = runs.start_run(books, {})
    rejects.copy_rejects(books, run_id, [reject(1), reject(2)._replace(table_name="s.t")])
    for name, number in (("t", 1), ("public.t", 1), ("s.t", 2)):
        assert [row.reject_no for row in queries.reject_rows(books, run_id, name)] == [number]
        assert [group.count for group in queries.reject_groups(books, run_id, name)] == [1]
    assert list(queries.reject_rows(books, run_id, "u")) == []


def test_streams_may_be_left(books: Conn) -> None:
    run_id = runs.start_run(books, {})
    rejects.copy_rejects(books, run_id, (reject(number) for number in range(10_000)))
    stream = queries.reject_rows(books, run_id)
    assert next(stream).line == 1
    stream.close()  # type: ignore[attr-defined]
    assert books.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert sum(1 for _ in queries.reject_rows(books, run_id)) == 10_000


def test_any_row_factory(books: Conn) -> None:
    books.row_factory = dict_row
    schema.ensure(books)
    run_id = runs.start_run(books, {})
    rejects.copy_rejects(books, run_id, [reject(1)])
    assert len(list(queries.reject_rows(books, run_id))) == len(queries.reject_groups(books, run_id)) == 1
    assert runs.mark_interrupted(books) == ()
    assert schema.exists(books)
