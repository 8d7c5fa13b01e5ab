"""How far an index build is, and an end of the load in the middle of one."""

from __future__ import annotations

import psycopg
import pytest

from pgsluice.postgres.connecting import watched
from pgsluice.postgres.connecting.connect import connect

SLOW = """
CREATE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_catalog.pg_sleep(0.004); RETURN i; END';
CREATE TABLE t AS SELECT i, repeat('x', 1000) AS x FROM generate_series(1, 200) AS i;
"""


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "FIRST", 0.0)
    monkeypatch.setattr(watched, "EACH", 0.0)


def test_the_share_grows(any_db: str, any_conn: psycopg.Connection) -> None:
    any_conn.execute(SLOW)
    shares: list[int] = []
    with connect(any_db) as conn, watched.watched_build(conn, any_conn, shares.append):
        conn.execute("CREATE INDEX ON public.t (public.slow(i))")
        assert conn.execute("SELECT 1").fetchone() == (1,)
    assert len(shares) >= 3
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= watched.WHOLE


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_listener_ends_the_build(db: str, conn: psycopg.Connection, error: type[BaseException]) -> None:
    conn.execute(SLOW)

    def end(_: int) -> None:
        raise error("enough")

    with connect(db) as building:
        with pytest.raises(error, match="enough"), watched.watched_build(building, conn, end):
            building.execute("CREATE INDEX ON public.t (public.slow(i))")
        building.rollback()
        assert building.execute("SELECT 1").fetchone() == (1,)
    assert conn.execute("SELECT count(*) FROM pg_indexes WHERE tablename = 't'").fetchone() == (0,)


def test_an_error_of_the_build_stays_what_it_is(db: str, conn: psycopg.Connection) -> None:
    conn.execute("CREATE TABLE t AS SELECT 1 AS i FROM generate_series(1, 2)")
    with (
        connect(db) as building,
        watched.watched_build(building, conn, lambda _: None),
        pytest.raises(psycopg.errors.UniqueViolation),
    ):
        building.execute("CREATE UNIQUE INDEX ON public.t (i)")


def test_a_lost_question_does_not_disturb_the_build(db: str, conn: psycopg.Connection) -> None:
    conn.execute(SLOW)
    other = connect(db)
    other.close()
    with connect(db) as building, watched.watched_build(building, other, lambda _: None):
        building.execute("CREATE INDEX ON public.t (public.slow(i))")
