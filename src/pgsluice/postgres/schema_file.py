"""Applies a ``.sql`` file to a database that may have some of it already: what is missing is made.

The file is cut into statements by a lexer that knows PostgreSQL's quotes and comments, and each statement
is judged by its first words. Nothing that exists is altered or dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import errors
from psycopg.rows import tuple_row

from pgsluice.errors import SchemaFileError
from pgsluice.postgres.sql_lexer import Statement, Token, is_transaction_statement, read_sql, split

_DUPLICATE = (
    errors.DuplicateObject,
    errors.DuplicateTable,
    errors.DuplicateFunction,
    errors.DuplicateSchema,
)


_NOISE = frozenset(
    {"or", "replace", "if", "not", "exists", "only", "temp", "temporary", "local", "global", "unlogged"}
    | {
        "unique",
        "concurrently",
        "recursive",
        "trusted",
        "procedural",
        "constraint",
        "materialized",
        "foreign",
    }
)
"""Keywords that may stand before or behind the kind of a thing and do not matter here."""


_RELATIONS = frozenset({"table", "view", "sequence", "index"})


_OTHERS = frozenset({"schema", "extension", "type", "domain", "function", "procedure", "aggregate", "language"})
"""Kinds of things that have no row in pg_class; the pass remembers which of them it made."""


_SETTINGS = {
    "time": "timezone",
    "names": "client_encoding",
    "schema": "search_path",
    "session": "session_authorization",
}
"""What SET calls otherwise than current_setting() does."""


@dataclass(frozen=True, slots=True)
class SchemaApplied:
    """What applying a file did."""

    executed: int
    skipped: int
    tables_made: tuple[str, ...]
    """As the search_path needs them to be named, in the file's order."""


@dataclass(slots=True)
class _Reader:
    """Goes through the tokens of one statement."""

    tokens: tuple[Token, ...]
    place: int = 0

    def key(self) -> str:
        return self.tokens[self.place].key if self.place < len(self.tokens) else ""

    def word(self) -> str:
        """The next keyword, passed over."""
        key = self.key()
        self.place += 1
        return key

    def skip(self, words: frozenset[str] = _NOISE) -> None:
        """Pass over ``words``."""
        while self.key() in words:
            self.place += 1

    def find(self, *keys: str) -> bool:
        """Move behind the next one of ``keys``; False if there is none."""
        while self.place < len(self.tokens):
            if self.word() in keys:
                return True
        return False

    def name(self) -> tuple[str, ...]:
        """The parts of the possibly qualified name that comes next, as written; empty if none comes."""
        parts: list[str] = []
        while self.place < len(self.tokens) and self.tokens[self.place].kind in ("word", "quoted"):
            text = self.tokens[self.place].text
            # to_regclass() does not read U&"..."; such a name goes to PostgreSQL unjudged.
            if text[:3].lower() == 'u&"':
                return ()
            parts.append(text)
            self.place += 1
            if self.key() != ".":
                break
            self.place += 1
        return tuple(parts)


def apply_missing(conn: psycopg.Connection[Any], path: str, into: str | None = None) -> SchemaApplied:
    """Execute the statements of the file ``path`` that make something that does not exist yet.

    Runs within the caller's transaction (``conn`` is not in autocommit mode) and under its search_path;
    ``into`` names the schema of that search_path for the messages. Statements about tables that were
    there before are skipped, as are those that begin or end transactions. Settings (SET) hold for the
    rest of the file only, except ``SET search_path``, which holds for the rest of the transaction.

    Raises FileError if the file cannot be read, SchemaFileError with the line for a statement that would
    drop or empty something, that psycopg cannot send, or that PostgreSQL refuses. After an error the
    caller rolls back.
    """
    text = read_sql(path)
    application = _Application(conn, path, into)
    for statement in split(text, path):
        application.take(statement)
    application.restore_settings()
    return SchemaApplied(application.executed, application.skipped, tuple(application.tables_made))


def _plain(name: tuple[str, ...]) -> str:
    """The last part of ``name`` without its quotes."""
    return name[-1].strip('"') if name[-1].startswith('"') else name[-1].lower()


@dataclass(slots=True)
class _Application:
    """The state of one pass through a file."""

    conn: psycopg.Connection[Any]
    path: str
    into: str | None
    executed: int = 0
    skipped: int = 0
    tables_made: list[str] = field(default_factory=list)
    before: frozenset[int] = frozenset()
    """The relations that existed when the pass began."""
    skipped_indexes: set[tuple[str, ...]] = field(default_factory=set)
    made: set[tuple[str, str]] = field(default_factory=set)
    """Kind and unqualified name of the types, functions and the like that the file made."""
    settings: dict[str, str | None] = field(default_factory=dict)
    """Values from before the file's SET statements."""

    def __post_init__(self) -> None:
        self.before = frozenset(self._value("SELECT array_agg(oid::bigint) FROM pg_class"))

    def take(self, statement: Statement) -> None:
        """Execute, skip or refuse ``statement``."""
        first = statement.tokens[0].key
        if first in ("drop", "truncate"):
            raise SchemaFileError(
                f"{self.path}:{statement.line}: {first.upper()} in a schema file; a load destroys nothing",
                "Take the statement out; what exists already is skipped anyway",
            )
        if is_transaction_statement(statement) or self._exists(statement):
            self.skipped += 1
        elif first == "set":
            self._set(statement)
        else:
            self._execute(statement, may_exist=first == "create")

    # ------------------------------------------------------------------ judging

    def _exists(self, statement: Statement) -> bool:
        """Whether the statement makes what is there, or is about something that was there before."""
        reader = _Reader(statement.tokens)
        match reader.word():
            case "create":
                return self._creates_existing(reader)
            case "alter":
                reader.skip()
                kind = reader.word()
                reader.skip()
                name = reader.name()
                return self._was_there(name) if kind in _RELATIONS else self._not_made_here(kind, name)
            case "comment":
                return self._comments_on_existing(reader)
            case "grant" | "revoke":
                reader.find("on")
                if reader.key() in ("table", "sequence"):
                    reader.word()
                return self._was_there(reader.name())
            case "insert" | "merge":
                reader.word()
                return self._was_there(reader.name())
            case "update":
                reader.skip()
                return self._was_there(reader.name())
            case "delete":
                reader.word()
                reader.skip()
                return self._was_there(reader.name())
            case "select":
                # pg_dump empties the search_path of the session this way; everything it writes is
                # qualified, so that nothing needs it.
                sets = statement.keys(4)[1:] == ("pg_catalog", ".", "set_config")
                return sets and "search_path" in statement.text
        return False

    def _creates_existing(self, reader: _Reader) -> bool:
        reader.skip()
        kind = reader.word()
        reader.skip()
        match kind:
            case "table" | "view" | "sequence":
                return self._regclass(reader.name(), creating=True) is not None
            case "type" | "domain":
                name = self._in_creation_schema(reader.name())
                return self._lookup("SELECT to_regtype(%s)::oid", name) is not None
            case "schema":
                return self._lookup("SELECT to_regnamespace(%s)::oid", ".".join(reader.name())) is not None
            case "index":
                named = () if reader.key() == "on" else reader.name()
                reader.find("on")
                reader.skip()
                there = self._was_there(reader.name())
                if there:
                    self.skipped_indexes.add(named[-1:])
                return there
            case "trigger" | "policy":
                return reader.find("on") and self._was_there(reader.name())
            case "rule":
                return reader.find("to") and self._was_there(reader.name())
            case "statistics":
                reader.find("from")
                reader.skip()
                return self._was_there(reader.name())
        return False

    def _comments_on_existing(self, reader: _Reader) -> bool:
        reader.word()
        reader.skip(_NOISE - {"constraint"})
        kind = reader.word()
        match kind:
            case "table" | "view" | "sequence":
                return self._was_there(reader.name())
            case "column":
                return self._was_there(reader.name()[:-1])
            case "index":
                name = reader.name()
                return self._was_there(name) or (self._regclass(name) is None and name[-1:] in self.skipped_indexes)
            case "constraint" | "trigger" | "policy" | "rule":
                reader.find("on")
                if reader.key() == "domain":
                    return self._not_made_here(reader.word(), reader.name())
                return self._was_there(reader.name())
        return self._not_made_here(kind, reader.name())

    def _not_made_here(self, kind: str, name: tuple[str, ...]) -> bool:
        """Whether ``name`` is a type, function or the like that this file did not make."""
        return kind in _OTHERS and bool(name) and (kind, _plain(name)) not in self.made

    def _was_there(self, name: tuple[str, ...]) -> bool:
        """Whether the relation ``name`` existed before the file."""
        return self._regclass(name) in self.before

    def _regclass(self, name: tuple[str, ...], *, creating: bool = False) -> int | None:
        """The oid of the relation ``name``; ``creating``: in the schema where CREATE would put it."""
        return self._lookup(
            "SELECT to_regclass(%s)::oid", self._in_creation_schema(name) if creating else ".".join(name)
        )

    def _in_creation_schema(self, name: tuple[str, ...]) -> str:
        """``name`` qualified as CREATE would do it."""
        if len(name) != 1:
            return ".".join(name)
        schema = self._value("SELECT quote_ident(current_schema())")
        return f"{schema}.{name[0]}" if schema else name[0]

    def _lookup(self, statement: str, name: str) -> int | None:
        if not name:
            return None
        oid = self._value(statement, name)
        return None if oid is None else int(oid)

    def _value(self, statement: str, *parameters: object) -> Any:
        with self.conn.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute(statement, parameters or None).fetchone()
        return None if row is None else row[0]

    # ------------------------------------------------------------------ executing

    def _execute(self, statement: Statement, *, may_exist: bool) -> None:
        """Execute; a statement that ``may_exist`` is skipped if PostgreSQL says that it does."""
        try:
            if may_exist:
                with self.conn.transaction():
                    self.conn.execute(statement.text)
            else:
                self.conn.execute(statement.text)
        except _DUPLICATE as error:
            if not may_exist:
                raise self._refused(statement, error) from error
            self.skipped += 1
            return
        except psycopg.Error as error:
            if error.sqlstate is None:  # the connection, not the statement
                raise
            raise self._refused(statement, error) from error
        self.executed += 1
        self._note(statement)

    def _note(self, statement: Statement) -> None:
        """Remember what the statement made."""
        reader = _Reader(statement.tokens)
        if reader.word() != "create":
            return
        reader.skip()
        kind = reader.word()
        reader.skip()
        name = reader.name()
        if kind == "table":
            self.tables_made.append(self._value("SELECT to_regclass(%s)::text", ".".join(name)))
        elif kind in _OTHERS and name:
            self.made.add((kind, _plain(name)))

    def _set(self, statement: Statement) -> None:
        """Execute SET for this transaction only, whatever the file says, and remember what was before."""
        reader = _Reader(statement.tokens, 1)
        scope = {"local", "session"}
        if "authorization" in statement.keys(4):  # SET SESSION AUTHORIZATION: here it is part of the name
            scope = {"local"}
        reader.skip(frozenset(scope))
        rest = statement.tokens[min(reader.place, len(statement.tokens) - 1)]
        start = rest.start - statement.tokens[0].start
        name = reader.name()
        written = ".".join(name).lower()
        setting = _SETTINGS.get(written, written)
        if setting != "search_path" and setting not in self.settings:
            self.settings[setting] = self._value("SELECT current_setting(%s, true)", setting)
        local = Statement(f"SET LOCAL {statement.text[start:]}", statement.line, statement.tokens)
        self._execute(local, may_exist=False)

    def restore_settings(self) -> None:
        """Undo the SET statements of the file, which were meant for the file."""
        for name, value in self.settings.items():
            if value is not None:
                self._value("SELECT set_config(%s, %s, true)", name, value)

    def _refused(self, statement: Statement, error: psycopg.Error) -> SchemaFileError:
        what = error.diag.message_primary or " ".join(str(error).split())
        line = statement.line
        if error.diag.statement_position:
            line += statement.text.count("\n", 0, int(error.diag.statement_position) - 1)
        where = f" (in schema {self.into})" if self.into else ""
        detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
        remedy = error.diag.message_hint or "Nothing was kept of the file; correct the statement and run again"
        return SchemaFileError(f"{self.path}:{line}: {what.rstrip('.')}{detail}{where}", remedy)
