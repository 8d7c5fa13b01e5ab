"""Shows the progress of a run on standard error: a bar and lines on a terminal, plain lines elsewhere.

A table leaves one line when it is done, with the time of its reading, and of what came after it if that took a moment.
With ``verbose`` each step that took a moment leaves a line. On a terminal the step that goes on stands below these
lines, and a line about the whole run.
A progress event says what begins or how far a step is, not that a step is over. The run sends its events in order from
one thread, so :class:`Follower` takes a step as over when the event of another step comes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from pgsluice.model import Progress
from pgsluice.report.parts import clean, is_terminal, seconds, size
from pgsluice.text import pluralize

if TYPE_CHECKING:
    from rich.progress import TaskID

    from pgsluice.report.bars import Bars, Overall

Key = tuple[str, str, str]
"""Phase, table and step."""

BEGINNING = "begin"
PLANNING = "plan"
WAITING = "wait"
READING = "stage"

BRIEF = 0.2
"""What took fewer seconds is not told, but for the reading of a table."""

WITHOUT_END = frozenset({BEGINNING, PLANNING, WAITING})
"""Phases that leave no line when they are over."""

PHASE_NAMES = {
    "plan": "planning",
    "infer": "comparing",
    "judge": "checking",
    "build": "building",
    "publish": "publishing",
    "then": "running",
}

WORK = {"judge": "checks", "build": "keys and indexes", "publish": "insert"}
"""What the phases are called that come after the reading of a table."""


@dataclass(slots=True)
class _Done:
    """What is over of a table, and is not yet told."""

    read: str = ""
    """The line about its reading; '' if that was told."""
    spent: dict[str, float] = field(default_factory=dict)
    """Seconds of the phases that came after it."""

    def words(self, table: str) -> str:
        """The line, '' if there is nothing to tell."""
        parts = [f"{WORK[phase]} {seconds(spent)}" for phase, spent in self.spent.items() if spent >= BRIEF]
        told = "; ".join(text for text in (self.read, ", ".join(parts)) if text)
        return f"{clean(table)}: {told}" if told else ""


class Follower:
    """A listener and context manager that shows progress events."""

    def __init__(
        self,
        *,
        quiet: bool = False,
        verbose: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        :param quiet: show nothing.
        :param verbose: a line for each step, and not only for each table.
        :param stream: where the lines are written; None means standard error.
        :param clock: returns seconds.
        """
        self._quiet = quiet
        self._verbose = verbose
        self._stream = stream or sys.stderr
        self._clock = clock
        self._open: dict[Key, tuple[Progress, float]] = {}
        """The steps that go on: the latest event, and when the step began."""
        self._read: set[Key] = set()
        """Tables whose line is written. Later events of their reading say nothing new."""
        self._bars: Bars | None = None
        self._tasks: dict[Key, TaskID] = {}
        self._overall: Overall | None = None
        self._done: dict[str, int] = {}
        """Bytes read of each table."""
        self._due: dict[str, _Done] = {}
        """The tables of which something is over that is not told."""

    def __enter__(self) -> Self:
        if not self._quiet and is_terminal(self._stream):
            # Rich is imported only for a terminal.
            from pgsluice.report.bars import Bars

            self._bars = Bars(self._stream)
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            for key in list(self._open):
                self._end(key)
            self._tell_tables()
        # After an error the open steps are not over, and leave no line.
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, event: Progress) -> None:
        """Shows an event."""
        if self._quiet:
            return
        key = (event.phase, event.table, "" if event.phase == READING else event.step)
        for other, (latest, _) in list(self._open.items()):
            if other != key and _is_over(latest, event):
                self._end(other)
        if event.phase not in WITHOUT_END:
            self._tell_tables(but=event.table)
        if event.phase == PLANNING:
            self._forget_attempt(key)
        if key in self._read:
            return
        if key not in self._open:
            self._begin(key, event)
        elif event.phase == READING and event.step:
            # The table is read again from its first row: the total stays as it was.
            self._say(_name(event))
            event = replace(event, total=self._open[key][0].total)
        began = self._open[key][1]
        self._open[key] = (event, began)
        if self._bars is not None:
            self._bars.show(self._tasks[key], event.done, event.total, event.rows)
            self._show_overall(self._bars, event)

    def _show_overall(self, bars: Bars, event: Progress) -> None:
        """Changes the line about the whole run, which a run with several tables has."""
        from pgsluice.report.bars import Overall

        if event.phase == BEGINNING and event.tables > 1:
            self._overall = Overall(event.tables, event.total, self._clock(), self._clock)
        elif self._overall is not None and event.phase == READING:
            self._done[event.table] = event.done
            self._overall.place, self._overall.done = len(self._done), sum(self._done.values())
            bars.show_overall(self._overall)

    def _forget_attempt(self, key: Key) -> None:
        """Drops the steps that a failed attempt left open, without a line. The next attempt reads every table again.

        :param key: the planning that begins the next attempt.
        """
        self._read.clear()
        self._done.clear()
        self._due.clear()
        for other in [k for k in self._open if k != key]:
            del self._open[other]
            self._remove_bar(other)

    def _begin(self, key: Key, event: Progress) -> None:
        self._open[key] = (event, self._clock())
        if event.phase in WITHOUT_END and event.step:
            # Written at once: the wait may be long, and the user may be able to end it.
            self._say(_name(event))
        if self._bars is not None:
            name = _name(replace(event, step="")) if event.phase == READING else _name(event)
            self._tasks[key] = self._bars.add(name, reading=event.phase == READING)

    def _end(self, key: Key) -> None:
        event, began = self._open.pop(key)
        self._remove_bar(key)
        if event.phase == READING:
            self._read.add(key)
            read = f"{pluralize(event.rows, 'row')}, {size(event.done)}"
            self._due.setdefault(event.table, _Done()).read = f"{read} read in {seconds(self._clock() - began)}"
            if self._verbose:
                self._tell_tables()
            return
        spent = self._clock() - began
        if event.table and event.phase in WORK and not self._verbose:
            times = self._due.setdefault(event.table, _Done()).spent
            times[event.phase] = times.get(event.phase, 0.0) + spent
        elif event.phase not in WITHOUT_END and spent >= BRIEF:
            self._say(f"{_name(event)}, {seconds(spent)}")

    def _tell_tables(self, but: str = "") -> None:
        """Writes the lines of the tables of which nothing goes on.

        :param but: a table that is not told of.
        """
        busy = {event.table for event, _ in self._open.values()} | {but}
        for table in [t for t in self._due if t not in busy]:
            if words := self._due.pop(table).words(table):
                self._say(words)

    def _remove_bar(self, key: Key) -> None:
        """Removes a bar, so that only what goes on takes lines of the screen."""
        if self._bars is not None:
            self._bars.remove(self._tasks.pop(key))

    def _say(self, text: str) -> None:
        if self._bars is not None:
            self._bars.print_above(text)
            return
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except OSError:
            # The reader of the pipe has left (``2>&1 | head``). The load goes on without progress.
            self._quiet = True


def _is_over(latest: Progress, event: Progress) -> bool:
    """Whether a step is over when the event of another step comes.

    :param latest: the latest event of the step.
    """
    if latest.phase in WITHOUT_END:
        return True
    if latest.phase == READING and latest.done >= latest.total:
        return True
    if event.phase in WITHOUT_END:
        # What is said of an attempt that failed, or that waits within a step: neither ends the step.
        return False
    return latest.phase != READING or (event.phase != READING and event.table in ("", latest.table))


def step_of(event: Progress) -> str:
    """The step that an event tells of, in words."""
    return _name(event) if event.phase != READING else f"reading {clean(event.table)}"


def _name(event: Progress) -> str:
    """The step in words."""
    phase = "" if event.phase == PLANNING and event.step else PHASE_NAMES.get(event.phase, "")
    subject = " ".join(word for word in (phase, clean(event.table)) if word)
    return ": ".join(word for word in (subject, clean(event.step)) if word)
