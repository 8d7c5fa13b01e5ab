"""The options of ``load`` and ``plan``: which files, into which tables and columns, and how files are read."""

from __future__ import annotations

from functools import partial

import typer

from pgsluice.cli.options.completion import complete_mode, complete_table_value
from pgsluice.cli.options.dialect import DIALECT_OPTIONS
from pgsluice.cli.options.load_option import FLAG, LIST, TEXT, LoadOption, option
from pgsluice.cli.options.parsing import field_names, fields, pairs
from pgsluice.cli.options.quality import QUALITY_OPTIONS

FILES = "Files and columns"
VALUES = "Values"

FIRST_OPTIONS = (
    LoadOption(
        "schema",
        TEXT,
        typer.Option(
            "--schema", metavar="FILE", help="SQL file that creates the tables; applied only if they are missing."
        ),
    ),
    LoadOption(
        "tables",
        LIST,
        typer.Option(
            "--table",
            metavar="TABLE=GLOB",
            autocompletion=complete_table_value,
            help="Files that match GLOB go into TABLE, regardless of their names. Repeatable; the first match"
            " wins.  [default: the table with the name of the file]",
        ),
        convert=pairs,
    ),
    LoadOption(
        "columns",
        LIST,
        typer.Option(
            "--column",
            metavar="FIELD=COLUMN",
            help="FIELD of the files goes into COLUMN; FIELD= leaves the field out. TABLE.FIELD is for the files of one"
            " table. Repeatable; the first match wins.  [default: the column of the same name]",
        ),
        convert=fields,
    ),
    LoadOption(
        "mode",
        LIST,
        typer.Option(
            "--mode",
            metavar="MODE",
            autocompletion=complete_mode,
            help="What happens to rows that a table already holds: append (they stay, rows are added), upsert (rows"
            " with the same key are updated where they differ), insert-missing (they stay, rows with new keys are"
            " added), replace (the table holds only the rows of the files); TABLE=MODE for one table."
            " Repeatable.  [default: append]",
        ),
    ),
)
"""Options that most people need."""

FILE_OPTIONS = (
    LoadOption(
        "into",
        TEXT,
        option("--into", "SCHEMA", "Schema that holds the tables.  [default: the search path]", panel=FILES),
    ),
    LoadOption(
        "skip", LIST, option("--skip", "GLOB", "Files that match GLOB are not loaded. Repeatable.", panel=FILES)
    ),
    LoadOption(
        "recursive", FLAG, option("--recursive", None, "Take the files of subfolders as well.", panel=FILES), False
    ),
    LoadOption(
        "allow_empty",
        FLAG,
        option("--allow-empty", None, "Take a file of 0 bytes as a file without rows.", panel=FILES),
        False,
    ),
    LoadOption(
        "names",
        LIST,
        option(
            "--columns",
            "[TABLE=]NAMES",
            "Names of the fields in order, with commas (id,,name leaves the second field out), for all files or those"
            " of TABLE. Goes with --no-header, or with --header to replace the first line. Repeatable.",
            panel=FILES,
        ),
        convert=field_names,
    ),
    LoadOption(
        "drift",
        LIST,
        option(
            "--drift",
            "MODE",
            "What happens to fields that have no column: error (the load is refused), ignore (they are left out), add"
            " (the table gets a column); TABLE=MODE for one table. Repeatable.  [default: error]",
            panel=FILES,
        ),
    ),
    LoadOption(
        "run_column",
        LIST,
        option(
            "--run-column",
            "COLUMN",
            "Column of each table that the load fills with the run's id, so that a row tells which run wrote it;"
            " TABLE=COLUMN for one table, TABLE= for none. Repeatable.",
            panel=FILES,
        ),
    ),
    LoadOption(
        "key",
        LIST,
        option(
            "--key",
            "TABLE=KEY",
            "Merge key of TABLE: a unique constraint, or its columns with commas. Repeatable."
            "  [default: the primary key]",
            panel=FILES,
        ),
        convert=partial(pairs, option="--key", what="KEY"),
    ),
    LoadOption(
        "delete_missing",
        FLAG,
        option("--delete-missing", None, "With upsert: delete rows whose keys the files do not contain.", panel=FILES),
        False,
    ),
)

VALUE_OPTIONS = (
    LoadOption(
        "null",
        LIST,
        option(
            "--null",
            "TEXT",
            "Text that means NULL when it is not quoted, as an empty field does. Repeatable.",
            panel=VALUES,
        ),
    ),
    LoadOption(
        "null_only",
        LIST,
        option(
            "--null-only",
            "TEXT",
            "Text that means NULL when it is not quoted, in place of the empty field. Repeatable.",
            panel=VALUES,
        ),
    ),
    LoadOption(
        "empty_as_null",
        FLAG,
        option(
            "--empty-as-null",
            None,
            'A quoted empty field ("") is NULL too, in all columns that are not text.',
            panel=VALUES,
        ),
        False,
    ),
    LoadOption(
        "date_format",
        LIST,
        option(
            "--date-format",
            "[COLUMN=]FORMAT",
            "How dates are written: DMY, MDY or YMD (order of numeric dates), excel (day numbers), or a pattern such as"
            " %d.%m.%Y. COLUMN is column, table.column or table.*; as in the following options, all columns if it is"
            " left out. Repeatable.  [default: the values of the column decide]",
            panel=VALUES,
        ),
    ),
    LoadOption(
        "date_language",
        LIST,
        option(
            "--date-language",
            "[COLUMN=]CODE",
            "Language of the names of months, such as de for 3. März 2024; English is always read. Repeatable.",
            panel=VALUES,
        ),
    ),
    LoadOption(
        "decimal", LIST, option("--decimal", "[COLUMN=]SIGN", "Decimal sign of numbers. Repeatable.", panel=VALUES)
    ),
    LoadOption(
        "thousands",
        LIST,
        option("--thousands", "[COLUMN=]SIGN", "Sign between groups of digits of numbers. Repeatable.", panel=VALUES),
    ),
    LoadOption(
        "strip",
        LIST,
        option(
            "--strip",
            "[COLUMN=]TEXT",
            "Text to remove before and behind numbers, such as € or %. Repeatable.",
            panel=VALUES,
        ),
    ),
    LoadOption(
        "negative",
        LIST,
        option(
            "--negative",
            "[COLUMN=]FORM",
            "How numbers below zero are written, with # for the number: '(#)', '#-', '# CR'. Repeatable.",
            panel=VALUES,
        ),
    ),
    LoadOption(
        "true",
        LIST,
        option("--true", "[COLUMN=]WORD", "A further word for true, such as ja. Repeatable.", panel=VALUES),
    ),
    LoadOption(
        "false", LIST, option("--false", "[COLUMN=]WORD", "A further word for false. Repeatable.", panel=VALUES)
    ),
    LoadOption(
        "integer_decimals",
        FLAG,
        option("--integer-decimals", None, "Take 1362.0 as an integer: decimals that are zeros.", panel=VALUES),
        False,
    ),
    LoadOption(
        "default_on_empty",
        LIST,
        option(
            "--default-on-empty",
            "COLUMN",
            "An empty field means the default of COLUMN, for identity and serial columns the next number. COLUMN is"
            " column, table.column or table.*. Repeatable.",
            panel=VALUES,
        ),
    ),
    LoadOption(
        "trim",
        FLAG,
        option("--trim", None, "Remove blanks and invisible characters before and behind each value.", panel=VALUES),
        False,
    ),
)

PLAN_OPTIONS = (*FIRST_OPTIONS, *FILE_OPTIONS, *DIALECT_OPTIONS, *VALUE_OPTIONS, *QUALITY_OPTIONS)
"""The options of ``plan``; ``load`` has them too."""
