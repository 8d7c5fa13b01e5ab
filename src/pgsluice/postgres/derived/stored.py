"""A derived table as it is stored: created, rebuilt, refreshed, and written where it differs from the new result."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from pgsluice.errors import CallError, DatabaseError
from pgsluice.model import Definition, Materialization, TableName
from pgsluice.postgres.planner_hints import analyze
from pgsluice.postgres.search_path import user_path
from pgsluice.postgres.sql_fragments import identifier
from pgsluice.sql import compose, query

_KINDS = {
    Materialization.VIEW: ("v", "VIEW"),
    Materialization.TABLE: ("r", "TABLE"),
    Materialization.MATVIEW: ("m", "MATERIALIZED VIEW"),
}
"""``pg_class.relkind`` and the words of CREATE and DROP."""


_EVERY_ROW = sql.SQL("true")


class Written(NamedTuple):
    """Rows of a derived table that were written."""

    inserted: int
    updated: int
    deleted: int


class Stored:
    """The relation that holds the result of a definition."""

    def __init__(self, conn: psycopg.Connection[Any], definition: Definition) -> None:
        self._conn = conn
        self._definition = definition
        self._relation = identifier(definition.name)
        self._kind, self._words = _KINDS[definition.materialization]
        name = definition.name
        self._found = conn.execute(query("derived", "existing"), {"schema": name.schema, "name": name.name}).fetchone()

    @property
    def exists(self) -> bool:
        """Whether a relation has the name now."""
        return self._found is not None

    def create(self) -> int:
        """Creates the relation with its indexes; returns how many rows it holds."""
        definition = self._definition
        statement = compose(
            "derived",
            "create",
            kind=sql.SQL(self._words),
            name=self._relation,
            query=sql.SQL(definition.query),
        )
        with user_path(self._conn):
            rows = self._conn.execute(statement).rowcount
            for index in definition.indexes:
                self._conn.execute(
                    compose(
                        "derived",
                        "index",
                        unique=sql.SQL("UNIQUE " if index.unique else ""),
                        name=self._relation,
                        columns=sql.SQL(index.columns),
                    )
                )
        if definition.materialization is not Materialization.VIEW:
            analyze(self._conn, self._relation)
        return max(rows, 0)

    def drop(self, known: Collection[TableName]) -> dict[TableName, list[str]]:
        """Drops the relation and the derived views that depend on it, to be created again.

        :param known: the derived tables that pgsluice has made. Other relations are not touched.
        :returns: the statements that give each dropped relation its privileges.
        :raises CallError: pgsluice has not made the relation.
        :raises DatabaseError: a relation that pgsluice has not made depends on the relation.
        """
        name = self._definition.name
        assert self._found is not None
        kind, _, _ = self._found
        if name not in known:
            raise CallError(
                f"{self._definition.source}: {name} exists, and pgsluice has not derived it",
                "Rename the file, or drop the relation if it may go",
            )
        text = self._relation.as_string(self._conn)
        dependents = [
            TableName(schema, other)
            for schema, other in self._conn.execute(query("derived", "dependents"), {"relation": text}).fetchall()
        ]
        if foreign := [other for other in dependents if other not in known]:
            raise DatabaseError(
                f"{self._definition.source}: the definition has changed, and {foreign[0]} depends on {name}",
                f"Drop {foreign[0]}, or derive it as well",
            )
        grants = {other: self._grants(other) for other in (name, *dependents)}
        words = next(words for own, words in _KINDS.values() if own == kind)
        self._conn.execute(sql.SQL("DROP {} {} CASCADE").format(sql.SQL(words), self._relation))
        self._found = None
        return grants

    def _grants(self, name: TableName) -> list[str]:
        relation = identifier(name)
        rows = self._conn.execute(
            compose("derived", "privileges", target=relation), {"relation": relation.as_string(self._conn)}
        )
        return [statement for (statement,) in rows.fetchall()]

    def refresh(self) -> None:
        """Refreshes a materialized view. Readers go on reading if it has a unique index."""
        assert self._found is not None
        populated = self._found[2]
        unique = any(i.unique for i in self._definition.indexes)
        how = sql.SQL("CONCURRENTLY ") if unique and populated else sql.SQL("")
        with user_path(self._conn):
            self._conn.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}{}").format(how, self._relation))

    def compute(self) -> int:
        """Computes the query into the scratch table ``pgsluice_result``; returns how many rows it has."""
        conn = self._conn
        conn.execute("DROP TABLE IF EXISTS pg_temp.pgsluice_result")
        with user_path(conn):
            rows = conn.execute(compose("derived", "result", query=sql.SQL(self._definition.query))).rowcount
        conn.execute("ANALYZE pg_temp.pgsluice_result")
        return rows

    def write_differences(self, which: sql.Composable = _EVERY_ROW) -> Written:
        """Makes rows of the table equal to those of the scratch table ``pgsluice_result``, which is dropped.

        :param which: the condition on the rows ``t`` of the table that the result stands for. Other rows stay.
        """
        columns = [name for name, _ in self._columns()]
        key = self._definition.key if set(self._definition.key) <= set(columns) else ()
        if key and not self._nulls(key, which) and len(key) < len(columns):
            written = self._merge(columns, key, which)
        else:
            written = self._replace(columns, which)
        self._conn.execute("DROP TABLE pg_temp.pgsluice_result")
        return written

    def count(self) -> int:
        """How many rows the relation holds."""
        row = self._conn.execute(sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(self._relation)).fetchone()
        assert row is not None
        return int(row[0])

    def _columns(self) -> list[tuple[str, str]]:
        text = self._relation.as_string(self._conn)
        return self._conn.execute(query("derived", "columns"), {"relation": text}).fetchall()

    def _nulls(self, key: tuple[str, ...], which: sql.Composable) -> bool:
        """Whether the result, or the table, has a NULL in a key. Such a row has no match."""
        condition = sql.SQL(" OR ").join(sql.SQL("t.{} IS NULL").format(sql.Identifier(c)) for c in key)
        statement = sql.SQL(
            "SELECT EXISTS (SELECT FROM pg_temp.pgsluice_result AS t WHERE {0})"
            " OR EXISTS (SELECT FROM {1} AS t WHERE ({0}) AND {2})"
        ).format(condition, self._relation, which)
        return self._conn.execute(statement).fetchone() == (True,)

    def _merge(self, columns: list[str], key: tuple[str, ...], which: sql.Composable) -> Written:
        """Deletes, updates and inserts the rows that differ."""
        same = sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(sql.Identifier("t", c), sql.Identifier("n", c)) for c in key
        )
        others = [c for c in columns if c not in key]
        deletion = compose("derived", "delete_gone", name=self._relation, which=which, same=same)
        deleted = self._conn.execute(deletion).rowcount
        updated = self._conn.execute(
            compose(
                "derived",
                "update_changed",
                name=self._relation,
                columns=_list(others),
                values=_list(others, "n"),
                old=_list(others, "t"),
                same=same,
            )
        ).rowcount
        inserted = self._conn.execute(
            compose(
                "derived",
                "insert_new",
                name=self._relation,
                columns=_list(columns),
                values=_list(columns, "n"),
                same=same,
            )
        ).rowcount
        return Written(inserted, updated, deleted)

    def _replace(self, columns: list[str], which: sql.Composable) -> Written:
        """Deletes the rows that the result stands for, and inserts the result."""
        deletion = sql.SQL("DELETE FROM {} AS t WHERE {}").format(self._relation, which)
        deleted = self._conn.execute(deletion).rowcount
        inserted = self._conn.execute(
            sql.SQL("INSERT INTO {} ({}) SELECT {} FROM pg_temp.pgsluice_result").format(
                self._relation, _list(columns), _list(columns)
            )
        ).rowcount
        return Written(inserted, 0, deleted)


def _list(columns: list[str], alias: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(alias, c) if alias else sql.Identifier(c) for c in columns)
