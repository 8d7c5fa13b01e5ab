"""Exit codes, and the group of commands that turns an exception into a complaint and its exit code.

``docs/reference/exit-codes.md`` says what each exit code means for the user.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from pgsluice.errors import SluiceError
from pgsluice.report.output import OutputError, OutputInterrupted, complain, show_traceback
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
DEFECT = 70
"""A defect of pgsluice (EX_SOFTWARE of sysexits.h)."""
INTERRUPTED = 130
"""Ctrl-C (128 + SIGINT, as shells count)."""


class CommitTracker:
    """Knows from progress events whether a run may have committed.

    Ctrl-C may come between the commit of a run and the first line of its summary. The message "nothing was published"
    would be false there.
    """

    def __init__(self) -> None:
        self.committing = False
        """The run has announced its commit, and no rollback."""

    def track(self, listen: Listener) -> Listener:
        """Returns a listener that notes the commit of a run.

        :param listen: receives all events but ``rollback``, which has nothing to show.
        """

        def receive(event: Progress) -> None:
            if event.phase == "rollback":
                self.committing = False
                return
            self.committing = self.committing or (event.phase, event.step) == ("publish", "commit")
            listen(event)

        return receive


class CommandGroup(TyperGroup):
    """The commands of pgsluice. An exception of a command becomes one line on standard error and an exit code.

    Each call has its own :class:`CommitTracker`, in ``ctx.obj``.
    """

    def invoke(self, ctx: Any) -> Any:
        """Runs the command.

        :raises typer.Exit: with the exit code, for each exception that is not an error of usage.
        """
        tracker = ctx.obj = CommitTracker()
        try:
            return super().invoke(ctx)
        except SluiceError as error:
            # The message may repeat an argument of the call.
            message = without_addresses(error.message)
            complain(f"{message}. {error.remedy}" if error.remedy else message, error.details)
            raise typer.Exit(error.exit_code) from error
        except OutputInterrupted as error:
            raise typer.Exit(INTERRUPTED) from error
        except OutputError as error:
            complain(str(error))
            raise typer.Exit(UNWRITTEN) from error
        except KeyboardInterrupt as error:
            unsure = "interrupted while it was publishing; pgsluice runs says whether it was"
            complain(unsure if tracker.committing else "interrupted; nothing was published")
            raise typer.Exit(INTERRUPTED) from error
        except OSError as error:
            complain(f"the system refuses: {without_addresses(str(error))}")
            raise typer.Exit(WRONG) from error
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if _is_database_error(error):
                complain(f"the database refuses: {error}")
                raise typer.Exit(REFUSED) from error
            if type(error).__module__.startswith(("typer", "click")):
                if isinstance(usage := getattr(error, "message", None), str):
                    error.message = without_addresses(usage)  # type: ignore[attr-defined]
                raise  # an error of usage: Typer prints it with the usage line
            show_traceback()
            complain(f"this is a defect of pgsluice: {type(error).__name__}: {error}")
            raise typer.Exit(DEFECT) from error


def _is_database_error(error: Exception) -> bool:
    """Whether psycopg raised the error. If psycopg was not imported, psycopg did not raise it."""
    psycopg = sys.modules.get("psycopg")
    return psycopg is not None and isinstance(error, psycopg.Error)
