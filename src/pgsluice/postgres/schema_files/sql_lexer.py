"""Cuts SQL files into statements, with a lexer that knows the quotes and comments of PostgreSQL.

Source: PostgreSQL manual, "Lexical Structure".
"""

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
    """A token of SQL, or a line comment."""

    kind: str
    """The name of a group of ``_TOKEN``: word, quoted, string, escape_string, dollar, number, punct or line_comment."""
    text: str
    start: int
    """Offset in the text of the file."""

    @property
    def key(self) -> str:
        """An unquoted word in lower case, or a punctuation character, or '' for all other tokens."""
        if self.kind == "word":
            return self.text.lower()
        return self.text if self.kind == "punct" else ""


@dataclass(frozen=True, slots=True)
class Statement:
    """An SQL statement of a file, without its semicolon."""

    text: str
    line: int
    """Line of the first token, from 1."""
    tokens: tuple[Token, ...]
    title: str = ""
    """The text of the last comment ``-- name:`` before the statement; '' if there is none."""

    def keys(self, count: int) -> tuple[str, ...]:
        """Returns the keys of the first tokens, ``count`` at most."""
        return tuple(token.key for token in self.tokens[:count])


def split(text: str, path: str) -> Iterator[Statement]:
    """Yields the statements of a text.

    Semicolons within quotes, comments, brackets and ``BEGIN ATOMIC`` bodies do not end a statement. ``\\restrict`` and
    ``\\unrestrict`` have no effect; pg_dump writes these meta-commands.

    :param path: the file, for messages.
    :raises SchemaFileError: a quote or comment never ends; or the text contains another meta-command of psql, or COPY,
        whose data a lexer of SQL cannot read.
    """
    tokens: list[Token] = []
    title = ""
    nesting = _Nesting()
    for token in _tokens(text, path):
        if token.kind == "line_comment":
            if not tokens and (named := _TITLE.fullmatch(token.text)):
                title = named[1]
        elif token.key == ";" and not nesting.inside():
            if tokens:
                yield _statement(text, path, tokens, title)
            tokens, title, nesting = [], "", _Nesting()
        else:
            nesting.enter_or_leave(token.key)
            tokens.append(token)
    if tokens:
        yield _statement(text, path, tokens, title)


@dataclass(slots=True)
class _Nesting:
    """Whether the lexer is inside of brackets or of a ``BEGIN ATOMIC`` body, where a semicolon ends no statement."""

    brackets: int = 0
    bodies: int = 0
    """How many ``BEGIN ATOMIC`` bodies and CASE expressions in them are open; END closes both."""
    previous: str = ""
    """The key of the token before."""

    def inside(self) -> bool:
        """Whether a bracket or a body is open."""
        return self.brackets > 0 or self.bodies > 0

    def enter_or_leave(self, key: str) -> None:
        """Counts the next token of the statement."""
        if key in ("(", "["):
            self.brackets += 1
        elif key in (")", "]"):
            self.brackets = max(self.brackets - 1, 0)
        elif (key == "atomic" and self.previous == "begin") or (self.bodies and key == "case"):
            self.bodies += 1
        elif self.bodies and key == "end":
            self.bodies -= 1
        self.previous = key


def _statement(text: str, path: str, tokens: list[Token], title: str) -> Statement:
    """Returns the statement that consists of the tokens.

    :raises SchemaFileError: the statement is COPY. The lines after COPY FROM STDIN are data, and the files of COPY are
        files of the server.
    """
    first, last = tokens[0], tokens[-1]
    line = _line_of(text, first.start)
    if first.key == "copy":
        raise SchemaFileError(
            f"{path}:{line}: COPY moves data, and this file is for SQL alone",
            "Keep definitions only (pg_dump --schema-only) and load the data from CSV files",
        )
    return Statement(text[first.start : last.start + len(last.text)], line, tuple(tokens), title)


def _tokens(text: str, path: str) -> Iterator[Token]:
    """Yields the tokens and the line comments of a text."""
    position = 0
    while (match := _TOKEN.match(text, position)) is not None:
        kind, start = match.lastgroup or "", match.start()
        position = _end(text, path, match)
        if kind not in ("space", "block_comment", "meta"):
            yield Token(kind, text[start:position], start)


def _end(text: str, path: str, match: re.Match[str]) -> int:
    """Returns the offset of the end of the piece that the match of ``_TOKEN`` begins.

    :raises SchemaFileError: the piece never ends, or is a meta-command of psql.
    """
    kind, start, end = match.lastgroup or "", match.start(), match.end()
    if kind == "block_comment":
        end = _end_of_comment(text, end)
        if end < 0:
            raise _unfinished(text, path, start, "comment")
    elif any(match[name] is not None for name in ("open_escape", "open_string", "open_quoted")):
        raise _unfinished(text, path, start, "identifier" if kind == "quoted" else "string")
    elif kind == "dollar":
        close = text.find(match[0], end)
        if close < 0:
            raise _unfinished(text, path, start, f"string {match[0]}")
        end = close + len(match[0])
    elif kind == "meta":
        line_end = text.find("\n", start)
        end = line_end if line_end >= 0 else len(text)
        command = text[start:end].split()[0]
        if command not in ("\\restrict", "\\unrestrict"):
            raise SchemaFileError(
                f"{path}:{_line_of(text, start)}: {command} is a command of psql, not SQL",
                "Take the line out, or apply the file with psql and load without --schema",
            )
    return end


def _end_of_comment(text: str, position: int) -> int:
    """Returns the offset of the end of a block comment, -1 if it never ends. Block comments nest.

    :param position: the end of the opening ``/*``.
    """
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(text, position)
        if edge is None:
            return -1
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return position


def _line_of(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _unfinished(text: str, path: str, start: int, what: str) -> SchemaFileError:
    return SchemaFileError(f"{path}:{_line_of(text, start)}: the {what} that begins here never ends", "Close it")


def read_sql(path: str) -> str:
    """Returns the text of a file in UTF-8, with or without a BOM. Every line end becomes ``\\n``.

    :raises FileError: the file does not exist, is a pipe or a device, cannot be read or is not UTF-8.
    """
    try:
        if not Path(path).is_file() and not Path(path).is_dir() and Path(path).exists():
            # Reading a pipe may wait for ever, and a run that tries again would find the pipe empty.
            raise FileError(
                f"{path} is no file but a pipe or a device", "Write its text to a file first, and name that"
            )
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is not UTF-8 (byte {error.start})", "Save it as UTF-8") from error
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}", "Check the path and its permissions") from error


_TRANSACTION = frozenset({"begin", "commit", "rollback", "end", "abort", "savepoint", "release"})


def is_transaction_statement(statement: Statement) -> bool:
    """Whether the statement begins, ends or configures a transaction or a savepoint."""
    first, second = (*statement.keys(2), "")[:2]
    return (
        first in _TRANSACTION
        or (first, second) in {("start", "transaction"), ("prepare", "transaction")}
        or (first == "set" and second in ("transaction", "constraints"))
        or (first == "set" and statement.keys(3)[1:] == ("session", "characteristics"))
    )
