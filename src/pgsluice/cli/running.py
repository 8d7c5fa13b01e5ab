"""What ``load``, ``init``, ``replay`` and ``resume`` share: they follow a run and show its result."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import typer

from pgsluice.cli.exit_codes import GUEST_FAILED, VETOED, CommitTracker
from pgsluice.cli.logs import Heartbeat, log_steps, log_to
from pgsluice.cli.options.common import LogForm
from pgsluice.errors import NoServerError
from pgsluice.report.output import OutputError, at_terminal, complain, show, show_json, show_run

if TYPE_CHECKING:
    from pgsluice.cli.options.common import LogLevel
    from pgsluice.model import Listener, RunResult


@contextlib.contextmanager
def follow_run(
    ctx: typer.Context,
    *,
    quiet: bool,
    verbose: bool = False,
    log_level: LogLevel | None,
    log_file: str | None,
    log_format: LogForm = LogForm.TEXT,
) -> Iterator[Listener]:
    """Shows and logs the progress of a run while the context lasts.

    :param ctx: holds the :class:`CommitTracker` of the call.
    :param quiet: show no progress; the log is written all the same.
    :param verbose: show each step, and not only each table.
    :param log_level, log_file, log_format: see :func:`pgsluice.cli.logs.log_to`.
    :returns: the listener of the run.
    :raises CallError: the log file cannot be opened.
    """
    from pgsluice.report.progress import Follower

    tracker: CommitTracker = ctx.obj
    tracker.resumable = bool(ctx.params.get("resumable")) or ctx.info_name == "resume"
    with (
        log_to(log_level, log_file, log_format),
        Follower(quiet=quiet, verbose=verbose) as follower,
        Heartbeat() as heartbeat,
    ):
        yield log_steps(heartbeat.track(tracker.track(follower)))


def with_server(load: Callable[[str | None], RunResult], data_dir: str | None) -> RunResult:
    """Loads, and again with a new embedded server in the current folder if there is none and a person sees it.

    :param load: loads, with the folder of the embedded server.
    :raises NoServerError: there is no server, and nobody sits at a terminal.
    """
    from pgsluice.cli.options.common import DEFAULT_FOLDER

    try:
        return load(data_dir)
    except NoServerError:
        # Whoever sits at a terminal sees the notice of the new server. A job may just lack its address.
        if data_dir is not None or not at_terminal():
            raise
        return load(DEFAULT_FOLDER)


def conclude(result: RunResult, address: str, *, as_json: bool, quiet: bool, profile: bool = False) -> None:
    """Shows the result of a run.

    :param address: see :func:`pgsluice.cli.options.common.address`.
    :param as_json: one JSON object instead of the summary.
    :param quiet: no summary unless rows were rejected or a guest failed.
    :param profile: show in addition where the time went.
    :raises typer.Exit: the run was vetoed, or a guest failed.
    :raises OutputError: standard output cannot be written, and the exit code would have been 0. The message says how
        the run ended.
    """
    failed = not all(guest.ok for guest in result.guests)
    code = VETOED if result.status == "vetoed" else GUEST_FAILED if failed else 0
    try:
        _show(result, address, as_json=as_json, quiet=quiet, profile=profile)
    except OutputError as error:
        ended = f"{error}; run {result.run_id} ended all the same: {result.status}"
        if not code:
            raise OutputError(ended) from error
        # A script has to learn of the veto first.
        complain(ended)
    if code:
        raise typer.Exit(code)


def _show(result: RunResult, address: str, *, as_json: bool, quiet: bool, profile: bool) -> None:
    """Shows the result, with the parameters of :func:`conclude`."""
    if as_json:
        show_json(dataclasses.asdict(result))
    elif not quiet or result.rejects.count or not all(guest.ok for guest in result.guests):
        show_run(result, address)
    if profile and not as_json:
        from pgsluice.report.parts import Line
        from pgsluice.report.texts.runs_text import profile_parts

        show([Line(), *profile_parts(result.profile)])
