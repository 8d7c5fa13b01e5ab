"""How a command ends: what it prints, and the exit code that belongs to it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from pgsluice.errors import SluiceError

if TYPE_CHECKING:
    from pgsluice.model import Listener, Progress
    from pgsluice.report.parts import Part


VETOED = 1


WRONG = 2


REFUSED = 3


DEFECT = 70


INTERRUPTED = 130


class Endings(TyperGroup):
    """Turns what a command raises into one line on standard error and the exit code that belongs to it."""

    def invoke(self, ctx: Any) -> Any:
        _heard.commit = False
        try:
            return super().invoke(ctx)
        except SluiceError as error:
            _complain(str(error))
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as error:
            unsure = "interrupted while it was publishing; pgsluice runs says whether it was"
            _complain(unsure if _heard.commit else "interrupted; nothing was published")
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


class _Heard:
    """What a run has said of its publishing. Ctrl-C may come between its commit and the first word of its summary,
    where "nothing was published" would be false.
    """

    commit = False


_heard = _Heard()


def track_commit(listen: Listener) -> Listener:
    """The listener of a run, whose word that it commits is kept for the case of Ctrl-C."""

    def hear(event: Progress) -> None:
        if event.phase == "rollback":
            _heard.commit = False
            return
        _heard.commit = _heard.commit or (event.phase, event.step) == ("publish", "commit")
        listen(event)

    return hear


def _of_database(error: Exception) -> bool:
    """An error of psycopg; one that was never imported raised nothing."""
    psycopg = sys.modules.get("psycopg")
    return psycopg is not None and isinstance(error, psycopg.Error)


def _complain(text: str) -> None:
    from pgsluice.report.parts import clean

    print(f"pgsluice: {clean(' '.join(text.split()))}", file=sys.stderr)


@contextlib.contextmanager
def telling() -> Iterator[None]:
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


def show(parts: Iterable[Part]) -> None:
    from pgsluice.report.parts import write

    with telling():
        write(parts)


def show_json(value: object) -> None:
    """One JSON object on one line; ASCII, so that every file name can be written wherever it goes."""
    import json

    with telling():
        print(json.dumps(value))
