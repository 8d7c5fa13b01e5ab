"""``pgsluice.toml``: how a load reads the files into the tables of ``schema.sql``."""

from __future__ import annotations

import glob as globs
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pgsluice.inference.draft import DraftColumn, DraftTable
from pgsluice.inference.reading.grouping import finds_by_name, finds_columns
from pgsluice.model import BLANKS, Dialect, Format, LineEnds, Ragged, SourceFile


def write_settings(tables: Sequence[DraftTable], paths: Sequence[str], schema: str, given: Mapping[str, Any]) -> str:
    """The text of ``pgsluice.toml``.

    :param paths: the paths of the call, as they are seen from the folder of the file.
    :param schema: the path of ``schema.sql``, seen from there.
    :param given: the arguments of the call that a load needs again.
    """
    load: dict[str, Any] = {"paths": list(paths), "schema": schema, **given}
    if any(c.format is not None and c.format.integer_decimals for t in tables for c in t.columns):
        load["integer_decimals"] = True
    lines = ["# Written by pgsluice init. Without arguments, pgsluice load does what this file says.", ""]
    lines += ["[load]", *_keys(load)]
    for table in tables:
        for file in table.files:
            if section := _file(table, tables, file):
                lines += ["", f"[files.{_text(globs.escape(_name(file, tables)))}]", *_keys(section)]
    for table in tables:
        if not all(finds_columns(table, place) for place in range(len(table.files))):
            lines += ["", f"[tables.{_key(table.name)}]", *_keys({"fields": list(table.names[0])})]
        for column in table.columns:
            if section := _column(column):
                lines += ["", f"[tables.{_key(table.name)}.columns.{_key(column.name)}]", *_keys(section)]
    return "\n".join(lines) + "\n"


def _name(file: SourceFile, tables: Sequence[DraftTable]) -> str:
    """The name of a file, or its whole path if another file has the name."""
    name = file.path.rpartition("/")[2]
    same = [f for t in tables for f in t.files if f.path.rpartition("/")[2] == name]
    return name if len(same) == 1 else file.path


def _file(table: DraftTable, tables: Sequence[DraftTable], file: SourceFile) -> dict[str, Any]:
    """What a load must be told of a file."""
    said: dict[str, Any] = {}
    if table.given or not finds_by_name(table, tables, file):
        said["table"] = table.name
    place = table.files.index(file)
    if file.form == "text" and not (file.findings.clear and file.dialect.header):
        said |= _dialect(file.dialect)
    elif file.dialect.encoding != "utf-8" and file.form == "text":
        said["encoding"] = file.dialect.encoding
    if file.form == "text" and not finds_columns(table, place):
        said["header"] = file.dialect.header
    if any(table.column(name).empty_as_null for name in table.names[place]):
        said["empty_as_null"] = True
    return said


def _dialect(dialect: Dialect) -> dict[str, Any]:
    """The dialect of a file in full, so that a load need not search for it."""
    if dialect.format is Format.TEXT:
        return {"format": "text", "delimiter": _delimiter(dialect.delimiter), "header": dialect.header}
    said: dict[str, Any] = {"delimiter": _delimiter(dialect.delimiter), "quote": dialect.quote or "none"}
    if dialect.encoding != "utf-8":
        said["encoding"] = dialect.encoding
    said["header"] = dialect.header
    said["skip_lines"] = dialect.skip_lines
    if dialect.escape:
        said["escape"] = dialect.escape
    if dialect.skip_footer:
        said["skip_footer"] = dialect.skip_footer
    if dialect.comment:
        said["comment"] = dialect.comment
    if dialect.trailing_delimiters:
        said["trailing_delimiter"] = True
    if dialect.skip_initial_blanks:
        said["skip_initial_blanks"] = True
    if dialect.line_ends is LineEnds.ANY:
        said["line_ends"] = "any"
    if dialect.ragged is not Ragged.REJECT:
        said["ragged"] = str(dialect.ragged)
    return said


def _delimiter(delimiter: str) -> str:
    if delimiter == BLANKS:
        return delimiter
    return "".join(f"\\x{ord(c):02x}" if ord(c) < 32 and c != "\t" else "\\t" if c == "\t" else c for c in delimiter)


def _column(column: DraftColumn) -> dict[str, Any]:
    format_ = column.format
    if format_ is None or column.kind == "text":
        return {}
    said = {
        "date_format": format_.date,
        "date_language": format_.date_language,
        "decimal": format_.decimal,
        "thousands": format_.thousands,
        "strip": format_.strip,
        "negative": format_.negative,
    }
    return {name: value for name, value in said.items() if value}


def _keys(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        yield f"{name} = {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return _text(os.fspath(value))


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() and name.isascii() else _text(name)


def _text(text: str) -> str:
    """A basic string of TOML."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'
