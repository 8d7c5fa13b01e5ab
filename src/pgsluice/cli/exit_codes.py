"""Exit codes, and the group of commands that turns an exception into a complaint and its exit code.

``docs/reference/exit-codes.md`` says what each exit code means for the user.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from typer.core import TyperGroup

from pgsluice.cli.commands import Commands, write_summaries
from pgsluice.errors import SluiceError
from pgsluice.report.output import OutputError, OutputInterrupted, complain, show_error, show_traceback
from pgsluice.text import without_addresses

if TYPE_CHECKING:
    from pgsluice.model import Listener, Progress

VETOED = 1
"""A run was vetoed, or a check of ``verify`` failed."""
WRONG = 2
"""The call, the files or the mapping are wrong, or the operating system refuses."""
REFUSED = 3
"""The database cannot be reached or refuses."""
UNWRITTEN = 4
"""As 0, but the result could not be written to standard output."""
GUEST_FAILED = 5
"""Published, but what ``--then`` runs after the publish failed."""
DEFECT = 70
"""A defect of pgsluice (EX_SOFTWARE of sysexits.h)."""
INTERRUPTED = 130
"""Ctrl-C (128 + SIGINT, as shells count). SIGTERM is 143 and SIGHUP 129."""


class CommitTracker:
    """Knows from progress events whether a run may have committed.

    Ctrl-C may come between the commit of a run and the first line of its summary. The message "nothing was published"
    would be false there.
    """

    def __init__(self) -> None:
        self.committing = False
        """The run has announced its commit, and no rollback."""
        self.published = False
        """The run has published, and a guest runs."""
        self.resumable = False
        """The run was started with ``--resumable``."""
        self._begin: Progress | None = None
        self._latest: Progress | None = None
        self._read: dict[str, Progress] = {}
        """By table the latest event of its reading."""

    def track(self, listen: Listener) -> Listener:
        """Returns a listener that notes the commit of a run.

        :param listen: receives all events but ``rollback``, which has nothing to show.
        """

        def receive(event: Progress) -> None:
            if event.phase == "rollback":
                self.committing = False
                return
            self.published = self.published or event.phase == "then"
            self.committing = self.committing or (event.phase, event.step) == ("publish", "commit")
            self._note(event)
            listen(event)

        return receive

    def _note(self, event: Progress) -> None:
        if event.phase == "begin":
            self._begin = event
        elif event.phase == "plan":
            self._read.clear()
        elif event.phase == "stage" and not event.step:
            self._read[event.table] = event
        self._latest = event

    def how_far(self) -> str:
        """How far an interrupted run was, and how it can go on, in words; '' if it had not begun to load."""
        from pgsluice.report.progress import step_of

        begin, latest = self._begin, self._latest
        if begin is None or latest is None or not self._read:
            return ""
        done, total = sum(e.done for e in self._read.values()), begin.total
        share = f"{100 * done // total}% of the files" if total else "the files"
        words = f"It had read {share}, and was in table {len(self._read)} of {begin.tables}: {step_of(latest)}"
        if self.resumable:
            return f"{words}. To continue: pgsluice resume {begin.run_id}"
        if len(self._read) > 1:
            return f"{words}. With --resumable, files that were read completely need not be read again"
        return words


class CommandGroup(TyperGroup):
    """The commands of pgsluice. An exception of a command becomes one line on standard error and an exit code.

    Each call has its own :class:`CommitTracker`, in ``ctx.obj``.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = Commands()  # type: ignore[assignment]  # Typer reads the commands, and adds none

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the list of the commands into the help text."""
        write_summaries(formatter)

    def invoke(self, ctx: Any) -> Any:
        """Runs the command.

        :raises typer.Exit: with the exit code, for each exception that is not an error of usage.
        """
        from pgsluice.cli.logs import show_notices
        from pgsluice.cli.signals import Stopped, ending_signals

        tracker = ctx.obj = CommitTracker()
        failure = Failure(as_json=_wants_json([*ctx._protected_args, *ctx.args]))
        try:
            with ending_signals(), show_notices():
                return super().invoke(ctx)
        except SluiceError as error:
            failure.end(error.exit_code, error, error.message, error.remedy, error.details)
        except OutputInterrupted as error:
            raise typer.Exit(getattr(error.__cause__, "exit_code", INTERRUPTED)) from error
        except OutputError as error:
            complain(str(error))
            raise typer.Exit(UNWRITTEN) from error
        except KeyboardInterrupt as error:
            if tracker.published:
                words = "interrupted; the rows are published, and what --then names was not finished"
            elif tracker.committing:
                words = "interrupted while it was publishing; pgsluice runs says whether it was"
            else:
                words = "interrupted; nothing was published"
            if isinstance(error, Stopped):
                words = words.replace("interrupted", str(error) or "interrupted", 1)
            failure.end(
                getattr(error, "exit_code", INTERRUPTED), error, words, "" if tracker.committing else tracker.how_far()
            )
        except OSError as error:
            failure.end(WRONG, error, f"the system refuses: {error}")
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if _is_database_error(error):
                failure.end(REFUSED, error, f"the database refuses: {error}")
            if type(error).__module__.startswith(("typer", "click")):
                if isinstance(usage := getattr(error, "message", None), str):
                    if hasattr(error, "possibilities"):
                        usage = propose(error)
                    error.message = without_addresses(usage)  # type: ignore[attr-defined]
                    failure.show(WRONG, error, usage)
                raise  # an error of usage: Typer prints it with the usage line
            show_traceback()
            failure.end(DEFECT, error, f"this is a defect of pgsluice: {type(error).__name__}: {error}")


class Failure:
    """Shows why a command ends: one line on standard error, and with ``--json`` an object on standard output."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def end(
        self, code: int, error: BaseException, message: str, remedy: str = "", details: Sequence[str] = ()
    ) -> NoReturn:
        """:raises typer.Exit: always, with the exit code."""
        # The message may repeat an argument of the call.
        text = without_addresses(message)
        self.show(code, error, text, remedy, details)
        complain(f"{text}. {remedy}" if remedy else text, details)
        raise typer.Exit(code) from error

    def show(
        self, code: int, error: BaseException, message: str, remedy: str = "", details: Sequence[str] = ()
    ) -> None:
        """Writes the object, if the call wants JSON."""
        if self._as_json:
            show_error(type(error).__name__, " ".join(without_addresses(message).split()), remedy, details, code)


def _wants_json(arguments: Sequence[str]) -> bool:
    """Whether a call wants its result as JSON."""
    own = list(arguments)[: list(arguments).index("--")] if "--" in arguments else list(arguments)
    pairs = zip(own, [*own[1:], ""], strict=True)
    return "--json" in own or "--format=json" in own or ("--format", "json") in pairs


def propose(error: Any) -> str:
    """Returns the message for an option that does not exist, with the option that may be meant.

    :param error: Typer's error of usage, with the context of its command.
    """
    from difflib import get_close_matches

    from pgsluice.cli.options.completion import MODES

    unknown = str(error.option_name)
    params = error.ctx.command.get_params(error.ctx) if error.ctx is not None else ()
    names = [name for param in params for name in param.opts if name.startswith("--")]
    value = unknown.lstrip("-").partition("=")[0]
    if value in MODES and "--mode" in names:
        meant = f"--mode {value}"
    else:
        meant = " or ".join(get_close_matches(unknown.partition("=")[0], names, n=2, cutoff=0.6))
    error.possibilities = None
    return f"{error.message}. Did you mean {meant}?" if meant else str(error.message)


def _is_database_error(error: Exception) -> bool:
    """Whether psycopg raised the error. If psycopg was not imported, psycopg did not raise it."""
    psycopg = sys.modules.get("psycopg")
    return psycopg is not None and isinstance(error, psycopg.Error)
