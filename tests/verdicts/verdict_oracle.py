"""The oracle: what row-by-row INSERT, a savepoint each, in file order keeps and refuses, and in which words.

``docs/explanation/verdicts.md`` has the definition. Tables come in load order, so foreign keys are asked
against accepted rows. Only where a row may refer to one that comes later (a table that refers to itself,
tables that refer to each other) more than that needs to be said:

1. Candidates are the rows that PostgreSQL takes when they come alone, the group's own foreign keys aside.
2. Candidates that refer to a key which neither a candidate nor a row of the table has leave, until all have.
3. The others are inserted one by one. Of those that are in, rows that refer to a row which is not (it lost
   its key to an earlier one) leave the candidates. If there were any: on with 2.
4. A refused row's verdict is what its INSERT says in the last pass; where that would succeed, it is the
   foreign key for which it left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql
from verdict_cases import Case, Fk, Record

_ATTEMPT = """
CREATE FUNCTION attempt(stmts text[], keep boolean[], OUT i int, OUT code text, OUT con text, OUT col text,
                        OUT n int, OUT tuple jsonb)
RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. cardinality(stmts) LOOP
    code := ''; con := ''; col := ''; n := 0; tuple := NULL;
    BEGIN
      EXECUTE stmts[i] INTO tuple;
      GET DIAGNOSTICS n = ROW_COUNT;
      IF NOT keep[i] THEN RAISE EXCEPTION USING ERRCODE = 'PGORC'; END IF;
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, con = CONSTRAINT_NAME, col = COLUMN_NAME;
      IF code = 'PGORC' THEN code := ''; END IF;
    END;
    RETURN NEXT;
  END LOOP;
END $$
"""

KINDS = {"23502": "not_null", "23514": "check", "23505": "unique", "23503": "foreign_key", "23P01": "exclusion",
         "42501": "policy", "P0001": "trigger"}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What is compared of a reject."""

    file: str
    line: int
    kind: str
    constraint: str
    sqlstate: str
    column: str
    """Of a NOT NULL, else ''."""
    parent: str
    """``file:line`` of the rejected parent."""


@dataclass
class _Outcome:
    code: str
    con: str
    col: str
    n: int
    tuple: dict[str, object] | None

    @property
    def good(self) -> bool:
        return not self.code and self.n == 1


class Oracle:
    """Works in the current schema of ``conn``, which is in autocommit, where the case's DDL stands."""

    def __init__(self, conn: psycopg.Connection, case: Case) -> None:
        self._conn = conn
        self._case = case
        self.refused: dict[str, dict[int, Verdict]] = {t: {} for t in case.tables}
        self._unread: set[tuple[str, int]] = set()
        """File and line of records that have a value which its column does not take."""
        conn.execute(_ATTEMPT)

    def run(self, order: Sequence[str]) -> None:
        """Inserts all tables' records, tables in ``order``."""
        with self._conn.transaction():
            self._conn.execute("SET CONSTRAINTS ALL IMMEDIATE")
            for group in _groups(order, self._case.fks):
                self._group(group)

    # ------------------------------------------------------------------- one group

    def _group(self, group: list[str]) -> None:
        inner = [f for f in self._case.fks if f.table in group and f.parent in group]
        if not inner:
            outcomes = self._pass(group, {})
            self._verdicts(group, outcomes, {})
            return
        standing = {t: self._standing(t) for t in group}
        alone = self._alone(group, inner)
        candidates = {t: {i for i, o in enumerate(alone[t]) if o.good} for t in group}
        tuples = {t: [o.tuple or {} for o in alone[t]] for t in group}
        firing = self._firing(inner)
        banned: dict[str, dict[int, Fk]] = {t: {} for t in group}
        while True:
            while self._ban(firing, candidates, candidates, standing, tuples, banned):
                pass
            with self._conn.transaction(force_rollback=True):
                self._drop(inner)
                outcomes = self._pass(group, {t: set(banned[t]) for t in group})
            kept = {t: {i for i in candidates[t] if outcomes[t][i].good} for t in group}
            if not self._ban(firing, kept, candidates, standing, tuples, banned):
                break
        self._drop(inner)
        outcomes = self._pass(group, {t: set(banned[t]) for t in group})
        for f in inner:
            # It would fail if what was kept were not consistent.
            self._conn.execute(f.ddl.encode())
        self._verdicts(group, outcomes, banned)

    def _ban(self, firing, rows, candidates, standing, tuples, banned) -> bool:  # type: ignore[no-untyped-def]
        """Bans those of ``rows`` that refer to nothing in ``rows``; True if there were any."""
        leave = []
        for f in firing:
            keys = {tuple(tuples[f.parent][i].get(c) for c in f.referenced) for i in rows[f.parent]}
            keys |= {tuple(r.get(c) for c in f.referenced) for r in standing[f.parent]}
            for i in rows[f.table]:
                key = tuple(tuples[f.table][i].get(c) for c in f.columns)
                nulls = key.count(None)
                orphan = key not in keys if not nulls else f.full and nulls < len(key)
                if orphan:
                    leave.append((f, i))
        for f, i in leave:
            banned[f.table].setdefault(i, f)
        for f, i in leave:
            candidates[f.table].discard(i)
        return bool(leave)

    def _firing(self, fks: list[Fk]) -> list[Fk]:
        """Foreign keys in the order in which their triggers fire."""
        names = dict(
            self._conn.execute(
                "SELECT c.conname, min(t.tgname) FROM pg_trigger t JOIN pg_constraint c ON c.oid = t.tgconstraint"
                " WHERE t.tgrelid = c.conrelid AND c.connamespace = current_schema()::regnamespace"
                " AND t.tgname LIKE 'RI_ConstraintTrigger_c%' GROUP BY 1"
            ).fetchall()
        )
        return sorted(fks, key=lambda f: names[f.name])

    def _alone(self, group: list[str], inner: list[Fk]) -> dict[str, list[_Outcome]]:
        with self._conn.transaction(force_rollback=True):
            self._drop(inner)
            self._conn.execute(
                sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(sql.Identifier(t) for t in group))
            )
            return {t: self._attempt(t, [False] * len(self._case.records[t])) for t in group}

    def _pass(self, group: list[str], banned: dict[str, set[int]]) -> dict[str, list[_Outcome]]:
        return {
            t: self._attempt(t, [i not in banned.get(t, ()) for i in range(len(self._case.records[t]))]) for t in group
        }

    def _drop(self, fks: list[Fk]) -> None:
        for f in fks:
            self._conn.execute(
                sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.Identifier(f.table), sql.Identifier(f.name))
            )

    def _standing(self, table: str) -> list[dict[str, object]]:
        return [r for (r,) in self._conn.execute(sql.SQL("SELECT to_jsonb(t) FROM {} t").format(sql.Identifier(table)))]

    def _attempt(self, table: str, keep: list[bool]) -> list[_Outcome]:
        statements = [insert(self._conn, table, self._case.columns[table], r.values) for r in self._case.records[table]]
        rows = self._conn.execute("SELECT code, con, col, n, tuple FROM attempt(%s, %s) ORDER BY i", (statements, keep))
        outcomes = [_Outcome(*r) for r in rows]
        for outcome, record in zip(outcomes, self._case.records[table], strict=True):
            if outcome.code.startswith("22") and (bad := self._first_bad_value(table, record)):
                outcome.code = bad
                self._unread.add((record.file, record.line))
        return outcomes

    def _first_bad_value(self, table: str, record: Record) -> str:
        """SQLSTATE of the first value in the record that its column does not take.

        An INSERT reads literals first and applies modifiers such as those of numeric(5,2) afterwards, so of
        several bad values it does not always name the first.
        """
        columns = self._case.columns[table]
        for column, value in zip(columns, record.values, strict=True):
            with self._conn.transaction(force_rollback=True):
                name = sql.Identifier(column)
                self._conn.execute(
                    sql.SQL("CREATE TEMP TABLE bare AS SELECT {} FROM {} WITH NO DATA").format(
                        name, sql.Identifier(table)
                    )
                )
                try:
                    with self._conn.transaction():
                        self._conn.execute(sql.SQL("INSERT INTO bare VALUES ({})").format(sql.Literal(value)))
                except psycopg.Error as error:
                    return error.sqlstate or ""
        return ""

    # ------------------------------------------------------------------- verdicts

    def _verdicts(
        self, group: list[str], outcomes: dict[str, list[_Outcome]], banned: dict[str, dict[int, Fk]]
    ) -> None:
        said: dict[str, dict[int, tuple[str, str, str, str]]] = {}
        for t in group:
            said[t] = {}
            for i, o in enumerate(outcomes[t]):
                if o.good and i not in banned.get(t, {}):
                    continue
                if o.good:
                    said[t][i] = ("foreign_key", banned[t][i].name, "23503", "")
                elif not o.code:
                    said[t][i] = ("trigger", "", "", "")
                elif o.code[:2] == "22":
                    said[t][i] = ("value", o.con, o.code, "")
                else:
                    kind = KINDS.get(o.code, "other")
                    if kind == "check" and o.con.startswith("~"):
                        said[t][i] = ("rule", o.con[1:], o.code, "")
                        continue
                    said[t][i] = (kind, o.con, o.code, o.col if kind == "not_null" else "")
        for t in group:
            for i in said[t]:
                self.refused[t][i] = self._verdict(t, i, *said[t][i], said)

    def _verdict(
        self, table: str, i: int, kind: str, con: str, code: str, col: str, said: dict[str, dict[int, object]]
    ) -> Verdict:
        record = self._case.records[table][i]
        parent = ""
        if kind == "foreign_key":
            fk = next(f for f in self._case.fks if f.name == con)
            found = self._parent(fk, record, said)
            if found is not None:
                kind, parent = "parent", f"{found.file}:{found.line}"
        return Verdict(record.file, record.line, kind, con, code, col, parent)

    def _parent(self, fk: Fk, child: Record, said: dict[str, dict[int, object]]) -> Record | None:
        """The first rejected record of the parent table that has the key."""
        if fk.parent not in self._case.records:
            return None
        mine, theirs = self._case.columns[fk.table], self._case.columns[fk.parent]
        if not set(fk.referenced) <= set(theirs):
            return None
        padded = self._case.padded
        key = [_canonical(child.values[mine.index(c)], padded=(fk.table, c) in padded) for c in fk.columns]
        if None in key:
            return None
        for i in sorted(said.get(fk.parent, self.refused[fk.parent])):
            record = self._case.records[fk.parent][i]
            theirs_of = {c: record.values[theirs.index(c)] for c in fk.referenced}
            # A record that could not be read is known by its texts.
            unread = (record.file, record.line) in self._unread
            written = [v if unread else _canonical(v, padded=(fk.parent, c) in padded) for c, v in theirs_of.items()]
            if written == key:
                return record
        return None


def _canonical(value: str | None, *, padded: bool) -> str | None:
    """A good value of a key's type as PostgreSQL writes it.

    :param padded: the type is char.
    """
    if value == "t":
        return "true"
    return value.rstrip(" ") if value is not None and padded else value


def insert(conn: psycopg.Connection, table: str, columns: Sequence[str], values: Sequence[str | None]) -> str:
    """An INSERT of one record, its texts as literals of no type, so that the columns' input functions read them."""
    return (
        sql.SQL("INSERT INTO {} AS t ({}) OVERRIDING SYSTEM VALUE VALUES ({}) RETURNING to_jsonb(t)")
        .format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(map(sql.Literal, values)),
        )
        .as_string(conn)
    )


def _groups(order: Sequence[str], fks: Sequence[Fk]) -> list[list[str]]:
    """Tables in load order, those that refer to each other (over any number of steps) together."""
    reach = {t: {f.parent for f in fks if f.table == t and f.parent in order} for t in order}
    for _ in order:
        for t in order:
            reach[t] |= {x for p in reach[t] for x in reach[p]}
    groups: list[list[str]] = []
    for t in order:
        if any(t in g for g in groups):
            continue
        groups.append([u for u in order if u == t or (u in reach[t] and t in reach[u])])
    return groups
