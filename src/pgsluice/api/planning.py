"""The plan of a load, with the rights that its role lacks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace

import psycopg

from pgsluice.checkup.estimates import estimate
from pgsluice.checkup.slow import slow_findings
from pgsluice.errors import FileError, MappingError, PrivilegeError, SchemaFileError, SluiceError
from pgsluice.model import LoadOptions, Plan
from pgsluice.pipeline.plan.discovery import discover_files
from pgsluice.pipeline.plan.planner import make_plan, mention_schema_file
from pgsluice.pipeline.plan.rights.missing import (
    first_schema,
    missing_before_plan,
    missing_rights,
    privilege_error,
    unusable_schema,
)
from pgsluice.pipeline.plan.target_tables import target_tables
from pgsluice.pipeline.plan.values.decide import decided_plans
from pgsluice.postgres.asking.target import read_target
from pgsluice.postgres.connecting.connect import connect
from pgsluice.postgres.schema_files.apply import SchemaApplied, apply_missing
from pgsluice.postgres.search_path import choose_schema, current_schema
from pgsluice.source.discover import Discovery, all_problems
from pgsluice.source.places.addresses import is_remote
from pgsluice.source.places.spool import STDIN, is_pipe

_NO_RIGHT = (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidSchemaName)
"""What PostgreSQL says if a role lacks a right. Without USAGE there is no schema for it."""


def check_files(options: LoadOptions, paths: Sequence[str]) -> None:
    """Looks at the files of a load that would make a server: none is made for files that cannot be loaded.

    :raises FileError: a path is missing, or a file cannot be loaded as it is.
    :raises CallError: an option of the dialect is not allowed.
    """
    if _has_pipe(paths):
        return
    discover_files(paths, options).close()


def _has_pipe(paths: Sequence[str]) -> bool:
    """Whether a path can be read once only, or has to be fetched."""
    return any(is_remote(path) or path == STDIN or (os.path.exists(path) and is_pipe(path)) for path in paths)


def plan_load(conn: psycopg.Connection, options: LoadOptions, paths: Sequence[str]) -> Plan:
    """Plans a load in the transaction of ``conn``, which the caller rolls back.

    :raises PrivilegeError: the role may not create or see the tables; the remedy has all rights that it lacks.
    """
    problems: list[FileError] = []
    found = discover_files(paths, options, problems=problems)
    with closing(found), _told_together(problems):
        if problems and not found.files:
            raise all_problems(problems)
        if options.into:
            choose_schema(conn, options.into)
        applied = _apply_schema_file(conn, options, found)
        if hidden := unusable_schema(conn, options):
            raise privilege_error(conn, missing_before_plan(conn, options, found.files, hidden))
        schema = options.into or current_schema(conn)
        with mention_schema_file(applied, options.schema_file):
            plan = make_plan(
                conn,
                target_tables(conn, options, found.files, schema),
                found.files,
                options.tables,
                fields=options.fields,
                modes=options.modes,
                target=read_target(conn, schema),
                rules=options.quality.rows,
            )
        tables = tuple(replace(t, files=decided_plans(conn, t.table, t.files)) for t in plan.tables)
        if problems:
            raise all_problems(problems)
        return replace(
            plan,
            tables=tables,
            ignored=(*found.ignored, *plan.ignored),
            findings=tuple(slow_findings(conn, plan)),
            estimate=estimate(conn, plan),
            missing_rights=missing_rights(conn, plan, options),
        )


@contextmanager
def _told_together(problems: Sequence[FileError]) -> Iterator[None]:
    """Adds the files that cannot be loaded as they are to a MappingError of the others."""
    try:
        yield
    except MappingError as error:
        if not problems:
            raise
        details = [*map(str, problems), *(error.details or [str(error)])]
        raise MappingError(
            f"{len(details)} files do not fit the tables or cannot be loaded", details=details
        ) from error


def _apply_schema_file(conn: psycopg.Connection, options: LoadOptions, found: Discovery) -> SchemaApplied | None:
    """Executes the schema file, if there is one.

    :raises PrivilegeError: the role may not create what the file creates.
    """
    if not options.schema_file:
        return None
    try:
        return apply_missing(conn, options.schema_file, options.into)
    except (SchemaFileError, *_NO_RIGHT) as error:
        if not isinstance(error, _NO_RIGHT) and not isinstance(error.__cause__, _NO_RIGHT):
            raise
        conn.rollback()
        if options.into:
            choose_schema(conn, options.into)
        statements = missing_before_plan(conn, options, found.files, first_schema(conn, options))
        if not statements:
            raise
        raise privilege_error(conn, statements) from error


def with_all_rights(error: Exception, conninfo: str, options: LoadOptions, paths: Sequence[str]) -> Exception:
    """Returns the error of a load that lacks a right: with all rights that it lacks, if they can be found out."""
    refused = isinstance(error, (PrivilegeError, *_NO_RIGHT)) or isinstance(error.__cause__, _NO_RIGHT)
    if _has_pipe(paths):
        return error
    try:
        with connect(conninfo) as conn:
            if not refused and not (isinstance(error, MappingError) and unusable_schema(conn, options)):
                return error
            try:
                statements = plan_load(conn, options, paths).missing_rights
                return privilege_error(conn, statements) if statements else error
            finally:
                conn.rollback()
    except PrivilegeError as complete:
        return complete
    except (SluiceError, psycopg.Error):
        return error
