"""The judge's first question: what do the texts in doubt mean to the columns' own input functions?"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from pgsluice.model import Column
from pgsluice.pipeline.scratch import REJECT, make_stage
from pgsluice.pipeline.state import TableRun
from pgsluice.pipeline.validate.rejected_keys import remember, texts
from pgsluice.postgres.sqlstate import is_row_error, not_row_error_sql


def decide_values(conn: psycopg.Connection, state: TableRun) -> None:
    """Texts in doubt that the columns' input functions take go into the stage, the others are rejects.

    From 16 on ``pg_input_error_info`` asks the input functions without raising, in sets. Where it is
    missing, or a type's input function raises all the same (extensions), each row is tried in a block
    of its own on the server. The conversion itself reads the whole row as the stage's row type:
    ``record_in`` hands every field to its column's input function with the column's type modifier, as
    COPY does, so a text too long for ``varchar(3)`` is refused and not cut as by a cast.
    """
    make_stage(conn, state)
    asked = False
    if conn.info.server_version >= 160000:
        try:
            with conn.transaction():
                _ask_in_sets(conn, state)
                state.staged += _pour_doubts(conn, state)
            asked = True
        except psycopg.Error as error:
            if not is_row_error(error):
                raise
    if not asked:
        _ask_one_by_one(conn, state)
        state.staged += _pour_doubts(conn, state)
    remember(
        conn,
        state,
        sql.SQL(
            "SELECT {}, {} FROM {} AS r WHERE EXISTS (SELECT FROM {} AS q WHERE q.tab = {} AND q.ord = r.{})"
        ).format(
            sql.Identifier("r", state.ordinal),
            texts(state.keys_watched, "r"),
            state.doubt,
            REJECT,
            sql.Literal(state.number),
            sql.Identifier(state.ordinal),
        ),
    )
    conn.execute(sql.SQL("DROP TABLE {}").format(state.doubt))
    state.doubt_made = False


def _can_fail(column: Column) -> bool:
    return not (column.base == "text" and column.kind == "b" and column.base_schema == "pg_catalog")


def _ask_in_sets(conn: psycopg.Connection, state: TableRun) -> None:
    """Each row's first column that is refused becomes its reject.

    First yes or no for all columns in one pass, then the reason of what was refused: asked for all,
    ``pg_input_error_info`` took four times as long.
    """
    asked = [c for c in state.columns if _can_fail(c)]
    if not asked:
        return
    first = sql.SQL(" ").join(
        sql.SQL("WHEN NOT pg_input_is_valid({}, {}) THEN {}").format(
            sql.Identifier("d", c.name), sql.Literal(c.type_sql), sql.Literal(n)
        )
        for n, c in enumerate(asked)
    )
    text = sql.SQL(" ").join(
        sql.SQL("WHEN {} THEN {}").format(sql.Literal(n), sql.Identifier("d", c.name)) for n, c in enumerate(asked)
    )
    # OFFSET 0 here and below: computed once, not once for each place that names it.
    conn.execute(
        sql.SQL(
            "CREATE TEMP TABLE pgsluice_wrong ON COMMIT DROP AS SELECT {ord} AS ord, f.n, CASE f.n {text} END AS v"
            " FROM {doubt} AS d CROSS JOIN LATERAL (SELECT CASE {first} END AS n OFFSET 0) AS f WHERE f.n IS NOT NULL"
        ).format(ord=sql.Identifier("d", state.ordinal), text=text, first=first, doubt=state.doubt)
    )
    wrong = {n for (n,) in conn.execute("SELECT DISTINCT n FROM pg_temp.pgsluice_wrong")}
    for n, c in enumerate(asked):
        if n in wrong:
            conn.execute(
                sql.SQL(
                    "INSERT INTO {} (tab, ord, kind, col, code, message)"
                    " SELECT {}, w.ord, 'value', {}, (w.e).sql_error_code, (w.e).message FROM (SELECT ord,"
                    " pg_input_error_info(v, {}) AS e FROM pg_temp.pgsluice_wrong WHERE n = {} OFFSET 0) AS w"
                ).format(
                    REJECT,
                    sql.Literal(state.number),
                    sql.Literal(c.name),
                    sql.Literal(c.type_sql),
                    sql.Literal(n),
                )
            )
    conn.execute("DROP TABLE pg_temp.pgsluice_wrong")


def _record(state: TableRun, columns: Sequence[Column], alias: str = "d") -> sql.Composable:
    """The row literal that ``record_in`` reads: ordinal first, values quoted, NULL as nothing."""
    fields: list[sql.Composable] = [sql.SQL("{}::text").format(sql.Identifier(alias, state.ordinal))]
    for c in state.columns:
        if c in columns:
            fields.append(
                # E'': a plain literal depends on standard_conforming_strings.
                sql.SQL(r"""coalesce('"' || replace(replace({c}, E'\\', E'\\\\'), '"', '""') || '"', '')""").format(
                    c=sql.Identifier(alias, c.name)
                )
            )
        else:
            fields.append(sql.SQL("''"))
    return sql.SQL("'(' || {} || ')'").format(sql.SQL(" || ',' || ").join(fields))


def _pour_doubts(conn: psycopg.Connection, state: TableRun) -> int:
    # Both OFFSET 0 are fences. Without the first the planner may convert rows before it leaves the rejected
    # ones out, and does so with many columns; without the second it converts once for each column.
    return conn.execute(
        sql.SQL(
            "INSERT INTO {stage} SELECT (v.r).* FROM (SELECT * FROM {doubt} AS r WHERE NOT EXISTS (SELECT"
            " FROM {reject} AS q WHERE q.tab = {tab} AND q.ord = r.{ord}) OFFSET 0) AS d"
            " CROSS JOIN LATERAL (SELECT ({record})::{stage} AS r OFFSET 0) AS v"
        ).format(
            stage=state.stage,
            doubt=state.doubt,
            record=_record(state, state.columns),
            reject=REJECT,
            tab=sql.Literal(state.number),
            ord=sql.Identifier(state.ordinal),
        )
    ).rowcount


_ONE_BY_ONE = """
DECLARE d record; v {stage}; code text; said text; field text;
BEGIN
  FOR d IN SELECT * FROM {doubt} ORDER BY {ord} LOOP
    BEGIN
      v := {record};
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, said = MESSAGE_TEXT;
      IF {system} THEN RAISE; END IF;
      field := '';
      {columns}
      INSERT INTO {reject} (tab, ord, kind, col, code, message)
        VALUES ({tab}, d.{ord}, 'value', field, code, said);
    END;
  END LOOP;
END
"""


# The other columns are NULL meanwhile, which a domain may refuse as well.
_ONE_COLUMN = """
      IF field = '' AND d.{column} IS NOT NULL THEN
        BEGIN {ask} EXCEPTION WHEN OTHERS THEN field := {name}; END;
      END IF;
"""


_ONE_NULL = """
      IF field = '' AND d.{column} IS NULL THEN
        BEGIN PERFORM CAST(NULL AS {type}); EXCEPTION WHEN OTHERS THEN field := {name}; END;
      END IF;
"""


def _ask_one_by_one(conn: psycopg.Connection, state: TableRun) -> None:
    soft = conn.info.server_version >= 160000
    columns: list[sql.Composable] = []
    for c in state.columns:
        column, name = sql.Identifier(c.name), sql.Literal(c.name)
        ask = sql.SQL("v := {};").format(_record(state, [c]))
        if soft:
            ask = sql.SQL("IF NOT pg_input_is_valid(d.{}, {}) THEN field := {}; END IF;").format(
                column, sql.Literal(c.type_sql), name
            )
        elif any(other.kind == "d" for other in state.columns if other is not c):
            ask = sql.SQL("PERFORM CAST(d.{} AS {});").format(column, sql.SQL(c.type_sql))
        if _can_fail(c):
            columns.append(sql.SQL(_ONE_COLUMN).format(column=column, ask=ask, name=name))
        if c.kind == "d":
            columns.append(sql.SQL(_ONE_NULL).format(column=column, type=sql.SQL(c.type_sql), name=name))
    body = sql.SQL(_ONE_BY_ONE).format(
        stage=state.stage,
        doubt=state.doubt,
        ord=sql.Identifier(state.ordinal),
        record=_record(state, state.columns),
        system=sql.SQL(not_row_error_sql("code")),
        columns=sql.SQL("").join(columns),
        reject=REJECT,
        tab=sql.Literal(state.number),
    )
    conn.execute(sql.SQL("DO {}").format(sql.Literal(body.as_string(conn))))
