"""Which files make one table, and how the table and its columns are called."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from pgsluice.errors import CallError
from pgsluice.inference.draft import DraftColumn, DraftTable
from pgsluice.model import SourceFile
from pgsluice.names import Names
from pgsluice.source.places.names import literal_glob, matches

_LEAST_FILES = 3
_LEAST_SHARE = 0.75
"""How many files must have a word in front or behind, so that the names of the tables leave it out."""

_SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
"""Names that PostgreSQL keeps for itself (manual, "System Columns")."""

_MOST_BYTES = 55
"""Bytes of a name. PostgreSQL keeps 63, and the names of constraints are longer."""


def draft_tables(files: Sequence[SourceFile], named: Sequence[tuple[str, str]]) -> list[DraftTable]:
    """The tables that the files make.

    Files whose names differ by a number and that have the same fields make one table.

    :param named: (table, glob) pairs of ``--table``.
    :raises CallError: files of one table have no field in common.
    """
    groups: list[tuple[str, list[SourceFile], bool]] = []
    for file in files:
        name = next((table for table, glob in named if matches(file.path, glob)), "")
        given = bool(name)
        stem = name or file.stems[-1] or file.stems[0]
        mine = next((g for g in groups if g[0] == stem and (given or _alike(g[1][0], file))), None)
        if mine is None:
            groups.append((stem, [file], given))
        else:
            mine[1].append(file)
    groups = [_named(group, groups) for group in groups]
    without = _without_common([name for name, _, given in groups if not given])
    tables = []
    taken: set[str] = set()
    for number, (name, members, given) in enumerate(groups):
        plain = name if given else _unused(snake(without.get(name, name)) or "table", taken)
        taken.add(plain)
        tables.append(_table(number, plain, members, given))
    return tables


def snake(name: str) -> str:
    """The name in lower case, its words separated by underscores: ``InvoiceLine`` is ``invoice_line``."""
    plain = unicodedata.normalize("NFKC", name).strip()
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", plain)
    plain = re.sub(r"\W+", "_", plain.lower()).strip("_")
    plain = re.sub(r"_+", "_", plain)
    plain = plain.encode()[:_MOST_BYTES].decode(errors="ignore")
    return f"_{plain}" if plain[:1].isdigit() else plain


def _alike(one: SourceFile, other: SourceFile) -> bool:
    """Whether two files have the same fields, or one has some of the fields of the other."""
    mine, others = ({snake(name) for name in file.field_names} for file in (one, other))
    if not (one.dialect.header and other.dialect.header):
        return one.dialect.header == other.dialect.header and len(one.header) == len(other.header)
    return len(mine & others) * 2 > max(len(mine), len(others))


def _named(
    group: tuple[str, list[SourceFile], bool], groups: Iterable[tuple[str, list[SourceFile], bool]]
) -> tuple[str, list[SourceFile], bool]:
    """The group with its own name, if another group has the same name without its number."""
    name, files, given = group
    twins = [other for other in groups if other[0] == name]
    return group if given or len(twins) == 1 else (files[0].stems[0], files, given)


def _without_common(names: Sequence[str]) -> dict[str, str]:
    """The names without the words that nearly all of them begin or end with: ``olist_orders_dataset`` is ``orders``."""
    words = {name: snake(name).split("_") for name in names}
    for end in (0, -1):
        common = Counter(parts[end] for parts in words.values() if len(parts) > 1)
        word, count = next(iter(common.most_common(1)), ("", 0))
        if count < _LEAST_FILES or count < _LEAST_SHARE * len(words):
            continue
        shorter = {
            name: (parts[1:] if end == 0 else parts[:-1]) if len(parts) > 1 and parts[end] == word else parts
            for name, parts in words.items()
        }
        if len({tuple(parts) for parts in shorter.values()}) == len(words):
            words = shorter
    return {name: "_".join(parts) for name, parts in words.items()}


def _unused(name: str, taken: set[str]) -> str:
    number, unused = 1, name
    while unused in taken:
        number += 1
        unused = f"{name}_{number}"
    return unused


def _table(number: int, name: str, files: list[SourceFile], given: bool) -> DraftTable:
    table = DraftTable(number, name, files, given=given)
    taken: set[str] = set()
    fields: dict[str, DraftColumn] = {}
    named = []
    for file in files:
        mine: list[str] = []
        for place, field in enumerate(_fields(file)):
            key = snake(field) or f"column_{place + 1}"
            if key in _SYSTEM_COLUMNS:
                key += "_"
            known = fields.get(key)
            if known is not None and known.name not in mine:
                mine.append(known.name)
                continue
            unused = _unused(key, taken)
            column = DraftColumn(table, len(table.columns), unused, field)
            taken.add(unused)
            fields.setdefault(key, column)
            table.columns.append(column)
            mine.append(unused)
        named.append(tuple(mine))
    table.names = tuple(named)
    if len(set(named)) > 1 and not all(finds_columns(table, place) for place in range(len(files))):
        other = next(file for file, mine in zip(files, named, strict=True) if mine != named[0])
        raise CallError(
            f"{files[0].path} and {other.path} make one table, and not all of their fields have names of their own",
            f"Name another table for one of them: --table {shlex.quote(f'{name}_2={literal_glob(other.path)}')}",
        )
    if len(table.columns) > 1600:
        raise CallError(f"{files[0].path} would make a table of {len(table.columns):,} columns", "A table has 1,600")
    return table


def _fields(file: SourceFile) -> Sequence[str]:
    """The names of the fields of a file; ``column_1`` and so on if it has no header."""
    if file.dialect.header or file.names:
        return file.field_names
    return [f"column_{place + 1}" for place in range(len(file.header))]


def finds_by_name(table: DraftTable, tables: Sequence[DraftTable], file: SourceFile) -> bool:
    """Whether a load finds the table by the name of the file."""
    known = Names(other.name for other in tables)
    for stem in file.stems:
        if found := known.find(stem):
            return found == [table.name]
    return False


def finds_columns(table: DraftTable, place: int) -> bool:
    """Whether a load finds the columns of a file by the names of its fields.

    :param place: the number of the file in the table.
    """
    file = table.files[place]
    if not (file.dialect.header or file.names) or (file.names and not file.dialect.header):
        return False
    names = Names(column.name for column in table.columns)
    return [names.find(field) for field in file.field_names] == [[name] for name in table.names[place]]
