"""Pouring: rows leave the stage for the table, all constraints, triggers and policies in force.

First in one statement. If PostgreSQL refuses, in windows: slices of the stage, in file order, that shrink
when a row is refused until it stands alone and grow again while rows are taken. What comes out is what
single INSERTs in file order would have made of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import psycopg
from psycopg import sql

from pgsluice.load.expel import expel_refused
from pgsluice.load.judge import BAN, Refusal, make_ban
from pgsluice.load.modes import (
    insert_statement,
    key_equal,
    key_indexes,
    note_twins,
    rewrite_statement,
    sort_out,
    update_statement,
)
from pgsluice.load.offenders import unique_indexes, unique_verdict
from pgsluice.load.own_tables import REJECT
from pgsluice.load.parents import all_there, triggers_still
from pgsluice.load.state import TableLoad
from pgsluice.load.statistics import analyze
from pgsluice.model import TableName, Way
from pgsluice.source.typed import Runs
from pgsluice.target.verdict import about_rows, not_rows_sql

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


def _again(state: TableLoad) -> sql.Composable:
    """Refuses a window that has a row whose key an earlier one, that stays, has brought; in the words that are said
    of any row that comes second in a unique index.
    """
    names = key_indexes(state.plan.table, state.key)
    index = next((i for i in unique_indexes(state) if i.name in names), None)
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


def ask_whether_at_all(conn: psycopg.Connection, state: TableLoad) -> None:
    """Plans the statements by which rows leave the stage.

    :raises psycopg.Error: PostgreSQL refuses one of them, whatever the rows: a right is missing, or an identity column
        may not be updated. Asked later, it would be taken for a verdict on each row.
    """
    for statement in (update_statement(state, _ALL), insert_statement(state, _ALL)):
        if statement is not None:
            conn.execute(sql.SQL("EXPLAIN {}").format(statement))


_ALL = sql.SQL("")


def try_pour(
    conn: psycopg.Connection,
    group: Sequence[TableLoad],
    *,
    together: bool = False,
    rewrite: bool = False,
    at_once: bool = False,
    judged: bool = False,
) -> bool:
    """Pours whole stages; False when PostgreSQL refused and nothing happened.

    :param together: all in one statement. Foreign keys are asked at its end, be they deferrable or not: rows may
        refer to others wherever these stand in the group.
    :param rewrite: rows that change are deleted and inserted anew: see :func:`rewrite_statement`.
    :param at_once: foreign keys are asked of all rows at once: see :mod:`pgsluice.load.parents`.
    :param judged: no foreign key is known to be broken; if one is all the same, PostgreSQL is to say so of the row.
    """
    done = False
    try:
        with conn.transaction():
            counts = _in_one(conn, group) if together else [_in_turn(conn, s, rewrite, at_once, judged) for s in group]
            done = all(_complete(conn, s, inserted) for s, (_, inserted) in zip(group, counts, strict=True))
            if not done:
                raise psycopg.Rollback
    except psycopg.Error as error:
        if not about_rows(error):
            raise
        return False
    if done:
        for state, (updated, inserted) in zip(group, counts, strict=True):
            count_poured(conn, state, state.staged, inserted, updated)
    return done


def _in_turn(conn: psycopg.Connection, state: TableLoad, rewrite: bool, at_once: bool, judged: bool) -> tuple[int, int]:
    """Pours one stage; says how many rows were updated and inserted."""
    updated = 0
    if rewrite and (statement := rewrite_statement(state)) is not None:
        updated = conn.execute(statement).rowcount
    changed, absent = sort_out(conn, state)
    if changed is not None and (statement := update_statement(state, _ALL, changed)) is not None:
        updated += conn.execute(statement).rowcount
    if absent is None:
        return updated, 0
    there = all_there(conn, state, absent) if at_once else None
    if there is False and not judged:
        raise psycopg.errors.ForeignKeyViolation
    with triggers_still(conn) if there else nullcontext():
        return updated, conn.execute(insert_statement(state, _ALL, absent)).rowcount


def _in_one(conn: psycopg.Connection, group: Sequence[TableLoad]) -> list[tuple[int, int]]:
    """Pours the stages of a group in one statement; says for each how many rows were updated and inserted.

    After-triggers, which foreign keys are, fire when all of the statement's WITH queries have run
    (``standard_ExecutorFinish``, execMain.c). Those run in the order in which their counts are asked for.
    """
    parts: list[sql.Composable] = []
    counts: list[sql.Composable] = []
    for state in group:
        for statement in (update_statement(state, _ALL), insert_statement(state, _ALL)):
            if statement is None:
                counts.append(sql.SQL("0"))
                continue
            name = sql.Identifier(f"pgsluice_{len(parts)}")
            parts.append(sql.SQL("{} AS ({} RETURNING 1)").format(name, statement))
            counts.append(sql.SQL("(SELECT count(*) FROM {})").format(name))
    comma = sql.SQL(", ")
    row = conn.execute(sql.SQL("WITH {} SELECT {}").format(comma.join(parts), comma.join(counts))).fetchone()
    assert row is not None
    return list(zip(row[::2], row[1::2], strict=True))


def _complete(conn: psycopg.Connection, state: TableLoad, inserted: int) -> bool:
    """Whether every staged row is in the table: no trigger or rule kept one out."""
    lost = _swallowed(state, _ALL)
    if lost is not None and conn.execute(lost).fetchone() == (True,):
        return False
    return bool(state.key) or inserted == state.staged


@dataclass(frozen=True, slots=True)
class Poured:
    """What came of pouring row by row; refused rows are among the rejects and still in the stage."""

    conn: psycopg.Connection
    state: TableLoad
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


def settle(conn: psycopg.Connection, group: Sequence[Poured], others: Mapping[TableName, TableLoad]) -> None:
    """The refused rows leave the stages; the states count the others as landed."""
    if refused := [p.state for p in group if p.refused]:
        expel_refused(conn, refused, others)
    for p in group:
        count_poured(conn, p.state, p.taken, p.inserted, p.updated)


def pour_rows(conn: psycopg.Connection, state: TableLoad) -> Poured:
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
    update, lost = update_statement(state, only), _swallowed(state, only)
    body = sql.SQL(_WINDOWS).format(
        stage=state.stage,
        ord=ordinal,
        update=sql.SQL("{}; GET DIAGNOSTICS sl_u = ROW_COUNT;").format(update) if update else sql.SQL(""),
        insert=insert_statement(state, only),
        again=_again(state),
        swallowed=lost or sql.SQL("false" if state.key else "sl_i <> sl_n"),
        system=sql.SQL(not_rows_sql("sl_code")),
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


def count_poured(conn: psycopg.Connection, state: TableLoad, count: int, inserted: int, updated: int) -> None:
    """Counts staged rows as landed."""
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
