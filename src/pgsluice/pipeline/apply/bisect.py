"""Bisect: inserts a stage row by row where needed, so that PostgreSQL says which rows it refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from pgsluice.model import RejectKind, TableName
from pgsluice.pipeline.apply.insert import count_landed, swallowed
from pgsluice.pipeline.apply.merge_sql import insert_statement, store_duplicate_keys, update_statement
from pgsluice.pipeline.scratch import REJECT
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.bans import RefusedRow, create_bans
from pgsluice.pipeline.validate.rejecting.reject_rows import reject_refused
from pgsluice.pipeline.validate.unique import duplicate_verdict
from pgsluice.postgres.planner_hints import analyze, execute_examined
from pgsluice.postgres.sqlstate import detail_sql, not_row_error_sql
from pgsluice.postgres.table_properties import key_indexes, unique_indexes
from pgsluice.sql import compose


@dataclass(frozen=True, slots=True)
class Bisected:
    """The outcome of a bisecting insert. Refused rows are among the rejects and still in the stage."""

    conn: psycopg.Connection
    table_run: TableRun
    accepted: int
    inserted: int
    updated: int
    rejected: int

    def refused_rows(self) -> list[RefusedRow]:
        """The refused rows."""
        if not self.rejected:
            return []
        rows = execute_examined(
            self.conn,
            sql.SQL("SELECT s.{}, q.kind FROM {} AS s JOIN {} AS q ON s.{} = q.ordinal WHERE q.table_no = {}").format(
                self.table_run.ordinal,
                self.table_run.scratch.stage,
                REJECT,
                self.table_run.ordinal,
                self.table_run.table_no,
            ),
            self.table_run.counts.staged,
        )
        # A row that was refused because of an earlier row may stay if the earlier row does not.
        duplicate = (RejectKind.UNIQUE, RejectKind.EXCLUSION)
        return [RefusedRow(self.table_run.number, ordinal, kind in duplicate) for ordinal, kind in rows]


def insert_by_bisecting(conn: psycopg.Connection, table_run: TableRun) -> Bisected:
    """Inserts the staged rows that PostgreSQL accepts, in file order; refused rows become rejects with its words.

    Banned rows become rejects with the verdict of their ban.
    """
    create_bans(conn)
    if table_run.merge_key:
        store_duplicate_keys(conn, table_run)
    stage, ordinal = table_run.scratch.stage, table_run.ordinal
    window = sql.SQL(" AND {0} OPERATOR(pg_catalog.>=) sl_lo AND {0} OPERATOR(pg_catalog.<=) sl_hi").format(
        sql.Identifier("s", table_run.scratch.ordinal)
    )
    update, lost = update_statement(table_run, window), swallowed(table_run, window)
    body = compose(
        "apply",
        "bisect_body",
        stage=stage,
        ordinal=ordinal,
        update=sql.SQL("{}; GET DIAGNOSTICS sl_u = ROW_COUNT;").format(update) if update else sql.SQL(""),
        insert=insert_statement(table_run, window),
        refuse_duplicates=_refuse_duplicates(table_run),
        swallowed=lost or sql.SQL("false" if table_run.merge_key else "sl_i <> sl_n"),
        system_error=sql.SQL(not_row_error_sql("sl_code")),
        detail=sql.SQL(detail_sql("sl_detail", "sl_hint")),
        table_no=table_run.table_no,
    )
    conn.execute(sql.SQL("CREATE INDEX ON {} ({})").format(stage, ordinal))
    analyze(conn, stage)
    function = sql.Identifier("pg_temp", f"pgsluice_insert_{table_run.number}")
    conn.execute(compose("apply", "bisect", function=function, body=sql.Literal(body.as_string(conn))))
    row = conn.execute(
        sql.SQL("SELECT f.sl_accepted, f.sl_inserted, f.sl_updated, f.sl_rejected FROM {}() AS f").format(function)
    ).fetchone()
    conn.execute(sql.SQL("DROP FUNCTION {}()").format(function))
    assert row is not None
    return Bisected(conn, table_run, *(int(n) for n in row))


def accept(conn: psycopg.Connection, outcomes: Sequence[Bisected], others: Mapping[TableName, TableRun]) -> None:
    """Removes the refused rows from the stages and counts the others as landed."""
    if refused := [o.table_run for o in outcomes if o.rejected]:
        reject_refused(conn, refused, others)
    for o in outcomes:
        count_landed(conn, o.table_run, o.accepted, o.inserted, o.updated)


def _refuse_duplicates(table_run: TableRun) -> sql.Composable:
    names = key_indexes(table_run.table, table_run.merge_key)
    index = next((i for i in unique_indexes(table_run.table) if i.name in names), None)
    if index is None:
        return sql.SQL("")
    verdict = duplicate_verdict(index)
    part = compose(
        "apply",
        "refuse_duplicates",
        duplicate_keys=table_run.scratch.duplicate_keys,
        table_no=table_run.table_no,
        sqlstate=sql.Literal(verdict.sqlstate),
        message=sql.Literal(verdict.message),
        constraint=sql.Literal(verdict.constraint),
        column=sql.Literal(verdict.column),
    )
    return sql.SQL("{};").format(part)
