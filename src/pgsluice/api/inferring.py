"""The public functions that find a schema for files that have none, and compare files with a schema."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Unpack

from pgsluice.api.connections import PathLike, planning_address
from pgsluice.arguments import INFER_ARGUMENTS, PlanArguments
from pgsluice.config.find import NAME
from pgsluice.errors import CallError
from pgsluice.inference.diff import diff
from pgsluice.inference.infer import infer
from pgsluice.model import InferredSchema, Listener, SchemaDiff, ignore_progress
from pgsluice.options import build_options
from pgsluice.pipeline.plan.discovery import discover_files
from pgsluice.postgres.catalog import read_tables, require_schema
from pgsluice.postgres.connecting.connect import connect
from pgsluice.postgres.schema_files.apply import apply_missing
from pgsluice.postgres.search_path import choose_schema

_ANSWERS = ("date_format", "date_language", "decimal", "thousands", "strip", "negative")
"""Arguments that answer questions. The settings say them of single columns."""


def infer_schema(
    *paths: PathLike,
    output: PathLike = "schema.sql",
    likely: bool = False,
    listen: Listener = ignore_progress,
    **options: Unpack[PlanArguments],
) -> InferredSchema:
    """Finds the schema of files: types, keys and foreign keys, by all of their rows. Writes nothing.

    :param paths: files, or folders of them.
    :param output: where ``schema.sql`` will be, for the relative paths in ``pgsluice.toml``, which stands beside it.
    :param likely: take what is likely: the likely answer of a question, and references whose names say little.
    :param listen: a function that receives the progress.
    :param options: how the files are read: those of :class:`pgsluice.arguments.PlanArguments` that
        ``INFER_ARGUMENTS`` names. ``tables`` names tables; ``date_format``, ``date_language``,
        ``decimal``, ``thousands``, ``strip`` and ``negative`` answer questions.
    :returns: the tables, and the texts of ``schema.sql`` and ``pgsluice.toml``.
    :raises CallError: an argument is wrong.
    :raises FileError: a path is missing or unreadable, or none of the files holds a table.
    :raises MappingError: a file can be read in several ways, and nothing decides between them.
    """
    named = [os.fspath(path) for path in paths]
    if not named:
        raise CallError("no path is given", "Name files or folders: pgsluice init data/")
    if "-" in named:
        raise CallError("standard input can be read only once, and the load reads it again", "Write it to a file first")
    if wrong := sorted(options.keys() - set(INFER_ARGUMENTS)):
        raise CallError(f"init takes no argument {wrong[0]}", f"Its arguments are {', '.join(INFER_ARGUMENTS)}")
    checked = build_options(**options)
    given = {name: value for name, value in options.items() if name not in (*_ANSWERS, "tables") and value is not None}
    folder = os.path.dirname(os.fspath(output)) or "."
    with closing(discover_files(named, checked)) as found:
        return infer(
            found.files,
            checked,
            paths=[_seen_from(folder, path) for path in named],
            schema=os.path.basename(output),
            given=given,
            likely=likely,
            listen=listen,
        )


def schema_diff(
    *paths: PathLike,
    database_url: str | None = None,
    data_dir: str | None = None,
    likely: bool = False,
    listen: Listener = ignore_progress,
    **options: Unpack[PlanArguments],
) -> SchemaDiff:
    """Compares files with the tables that exist, and proposes the changes that the files need. Writes nothing.

    :param paths: files, or folders of them.
    :param database_url: the server, as for :func:`pgsluice.plan`.
    :param data_dir: the folder for the embedded server's data.
    :param likely: take what is likely, as for :func:`infer_schema`.
    :param listen: a function that receives the progress.
    :param options: how the files are read, as for :func:`infer_schema`. ``schema`` is a schema file to compare with,
        whose statements are rolled back (default: the tables of the database); ``into`` is the schema of the tables.
    :raises CallError: an argument is wrong.
    :raises FileError: a path is missing or unreadable, or none of the files holds a table.
    :raises MappingError: a file can be read in several ways, and nothing decides between them.
    :raises SchemaFileError: ``schema`` cannot be executed.
    :raises DatabaseError: the database cannot be reached, or the schema ``into`` does not exist.
    """
    schema, into = options.pop("schema", None), options.pop("into", None)
    found = infer_schema(*paths, likely=likely, listen=listen, **options)
    with (
        planning_address(database_url, data_dir, creates_tables=schema is not None) as (address, _),
        connect(address) as conn,
    ):
        try:
            if into:
                choose_schema(conn, into)
                require_schema(conn, into)
            if schema is not None:
                apply_missing(conn, os.fspath(schema), into)
            return diff(found, read_tables(conn, into))
        finally:
            conn.rollback()


def answered(options: dict[str, Any], answers: Iterable[str]) -> dict[str, Any]:
    """The options with the answers to questions.

    :param answers: options of the command line, as :attr:`pgsluice.model.Question.answers` has them.
    """
    found = dict(options)
    for answer in answers:
        words = shlex.split(answer)
        for option, value in zip(words[::2], words[1::2], strict=True):
            name = option.removeprefix("--").replace("-", "_")
            found[name] = [*found.get(name, ()), value]
    return found


def check_outputs(schema: str, *, force: bool) -> tuple[Path, Path]:
    """The two files that ``init`` writes.

    :raises CallError: the folder does not exist, or a file exists and ``force`` is not set.
    """
    files = Path(schema), Path(schema).with_name(NAME)
    if not files[0].parent.is_dir():
        raise CallError(f"{files[0].parent} is no folder", "Make it first, or name another file with -o")
    for file in files:
        if file.is_dir() or (file.exists() and not file.is_file()):
            raise CallError(f"{file} is no file that can be written", "Name a file with -o")
        if file.exists() and not force:
            raise CallError(f"{file} exists", "Add --force to write it again, or name another file with -o")
    return files


def write_outputs(files: Sequence[Path], found: InferredSchema) -> None:
    """Writes ``schema.sql`` and ``pgsluice.toml``, each whole or not at all.

    :raises OSError: a file cannot be written.
    """
    parts = [(file, file.with_name(f"{file.name}.{os.getpid()}.part")) for file in files]
    try:
        for (_, part), text in zip(parts, (found.sql, found.settings), strict=True):
            part.write_text(text, encoding="utf-8")
        for file, part in parts:
            part.replace(file)
    finally:
        for _, part in parts:
            part.unlink(missing_ok=True)


def _seen_from(folder: str, path: str) -> str:
    """A path as the file of settings has it: relative to its folder, unless the path is absolute or an address."""
    if "://" in path or os.path.isabs(path):
        return path
    return os.path.relpath(path, folder)
