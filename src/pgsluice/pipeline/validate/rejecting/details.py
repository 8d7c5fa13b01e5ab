"""The DETAIL that PostgreSQL gives for a violated key, word for word, for violations that queries find.

NOT NULL and CHECK have none here: PostgreSQL repeats the row ("Failing row contains ..."), and the reject has the
record.
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from pgsluice.model import Constraint, Index
from pgsluice.pipeline.validate.violations import Violations
from pgsluice.sql import compose


def key_exists(index: Index) -> sql.Composable:
    """The DETAIL on a row whose key another row has (BuildIndexValueDescription, genam.c)."""
    return _about_key(index.said, [sql.SQL("({})").format(sql.SQL(key)) for key in index.keys], "already exists.")


def key_not_present(fk: Constraint) -> sql.Composable:
    """The DETAIL on a row without a parent (ri_ReportViolation, ri_triggers.c)."""
    assert fk.references is not None
    columns = [sql.Identifier(c) for c in fk.columns]
    detail = _about_key(", ".join(fk.columns), columns, f'is not present in table "{fk.references.name}".')
    if not fk.match_full or len(columns) == 1:
        return detail
    # A key that is NULL as a whole breaks nothing.
    mixed = sql.Literal("MATCH FULL does not allow mixing of null and nonnull key values.")
    nulls = sql.SQL(" OR ").join(sql.SQL("{} IS NULL").format(c) for c in columns)
    return sql.SQL("CASE WHEN {} THEN {} ELSE {} END").format(nulls, mixed, detail)


def _about_key(names: str, values: Sequence[sql.Composable], fact: str) -> sql.Composable:
    """``Key (names)=(values) fact``.

    format() calls the output functions of the types, as PostgreSQL does; a cast to text writes some types otherwise.
    """
    texts = sql.SQL(" || ', ' || ").join(
        sql.SQL("CASE WHEN {0} IS NULL THEN 'null' ELSE pg_catalog.format('%s', {0}) END").format(v) for v in values
    )
    return sql.SQL("{} || {} || {}").format(sql.Literal(f"Key ({names})=("), texts, sql.Literal(f") {fact}"))


def detail_parts(violations: Violations, row_id: sql.SQL) -> tuple[sql.Composable, sql.Composable]:
    """Two parts of a query that makes rejects: the DETAIL, and a join with the rows that it is computed from.

    :param row_id: the column of the query with the ctid of the violating row; ``w.priority`` is its first violation.
    """
    if not violations.details:
        return sql.SQL("''"), sql.SQL("")
    names = {priority: sql.Identifier(f"d{i}") for i, priority in enumerate(violations.details)}
    cases = sql.SQL(" ").join(
        sql.SQL("WHEN {} THEN r.{}").format(sql.Literal(priority), name) for priority, name in names.items()
    )
    rows = compose(
        "validate",
        "detailed_rows",
        details=sql.SQL(", ").join(sql.SQL("{} AS {}").format(violations.details[p], n) for p, n in names.items()),
        relation=violations.relation,
        row_id=row_id,
    )
    return sql.SQL("CASE w.priority {} ELSE '' END").format(cases), sql.SQL("\n {}").format(rows)
