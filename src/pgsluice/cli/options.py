"""The options of the commands, and functions that parse their values."""

from __future__ import annotations

import enum
import shlex
from typing import Annotated

import typer

from pgsluice.errors import CallError

Paths = Annotated[list[str], typer.Argument(metavar="PATH...", hidden=True)]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        metavar="URL",
        help="The database, as postgresql://user@host/name.  [default: DATABASE_URL, then the PG* variables,"
        " then the embedded server]",
    ),
]
DataDir = Annotated[
    str | None,
    typer.Option(
        "--data-dir",
        metavar="FOLDER",
        help="Folder of the embedded server and of the reports of rejects.  [default: .pgsluice]",
    ),
]
ServerDir = Annotated[str, typer.Option("--data-dir", metavar="FOLDER", help="Folder of the embedded server.")]
SchemaFile = Annotated[
    str | None,
    typer.Option(
        "--schema", metavar="FILE", help="SQL file that creates the tables; applied only if they are missing."
    ),
]
Tables = Annotated[
    list[str] | None,
    typer.Option(
        "--table",
        metavar="TABLE=GLOB",
        help="Files that match GLOB go into TABLE, whatever their names say. Repeatable; the first match"
        " wins.  [default: the name of the file says which table]",
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="FIELD=COLUMN",
        help="FIELD of the files goes into COLUMN; FIELD= leaves the field out. TABLE.FIELD means the files of one"
        " table. Repeatable; the first match wins.  [default: the column of the same name]",
    ),
]
Into = Annotated[
    str | None,
    typer.Option("--into", metavar="SCHEMA", help="Schema that holds the tables.  [default: the search path]"),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        "--delimiter",
        metavar="CHAR",
        help="Character between fields; \\t is a tab.  [default: detected in each file]",
    ),
]
Quote = Annotated[
    str | None,
    typer.Option("--quote", metavar="CHAR", help="Character around fields.  [default: detected in each file]"),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="Encoding of the files, cp1252 or latin-1 for example.  [default: UTF-16 if the file begins with its"
        " byte order mark, else UTF-8]",
    ),
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Whether the first line names the fields.  [default: found out, or refused where that is not certain]",
    ),
]
FieldNames = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="[TABLE=]NAMES",
        help="Names of the fields in order, with commas (id,,name leaves the second field out), for all files or those"
        " of TABLE. Goes with --no-header, or with --header to replace the first line. Repeatable.",
    ),
]
Skip = Annotated[
    list[str] | None,
    typer.Option("--skip", metavar="GLOB", help="Files that match GLOB are not loaded. Repeatable."),
]
Recursive = Annotated[bool, typer.Option("--recursive", help="Take the files of subfolders as well.")]
Null = Annotated[
    list[str] | None,
    typer.Option(
        "--null",
        metavar="TEXT",
        help="Text that means NULL when it is not quoted, as an empty field does. Repeatable.",
    ),
]
NullOnly = Annotated[
    list[str] | None,
    typer.Option(
        "--null-only",
        metavar="TEXT",
        help="Text that means NULL when it is not quoted, in place of the empty field. Repeatable.",
    ),
]
EmptyAsNull = Annotated[
    bool,
    typer.Option("--empty-as-null", help='A quoted empty field ("") is NULL too, in all columns that are not text.'),
]
MaxRejects = Annotated[
    list[str] | None,
    typer.Option(
        "--max-rejects",
        metavar="LIMIT",
        help="How many rejects a run may have and still publish: a number, a share of the rows read (0.5%),"
        " or all; TABLE=LIMIT for one table. Repeatable.  [default: 0]",
    ),
]
Mode = Annotated[
    list[str] | None,
    typer.Option(
        "--mode",
        metavar="MODE",
        help="What happens to rows that a table already holds: append (they stay, rows are added), upsert (rows"
        " with the same key are updated where they differ), insert-missing (they stay, rows with new keys are"
        " added), replace (the table holds only the rows of the files); TABLE=MODE for one table."
        " Repeatable.  [default: append]",
    ),
]
Key = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="TABLE=KEY",
        help="Merge key of TABLE: a unique constraint, or its columns with commas. Repeatable."
        "  [default: the primary key]",
    ),
]
DeleteMissing = Annotated[
    bool, typer.Option("--delete-missing", help="With upsert: delete rows whose keys the files do not contain.")
]
LockTimeout = Annotated[
    float,
    typer.Option(
        "--lock-timeout",
        metavar="SECONDS",
        help="Seconds to wait for locked tables, before the run lets other sessions pass and tries again.",
    ),
]
Settle = Annotated[
    float,
    typer.Option(
        "--settle",
        metavar="SECONDS",
        help="Refuse files that were written less than SECONDS ago: they may not be complete. 0 refuses none.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")]
Run = Annotated[int | None, typer.Argument(metavar="RUN", hidden=True)]
ServerVersion = Annotated[
    int | None,
    typer.Option(
        "--version",
        metavar="16|18",
        help="PostgreSQL version of a new server; an existing server keeps its version. Only 18 has extensions, citext"
        " and hstore for example.  [default: 18]",
    ),
]


DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Do everything but publish: show which rows would be rejected.")
]
Again = Annotated[bool, typer.Option("--again", help="Load files even if their content was already loaded.")]
Resumable = Annotated[
    bool,
    typer.Option(
        "--resumable",
        help="Stage every file on its own, so that an interrupted run can be resumed: pgsluice resume RUN. Slower"
        " for empty tables.",
    ),
]
MaxBytes = Annotated[
    str | None,
    typer.Option(
        "--max-bytes",
        metavar="SIZE",
        help="How many bytes each compressed file may hold unpacked, 500MB or 10GB for example.  [default: no limit]",
    ),
]
Profile = Annotated[
    bool, typer.Option("--profile", help="Print where the time went, by table and phase (--json always does).")
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Fail at once if another run holds the tables.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress, and no summary unless rows were rejected.")]


class LogLevel(enum.StrEnum):
    """The lowest level that a log holds."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


LogLevelOption = Annotated[
    LogLevel | None,
    typer.Option(
        "--log-level",
        metavar="LEVEL",
        help="Write a log from LEVEL on: debug, info, warning or error.  [default: no log; info with --log-file]",
    ),
]
LogFile = Annotated[
    str | None,
    typer.Option("--log-file", metavar="FILE", help="File that the log is appended to.  [default: standard error]"),
]


class RejectsFormat(enum.StrEnum):
    """How ``pgsluice rejects`` writes rejects."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def pairs(options: list[str] | None, option: str = "--table", what: str = "GLOB") -> list[tuple[str, str]]:
    """``TABLE=GLOB`` and ``TABLE=KEY`` options as pairs. GLOB and KEY may contain equals signs.

    :param option: the name of the option, for the message of an error.
    :param what: GLOB or KEY.
    :raises CallError: a value is not a pair.
    """
    pairs = [given.partition("=") for given in options or ()]
    for table, sign, rest in pairs:
        if not (table and sign and rest):
            example = "orders=ord_*.csv" if what == "GLOB" else "orders=orders_number_key"
            raise CallError(f"{option} {table}{sign}{rest} is not TABLE={what}", f"Write it as {option} '{example}'")
    return [(table, rest) for table, _, rest in pairs]


def field_names(options: list[str] | None) -> list[tuple[str, list[str]]]:
    """``[TABLE=]NAMES`` options as (table, names) pairs; the table is '' if it is not given."""
    pairs = [given.rpartition("=") for given in options or ()]
    return [(table, [name.strip() for name in names.split(",")]) for table, _, names in pairs]


def fields(options: list[str] | None) -> list[tuple[str, str]]:
    """``FIELD=COLUMN`` options as pairs. FIELD may contain equals signs.

    :raises CallError: a value is not a pair.
    """
    pairs = [given.rpartition("=") for given in options or ()]
    for field, sign, column in pairs:
        if not sign:
            raise CallError(
                f"--column {field}{sign}{column} is not FIELD=COLUMN", "Write it as --column 'cust_no=customer_id'"
            )
    return [(field, column) for field, _, column in pairs]


def character(option: str | None) -> str | None:
    """A character as an option names it. The two characters ``\\t`` mean a tab, which is hard to type in a shell."""
    return "\t" if option == "\\t" else option


def address(database_url: str | None, data_dir: str | None) -> str:
    """The options that named the database, for the next command that a summary proposes.

    A URL may contain a password, so dots stand for it.
    """
    if database_url is not None:
        return " --database-url ..."
    return "" if data_dir is None else f" --data-dir {shlex.quote(data_dir)}"
