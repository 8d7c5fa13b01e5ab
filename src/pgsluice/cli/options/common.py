"""Options that several commands have."""

from __future__ import annotations

import enum
import shlex
from typing import Annotated

import typer

from pgsluice.config.find import find_config
from pgsluice.errors import CallError

DEFAULT_FOLDER = ".pgsluice"
"""The folder of the embedded server and of the reports, unless an option names another."""

RUN = "The run"
OUTPUT = "Output"
"""Headings of the help."""

Paths = Annotated[list[str] | None, typer.Argument(metavar="[PATH...]", hidden=True)]
ConfigFile = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="File of settings; options override it.  [default: pgsluice.toml in the folder PATH or here]",
    ),
]
RuleFiles = Annotated[
    list[str] | None,
    typer.Option("--rules", metavar="PATH", help="SQL files of rules, or folders of them. Repeatable."),
]
NoConfig = Annotated[bool, typer.Option("--no-config", help="Use no file of settings.", rich_help_panel=RUN)]
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
Embedded = Annotated[
    bool,
    typer.Option(
        "--embedded",
        help="Use the embedded server, even if DATABASE_URL or PG* variables are set. A load makes the server if"
        " there is none; without this option and --data-dir it does so on a terminal only.",
    ),
]
ServerDir = Annotated[str, typer.Option("--data-dir", metavar="FOLDER", help="Folder of the embedded server.")]
Into = Annotated[
    str | None,
    typer.Option("--into", metavar="SCHEMA", help="Schema that holds the tables.  [default: the search path]"),
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
LockTimeout = Annotated[
    float,
    typer.Option(
        "--lock-timeout",
        metavar="SECONDS",
        help="Seconds to wait for locked tables, before the run lets other sessions pass and tries again.",
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object on standard output and nothing else.", rich_help_panel=OUTPUT),
]
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
Profile = Annotated[
    bool,
    typer.Option(
        "--profile",
        help="Print where the time went, by table and phase (--json always does).",
        rich_help_panel=OUTPUT,
    ),
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Fail at once if another run holds the tables.")]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="Show no progress, and no summary unless rows were rejected.", rich_help_panel=OUTPUT
    ),
]


Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help="Show each step of a table, and not only the table.", rich_help_panel=OUTPUT),
]


class LogForm(enum.StrEnum):
    """How the lines of a log are written."""

    TEXT = "text"
    JSON = "json"


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
        rich_help_panel=OUTPUT,
    ),
]
LogFormat = Annotated[
    LogForm,
    typer.Option("--log-format", help="Lines of text, or one JSON object for each line.", rich_help_panel=OUTPUT),
]
LogFile = Annotated[
    str | None,
    typer.Option(
        "--log-file",
        metavar="FILE",
        help="File that the log is appended to.  [default: standard error]",
        rich_help_panel=OUTPUT,
    ),
]


def embedded_folder(database_url: str | None, data_dir: str | None, *, embedded: bool) -> str | None:
    """The folder of the embedded server that the options name; None if they name none.

    :raises CallError: the options name two databases.
    """
    if not embedded:
        return data_dir
    if database_url is not None:
        raise CallError("--embedded and --database-url name two databases", "Give one of them")
    return data_dir or DEFAULT_FOLDER


class RejectsFormat(enum.StrEnum):
    """How ``pgsluice rejects`` writes rejects."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    XLSX = "xlsx"


def address(database_url: str | None, data_dir: str | None) -> str:
    """The options that named the database, for the next command that a summary proposes.

    A URL may contain a password, so dots stand for it.
    """
    if database_url is not None:
        return " --database-url ..."
    return "" if data_dir is None else f" --data-dir {shlex.quote(data_dir)}"


def file_of_settings(paths: list[str] | None, config: str | None, *, no_config: bool) -> str | None:
    """The file of settings of a call; None if there is none.

    :raises CallError: both options are given, or the file that was found belongs to another user.
    """
    if no_config and config is not None:
        raise CallError("--config and --no-config exclude each other", "Give one of them")
    if no_config or config is not None:
        return config
    return find_config(paths or [])
