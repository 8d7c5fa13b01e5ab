"""Follow a load: bars on a terminal, plain lines on a pipe, both on standard error.

Either way everything that ends leaves one line; on a terminal what is going on stands below these lines.
Progress tells what begins and how far it is, not that it ended, so :class:`Follower` takes a step as ended
when something else begins. Reading of tables may overlap with other tables and with building: there a
table has ended when all its bytes are done.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from pgsluice.model import Progress
from pgsluice.report.parts import clean, is_terminal, seconds, size
from pgsluice.text import pluralize

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

Key = tuple[str, str, str]

READING = "stage"
PASSING = frozenset({"plan", "wait"})
"""Phases that are over as soon as anything else begins."""

SPOKEN = {
    "plan": "planning",
    "judge": "checking",
    "build": "building",
    "publish": "publishing",
}


class Follower:
    """A listener and context manager that shows :class:`Progress`.

    :param quiet: show nothing (``--json``, ``--quiet``).
    :param stream: where to, standard error if None.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._quiet = quiet
        self._stream = stream or sys.stderr
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[Key, tuple[Progress, float]] = {}
        self._read: set[Key] = set()
        """Tables whose line is written: what is heard of their reading later is no news."""
        self._bars: Bars | None = None
        self._tasks: dict[Key, TaskID] = {}

    def __enter__(self) -> Self:
        if not self._quiet and is_terminal(self._stream):
            self._bars = _bars(self._stream)
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            # What an error cut short did not end: no line may claim it.
            for key in list(self._open) if kind is None else ():
                self._end(key)
            if self._bars is not None:
                self._bars.stop()

    def __call__(self, event: Progress) -> None:
        if self._quiet:
            return
        with self._lock:
            key = (event.phase, event.table, "" if event.phase == READING else event.step)
            for other, (latest, _) in list(self._open.items()):
                if other != key and _over(latest, event):
                    self._end(other)
            if key in self._read:
                return
            if key not in self._open:
                self._begin(key, event)
            began = self._open[key][1]
            self._open[key] = (event, began)
            if self._bars is not None:
                self._bars.update(
                    self._tasks[key],
                    completed=event.done,
                    total=event.total or None,
                    detail=pluralize(event.rows, "row") if event.phase == READING else "",
                )

    def _begin(self, key: Key, event: Progress) -> None:
        self._open[key] = (event, self._clock())
        if event.phase == "wait":
            # Said at once, for it may take long and the reader can do something about it.
            self._say(_name(event))
        if self._bars is not None:
            self._tasks[key] = self._bars.add_task(_name(event), total=event.total or None, detail="")

    def _end(self, key: Key) -> None:
        event, began = self._open.pop(key)
        if self._bars is not None:
            # Only what goes on stays in the live area, so that it never outgrows the screen.
            self._bars.remove_task(self._tasks.pop(key))
        if event.phase == READING:
            self._read.add(key)
            read = f"{pluralize(event.rows, 'row')}, {size(event.done)}"
            self._say(f"{_name(event)}: {read} read in {seconds(self._clock() - began)}")
        elif event.phase not in PASSING:
            self._say(f"{_name(event)}, {seconds(self._clock() - began)}")

    def _say(self, text: str) -> None:
        if self._bars is not None:
            self._bars.console.print(text, markup=False, highlight=False)
            return
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except OSError:
            # Whoever read along has left (``2>&1 | head``): no reason to break off the load.
            self._quiet = True


def _over(latest: Progress, event: Progress) -> bool:
    """Whether what ``latest`` told of is over now that ``event`` came."""
    if latest.phase in PASSING:
        return True
    if latest.phase == READING:
        complete = latest.done >= latest.total
        return complete or (event.phase != READING and event.table in ("", latest.table))
    return event.phase != READING


def _name(event: Progress) -> str:
    table, step = clean(event.table), clean(event.step)
    if event.phase == READING:
        return table
    subject = " ".join(word for word in (SPOKEN.get(event.phase, ""), table) if word)
    return ": ".join(word for word in (subject, step) if word)


def _bars(stream: TextIO) -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars
    from rich.progress import Task as BarTask
    from rich.text import Text

    class Bytes(DownloadColumn):
        """Bytes of a table's files; nothing for steps, which have none."""

        def render(self, task: BarTask) -> Text:
            return super().render(task) if task.fields["detail"] else Text()

    return Bars(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        Bytes(),
        TextColumn("{task.fields[detail]}", markup=False),
        TimeElapsedColumn(),
        console=Console(file=stream, highlight=False),
        transient=True,
    )
