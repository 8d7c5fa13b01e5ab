"""The command that writes a schema for files that have none: ``init``."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pgsluice.cli.logs import log_result
from pgsluice.cli.options.common import (
    DatabaseUrl,
    DataDir,
    Embedded,
    Into,
    Json,
    LogFile,
    LogLevelOption,
    Paths,
    Quiet,
    address,
    embedded_folder,
)
from pgsluice.cli.options.dialect import DIALECT_OPTIONS
from pgsluice.cli.options.load_option import arguments_of, with_options
from pgsluice.cli.options.reading import PLAN_OPTIONS
from pgsluice.cli.running import conclude, follow_run, with_server
from pgsluice.errors import CallError
from pgsluice.report.output import ask, show, show_json

if TYPE_CHECKING:
    from pgsluice.model import InferredSchema, Listener, RunResult

# INFER_ARGUMENTS of pgsluice.arguments has these names too; its import takes time that --help does not have.
_NAMES = {o.argument for o in DIALECT_OPTIONS} | {
    *("tables", "skip", "recursive", "allow_empty"),
    *("null", "null_only", "empty_as_null", "date_format", "date_language", "decimal", "thousands"),
    *("strip", "negative"),
}
OPTIONS = tuple(o for o in PLAN_OPTIONS if o.argument in _NAMES)
"""The options of ``plan`` that say how files are read."""


@with_options(*OPTIONS)
def init(
    ctx: typer.Context,
    paths: Paths = None,
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE", help="File of the schema; pgsluice.toml is written beside it."),
    ] = "schema.sql",
    load: Annotated[bool, typer.Option("--load", help="Load the files when the schema is written.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write files that exist again.")] = False,
    asking: Annotated[
        bool, typer.Option("--ask", help="Ask questions in the terminal where the files decide nothing.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Take what is likely: answers, and foreign keys whose names say little.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Write nothing: show what the tables that exist need for the files.")
    ] = False,
    schema: Annotated[
        str | None,
        typer.Option("--schema", metavar="FILE", help="With --diff: compare with a schema file."),
    ] = None,
    into: Into = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    embedded: Embedded = False,
    as_json: Json = False,
    quiet: Quiet = False,
    log_level: LogLevelOption = None,
    log_file: LogFile = None,
    **options: Any,
) -> None:
    """Write the schema of files that have none: types, keys and foreign keys.

    PATH is a file, a folder or an address, as for load. All rows are read. What is certain becomes a statement of
    schema.sql. What is likely becomes a comment with its evidence. If the values do not decide a type, the column
    stays text and a question is printed. Options for reading the files are written into pgsluice.toml, so that
    pgsluice load needs none. A load of the same files has no rejects, unless a record cannot be read at all. With
    --diff the command compares the files with the tables of a database or of a schema file, and proposes ALTER
    TABLE statements.

    Example: pgsluice init data/ --load
    """
    from pgsluice.api.inferring import check_outputs, write_outputs

    data_dir = embedded_folder(database_url, data_dir, embedded=embedded)
    if diff:
        if load or asking:
            raise CallError("--diff writes and loads nothing", "Leave out --load and --ask")
        _show_diff(
            *(paths or ()),
            schema=schema,
            into=into,
            database_url=database_url,
            data_dir=data_dir,
            likely=yes,
            as_json=as_json,
            **arguments_of(ctx, OPTIONS, options),
        )
        return
    if schema is not None or into is not None:
        raise CallError("--schema and --into go with --diff", "Name the file to write with -o")
    files = check_outputs(output, force=force)
    if asking and not sys.stdin.isatty():
        raise CallError("--ask needs a terminal", "Leave it out, and answer with the options that the questions name")
    given = arguments_of(ctx, OPTIONS, options)
    with follow_run(ctx, quiet=as_json or quiet, log_level=log_level, log_file=log_file) as listen:
        found = _infer(paths, output, given, listen, likely=yes, asking=asking)
        write_outputs(files, found)
    if not load:
        _show(found, files, as_json=as_json, quiet=quiet)
        return
    if not (as_json or quiet):
        _show(found, files, as_json=False, quiet=False)
    from pgsluice.api import load as load_files

    with follow_run(ctx, quiet=as_json or quiet, log_level=log_level, log_file=log_file) as listen:

        def attempt(data_dir: str | None) -> RunResult:
            return load_files(config=files[1], database_url=database_url, data_dir=data_dir, listen=listen)

        result = with_server(attempt, data_dir)
        log_result(result)
    conclude(result, address(database_url, data_dir), as_json=as_json, quiet=quiet)


def _infer(
    paths: list[str] | None,
    output: str,
    given: dict[str, Any],
    listen: Listener,
    *,
    likely: bool,
    asking: bool,
) -> InferredSchema:
    """Finds the schema, and again with the answers of the user."""
    from pgsluice.api.inferring import answered, infer_schema

    found = infer_schema(*(paths or ()), output=output, likely=likely, listen=listen, **given)
    if not asking:
        return found
    answers = [
        answer
        for question in found.questions
        if (answer := ask(f"{question.table}.{question.column}: {question.text}", question.answers, question.likely))
    ]
    if not answers:
        return found
    return infer_schema(
        *(paths or ()),
        output=output,
        likely=likely,
        listen=listen,
        **answered(given, answers),
    )


def _show(found: InferredSchema, files: tuple[Path, Path], *, as_json: bool, quiet: bool) -> None:
    if as_json:
        show_json(dataclasses.asdict(found))
    elif not quiet or found.questions or found.warnings:
        from pgsluice.report.texts.init_text import init_parts

        show(init_parts(found, str(files[0]), str(files[1])))


def _show_diff(*paths: str, as_json: bool, **arguments: Any) -> None:
    """Shows what the existing tables need for the files."""
    from pgsluice.api import schema_diff
    from pgsluice.report.texts.init_text import diff_parts

    found = schema_diff(*paths, **arguments)
    if as_json:
        show_json(dataclasses.asdict(found))
    else:
        show(diff_parts(found))
