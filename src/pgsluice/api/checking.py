"""The public function that checks whether a load works."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Unpack

import psycopg

from pgsluice.api.configured import Call, configured
from pgsluice.api.connections import PathLike, planning_address
from pgsluice.api.planning import plan_load
from pgsluice.arguments import PlanArguments
from pgsluice.checkup.load import disk_findings, extension_findings, plan_findings
from pgsluice.checkup.server import server_findings
from pgsluice.errors import PrivilegeError, SluiceError
from pgsluice.model import DoctorResult, Finding, LoadOptions, State
from pgsluice.options import build_options
from pgsluice.pipeline.plan.rights.missing import privilege_error
from pgsluice.postgres.connecting.connect import connect


def doctor(
    *paths: PathLike,
    config: PathLike | None = None,
    database_url: str | None = None,
    data_dir: str | None = None,
    **options: Unpack[PlanArguments],
) -> DoctorResult:
    """Checks the connection, the server and its settings, and the load of files; writes nothing.

    :param paths: the files of the load, as for :func:`load`. Without paths only the server is checked.
    :param config: a file of settings, as for :func:`plan`.
    :param database_url: the server, as for :func:`load`.
    :param data_dir: the folder for the embedded server's data and for reports, as for :func:`load`.
    :param options: how the files are read, as for :func:`plan`.
    :returns: the findings, each with what to do. A problem is in the result and raises no error.
    :raises CallError: an argument or the file of settings is wrong.
    :raises FileError: the file of settings cannot be read.
    """
    call = Call([], database_url, dict(options), "")
    if paths or config is not None:
        call = configured(config, paths, database_url, data_dir, options)
    checked = build_options(data_dir, **call.arguments)
    findings = tuple(_findings(call.paths, checked, call.database_url, data_dir))
    return DoctorResult(all(f.state is not State.PROBLEM for f in findings), findings)


def _findings(
    paths: list[str], options: LoadOptions, database_url: str | None, data_dir: str | None
) -> Iterator[Finding]:
    with ExitStack() as stack:
        try:
            creates_tables = bool(paths) and options.schema_file is not None
            address, new = stack.enter_context(planning_address(database_url, data_dir, creates_tables=creates_tables))
            conn = stack.enter_context(connect(address))
        except SluiceError as error:
            yield _problem("connection", error)
            return
        conn.autocommit = True
        if new:
            text = f"there is no embedded server in {new}; what follows is true of one that a load makes"
            yield Finding("server", State.OK, text)
        found, size = _load_findings(conn, paths, options) if paths else ([], None)
        yield from server_findings(conn, size)
        if options.schema_file:
            yield from extension_findings(conn, options.schema_file)
        yield from found


def _load_findings(
    conn: psycopg.Connection, paths: list[str], options: LoadOptions
) -> tuple[Iterable[Finding], int | None]:
    """What was found about the load, and how many bytes it writes; the second is None if it cannot be planned."""
    conn.autocommit = False
    found: list[Finding] = []
    size: int | None = None
    try:
        plan = plan_load(conn, options, paths)
        found += plan_findings(plan)
        size = plan.estimate.disk if plan.estimate else None
        if plan.missing_rights:
            found.append(_problem("rights", privilege_error(conn, plan.missing_rights)))
        else:
            found.append(Finding("rights", State.OK, "the role may load the tables"))
    except SluiceError as error:
        found.append(_problem("rights" if size is not None else "files", error))
    except psycopg.Error as error:
        found.append(Finding("files", State.PROBLEM, f"the database refuses: {error}".replace("\n", " ")))
    finally:
        conn.rollback()
        conn.autocommit = True
    if size is not None:
        found += disk_findings(conn, options.reports, size)
    return found, size


def _problem(subject: str, error: SluiceError) -> Finding:
    if isinstance(error, PrivilegeError) and error.details:
        return Finding(subject, State.PROBLEM, error.message, " ".join(error.details))
    text = "; ".join((error.message, *(line.strip() for line in error.details)))
    return Finding(subject, State.PROBLEM, text, error.remedy)
