"""What ``pgsluice.toml`` may contain: sections with their keys.

A key that is an argument of :func:`pgsluice.load` has the kind of the argument, and its docstring in
:mod:`pgsluice.arguments` describes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

from pgsluice.arguments import FILE_ARGUMENTS, LoadArguments
from pgsluice.config.kinds import element_of

Mode = Literal["append", "upsert", "insert-missing", "replace"]


@dataclass(frozen=True, slots=True)
class Key:
    """A key with its kind, a type hint."""

    name: str
    kind: Any
    text: str = ""
    """What the key says, for people; '' if the docstring of the argument says it."""


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the TOML file."""

    name: str
    header: str
    """How the section is written; names that the user chooses are in capitals."""
    text: str
    keys: tuple[Key, ...] = ()
    sections: tuple[Section, ...] = ()
    named: bool = False
    """The user chooses the names of the tables in it, and each of these has the keys."""

    def key(self, name: str) -> Key | None:
        """The key of that name."""
        return next((k for k in self.keys if k.name == name), None)

    def section(self, name: str) -> Section | None:
        """The section of that name."""
        return next((s for s in self.sections if s.name == name), None)


ELSEWHERE = frozenset({"tables", "columns", "names", "key", "file_options", "column_rules", "rules"})
"""Arguments that the sections of files and tables say."""

OF_A_CALL = frozenset({"dry_run", "again"})
"""Arguments that belong to one call."""

FORMATS = ("date_format", "date_language", "decimal", "thousands", "strip", "negative", "true", "false")
"""Arguments that say how the values of columns are written."""

BY_TABLE = ("mode", "max_rejects", "drift", "run_column")
"""Arguments whose values may begin with ``TABLE=``."""


def argument_kinds() -> dict[str, Any]:
    """The type hints of the arguments of :func:`pgsluice.load`."""
    return get_type_hints(LoadArguments)


def is_list(kind: Any) -> bool:
    """Whether an argument takes nothing but a list. In a file a list of one text can be written as the text."""
    return element_of(kind) is not None


def _arguments(names: Iterator[str] | Sequence[str]) -> tuple[Key, ...]:
    kinds = argument_kinds()
    return tuple(Key(name, str | kinds[name] if is_list(kinds[name]) else kinds[name]) for name in names)


def _formats(which: str) -> tuple[Key, ...]:
    """The keys that say how values are written: arguments whose elements may begin with ``TABLE.COLUMN=``."""
    kinds = dict.fromkeys(("strip", "negative", "true", "false"), str | Sequence[str])
    return tuple(Key(name, kinds.get(name, str), f"As in `[load]`, for {which}.") for name in FORMATS)


LOAD = Section(
    "load",
    "[load]",
    "The load as a whole. Each key but the first two is an argument of `pgsluice.load` and an option of the command"
    " line. Relative paths begin at the folder of the file.",
    (
        Key("paths", Sequence[str], "Files and folders to load, where the command names none."),
        Key(
            "database",
            str,
            "The database as `postgresql://user@host/name`, without a password: libpq reads that from `PGPASSWORD` or"
            " `~/.pgpass`. `--database-url`, `--data-dir` and `DATABASE_URL` override it.",
        ),
        *_arguments(n for n in argument_kinds() if n not in ELSEWHERE | OF_A_CALL),
    ),
)

FILES = Section(
    "files",
    '[files."GLOB"]',
    "Files whose path or name matches GLOB. The first section that matches a file decides.",
    (
        Key("table", str, "The table that the files go into, whatever their names say."),
        *_arguments(FILE_ARGUMENTS),
    ),
    named=True,
)

COLUMN = Section(
    "columns",
    "[tables.TABLE.columns.COLUMN]",
    "How the values of a column are written, and where they come from.",
    (
        Key("from", str, "The field that goes into the column."),
        *_formats("the column"),
        Key("constant", str | int | bool, "The value of the column in each row of the files."),
        Key(
            "expression",
            str,
            "SQL over the fields of the record as texts, under their names in the file or in lower case with"
            ' underscores: `upper(country)`, `"First Name" || \' \' || "Last Name"`. Its result, as text, is judged'
            " like a field of the file; a row for which it fails is rejected.",
        ),
    ),
    named=True,
)

TABLES = Section(
    "tables",
    "[tables.TABLE]",
    "A table, called as `--mode TABLE=...` calls it.",
    (
        Key("mode", Mode, "What happens to rows that the table already holds."),
        Key("drift", Literal["error", "ignore", "add"], "What happens to fields that have no column."),
        Key(
            "run_column",
            str,
            'The column that the load fills with the run\'s id; `""`: the table has none, whatever `[load]` says.',
        ),
        Key("key", str | Sequence[str], "The merge key: a unique constraint, or its columns."),
        Key("max_rejects", int | str, "How many rejects the table may have: a number, a share such as `0.1%`, `all`."),
        Key("fields", Sequence[str], 'A name for each field of the files, in order; `""` leaves the field out.'),
        Key("ignore", Sequence[str], "Fields that are left out."),
        *_formats("the columns whose type suits"),
    ),
    (COLUMN,),
    named=True,
)

_Text = str | Sequence[str]

RULES = Section(
    "rules",
    "[rules.NAME]",
    "A rule that a run has to satisfy before it publishes: one of the keys from `check` to `drift` says what is asked.",
    (
        Key("table", str, "The table that the rule is about."),
        Key("column", _Text, "The column, or the columns, that the rule is about."),
        Key(
            "check",
            str,
            "A boolean SQL expression over the columns of `table`. A row for which it is false is a reject.",
        ),
        Key("query", str, "A query that must return no row or, with bounds, one number within them."),
        Key("not_null", bool, "The columns are not NULL."),
        Key("accepted_values", Sequence[str] | Sequence[int], "The values that the column may have."),
        Key("relationships", str, "`TABLE.COLUMN`: each value of the column is in it."),
        Key("unique", bool, "No two rows have the same values of the columns."),
        Key("row_count", bool, "The number of rows is within the bounds."),
        Key("null_share", float, "The greatest share of NULL, from 0 to 1."),
        Key("freshness", str, "The greatest age of the newest value of the column, `2 days` for example."),
        Key(
            "drift", Literal["rows", "nulls", "distinct", "mean"], "What is near its median in earlier published runs."
        ),
        Key("runs", int, "With `drift`: how many earlier runs are compared (default 10)."),
        Key("deviations", float, "With `drift`: how many deviations from the median are right (default 5)."),
        Key("minimum", float | str, "The least right value; as a text with all of its digits."),
        Key("maximum", float | str, "The greatest right value."),
        Key("equals", float | str, "The right value."),
        Key("equals_file", str, "A file that holds the right value: a manifest, a control total."),
        Key("equals_pattern", str, "A regular expression whose group finds the value in `equals_file`."),
        Key(
            "severity",
            Literal["reject", "veto", "warn"],
            "`reject`: a row that breaks the rule is a reject. `veto`: nothing is published. `warn`: the rows are"
            " published, and the warning is recorded. Without it, rules about single rows reject and the others veto.",
        ),
        Key("description", str, "What the rule means, for people."),
    ),
    named=True,
)

ROOT = Section("", "", "", (), (LOAD, FILES, TABLES, RULES))
