"""Compute the touched groups of a derived table again, and the others not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from pgsluice.errors import CallError
from pgsluice.model import Definition
from pgsluice.postgres.derived.incremental.joins import Parts, take_apart
from pgsluice.postgres.derived.incremental.stamp import Stamp, changed_since, make_stamp
from pgsluice.postgres.derived.incremental.touched import ChangedRows, terms
from pgsluice.postgres.derived.incremental.tree import ComputeAll, Tree, read_tree
from pgsluice.postgres.planner_hints import execute_examined
from pgsluice.postgres.sql_fragments import identifier
from pgsluice.postgres.sqlstate import primary_message
from pgsluice.sql import compose, query

_KEY_TYPES_WORDS = """
    bool bpchar bytea char date float4 float8 inet int2 int4 int8 interval name numeric text time timestamp
    timestamptz timetz uuid varchar
"""
_KEY_TYPES = frozenset(_KEY_TYPES_WORDS.split())
"""Types of keys: PostgreSQL's own operator = compares them. Enumerations are compared by it, too."""

_MOST = 3
"""If more than a third of the groups were touched, computing all of them takes no longer."""

TOUCHED = sql.Identifier("pg_temp", "pgsluice_touched")


@dataclass(frozen=True, slots=True)
class Touched:
    """The touched groups of a derived table: the scratch table of their keys, and which keys are NULL together."""

    keys: tuple[str, ...]
    expressions: tuple[str, ...]
    patterns: tuple[tuple[bool, ...], ...]
    count: int

    def rows_of(self, alias: str) -> sql.Composed:
        """The condition that a row of the derived table belongs to a touched group."""
        columns: list[sql.Composable] = [sql.Identifier(alias, key) for key in self.keys]
        return sql.SQL("({})").format(sql.SQL(" OR ").join(self.condition(p, columns) for p in self.patterns))

    def condition(self, pattern: tuple[bool, ...], values: list[sql.Composable]) -> sql.Composed:
        """The condition that values are the keys of a touched group.

        :param pattern: which of the keys are NULL. The operator = finds no NULL, and IS NOT DISTINCT FROM compares each
            row with each key.
        """
        names = [sql.Identifier(f"k{n}") for n in range(1, len(self.keys) + 1)]
        comma = sql.SQL(", ")
        nulls = [sql.SQL("({}) IS NULL").format(v) for v, null in zip(values, pattern, strict=True) if null]
        given = [(n, v) for n, v, null in zip(names, values, pattern, strict=True) if not null]
        same = [
            sql.SQL("{} IS {}NULL").format(n, sql.SQL("" if null else "NOT "))
            for n, null in zip(names, pattern, strict=True)
        ]
        parts: list[sql.Composable] = list(nulls)
        if given:
            parts.append(
                sql.SQL("({}) IN (SELECT {} FROM {} WHERE {})").format(
                    comma.join(v for _, v in given),
                    comma.join(n for n, _ in given),
                    TOUCHED,
                    sql.SQL(" AND ").join(same),
                )
            )
        return sql.SQL(" AND ").join(parts)


class Incremental:
    """A derived table whose touched groups are computed again."""

    def __init__(self, conn: psycopg.Connection[Any], definition: Definition) -> None:
        self._conn = conn
        self._definition = definition
        self._relation = identifier(definition.name)
        self._tree: Tree | None = None
        self._parts: Parts | None = None
        self.reason = ""
        """Why the query can only be computed as a whole."""
        self._read()

    def _read(self) -> None:
        try:
            with self._conn.transaction():
                self._tree = read_tree(self._conn, self._definition)
                self._parts = take_apart(self._conn, self._tree, self._definition.incremental_by)
                self._conn.execute(query("derived", "drop_probe"))
        except ComputeAll as reason:
            self.reason = str(reason)

    def check_keys(self) -> int:
        """Checks that the derived table, which exists, has the columns of the keys; returns its oid.

        :raises CallError: it lacks a column.
        """
        text = self._relation.as_string(self._conn)
        wanted = {"relation": text, "keys": list(self._definition.incremental_by)}
        found = self._conn.execute(query("incremental", "keys"), wanted).fetchall()
        if missing := [key for key in self._definition.incremental_by if key not in {name for name, *_ in found}]:
            raise CallError(
                f"{self._definition.source}: incremental by: the query has no column {missing[0]!r}",
                "Name columns of the result",
            )
        strange = [name for name, type_, kind, own in found if not ((own and type_ in _KEY_TYPES) or kind == "e")]
        if strange and not self.reason:
            self.reason = f"the type of {strange[0]} cannot be a key"
        row = self._conn.execute("SELECT %s::regclass::oid::bigint", (text,)).fetchone()
        assert row is not None
        return int(row[0])

    def stamp(self) -> Stamp | None:
        """The stamp of the derived table, which is up to date; None if only the whole query can be computed."""
        own = self.check_keys()
        if self.reason or self._tree is None:
            return None
        return make_stamp(self._conn, self._tree, own)

    def find_touched(self, stamp: Stamp | None, followed: Mapping[int, ChangedRows]) -> Touched:
        """Finds the touched groups and stores their keys.

        :param stamp: of the derived table as it was made last.
        :param followed: the rows that the run has changed, by the oid of their table.
        :raises ComputeAll: the groups are not known with certainty, or too many of them are touched.
        """
        own = self.check_keys()
        if self.reason or self._tree is None or self._parts is None:
            raise ComputeAll(self.reason)
        if stamp is None:
            raise ComputeAll("the ledger does not know the state of the tables before the run")
        changed = changed_since(self._conn, stamp, self._tree, own, followed)
        try:
            with self._conn.transaction():
                return self._store(changed)
        except psycopg.errors.DataError as error:
            # A term joins rows that never stood together, and may compute a key that no query has computed.
            raise ComputeAll(primary_message(error)) from error

    def _store(self, changed: Mapping[int, ChangedRows]) -> Touched:
        assert self._parts is not None
        conn, keys = self._conn, self._definition.incremental_by
        conn.execute("DROP TABLE IF EXISTS pg_temp.pgsluice_touched")
        if not changed:
            return Touched(keys, self._parts.keys, (), 0)
        for rows in changed.values():
            conn.execute(sql.SQL("ANALYZE {}").format(rows.old))
            conn.execute(sql.SQL("ANALYZE {}").format(rows.new))
        found = terms(self._parts, changed)
        count = execute_examined(conn, compose("incremental", "touched", terms=found)).rowcount
        about = conn.execute(
            "SELECT greatest(reltuples, 0) FROM pg_catalog.pg_class WHERE oid = %s::regclass",
            (self._relation.as_string(conn),),
        ).fetchone()
        assert about is not None
        if count > 100 and count * _MOST > about[0]:
            raise ComputeAll(f"{count:,} groups, most of them, are touched")
        conn.execute("ANALYZE pg_temp.pgsluice_touched")
        nulls = sql.SQL(", ").join(
            sql.SQL("{} IS NULL").format(sql.Identifier(f"k{n}")) for n in range(1, len(keys) + 1)
        )
        patterns = conn.execute(compose("incremental", "null_patterns", nulls=nulls)).fetchall()
        return Touched(keys, self._parts.keys, tuple(map(tuple, patterns)), count)

    def compute(self, touched: Touched) -> None:
        """Computes the touched groups into the scratch table ``pgsluice_result``."""
        assert self._parts is not None
        conn = self._conn
        conn.execute("DROP TABLE IF EXISTS pg_temp.pgsluice_result")
        first = "derived", "result"
        for pattern in touched.patterns:
            values: list[sql.Composable] = [sql.SQL(e) for e in touched.expressions]
            restricted = self._parts.restricted(touched.condition(pattern, values))
            execute_examined(conn, compose(*first, query=restricted))
            first = "incremental", "add_result"
        conn.execute("ANALYZE pg_temp.pgsluice_result")
