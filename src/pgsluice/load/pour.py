"""Pouring: rows leave the stage for the table, all constraints, triggers and policies in force.

First in one statement. If PostgreSQL refuses, the rows are halved on the server until the refused ones
stand alone, the earlier half always first, so that the rows that stay are those which would have stayed
if they had come one by one in file order.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from pgsluice.load.judge import make_gone
from pgsluice.load.land import REJECT, column_list
from pgsluice.load.state import TableLoad
from pgsluice.model import Way
from pgsluice.source.typed import Runs
from pgsluice.target.verdict import NOT_ROWS_SQL, about_rows

_HALVE = """
DECLARE n bigint; m bigint; middle bigint; poured bigint := 0;
  code text; said text; con text; field text;
BEGIN
  SELECT count(*) INTO n FROM {stage} WHERE {ord} BETWEEN lo AND hi;
  IF n = 0 THEN RETURN 0; END IF;
  BEGIN
    {insert} WHERE {ord} BETWEEN lo AND hi ORDER BY {ord};
    GET DIAGNOSTICS m = ROW_COUNT;
    IF m = n THEN RETURN n; END IF;
    RAISE EXCEPTION USING ERRCODE = 'PGSL1', MESSAGE = 'a trigger or rule of the table kept the row out';
  EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, said = MESSAGE_TEXT, con = CONSTRAINT_NAME,
      field = COLUMN_NAME;
    IF left(code, 2) IN {system} THEN RAISE; END IF;
    IF n = 1 THEN
      INSERT INTO {reject} (tab, ord, kind, col, con, code, message)
        SELECT {tab}, s.{ord}, CASE code WHEN '23502' THEN 'not_null' WHEN '23514' THEN 'check'
          WHEN '23505' THEN 'unique' WHEN '23503' THEN 'foreign_key' WHEN '23P01' THEN 'exclusion'
          WHEN '42501' THEN 'policy' WHEN 'PGSL1' THEN 'trigger' WHEN 'P0001' THEN 'trigger'
          ELSE CASE WHEN left(code, 2) = '22' THEN 'value' ELSE 'other' END END,
          coalesce(field, ''), coalesce(con, ''), nullif(code, 'PGSL1'), said
        FROM (SELECT {ord} FROM {stage} WHERE {ord} BETWEEN lo AND hi) AS s;
      {remember}
      DELETE FROM {stage} WHERE {ord} BETWEEN lo AND hi;
      RETURN 0;
    END IF;
  END;
  SELECT {ord} INTO middle FROM {stage} WHERE {ord} BETWEEN lo AND hi ORDER BY {ord} OFFSET n / 2 LIMIT 1;
  poured := pg_temp.{name}(lo, middle - 1);
  RETURN poured + pg_temp.{name}(middle, hi);
END
"""


def insert_statement(state: TableLoad) -> sql.Composable:
    """``INSERT INTO table SELECT ... FROM stage``, values of identity columns kept as the file has them."""
    return sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}").format(
        state.target, column_list(state), column_list(state), state.stage
    )


def try_pour(conn: psycopg.Connection, state: TableLoad) -> bool:
    """Pours the whole stage in one statement; False when PostgreSQL refused and nothing happened."""
    try:
        with conn.transaction():
            count = conn.execute(
                sql.SQL("{} ORDER BY {}").format(insert_statement(state), sql.Identifier(state.ordinal))
            ).rowcount
            if count != state.staged:
                raise psycopg.Rollback
    except psycopg.Error as error:
        if not about_rows(error):
            raise
        return False
    if count != state.staged:
        return False
    _poured(conn, state, count)
    return True


def pour_halving(conn: psycopg.Connection, state: TableLoad) -> None:
    """Pours what PostgreSQL takes; refused rows become rejects with its own words."""
    name = sql.Identifier(f"pgsluice_pour_{state.number}")
    ordinal = sql.Identifier(state.ordinal)
    remember: sql.Composable = sql.SQL("")
    if state.keys_watched:
        make_gone(conn, state)
        keys = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(k)) for k in state.keys_watched)
        remember = sql.SQL("INSERT INTO {} SELECT {}, {} FROM {} WHERE {} BETWEEN lo AND hi;").format(
            state.gone, ordinal, keys, state.stage, ordinal
        )
    body = sql.SQL(_HALVE).format(
        stage=state.stage,
        ord=ordinal,
        insert=insert_statement(state),
        system=sql.SQL(NOT_ROWS_SQL),
        reject=REJECT,
        tab=sql.Literal(state.number),
        remember=remember,
        name=name,
    )
    conn.execute(sql.SQL("CREATE INDEX ON {} ({})").format(state.stage, ordinal))
    conn.execute(sql.SQL("ANALYZE {}").format(state.stage))
    conn.execute(
        sql.SQL("CREATE FUNCTION pg_temp.{}(lo bigint, hi bigint) RETURNS bigint LANGUAGE plpgsql AS {}").format(
            name, sql.Literal(body.as_string(conn))
        )
    )
    row = conn.execute(
        sql.SQL("SELECT pg_temp.{}(min({o}), max({o})) FROM {}").format(name, state.stage, o=ordinal)
    ).fetchone()
    conn.execute(sql.SQL("DROP FUNCTION pg_temp.{}(bigint, bigint)").format(name))
    state.staged = (row and row[0]) or 0
    _poured(conn, state, state.staged)


def _poured(conn: psycopg.Connection, state: TableLoad, count: int) -> None:
    state.landed += count
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
