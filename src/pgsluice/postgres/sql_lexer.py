"""TODO pgsluice.postgres.sql_lexer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pgsluice.errors import FileError, SchemaFileError

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<line_comment>--[^\n]*)
  | (?P<block_comment>/\*)
  | (?P<escape_string>[eE]'(?:[^'\\]|\\.|'')*(?:'|(?P<open_escape>\Z)))
  | (?P<string>(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*(?:'|(?P<open_string>\Z)))
  | (?P<quoted>(?:[uU]&)?"(?:[^"]|"")*(?:"|(?P<open_quoted>\Z)))
  | (?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$)
  | (?P<word>[^\W\d][\w$]*)
  | (?P<number>\.?\d[\w.]*|\$\d+)
  | (?P<meta>\\)
  | (?P<punct>.)
    """,
    re.VERBOSE | re.DOTALL,
)


_COMMENT_EDGE = re.compile(r"/\*|\*/")


_TITLE = re.compile(r"--\s*name:\s*(.*\S)\s*")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a statement that is neither space nor comment."""

    kind: str
    """word, quoted, string, escape_string, dollar, number, punct."""
    text: str
    start: int
    """Offset within the whole file's text."""

    @property
    def key(self) -> str:
        """The keyword that an unquoted word is, '' for everything else that is no punctuation."""
        if self.kind == "word":
            return self.text.lower()
        return self.text if self.kind == "punct" else ""


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement of a file, without its semicolon."""

    text: str
    line: int
    """Line of its first token, from 1."""
    tokens: tuple[Token, ...]
    title: str = ""
    """What the last ``-- name:`` comment before it said."""

    def keys(self, count: int) -> tuple[str, ...]:
        return tuple(token.key for token in self.tokens[:count])


def split(text: str, path: str) -> Iterator[Statement]:
    """Cut ``text`` into statements; ``path`` is for the messages.

    Semicolons within quotes, comments, parentheses and ``BEGIN ATOMIC`` bodies do not end a statement.
    Raises SchemaFileError for quotes or comments that never end, for psql's meta-commands and for COPY,
    whose data no SQL lexer can read. ``\\restrict`` and ``\\unrestrict``, which
    pg_dump writes, mean nothing here and are read over.
    """
    tokens: list[Token] = []
    title = ""
    depth = bodies = 0
    position = 0

    def line_of(offset: int) -> int:
        return text.count("\n", 0, offset) + 1

    def statement() -> Statement:
        first, last = tokens[0], tokens[-1]
        body = text[first.start : last.start + len(last.text)]
        return Statement(body, line_of(first.start), tuple(tokens), title)

    while (match := _TOKEN.match(text, position)) is not None:
        kind, start, position = match.lastgroup or "", match.start(), match.end()
        if kind == "space":
            continue
        if kind == "line_comment":
            if not tokens and (named := _TITLE.fullmatch(match[0])):
                title = named[1]
            continue
        if kind == "block_comment":
            position = _end_of_comment(text, position)
            if position < 0:
                raise _unfinished(path, line_of(start), "comment")
            continue
        if any(match[name] is not None for name in ("open_escape", "open_string", "open_quoted")):
            raise _unfinished(path, line_of(start), "identifier" if kind == "quoted" else "string")
        if kind == "dollar":
            end = text.find(match[0], position)
            if end < 0:
                raise _unfinished(path, line_of(start), f"string {match[0]}")
            position = end + len(match[0])
        elif kind == "meta":
            end = text.find("\n", start)
            command = text[start : end if end >= 0 else None].split()[0]
            if command in ("\\restrict", "\\unrestrict"):
                position = end if end >= 0 else len(text)
                continue
            raise SchemaFileError(
                f"{path}:{line_of(start)}: {command} is a command of psql, not SQL",
                "Take the line out, or apply the file with psql and load without --schema",
            )

        token = Token(kind, text[start:position], start)
        if token.key == ";" and depth == 0 and bodies == 0:
            if tokens:
                yield _checked(statement(), path)
            tokens, title = [], ""
            continue
        tokens.append(token)
        if token.key in ("(", "["):
            depth += 1
        elif token.key in (")", "]"):
            depth = max(depth - 1, 0)
        elif (token.key == "atomic" and len(tokens) > 1 and tokens[-2].key == "begin") or (
            bodies and token.key == "case"
        ):
            bodies += 1
        elif bodies and token.key == "end":
            bodies -= 1
    if tokens:
        yield _checked(statement(), path)


def _end_of_comment(text: str, position: int) -> int:
    """Where the block comment ends whose opening ends at ``position``; they nest. -1: nowhere."""
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(text, position)
        if edge is None:
            return -1
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return position


def _unfinished(path: str, line: int, what: str) -> SchemaFileError:
    return SchemaFileError(f"{path}:{line}: the {what} that begins here never ends", "Close it")


def _checked(statement: Statement, path: str) -> Statement:
    """``statement``, unless it is a COPY: the lines after it may be data, and its files are the server's."""
    if statement.tokens[0].key == "copy":
        raise SchemaFileError(
            f"{path}:{statement.line}: COPY moves data, and this file is for SQL alone",
            "Keep definitions only (pg_dump --schema-only) and load the data from CSV files",
        )
    return statement


def read_sql(path: str) -> str:
    """The text of the file ``path`` in UTF-8, with or without a BOM, lines ending in ``\\n``.

    Raises FileError if it is missing, unreadable or not UTF-8.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is not UTF-8 (byte {error.start})", "Save it as UTF-8") from error
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}", "Check the path and its permissions") from error


_TRANSACTION = frozenset({"begin", "commit", "rollback", "end", "abort", "savepoint", "release"})


def is_transaction_statement(statement: Statement) -> bool:
    """Whether it begins, ends or sets the mode of a transaction."""
    first, second = (*statement.keys(2), "")[:2]
    return (
        first in _TRANSACTION
        or (first, second) in {("start", "transaction"), ("prepare", "transaction")}
        or (first == "set" and second in ("transaction", "constraints"))
        or (first == "set" and statement.keys(3)[1:] == ("session", "characteristics"))
    )
