"""The command line: options in, one call of the Python API, a report out.

Everything heavy (rich, psycopg, duckdb, the API itself) is imported inside the commands, so that
``pgsluice --help`` does not wait for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from pgsluice.errors import CallError, SluiceError

if TYPE_CHECKING:
    from pgsluice.model import Reject, RejectsResult, RunResult
    from pgsluice.report.parts import Part

VETOED = 1
WRONG = 2
REFUSED = 3
DEFECT = 70
INTERRUPTED = 130


# --------------------------------------------------------------------------- endings


class _Endings(TyperGroup):
    """Turns what a command raises into one line on standard error and the exit code that belongs to it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except SluiceError as error:
            _complain(str(error))
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            _complain("interrupted; nothing was published")
            raise typer.Exit(INTERRUPTED) from error
        except OSError as error:
            _complain(f"the system refuses: {error}")
            raise typer.Exit(WRONG) from error
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if _of_database(error):
                _complain(f"the database refuses: {error}")
                raise typer.Exit(REFUSED) from error
            if type(error).__module__.startswith(("typer", "click")):
                raise  # wrong options: Typer explains them itself
            import traceback

            traceback.print_exc()
            _complain(f"this is a defect of pgsluice: {type(error).__name__}: {error}")
            raise typer.Exit(DEFECT) from error


def _of_database(error: Exception) -> bool:
    """An error of psycopg; one that was never imported raised nothing."""
    psycopg = sys.modules.get("psycopg")
    return psycopg is not None and isinstance(error, psycopg.Error)


def _complain(text: str) -> None:
    from pgsluice.report.parts import clean

    print(f"pgsluice: {clean(' '.join(text.split()))}", file=sys.stderr)


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    """Around output: the work is done, and neither a closed pipe nor Ctrl-C may deny that.

    With a reader that left (``| head``) the exit code is that of the work. Interrupted here, "nothing was
    published" would be false.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more when it ends, and would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt as error:
        raise typer.Exit(INTERRUPTED) from error


def _show(parts: Iterable[Part]) -> None:
    from pgsluice.report.parts import write

    with _telling():
        write(parts)


def _show_json(value: object) -> None:
    """One JSON object on one line; ASCII, so that every file name can be written wherever it goes."""
    import json

    with _telling():
        print(json.dumps(value))


# --------------------------------------------------------------------------- options

# Arguments are explained in the commands' own texts: Typer would list them with their Python types.
# Defaults that are no value of the option stand in its help, for Typer would put them in parentheses.
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
        help="Folder of the embedded server and of the rejects' CSV files.  [default: .pgsluice]",
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
        help="Files that match GLOB go into TABLE, whatever their name says. Repeatable; the first match"
        " wins.  [default: the file's name says which table]",
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
        help="Character between fields; \\t is a tab.  [default: found out for each file]",
    ),
]
Quote = Annotated[
    str | None,
    typer.Option("--quote", metavar="CHAR", help="Character around fields.  [default: found out for each file]"),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="Encoding of the files, utf-8 or latin-1 for example.  [default: found out for each file]",
    ),
]
Null = Annotated[
    list[str] | None,
    typer.Option(
        "--null",
        metavar="TEXT",
        help="Text that means NULL when it is not quoted. Repeatable.  [default: an empty field]",
    ),
]
MaxRejects = Annotated[
    list[str] | None,
    typer.Option(
        "--max-rejects",
        metavar="LIMIT",
        help="Rejects up to which the other rows are published: a number, a share of the rows read (0.5%),"
        " or all; TABLE=LIMIT for one table. Repeatable.  [default: 0]",
    ),
]
Mode = Annotated[
    list[str] | None,
    typer.Option(
        "--mode",
        metavar="MODE",
        help="What becomes of rows that the tables hold: append (new rows come on top), upsert (rows with the"
        " same key are updated where they differ), insert-missing (they stay as they are), replace (the"
        " files' rows are the table's only rows); TABLE=MODE for one table. Repeatable.  [default: append]",
    ),
]
Key = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="TABLE=KEY",
        help="Unique constraint, or its columns with commas, by which rows of TABLE are matched."
        " Repeatable.  [default: the primary key]",
    ),
]
DeleteMissing = Annotated[
    bool, typer.Option("--delete-missing", help="With upsert: delete rows whose keys the files do not have.")
]
LockTimeout = Annotated[
    float,
    typer.Option(
        "--lock-timeout",
        metavar="SECONDS",
        help="Seconds to wait for tables that somebody has locked, before letting others pass and trying again.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output and nothing else.")]
Run = Annotated[int | None, typer.Argument(metavar="RUN", hidden=True)]
ServerVersion = Annotated[
    int | None,
    typer.Option(
        "--version",
        metavar="16|18",
        help="PostgreSQL version of a new server; one that exists keeps its own.  [default: 18]",
    ),
]


class RejectsFormat(enum.StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def _pairs(options: list[str] | None, option: str = "--table", what: str = "GLOB") -> list[tuple[str, str]]:
    """``TABLE=GLOB`` and ``TABLE=KEY`` options as pairs; the latter part may hold further equals signs."""
    pairs = [given.partition("=") for given in options or ()]
    for table, sign, rest in pairs:
        if not (table and sign and rest):
            example = "orders=ord_*.csv" if what == "GLOB" else "orders=orders_number_key"
            raise CallError(f"{option} {table}{sign}{rest} is not TABLE={what}", f"Write it as {option} '{example}'")
    return [(table, rest) for table, _, rest in pairs]


def _character(option: str | None) -> str | None:
    """A shell hands over a tab most easily as the two characters ``\\t``."""
    return "\t" if option == "\\t" else option


# --------------------------------------------------------------------------- commands

app = typer.Typer(
    cls=_Endings,
    name="pgsluice",
    # Rich doubles the start-up time, and its tracebacks are for developers only.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)
server = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
app.add_typer(server, name="server")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"pgsluice {version('pgsluice')}")
        raise typer.Exit


@app.callback()
def _pgsluice(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Load a set of CSV files into a constrained PostgreSQL schema: every row accounted for, all tables or
    none.

    Example: pgsluice load data/ --schema schema.sql
    """


@app.command()
def load(
    paths: Paths,
    schema: SchemaFile = None,
    table: Tables = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    into: Into = None,
    max_rejects: MaxRejects = None,
    delimiter: Delimiter = None,
    quote: Quote = None,
    encoding: Encoding = None,
    null: Null = None,
    mode: Mode = None,
    key: Key = None,
    delete_missing: DeleteMissing = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything but publish: show what would be rejected.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Load files even if their content was already loaded.")
    ] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Fail at once if another run holds the tables.")] = False,
    lock_timeout: LockTimeout = 5.0,
    resumable: Annotated[
        bool,
        typer.Option(
            "--resumable",
            help="Stage every file on its own, so that an interrupted run can go on: pgsluice resume RUN. Slower"
            " for empty tables.",
        ),
    ] = False,
    as_json: Json = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Print where the time went, by table and phase (--json always does).")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress, and no summary unless rows were rejected.")
    ] = False,
) -> None:
    """Load files into their tables: all of them, or none.

    PATH is a CSV file (.csv, .tsv, also .gz) or a folder of them. Each file goes into the table that its
    name says, parents before children. Rows that PostgreSQL would refuse are kept as rejects with file,
    line and reason; if there are more than --max-rejects allows, nothing is published and the exit code
    is 1.

    Example: pgsluice load data/ --schema schema.sql --max-rejects 0.1%
    """
    from pgsluice.load.api import load as load_files
    from pgsluice.report.progress import Follower

    with Follower(quiet=as_json or quiet) as follower:
        result = load_files(
            *paths,
            database_url=database_url,
            data_dir=data_dir,
            schema=schema,
            tables=_pairs(table),
            into=into,
            max_rejects=max_rejects or 0,
            delimiter=_character(delimiter),
            quote=_character(quote),
            encoding=encoding,
            null=null or (),
            mode=mode or "append",
            key=_pairs(key, "--key", "KEY"),
            delete_missing=delete_missing,
            dry_run=dry_run,
            again=again,
            no_wait=no_wait,
            lock_timeout=lock_timeout,
            resumable=resumable,
            listen=follower,
        )
    _conclude(result, as_json=as_json, quiet=quiet, profile=profile)


def _conclude(result: RunResult, *, as_json: bool, quiet: bool, profile: bool = False) -> None:
    """Tells how a run ended, and ends as it did."""
    if as_json:
        _show_json(dataclasses.asdict(result))
    elif not quiet or result.rejects.count:
        _show_run(result)
    if profile and not as_json:
        from pgsluice.report.console import profile_parts

        _show(profile_parts(result))
    if result.status == "vetoed":
        raise typer.Exit(VETOED)


def _show_run(result: RunResult) -> None:
    import shutil

    from pgsluice.report.console import run_parts
    from pgsluice.report.parts import is_terminal

    height = shutil.get_terminal_size().lines if is_terminal(sys.stdout) else None
    _show(run_parts(result, height))


@app.command()
def plan(
    paths: Paths,
    schema: SchemaFile = None,
    table: Tables = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    into: Into = None,
    delimiter: Delimiter = None,
    quote: Quote = None,
    encoding: Encoding = None,
    null: Null = None,
    mode: Mode = None,
    key: Key = None,
    delete_missing: DeleteMissing = False,
    as_json: Json = False,
) -> None:
    """Show what a load would do, and write nothing.

    PATH is a CSV file (.csv, .tsv, also .gz) or a folder of them. Shown is which file feeds which table,
    how each file is read, which columns match, in what order the tables are loaded and why.

    Example: pgsluice plan data/ --schema schema.sql
    """
    from pgsluice.load.api import plan as plan_files
    from pgsluice.report.plan_text import plan_parts

    result = plan_files(
        *paths,
        database_url=database_url,
        data_dir=data_dir,
        schema=schema,
        tables=_pairs(table),
        into=into,
        delimiter=_character(delimiter),
        quote=_character(quote),
        encoding=encoding,
        null=null or (),
        mode=mode or "append",
        key=_pairs(key, "--key", "KEY"),
        delete_missing=delete_missing,
    )
    if as_json:
        _show_json(dataclasses.asdict(result))
    else:
        _show(plan_parts(result))


@app.command()
def verify(
    sql: Annotated[
        str | None,
        typer.Option("--sql", metavar="FILE", help="SQL file of queries whose results are printed as tables, too."),
    ] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    into: Into = None,
    as_json: Json = False,
) -> None:
    """Check the tables that were loaded.

    Row counts are compared with those of the runs, every foreign key is searched for orphans, required
    columns for NULLs. The exit code is 1 if a check fails.

    Example: pgsluice verify --sql questions.sql
    """
    from pgsluice.load.api import verify as verify_tables
    from pgsluice.report.console import verify_parts

    result = verify_tables(database_url=database_url, data_dir=data_dir, into=into, sql=sql)
    if as_json:
        _show_json(dataclasses.asdict(result))
    else:
        _show(verify_parts(result))
    if not result.ok:
        raise typer.Exit(VETOED)


@app.command()
def rejects(
    run: Run = None,
    form: Annotated[
        RejectsFormat,
        typer.Option("--format", help="A table to read, or every reject as CSV or as one JSON object."),
    ] = RejectsFormat.TABLE,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            min=0,
            help="Rejects shown one by one, 0 for none.  [default: 10 in a table, all in CSV and JSON]",
        ),
    ] = None,
    table: Annotated[str | None, typer.Option("--table", metavar="TABLE", help="Only the rejects of TABLE.")] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
) -> None:
    """Show the rows that a run rejected, and why.

    RUN is the run's number; without it the last run that has rejects is taken. They are grouped with their
    counts first, then shown one by one; those that were replayed are left out. As CSV they can be corrected
    (column raw) and given to pgsluice replay.

    Example: pgsluice rejects 12 --format csv > rejects.csv
    """
    from pgsluice.load import api

    run_id, found = api.rejects(run, table=table, database_url=database_url, data_dir=data_dir)
    rows = api.reject_rows(run_id, table=table, database_url=database_url, data_dir=data_dir)
    if form is RejectsFormat.CSV:
        _write_csv(itertools.islice(rows, limit))
    elif form is RejectsFormat.JSON:
        _write_json(run_id, found, itertools.islice(rows, limit))
    else:
        from pgsluice.report.console import rejects_parts

        _show(rejects_parts(run_id, found, rows, 10 if limit is None else limit))


def _write_csv(rows: Iterable[Reject]) -> None:
    from pgsluice.load.rejects import csv_row, csv_writer
    from pgsluice.source.corrections import HEADER

    with _telling():
        writer = csv_writer(sys.stdout)
        writer.writerow(HEADER)
        writer.writerows(map(csv_row, rows))


def _write_json(run_id: int, found: RejectsResult, rows: Iterable[Reject]) -> None:
    """One object, written row by row: a million rejects do not have to fit in memory."""
    import json

    with _telling():
        head = json.dumps({"run_id": run_id, **dataclasses.asdict(found)})
        print(head[:-1] + ', "rows": [', end="")
        for place, row in enumerate(rows):
            print(", " if place else "", json.dumps(dataclasses.asdict(row)), sep="", end="")
        print("]}")


@app.command()
def resume(
    run: Annotated[int, typer.Argument(metavar="RUN", hidden=True)],
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress, and no summary unless rows were rejected.")
    ] = False,
) -> None:
    """Go on with an interrupted run that was started with --resumable.

    Files that it had staged whole are not read again; everything else is as in the run itself. The next
    load of anything drops what interrupted runs have staged, so resume first.

    Example: pgsluice resume 12
    """
    from pgsluice.load.api import resume as resume_run
    from pgsluice.report.progress import Follower

    with Follower(quiet=as_json or quiet) as follower:
        result = resume_run(run, database_url=database_url, data_dir=data_dir, listen=follower)
    _conclude(result, as_json=as_json, quiet=quiet)


@app.command()
def replay(
    run: Annotated[int, typer.Argument(metavar="RUN", hidden=True)],
    file: Annotated[str, typer.Argument(metavar="FILE", hidden=True)],
    max_rejects: MaxRejects = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything but publish: show what would be rejected again.")
    ] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Fail at once if another run holds the tables.")] = False,
    lock_timeout: LockTimeout = 5.0,
    as_json: Json = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress, and no summary unless rows were rejected.")
    ] = False,
) -> None:
    """Load the corrected rejects of a run: all of them, or none.

    FILE is what pgsluice rejects RUN --format csv wrote, or the CSV file beside the run, with the column raw
    corrected. The records are loaded as those of their files were, under the same rules. Rejects that are
    not in FILE stay open. If more than --max-rejects allows are rejected again, nothing is published and the
    exit code is 1.

    Example: pgsluice replay 12 rejects.csv
    """
    from pgsluice.load.api import replay as replay_file
    from pgsluice.report.progress import Follower

    with Follower(quiet=as_json or quiet) as follower:
        result = replay_file(
            run,
            file,
            max_rejects=max_rejects or 0,
            database_url=database_url,
            data_dir=data_dir,
            dry_run=dry_run,
            no_wait=no_wait,
            lock_timeout=lock_timeout,
            listen=follower,
        )
    _conclude(result, as_json=as_json, quiet=quiet)


@app.command()
def runs(
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many, the last first.")] = 20,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """List the runs: when, how they ended, how many rows.

    Example: pgsluice runs --limit 5
    """
    from pgsluice.load.api import runs as list_runs
    from pgsluice.report.console import runs_parts

    result = list_runs(database_url=database_url, data_dir=data_dir, limit=limit)
    if as_json:
        _show_json({"runs": [dataclasses.asdict(run) for run in result]})
    else:
        _show(runs_parts(result))


# --------------------------------------------------------------------------- the embedded server


@server.callback()
def _server() -> None:
    """Start, stop and ask the embedded PostgreSQL server.

    It is used when no database is given, and a load starts it by itself.

    Example: pgsluice server start
    """


@server.command("start")
def server_start(version: ServerVersion = None, data_dir: ServerDir = ".pgsluice") -> None:
    """Start the server, and make it first if there is none.

    Prints its address. It goes on running until it is stopped.

    Example: pgsluice server start --version 16
    """
    from pgsluice.target import server as embedded

    print(embedded.start(data_dir, version))


@server.command("stop")
def server_stop(data_dir: ServerDir = ".pgsluice") -> None:
    """Stop the server; its data stay.

    Example: pgsluice server stop
    """
    from pgsluice.target import server as embedded

    print("Stopped." if embedded.stop(data_dir) else "It was not running.")


@server.command("status")
def server_status(data_dir: ServerDir = ".pgsluice") -> None:
    """Say whether the server runs, and where.

    Example: pgsluice server status
    """
    from pgsluice.target import server as embedded

    found = embedded.status(data_dir)
    if found.running:
        print(f"Running: PostgreSQL {found.version}, process {found.pid}, {found.uri}")
    elif found.version is None:
        print(f"There is no server in {found.data_dir}.")
    else:
        print(f"Not running: PostgreSQL {found.version} in {found.data_dir}")


@server.command("psql", context_settings={"ignore_unknown_options": True})
def server_psql(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARG...", hidden=True),
    ] = None,
    data_dir: ServerDir = ".pgsluice",
) -> None:
    """Open psql on the embedded server.

    What follows -- is handed on to psql.

    Example: pgsluice server psql -- -c 'select count(*) from orders'
    """
    from pgsluice.target import server as embedded

    command = [*embedded.psql_command(data_dir), *(arguments or ())]
    os.execv(command[0], command)


def main() -> None:
    """Entry point of the command ``pgsluice``."""
    for stream in (sys.stdout, sys.stderr):
        # File names and data may hold what the terminal's encoding cannot write: escape, do not fail.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    app(prog_name="pgsluice")


def run() -> None:
    """The process's whole life: :func:`main`, then out at once.

    Taking DuckDB, Arrow and numpy down in good order costs 0.2 s of a command that takes one, and serves nobody:
    connections are closed and output is written by then. Whatever is no ordinary end leaves as Python does.
    """
    # A thread that has heard from the server gets on as soon: by default the one that imports or reads may go on
    # for 5 ms, at each of a hundred questions.
    sys.setswitchinterval(0.0005)
    try:
        main()
    except SystemExit as ended:
        if ended.code is not None and not isinstance(ended.code, int):
            raise
        code = ended.code or 0
    else:
        code = 0
    # A reader that left early has been dealt with where the output was written.
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
