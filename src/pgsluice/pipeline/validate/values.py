"""Values: which texts of a text stage PostgreSQL's input functions accept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from pgsluice.model import Column, Phase, Progress
from pgsluice.pipeline.scratch import BAD_VALUE
from pgsluice.pipeline.state import FileRun, RunContext, TableRun, ordinals_of
from pgsluice.pipeline.validate.computed import evaluate
from pgsluice.pipeline.validate.rejecting.rejected_keys import key_texts, store_keys
from pgsluice.postgres.planner_hints import execute_examined
from pgsluice.postgres.search_path import user_path
from pgsluice.postgres.sql_fragments import qualified_type
from pgsluice.postgres.sqlstate import detail_sql, is_row_error, not_row_error_sql
from pgsluice.sql import compose, query
from pgsluice.text import pluralize

_CONCATENATE = sql.SQL("OPERATOR(pg_catalog.||)")


_JSON = ("json", "jsonb")


def judge_texts(context: RunContext, table_run: TableRun) -> None:
    """Converts the rows of the text stage, if there is one: a step of the run that is told and measured."""
    if not table_run.scratch.text_stage_made:
        return
    with context.clock.phase("judge", table_run.name):
        step = f"values of {pluralize(table_run.counts.in_doubt, 'row')}"
        context.listen(Progress(Phase.VALIDATE, table_run.name, step))
        convert_texts(context.conn, table_run)


def convert_texts(conn: psycopg.Connection, table_run: TableRun) -> None:
    """Moves the rows of the text stage to the stage; rows with a text that is refused become rejects.

    From PostgreSQL 16 on, ``pg_input_error_info`` asks an input function in a query, without an error. Where it is
    missing, or an input function raises an error all the same (extensions), a program on the server tries each row in
    a block of its own. The conversion reads the row as the stage's row type: ``record_in`` gives each field to its
    column's input function together with the column's type modifier, as COPY does, so a text too long for
    ``varchar(3)`` is refused and not cut as by a cast.

    The user's path is in force, because the CHECK of a domain may call a function of the user, and because a message of
    PostgreSQL names a type with its schema where the path requires it.
    """
    scratch = table_run.scratch
    scratch.ensure_stage(conn)
    if scratch.fields:
        evaluate(conn, table_run)
    parts = _parts(conn, table_run)
    moved = None
    if conn.info.server_version >= 160000:
        try:
            with conn.transaction(), user_path(conn):
                _reject_in_sets(conn, table_run)
                moved = sum(_move_to_stage(conn, table_run, part) for part in parts)
        except psycopg.Error as error:
            if not is_row_error(error):
                raise
    if moved is None:
        with user_path(conn):
            for part in parts:
                _reject_one_by_one(conn, table_run, part)
            moved = sum(_move_to_stage(conn, table_run, part) for part in parts)
    table_run.counts.staged += moved
    store_keys(
        conn,
        table_run,
        compose(
            "values",
            "rejected_keys",
            ordinal=table_run.ordinal,
            keys=key_texts(scratch.watched, "r"),
            text_stage=scratch.text_stage,
            table_no=table_run.table_no,
        ),
        table_run.counts.in_doubt,
    )
    scratch.drop_text_stage(conn)


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of the text stage whose files contain the same columns."""

    row_type: sql.Identifier
    """A table with the ordinal and these columns."""
    columns: tuple[Column, ...]
    among: sql.Composable
    """The condition on the rows ``r``, with its leading AND."""


def _parts(conn: psycopg.Connection, table_run: TableRun) -> list[_Part]:
    """The rows of the text stage in parts. The stage gives the other columns of a part their defaults."""
    scratch = table_run.scratch
    if not table_run.partial:
        return [_Part(scratch.stage, table_run.columns, sql.SQL(""))]
    groups: dict[frozenset[str], list[FileRun]] = {}
    for file in table_run.files:
        groups.setdefault(frozenset(file.plan.brought), []).append(file)
    parts = []
    for number, (brought, files) in enumerate(groups.items()):
        columns = tuple(c for c in table_run.columns if c.name in brought)
        row_type = scratch.row_type(number)
        names = sql.SQL(", ").join(sql.Identifier(n) for n in (scratch.ordinal, *(c.name for c in columns)))
        conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(row_type))
        conn.execute(compose("values", "create_row_type", row_type=row_type, columns=names, stage=scratch.stage))
        among = sql.SQL(" AND {} OPERATOR(pg_catalog.@>) {}").format(
            ordinals_of(files), sql.Identifier("r", scratch.ordinal)
        )
        parts.append(_Part(row_type, columns, among))
    return parts


def _can_fail(column: Column) -> bool:
    return not (column.base == "text" and column.kind == "b" and column.base_schema == "pg_catalog")


def _place(column: Column, value: str) -> str:
    """An SQL expression for the place in a JSON text that is wrong; NULL for other types.

    :param value: an expression for the text.
    """
    return f"pg_temp.pgsluice_json_place({value})" if column.base in _JSON else "NULL"


def _reject_in_sets(conn: psycopg.Connection, table_run: TableRun) -> None:
    """Makes a reject of each row that has a bad value, for its first bad column."""
    asked = [c for c in table_run.columns if _can_fail(c)]
    if not asked:
        return
    first_bad = sql.SQL(" ").join(
        sql.SQL("WHEN NOT pg_catalog.pg_input_is_valid({}, {}) THEN {}").format(
            sql.Identifier("d", c.name), sql.Literal(qualified_type(c.type_sql)), sql.Literal(n)
        )
        for n, c in enumerate(asked)
    )
    texts = sql.SQL(" ").join(
        sql.SQL("WHEN f.column_no OPERATOR(pg_catalog.=) {} THEN {}").format(
            sql.Literal(n), sql.Identifier("d", c.name)
        )
        for n, c in enumerate(asked)
    )
    conn.execute(
        compose(
            "values",
            "find_bad_values",
            ordinal=table_run.ordinal,
            texts=texts,
            text_stage=table_run.scratch.text_stage,
            first_bad=first_bad,
        )
    )
    if any(c.base in _JSON for c in asked):
        conn.execute(query("values", "json_place"))
    bad = {n for (n,) in conn.execute(sql.SQL("SELECT DISTINCT column_no FROM {}").format(BAD_VALUE))}
    for n, c in enumerate(asked):
        if n in bad:
            conn.execute(
                compose(
                    "values",
                    "reject_bad_values",
                    table_no=table_run.table_no,
                    column=sql.Literal(c.name),
                    type=sql.Literal(qualified_type(c.type_sql)),
                    column_no=sql.Literal(n),
                    detail=sql.SQL(detail_sql("(w.error).detail", "(w.error).hint", _place(c, "w.value"))),
                )
            )
    conn.execute(sql.SQL("DROP TABLE {}").format(BAD_VALUE))


def _move_to_stage(conn: psycopg.Connection, table_run: TableRun, part: _Part) -> int:
    statement = compose(
        "values",
        "move_to_stage",
        stage=table_run.scratch.stage,
        columns=sql.SQL(", ").join([table_run.ordinal, *(sql.Identifier(c.name) for c in part.columns)]),
        text_stage=table_run.scratch.text_stage,
        record=_record(table_run, part, part.columns),
        row_type=part.row_type,
        among=part.among,
        table_no=table_run.table_no,
        ordinal=table_run.ordinal,
    )
    # The statistics of the rejects are those of an earlier table of the run, or none.
    return execute_examined(conn, statement, table_run.counts.in_doubt).rowcount


def _record(table_run: TableRun, part: _Part, columns: Sequence[Column]) -> sql.Composable:
    """The row literal of ``d`` for ``record_in``: the ordinal, then each column quoted, NULL as nothing.

    :param columns: the columns to fill; the others are NULL.
    """
    fields: list[sql.Composable] = [
        sql.SQL("{}::pg_catalog.text").format(sql.Identifier("d", table_run.scratch.ordinal))
    ]
    for c in part.columns:
        if c in columns:
            fields.append(
                # E'': the meaning of a plain literal depends on standard_conforming_strings.
                sql.SQL(
                    r"""coalesce('"' {and_} pg_catalog.replace(pg_catalog.replace({c}, E'\\', E'\\\\'), '"', '""')"""
                    r""" {and_} '"', '')"""
                ).format(c=sql.Identifier("d", c.name), and_=_CONCATENATE)
            )
        else:
            fields.append(sql.SQL("''"))
    between = sql.SQL(" OPERATOR(pg_catalog.||) ',' OPERATOR(pg_catalog.||) ")
    return sql.SQL("'(' {and_} {fields} {and_} ')'").format(and_=_CONCATENATE, fields=between.join(fields))


def _reject_one_by_one(conn: psycopg.Connection, table_run: TableRun, part: _Part) -> None:
    """Makes a reject of each row that has a bad value, by converting the rows one by one on the server."""
    soft = conn.info.server_version >= 160000
    texts = [c for c in table_run.columns if c.base in _JSON]
    if texts:
        conn.execute(query("values", "json_place"))
    columns: list[sql.Composable] = []
    for c in part.columns:
        column, name = sql.Identifier(c.name), sql.Literal(c.name)
        convert = sql.SQL("v := {};").format(_record(table_run, part, [c]))
        if soft:
            convert = sql.SQL("IF NOT pg_catalog.pg_input_is_valid(d.{}, {}) THEN field := {}; END IF;").format(
                column, sql.Literal(qualified_type(c.type_sql)), name
            )
        elif any(other.kind == "d" for other in part.columns if other is not c):
            convert = sql.SQL("PERFORM CAST(d.{} AS {});").format(column, sql.SQL(qualified_type(c.type_sql)))
        if _can_fail(c):
            columns.append(compose("values", "convert_one_column", column=column, convert=convert, name=name))
        if c.kind == "d":
            columns.append(
                compose(
                    "values", "convert_one_null", column=column, type=sql.SQL(qualified_type(c.type_sql)), name=name
                )
            )
    program = compose(
        "values",
        "convert_one_by_one",
        row_type=part.row_type,
        text_stage=table_run.scratch.text_stage,
        among=part.among,
        ordinal=table_run.ordinal,
        record=_record(table_run, part, part.columns),
        system_error=sql.SQL(not_row_error_sql("code")),
        columns=sql.SQL("\n").join(sql.SQL("{};").format(part) for part in columns),
        place=sql.SQL("CASE {} END").format(
            sql.SQL(" ").join(
                sql.SQL("WHEN field OPERATOR(pg_catalog.=) {} THEN pg_temp.pgsluice_json_place(d.{})").format(
                    sql.Literal(c.name), sql.Identifier(c.name)
                )
                for c in texts
            )
        )
        if texts
        else sql.SQL("NULL"),
        table_no=table_run.table_no,
        detail=sql.SQL(detail_sql("more", "hint", "place")),
    )
    conn.execute(sql.SQL("DO {}").format(sql.Literal(program.as_string(conn))))
