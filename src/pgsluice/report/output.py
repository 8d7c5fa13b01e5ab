"""Writes results to standard output and complaints to standard error. No other package prints.

A command shows its result after its work is done. A reader that leaves early (``| head``) changes neither the work nor
the exit code. Ctrl-C during the output raises :class:`OutputInterrupted`, because "nothing was published" could be
false then.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from pgsluice.report import parts

if TYPE_CHECKING:
    from pgsluice.model import RunResult


class OutputInterrupted(Exception):
    """Ctrl-C came while a command was showing its result."""


@contextlib.contextmanager
def _output_guard() -> Iterator[None]:
    """Guards statements that write to standard output, and flushes at their end.

    :raises OutputInterrupted: on Ctrl-C.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes standard output again when it ends. A closed pipe would make that flush fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt as error:
        raise OutputInterrupted from error


def show(report: Iterable[parts.Part]) -> None:
    """Writes a report to standard output.

    :param report: its lines and grids.
    :raises OutputInterrupted: on Ctrl-C.
    """
    with _output_guard():
        parts.write(report)


def show_line(text: str) -> None:
    """Writes one line of text, without an escape of control characters, to standard output.

    :raises OutputInterrupted: on Ctrl-C.
    """
    with _output_guard():
        print(text)


def show_run(result: RunResult, address: str) -> None:
    """Writes the summary of a run. On a terminal the summary fits the height of the terminal.

    :param address: the options that name the database, for the commands that the summary proposes.
    :raises OutputInterrupted: on Ctrl-C.
    """
    from pgsluice.report.console import run_parts

    height = shutil.get_terminal_size().lines if parts.is_terminal(sys.stdout) else None
    show(run_parts(result, height, address))


def show_json(value: object) -> None:
    """Writes a JSON value on one line. The text is ASCII, because an encoding may lack a character of a file name.

    :raises OutputInterrupted: on Ctrl-C.
    """
    import json

    with _output_guard():
        print(json.dumps(value))


def show_json_rows(head: Mapping[str, object], rows: Iterable[Mapping[str, object]]) -> None:
    """Writes one JSON object on one line, row by row: a million rejects need not fit in memory.

    :param head: the first members of the object, at least one.
    :param rows: the elements of its last member, ``rows``.
    :raises OutputInterrupted: on Ctrl-C.
    """
    import json

    with _output_guard():
        print(json.dumps(head)[:-1] + ', "rows": [', end="")
        for place, row in enumerate(rows):
            print(", " if place else "", json.dumps(row), sep="", end="")
        print("]}")


def show_csv(make_writer: Callable[[TextIO], Any], header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes a header and rows as CSV, row by row.

    :param make_writer: returns a writer with the methods of :func:`csv.writer` for a stream.
    :raises OutputInterrupted: on Ctrl-C.
    """
    with _output_guard():
        writer = make_writer(sys.stdout)
        writer.writerow(header)
        writer.writerows(rows)


def complain(text: str, details: Sequence[str] = ()) -> None:
    """Writes a complaint as one line, ``pgsluice: text``, to standard error, with control characters as escapes.

    :param details: further lines, which are indented.
    """
    print(f"pgsluice: {parts.clean(' '.join(text.split()))}", file=sys.stderr)
    for line in details:
        print(f"  {parts.clean(' '.join(line.split()))}", file=sys.stderr)


def show_traceback() -> None:
    """Writes the traceback of the exception that is handled to standard error."""
    traceback.print_exc()
