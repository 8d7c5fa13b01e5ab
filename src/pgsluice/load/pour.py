"""Pouring: rows leave the stage for the table, all constraints, triggers and policies in force.

First in one statement. If PostgreSQL refuses, the rows are halved on the server until the refused ones
stand alone, the earlier half always first, so that the rows that stay are those which would have stayed
if they had come one by one in file order.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from pgsluice.load.judge import make_gone
from pgsluice.load.land import REJECT
from pgsluice.load.modes import insert_statement, key_equal, update_statement
from pgsluice.load.state import TableLoad
from pgsluice.model import Way
from pgsluice.source.typed import Runs
from pgsluice.target.verdict import NOT_ROWS_SQL, about_rows

# Variables bear a prefix of their own: columns of the table may have any name.
_HALVE = """
DECLARE sl_n bigint; sl_u bigint := 0; sl_i bigint := 0; sl_middle bigint; sl_more record;
  sl_code text; sl_said text; sl_con text; sl_field text;
BEGIN
  sl_poured := 0; sl_inserted := 0; sl_updated := 0;
  SELECT count(*) INTO sl_n FROM {stage} AS s WHERE s.{ord} BETWEEN sl_lo AND sl_hi;
  IF sl_n = 0 THEN RETURN; END IF;
  BEGIN
    {update}
    {insert};
    GET DIAGNOSTICS sl_i = ROW_COUNT;
    IF ({swallowed}) THEN
      RAISE EXCEPTION USING ERRCODE = 'PGSL1', MESSAGE = 'a trigger or rule of the table kept the row out';
    END IF;
    sl_poured := sl_n; sl_inserted := sl_i; sl_updated := sl_u;
    RETURN;
  EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS sl_code = RETURNED_SQLSTATE, sl_said = MESSAGE_TEXT, sl_con = CONSTRAINT_NAME,
      sl_field = COLUMN_NAME;
    IF left(sl_code, 2) IN {system} THEN RAISE; END IF;
    IF sl_n = 1 THEN
      INSERT INTO {reject} (tab, ord, kind, col, con, code, message)
        SELECT {tab}, s.{ord}, CASE sl_code WHEN '23502' THEN 'not_null' WHEN '23514' THEN 'check'
          WHEN '23505' THEN 'unique' WHEN '23503' THEN 'foreign_key' WHEN '23P01' THEN 'exclusion'
          WHEN '42501' THEN 'policy' WHEN 'PGSL1' THEN 'trigger' WHEN 'P0001' THEN 'trigger'
          ELSE CASE WHEN left(sl_code, 2) = '22' THEN 'value' ELSE 'other' END END,
          coalesce(sl_field, ''), coalesce(sl_con, ''), coalesce(nullif(sl_code, 'PGSL1'), ''), sl_said
        FROM {stage} AS s WHERE s.{ord} BETWEEN sl_lo AND sl_hi;
      {remember}
      DELETE FROM {stage} AS s WHERE s.{ord} BETWEEN sl_lo AND sl_hi;
      RETURN;
    END IF;
  END;
  SELECT s.{ord} INTO sl_middle FROM {stage} AS s WHERE s.{ord} BETWEEN sl_lo AND sl_hi
    ORDER BY s.{ord} OFFSET sl_n / 2 LIMIT 1;
  FOR sl_more IN SELECT * FROM pg_temp.{name}(sl_lo, sl_middle - 1) LOOP
    sl_poured := sl_more.sl_poured; sl_inserted := sl_more.sl_inserted; sl_updated := sl_more.sl_updated;
  END LOOP;
  FOR sl_more IN SELECT * FROM pg_temp.{name}(sl_middle, sl_hi) LOOP
    sl_poured := sl_poured + sl_more.sl_poured; sl_inserted := sl_inserted + sl_more.sl_inserted;
    sl_updated := sl_updated + sl_more.sl_updated;
  END LOOP;
END
"""


def _range(state: TableLoad) -> sql.Composed:
    return sql.SQL(" AND {} BETWEEN sl_lo AND sl_hi").format(sql.Identifier("s", state.ordinal))


def _swallowed(state: TableLoad, only: sql.Composable) -> sql.Composed | None:
    """A query for whether a trigger or rule kept a row out whose INSERT succeeded.

    An INSERT alone says so by its count. Where rows of the table may stand for rows of the file, the keys
    must all be there, which is asked only of tables that have something that could keep one out.
    """
    if not state.key or not any("trigger" in o or "rule" in o for o in state.plan.table.obstacles):
        return None
    return sql.SQL("SELECT EXISTS (SELECT FROM {} AS s WHERE NOT EXISTS (SELECT FROM {} AS t WHERE {}){})").format(
        state.stage, state.target, key_equal(state, "t", "s"), only
    )


def try_pour(conn: psycopg.Connection, state: TableLoad) -> bool:
    """Pours the whole stage in a statement or two; False when PostgreSQL refused and nothing happened."""
    everything = sql.SQL("")
    update, lost = update_statement(state, everything), _swallowed(state, everything)
    updated = inserted = 0
    try:
        with conn.transaction():
            if update is not None:
                updated = conn.execute(update).rowcount
            inserted = conn.execute(insert_statement(state, everything)).rowcount
            complete = bool(state.key) or inserted == state.staged
            if lost is not None and conn.execute(lost).fetchone() == (True,):
                complete = False
            if not complete:
                raise psycopg.Rollback
    except psycopg.Error as error:
        if not about_rows(error):
            raise
        return False
    if complete:
        _poured(conn, state, state.staged, inserted, updated)
    return complete


def pour_halving(conn: psycopg.Connection, state: TableLoad) -> None:
    """Pours what PostgreSQL takes; refused rows become rejects with its own words."""
    name = sql.Identifier(f"pgsluice_pour_{state.number}")
    ordinal = sql.Identifier(state.ordinal)
    remember: sql.Composable = sql.SQL("")
    if state.keys_watched:
        make_gone(conn, state)
        keys = sql.SQL(", ").join(sql.SQL("s.{}::text").format(sql.Identifier(k)) for k in state.keys_watched)
        remember = sql.SQL("INSERT INTO {} SELECT s.{}, {} FROM {} AS s WHERE s.{} BETWEEN sl_lo AND sl_hi;").format(
            state.gone, ordinal, keys, state.stage, ordinal
        )
    only = _range(state)
    update, lost = update_statement(state, only), _swallowed(state, only)
    body = sql.SQL(_HALVE).format(
        stage=state.stage,
        ord=ordinal,
        update=sql.SQL("{}; GET DIAGNOSTICS sl_u = ROW_COUNT;").format(update) if update else sql.SQL(""),
        insert=insert_statement(state, only),
        swallowed=lost or sql.SQL("false" if state.key else "sl_i <> sl_n"),
        system=sql.SQL(NOT_ROWS_SQL),
        reject=REJECT,
        tab=sql.Literal(state.number),
        remember=remember,
        name=name,
    )
    conn.execute(sql.SQL("CREATE INDEX ON {} ({})").format(state.stage, ordinal))
    conn.execute(sql.SQL("ANALYZE {}").format(state.stage))
    conn.execute(
        sql.SQL(
            "CREATE FUNCTION pg_temp.{}(sl_lo bigint, sl_hi bigint, OUT sl_poured bigint, OUT sl_inserted bigint,"
            " OUT sl_updated bigint) LANGUAGE plpgsql AS {}"
        ).format(name, sql.Literal(body.as_string(conn)))
    )
    row = conn.execute(
        sql.SQL(
            "SELECT f.sl_poured, f.sl_inserted, f.sl_updated"
            " FROM (SELECT min({o}) AS lo, max({o}) AS hi FROM {s}) AS x, pg_temp.{f}(x.lo, x.hi) AS f"
        ).format(o=ordinal, s=state.stage, f=name)
    ).fetchone()
    conn.execute(sql.SQL("DROP FUNCTION pg_temp.{}(bigint, bigint)").format(name))
    poured, inserted, updated = (int(n or 0) for n in row or (0, 0, 0))
    state.staged = poured
    _poured(conn, state, poured, inserted, updated)


def _poured(conn: psycopg.Connection, state: TableLoad, count: int, inserted: int, updated: int) -> None:
    state.landed += count
    state.inserted += inserted
    state.updated += updated
    if state.way is Way.IN_PLACE and count:
        # Their place in the heap is behind all others, in the order of their ordinals.
        runs = conn.execute(
            sql.SQL(
                "SELECT min({o}), count(*)"
                " FROM (SELECT {o}, {o} - row_number() OVER (ORDER BY {o}) AS g FROM {s}) AS x"
                " GROUP BY g ORDER BY 1"
            ).format(o=sql.Identifier(state.ordinal), s=state.stage)
        ).fetchall()
        state.segments.add(Runs(tuple((int(a), int(n)) for a, n in runs)), 0)
