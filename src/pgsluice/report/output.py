"""Writes results to standard output and complaints to standard error. No other package prints.

A command shows its result after its work is done. A reader that leaves early (``| head``) changes neither the work nor
the exit code. Standard output that cannot be written, on a full disk for example, raises :class:`OutputError`. Ctrl-C
during the output raises :class:`OutputInterrupted`, because "nothing was published" could be false then.

The functions import what they need: ``pgsluice --version`` comes through this module.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from pgsluice.errors import CallError
from pgsluice.version import __version__

if TYPE_CHECKING:
    from pgsluice.model import RejectSheet, RunResult
    from pgsluice.report import parts


class OutputInterrupted(Exception):
    """Ctrl-C came while a command was showing its result."""


class OutputError(Exception):
    """Standard output cannot be written."""


@contextlib.contextmanager
def _output_guard() -> Iterator[None]:
    """Guards statements that write to standard output, and flushes at their end.

    :raises OutputError: standard output cannot be written.
    :raises OutputInterrupted: on Ctrl-C.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
    except OSError as error:
        _discard_output()
        raise OutputError(f"the result cannot be written to standard output: {error.strerror}") from error
    except KeyboardInterrupt as error:
        raise OutputInterrupted from error


def _discard_output() -> None:
    """Sends standard output to nowhere.

    Python flushes standard output again when the process ends. A closed pipe or a full disk would make that flush fail.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def at_terminal() -> bool:
    """Whether somebody sits before the command: one of its three streams is a terminal."""
    return any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def open_closed_streams() -> None:
    """Opens standard streams that the caller of the process has closed (``>&-``).

    Python has None in place of such a stream, and the next file or connection that is opened would get its number.
    Writing to the new standard output fails as writing to a closed file does. Complaints go nowhere.
    """
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # gets the lowest number that is free, which is this one
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 (open until the process ends)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 (open until the process ends)


def show(report: Iterable[parts.Part]) -> None:
    """Writes a report to standard output.

    :param report: its lines and grids.
    :raises OutputInterrupted: on Ctrl-C.
    """
    from pgsluice.report import parts

    with _output_guard():
        parts.write(report)


def show_line(text: str) -> None:
    """Writes one line of text, without an escape of control characters, to standard output.

    :raises OutputInterrupted: on Ctrl-C.
    """
    with _output_guard():
        print(text)


def show_version() -> None:
    """Writes the version of pgsluice to standard output.

    :raises OutputError: standard output cannot be written.
    :raises OutputInterrupted: on Ctrl-C.
    """
    show_line(f"pgsluice {__version__}")


def terminal_width() -> int | None:
    """Returns the columns of standard output if it is a terminal that can move its cursor, else None."""
    import shutil

    from pgsluice.report import parts

    return shutil.get_terminal_size().columns if parts.is_terminal(sys.stdout) else None


def show_run(result: RunResult, address: str) -> None:
    """Writes the summary of a run. On a terminal the summary fits the height of the terminal.

    :param address: the options that name the database, for the commands that the summary proposes.
    :raises OutputInterrupted: on Ctrl-C.
    """
    import shutil

    from pgsluice.report import parts
    from pgsluice.report.console import run_parts

    size = shutil.get_terminal_size()
    show(run_parts(result, size.lines if parts.is_terminal(sys.stdout) else None, address, size.columns))


def show_json(value: Mapping[str, object]) -> None:
    """Writes a JSON object on one line, with the version of pgsluice as its first member.

    The text is ASCII, because an encoding may lack a character of a file name.

    :raises OutputInterrupted: on Ctrl-C.
    """
    import json

    with _output_guard():
        print(json.dumps({"version": __version__, **value}))


def show_json_rows(head: Mapping[str, object], rows: Iterable[Mapping[str, object]]) -> None:
    """Writes one JSON object on one line, row by row: a million rejects need not fit in memory.

    :param head: the first members of the object, at least one.
    :param rows: the elements of its last member, ``rows``.
    :raises OutputInterrupted: on Ctrl-C.
    """
    import json

    with _output_guard():
        print(json.dumps({"version": __version__, **head})[:-1] + ', "rows": [', end="")
        for place, row in enumerate(rows):
            print(", " if place else "", json.dumps(row), sep="", end="")
        print("]}")


def show_csv(make_writer: Callable[[TextIO], Any], header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes a header and rows as CSV, row by row. On a terminal, control characters are escapes.

    :param make_writer: returns a writer with the methods of :func:`csv.writer` for a stream.
    :raises OutputInterrupted: on Ctrl-C.
    """
    with _output_guard():
        writer = make_writer(sys.stdout)
        writer.writerow(header)
        writer.writerows(map(_clean_row, rows) if sys.stdout.isatty() else rows)


def show_workbook(sheets: Iterable[RejectSheet], limit: int | None, example: str) -> None:
    """Writes sheets as a workbook to standard output.

    :param limit: how many rows to write; None for all.
    :param example: a command that writes a file, for the message.
    :raises CallError: standard output is a terminal, or the package for workbooks is missing.
    :raises OutputInterrupted: on Ctrl-C.
    """
    if sys.stdout.isatty():
        raise CallError("a workbook is no text for a terminal", f"Write a file: {example}")
    import shutil
    import tempfile

    from pgsluice.report.files.workbook import write_workbook

    with tempfile.TemporaryFile() as made:
        write_workbook(made, sheets, limit)
        made.seek(0)
        with _output_guard():
            sys.stdout.flush()
            shutil.copyfileobj(made, sys.stdout.buffer)


def _clean_row(row: Sequence[object]) -> list[object]:
    from pgsluice.report import parts

    return [parts.clean(cell) if isinstance(cell, str) else cell for cell in row]


def ask(text: str, answers: Sequence[str], likely: str) -> str:
    """Asks a question in the terminal, and returns the chosen answer; '' if the user gives none.

    :param likely: the answer of the empty line; '' if the empty line is no answer.
    """
    from pgsluice.report import parts

    with _output_guard():
        print(parts.clean(text))
        for place, answer in enumerate(answers, start=1):
            print(f"  {place}: {parts.clean(answer)}{' (likely)' if answer == likely else ''}")
        print(f"Number{'' if likely else ', or nothing to leave it open'}: ", end="", flush=True)
    chosen = sys.stdin.readline().strip()
    if not chosen:
        return likely
    return answers[int(chosen) - 1] if chosen.isdecimal() and 1 <= int(chosen) <= len(answers) else ""


def complain(text: str, details: Sequence[str] = ()) -> None:
    """Writes a complaint as one line, ``pgsluice: text``, to standard error, with control characters as escapes.

    :param details: further lines, which are indented.
    """
    from pgsluice.report import parts

    with contextlib.suppress(OSError):  # nowhere is left to complain to, and the exit code still tells
        print(f"pgsluice: {parts.clean(' '.join(text.split()))}", file=sys.stderr, flush=True)
        for line in details:
            print(f"  {parts.clean(' '.join(line.split()))}", file=sys.stderr, flush=True)


def note(text: str) -> None:
    """Writes a line that is no complaint, ``pgsluice: text``, to standard error, above the bars of a terminal."""
    from pgsluice.report import parts

    with contextlib.suppress(OSError):
        print(f"pgsluice: {parts.clean(text)}", file=sys.stderr, flush=True)


def show_error(kind: str, message: str, remedy: str, details: Sequence[str], code: int) -> None:
    """Writes an error as a JSON object on one line, for a caller that reads JSON from standard output.

    :param kind: the class of the error.
    :param code: the exit code of the process.
    """
    error = {"type": kind, "message": message, "remedy": remedy, "details": list(details), "exit_code": code}
    with contextlib.suppress(OutputError, OutputInterrupted):  # the exit code and standard error tell it, too
        show_json({"error": error})


def show_traceback() -> None:
    """Writes the traceback of the exception that is handled to standard error."""
    import traceback

    with contextlib.suppress(OSError):
        traceback.print_exc()
