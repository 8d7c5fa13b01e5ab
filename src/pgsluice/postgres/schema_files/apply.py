"""Applies a ``.sql`` file to a database: executes the statements that make something that does not exist yet.

:mod:`pgsluice.postgres.schema_files.sql_lexer` cuts the file into statements. The first words of a statement tell what
it makes or changes, and the catalog tells whether that exists. Nothing that existed before the file is altered or
dropped. :mod:`pgsluice.postgres.schema_files.refused_statements` says which statements are refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import errors
from psycopg.rows import tuple_row

from pgsluice.errors import SchemaFileError
from pgsluice.postgres.schema_files.refused_statements import refuse
from pgsluice.postgres.schema_files.sql_lexer import Statement, Token, is_transaction_statement, read_sql, split
from pgsluice.postgres.search_path import user_path

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
"""Keywords before or behind the kind of an object (``CREATE UNIQUE INDEX IF NOT EXISTS``) that make no difference."""


_RELATIONS = frozenset({"table", "view", "sequence", "index"})


_OTHERS = frozenset({"schema", "extension", "type", "domain", "function", "procedure", "aggregate", "language"})
"""Kinds of objects without a row in pg_class. :class:`_Application` remembers the objects that the file made."""


_SETTING_NAMES = {
    "time": "timezone",
    "names": "client_encoding",
    "schema": "search_path",
    "session": "session_authorization",
}
"""Words after SET that name a setting, each with the name of the setting for current_setting()."""


@dataclass(frozen=True, slots=True)
class SchemaApplied:
    """What :func:`apply_missing` did with a file: numbers of statements, and tables."""

    executed: int
    skipped: int
    tables_made: tuple[str, ...]
    """Names in the order of the file, quoted, and qualified where the search_path requires it."""


@dataclass(slots=True)
class Reader:
    """Reads the tokens of a statement from left to right."""

    tokens: tuple[Token, ...]
    place: int = 0

    def key(self) -> str:
        """Returns the key of the next token, '' at the end; the reader does not move."""
        return self.tokens[self.place].key if self.place < len(self.tokens) else ""

    def word(self) -> str:
        """Returns the key of the next token and moves behind it."""
        key = self.key()
        self.place += 1
        return key

    def skip(self, words: frozenset[str] = _NOISE) -> None:
        """Moves to the next token that is none of the words."""
        while self.key() in words:
            self.place += 1

    def find(self, *keys: str) -> bool:
        """Moves behind the next token that has one of these keys.

        :returns: False if there is no such token.
        """
        while self.place < len(self.tokens):
            if self.word() in keys:
                return True
        return False

    def name(self) -> tuple[str, ...]:
        """Returns the parts of the next name as they are written, and moves behind them; () if no name is next."""
        parts: list[str] = []
        while self.place < len(self.tokens) and self.tokens[self.place].kind in ("word", "quoted"):
            text = self.tokens[self.place].text
            # to_regclass() cannot read U&"...", so nothing tells whether the object exists.
            if text[:3].lower() == 'u&"':
                return ()
            parts.append(text)
            self.place += 1
            if self.key() != ".":
                break
            self.place += 1
        return tuple(parts)


def apply_missing(conn: psycopg.Connection[Any], path: str, into: str | None = None) -> SchemaApplied:
    """Executes the statements of a file that make something that does not exist yet.

    The statements run in the transaction of the caller and under the user's path
    (:mod:`pgsluice.postgres.search_path`). Statements about tables that existed before the file are skipped. Statements
    that begin or end transactions are skipped as well. Settings (SET) hold for the rest of the file; ``SET
    search_path`` changes the user's path for the rest of the transaction.

    :param conn: a connection that is not in autocommit mode. After an error the caller rolls back.
    :param path: the file.
    :param into: the schema of the search_path, for messages.
    :raises FileError: the file cannot be read.
    :raises SchemaFileError: PostgreSQL refuses a statement, psycopg cannot send it, or it would drop or empty
        something. The message contains the line.
    """
    text = read_sql(path)
    with user_path(conn, keep=True):
        application = _Application(conn, path, into)
        for statement in split(text, path):
            application.take(statement)
        application.restore_settings()
    return SchemaApplied(application.executed, application.skipped, tuple(application.tables_made))


def plain_name(name: tuple[str, ...]) -> str:
    """Returns the last part of the name without quotes."""
    return name[-1].strip('"') if name[-1].startswith('"') else name[-1].lower()


@dataclass(slots=True)
class _Application:
    """Executes the statements of a file one after the other, and knows what the earlier ones made."""

    conn: psycopg.Connection[Any]
    path: str
    into: str | None
    executed: int = 0
    skipped: int = 0
    tables_made: list[str] = field(default_factory=list)
    before: frozenset[int] = frozenset()
    """The oids of the relations that existed before the file."""
    skipped_indexes: set[tuple[str, ...]] = field(default_factory=set)
    """Names, without schema, of the indexes that the file would make on tables that existed before the file."""
    made: set[tuple[str, str]] = field(default_factory=set)
    """Kind and name, without schema, of the objects that the file made and that are no relations."""
    settings: dict[str, str | None] = field(default_factory=dict)
    """Settings that the file changed, with their values before the file."""

    def __post_init__(self) -> None:
        self.before = frozenset(self._value("SELECT pg_catalog.array_agg(oid::bigint) FROM pg_catalog.pg_class"))

    def take(self, statement: Statement) -> None:
        """Executes or skips the statement.

        :raises SchemaFileError: a schema file may not hold the statement, or PostgreSQL refuses it.
        """
        refuse(statement, self.path)
        first = statement.tokens[0].key
        if is_transaction_statement(statement) or self._exists(statement):
            self.skipped += 1
        elif first == "set":
            self._set(statement)
        else:
            self._execute(statement, may_exist=first == "create")

    # ------------------------------------------------------------------ what exists

    def _exists(self, statement: Statement) -> bool:
        """Whether the statement makes an object that exists, or is about an object that existed before the file."""
        reader = Reader(statement.tokens)
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
            case "insert":
                reader.word()
                return self._was_there(reader.name())
            case "select":
                # pg_dump empties the search_path of the session with this SELECT. It qualifies all names, so its files
                # do not need that.
                sets = statement.keys(4)[1:] == ("pg_catalog", ".", "set_config")
                return sets and "search_path" in statement.text
        return False

    def _creates_existing(self, reader: Reader) -> bool:
        """Whether the object of a CREATE exists, or belongs to a table that existed before the file."""
        reader.skip()
        kind = reader.word()
        reader.skip()
        match kind:
            case "table" | "view" | "sequence":
                return self._regclass(reader.name(), creating=True) is not None
            case "type" | "domain":
                name = self._in_creation_schema(reader.name())
                return self._lookup("SELECT pg_catalog.to_regtype(%s)::pg_catalog.oid", name) is not None
            case "schema":
                return (
                    self._lookup("SELECT pg_catalog.to_regnamespace(%s)::pg_catalog.oid", ".".join(reader.name()))
                    is not None
                )
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

    def _comments_on_existing(self, reader: Reader) -> bool:
        """Whether the object of a COMMENT existed before the file, or was skipped."""
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
        """Whether the object is of a kind without a row in pg_class and was not made by the file."""
        return kind in _OTHERS and bool(name) and (kind, plain_name(name)) not in self.made

    def _was_there(self, name: tuple[str, ...]) -> bool:
        """Whether the relation existed before the file."""
        return self._regclass(name) in self.before

    def _regclass(self, name: tuple[str, ...], *, creating: bool = False) -> int | None:
        """Returns the oid of the relation, None if there is none.

        :param creating: whether to look only in the schema in which CREATE would make the relation.
        """
        return self._lookup(
            "SELECT pg_catalog.to_regclass(%s)::pg_catalog.oid",
            self._in_creation_schema(name) if creating else ".".join(name),
        )

    def _in_creation_schema(self, name: tuple[str, ...]) -> str:
        """Returns the name with the schema in which CREATE would make the object."""
        if len(name) != 1:
            return ".".join(name)
        schema = self._value("SELECT pg_catalog.quote_ident(pg_catalog.current_schema())")
        return f"{schema}.{name[0]}" if schema else name[0]

    def _lookup(self, statement: str, name: str) -> int | None:
        """Returns the oid that the statement returns for the name; None for no row, NULL or an empty name."""
        if not name:
            return None
        oid = self._value(statement, name)
        return None if oid is None else int(oid)

    def _value(self, statement: str, *parameters: object) -> Any:
        """Returns the first column of the first row; None if there is no row."""
        with self.conn.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute(statement, parameters or None).fetchone()
        return None if row is None else row[0]

    # ------------------------------------------------------------------ executing

    def _execute(self, statement: Statement, *, may_exist: bool) -> None:
        """Executes the statement.

        :param may_exist: whether to skip the statement if PostgreSQL says that its object exists.
        """
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
            if error.sqlstate is None:  # the error is about the connection
                raise
            raise self._refused(statement, error) from error
        self.executed += 1
        self._note(statement)

    def _note(self, statement: Statement) -> None:
        """Remembers what the statement made."""
        reader = Reader(statement.tokens)
        if reader.word() != "create":
            return
        reader.skip()
        kind = reader.word()
        reader.skip()
        name = reader.name()
        if kind == "table":
            made = "SELECT pg_catalog.to_regclass(%s)::pg_catalog.text"
            self.tables_made.append(self._value(made, ".".join(name)))
        elif kind in _OTHERS and name:
            self.made.add((kind, plain_name(name)))

    def _set(self, statement: Statement) -> None:
        """Executes SET as SET LOCAL, whatever the file says, and remembers the value before the file."""
        reader = Reader(statement.tokens, 1)
        scope = {"local", "session"}
        if "authorization" in statement.keys(4):  # in SET SESSION AUTHORIZATION, "session" is part of the name
            scope = {"local"}
        reader.skip(frozenset(scope))
        rest = statement.tokens[min(reader.place, len(statement.tokens) - 1)]
        start = rest.start - statement.tokens[0].start
        name = reader.name()
        written = ".".join(name).lower()
        setting = _SETTING_NAMES.get(written, written)
        if setting != "search_path" and setting not in self.settings:
            self.settings[setting] = self._value("SELECT pg_catalog.current_setting(%s, true)", setting)
        local = Statement(f"SET LOCAL {statement.text[start:]}", statement.line, statement.tokens)
        self._execute(local, may_exist=False)

    def restore_settings(self) -> None:
        """Gives the settings their values from before the file."""
        for name, value in self.settings.items():
            if value is not None:
                self._value("SELECT pg_catalog.set_config(%s, %s, true)", name, value)

    def _refused(self, statement: Statement, error: psycopg.Error) -> SchemaFileError:
        """Returns the error for a statement that PostgreSQL refuses, with the line to which PostgreSQL points."""
        what = error.diag.message_primary or " ".join(str(error).split())
        line = statement.line
        if error.diag.statement_position:
            line += statement.text.count("\n", 0, int(error.diag.statement_position) - 1)
        where = f" (in schema {self.into})" if self.into else ""
        detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
        remedy = error.diag.message_hint or "Nothing was kept of the file; correct the statement and run again"
        if isinstance(error, psycopg.errors.InvalidSchemaName) and not self.into:
            remedy = "Nothing was kept of the file; create the schema in it, or name one that exists: --into public"
        return SchemaFileError(f"{self.path}:{line}: {what.rstrip('.')}{detail}{where}", remedy)
