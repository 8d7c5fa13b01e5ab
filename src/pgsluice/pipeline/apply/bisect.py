"""TODO pgsluice.pipeline.apply.bisect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from pgsluice.model import TableName
from pgsluice.pipeline.apply.insert import count_poured, swallowed
from pgsluice.pipeline.apply.merge_sql import (
    insert_statement,
    note_twins,
    update_statement,
)
from pgsluice.pipeline.scratch import BAN, REJECT
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.bans import Refusal, make_ban
from pgsluice.pipeline.validate.reject_rows import expel_refused
from pgsluice.pipeline.validate.violations import unique_verdict
from pgsluice.postgres.capabilities import key_indexes, unique_indexes
from pgsluice.postgres.planner_hints import analyze
from pgsluice.postgres.sqlstate import not_row_error_sql

# Variables bear a prefix of their own: columns of the table may have any name.
_WINDOWS = """
DECLARE sl_lo bigint; sl_hi bigint; sl_ban bigint; sl_n bigint; sl_u bigint; sl_i bigint; sl_wide bigint := 4096;
  sl_code text; sl_said text; sl_con text; sl_field text;
BEGIN
  sl_poured := 0; sl_inserted := 0; sl_updated := 0; sl_refused := 0;
  SELECT min(s.{ord}) INTO sl_lo FROM {stage} AS s;
  WHILE sl_lo IS NOT NULL LOOP
    SELECT min(b.ord) INTO sl_ban FROM {ban} AS b WHERE b.tab = {tab} AND b.ord >= sl_lo;
    SELECT max(w.o), count(*) INTO sl_hi, sl_n
      FROM (SELECT s.{ord} AS o FROM {stage} AS s WHERE s.{ord} >= sl_lo AND (sl_ban IS NULL OR s.{ord} < sl_ban)
            ORDER BY 1 LIMIT sl_wide) AS w;
    IF sl_n = 0 THEN
      sl_hi := sl_ban; sl_n := 1;
    END IF;
    sl_u := 0;
    BEGIN
      {update}
      {insert};
      GET DIAGNOSTICS sl_i = ROW_COUNT;
      {again}
      IF ({swallowed}) THEN
        RAISE EXCEPTION USING ERRCODE = 'PGSL1', MESSAGE = 'a trigger or rule of the table kept the row out';
      END IF;
      IF sl_hi = sl_ban THEN
        RAISE EXCEPTION USING ERRCODE = 'PGSL2';
      END IF;
      sl_poured := sl_poured + sl_n; sl_inserted := sl_inserted + sl_i; sl_updated := sl_updated + sl_u;
      sl_wide := least(sl_wide * 2, 65536);
      sl_lo := sl_hi + 1;
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS sl_code = RETURNED_SQLSTATE, sl_said = MESSAGE_TEXT, sl_con = CONSTRAINT_NAME,
        sl_field = COLUMN_NAME;
      IF {system} THEN RAISE; END IF;
      IF sl_code = 'PGSL2' THEN
        INSERT INTO {reject} (tab, ord, kind, col, con, code, message)
          SELECT b.tab, b.ord, b.kind, b.col, b.con, b.code, b.message FROM {ban} AS b
          WHERE b.tab = {tab} AND b.ord = sl_ban;
        sl_refused := sl_refused + 1;
        sl_lo := sl_hi + 1;
      ELSIF sl_n = 1 THEN
        INSERT INTO {reject} (tab, ord, kind, col, con, code, message)
          VALUES ({tab}, sl_hi, CASE sl_code WHEN '23502' THEN 'not_null' WHEN '23514' THEN 'check'
            WHEN '23505' THEN 'unique' WHEN '23503' THEN 'foreign_key' WHEN '23P01' THEN 'exclusion'
            WHEN '42501' THEN 'policy' WHEN 'PGSL1' THEN 'trigger' WHEN 'P0001' THEN 'trigger'
            ELSE CASE WHEN left(sl_code, 2) = '22' THEN 'value' ELSE 'other' END END,
            coalesce(sl_field, ''), coalesce(sl_con, ''), coalesce(nullif(sl_code, 'PGSL1'), ''), sl_said);
        sl_refused := sl_refused + 1;
        sl_lo := sl_hi + 1;
        sl_wide := 1;
      ELSE
        sl_wide := greatest(sl_n / 4, 1);
      END IF;
    END;
    SELECT min(s.{ord}) INTO sl_lo FROM {stage} AS s WHERE s.{ord} >= sl_lo;
  END LOOP;
END
"""


def _range(state: TableRun) -> sql.Composed:
    return sql.SQL(" AND {} BETWEEN sl_lo AND sl_hi").format(sql.Identifier("s", state.ordinal))


def _again(state: TableRun) -> sql.Composable:
    """Refuses a window that has a row whose key an earlier one, that stays, has brought; in the words that are said
    of any row that comes second in a unique index.
    """
    names = key_indexes(state.plan.table, state.key)
    index = next((i for i in unique_indexes(state.plan.table) if i.name in names), None)
    if index is None:
        return sql.SQL("")
    said = unique_verdict(index)
    return sql.SQL(
        "IF EXISTS (SELECT FROM {twins} AS b JOIN {twins} AS a ON a.first = b.first AND a.ord < b.ord"
        " WHERE b.ord BETWEEN sl_lo AND sl_hi"
        " AND NOT EXISTS (SELECT FROM {reject} AS q WHERE q.tab = {tab} AND q.ord = a.ord)) THEN"
        " RAISE EXCEPTION USING ERRCODE = {code}, MESSAGE = {message}, CONSTRAINT = {con}, COLUMN = {col}; END IF;"
    ).format(
        twins=state.twins,
        reject=REJECT,
        tab=sql.Literal(state.number),
        code=sql.Literal(said["code"]),
        message=sql.Literal(said["message"]),
        con=sql.Literal(said["constraint"]),
        col=sql.Literal(said["column"]),
    )


@dataclass(frozen=True, slots=True)
class Poured:
    """What came of pouring row by row; refused rows are among the rejects and still in the stage."""

    conn: psycopg.Connection
    state: TableRun
    taken: int
    inserted: int
    updated: int
    refused: int

    def refusals(self) -> list[Refusal]:
        """The refused rows."""
        if not self.refused:
            return []
        rows = self.conn.execute(
            sql.SQL("SELECT s.{}, q.kind FROM {} AS s JOIN {} AS q ON s.{} = q.ord WHERE q.tab = {}").format(
                sql.Identifier(self.state.ordinal),
                self.state.stage,
                REJECT,
                sql.Identifier(self.state.ordinal),
                sql.Literal(self.state.number),
            )
        )
        # Whoever lost to an earlier row may stay if that one leaves.
        return [Refusal(self.state.number, ordinal, kind in ("unique", "exclusion")) for ordinal, kind in rows]


def settle(conn: psycopg.Connection, group: Sequence[Poured], others: Mapping[TableName, TableRun]) -> None:
    """The refused rows leave the stages; the states count the others as landed."""
    if refused := [p.state for p in group if p.refused]:
        expel_refused(conn, refused, others)
    for p in group:
        count_poured(conn, p.state, p.taken, p.inserted, p.updated)


def pour_rows(conn: psycopg.Connection, state: TableRun) -> Poured:
    """Pours what PostgreSQL takes, in file order; refused rows become rejects with its own words.

    Rows in :data:`BAN` are tried in their place and taken out again: where their INSERT would succeed, they are
    rejected in the words that stand there.
    """
    make_ban(conn)
    if state.key:
        note_twins(conn, state)
    name = sql.Identifier(f"pgsluice_pour_{state.number}")
    ordinal = sql.Identifier(state.ordinal)
    only = _range(state)
    update, lost = update_statement(state, only), swallowed(state, only)
    body = sql.SQL(_WINDOWS).format(
        stage=state.stage,
        ord=ordinal,
        update=sql.SQL("{}; GET DIAGNOSTICS sl_u = ROW_COUNT;").format(update) if update else sql.SQL(""),
        insert=insert_statement(state, only),
        again=_again(state),
        swallowed=lost or sql.SQL("false" if state.key else "sl_i <> sl_n"),
        system=sql.SQL(not_row_error_sql("sl_code")),
        reject=REJECT,
        tab=sql.Literal(state.number),
        ban=BAN,
    )
    conn.execute(sql.SQL("CREATE INDEX ON {} ({})").format(state.stage, ordinal))
    analyze(conn, state.stage)
    conn.execute(
        sql.SQL(
            "CREATE FUNCTION pg_temp.{}(OUT sl_poured bigint, OUT sl_inserted bigint, OUT sl_updated bigint,"
            " OUT sl_refused bigint) LANGUAGE plpgsql AS {}"
        ).format(name, sql.Literal(body.as_string(conn)))
    )
    row = conn.execute(
        sql.SQL("SELECT f.sl_poured, f.sl_inserted, f.sl_updated, f.sl_refused FROM pg_temp.{}() AS f").format(name)
    ).fetchone()
    conn.execute(sql.SQL("DROP FUNCTION pg_temp.{}()").format(name))
    assert row is not None
    return Poured(conn, state, *(int(n) for n in row))
