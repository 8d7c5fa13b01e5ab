"""The live lines of a terminal: one line for each step that goes on. Imports rich.

Each line fits the width of the terminal. Where it is narrow the bar becomes shorter, then the name is cut in its
middle, so that the numbers stay whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TextIO

from rich.console import Console, RenderableType
from rich.progress import Progress, Task, TaskID
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from pgsluice.report.parts import columns_of, cut_middle, size, size_of
from pgsluice.text import pluralize

SHARE_OF_BAR = 3
"""A bar takes at most one column of so many."""
SHORTEST_BAR = 6
SHORTEST_NAME = 12


class Bars(Progress):
    """The live lines of one terminal."""

    def __init__(self, stream: TextIO) -> None:
        """:param stream: the terminal."""
        self._overall: Overall | None = None
        super().__init__(console=Console(file=stream, highlight=False), transient=True)
        self._spinner = Spinner("dots")

    def add(self, name: str, *, reading: bool) -> TaskID:
        """Adds a line.

        :param name: the step in words.
        :param reading: the step reads files, and has bytes and rows.
        """
        return self.add_task(name, total=None, reading=reading, rows=0)

    def show(self, task: TaskID, done: int, total: int, rows: int) -> None:
        """Changes a line.

        :param done, total: bytes; total is 0 if it is not known.
        """
        self.update(task, completed=done, total=total or None, rows=rows)

    def show_overall(self, overall: Overall) -> None:
        """Changes the last line, which says how far the whole run is."""
        self._overall = overall

    def remove(self, task: TaskID) -> None:
        """Removes a line."""
        self.remove_task(task)

    def print_above(self, text: str) -> None:
        """Writes a line above the live lines; a long line is wrapped between words."""
        # Without the lock the thread that refreshes the live lines could write between the moment in which rich counts
        # them and the moment in which it erases as many: a line would be lost, or a live line stay.
        with self.live._lock:
            self.console.print(Text(text))

    def get_renderables(self) -> Iterable[RenderableType]:
        """The live lines, for rich."""
        for task in self.tasks:
            yield self._line(task, self.console.width)
        if self._overall is not None:
            yield Text(self._overall.words(self.console.width - 1), no_wrap=True, overflow="crop")

    def _line(self, task: Task, width: int) -> Table:
        elapsed = _clock_time(task.elapsed or 0)
        # The last column stays free: some terminals wrap when it is written.
        room = width - 1 - len("S ") - len(f" {elapsed}")
        numbers = next((n for n in _numbers(task) if room - len(f" {n}") >= SHORTEST_NAME), "")
        name = task.description
        cells: list[tuple[int, RenderableType]] = []
        if numbers:
            room -= len(f" {numbers}")
            bar = min(width // SHARE_OF_BAR, room - 1 - min(columns_of(name), 2 * SHORTEST_NAME))
            if bar >= SHORTEST_BAR:
                room -= bar + 1
                cells.append((bar, _bar(task, bar)))
            cells.append((len(numbers), Text(numbers)))
        cells.append((len(elapsed), Text(elapsed)))
        name = cut_middle(name, max(room, 1))
        cells.insert(0, (columns_of(name), Text(name)))
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(width=1)
        for columns, _ in cells:
            grid.add_column(width=columns, no_wrap=True)
        grid.add_row(self._spinner.render(task.get_time()), *(cell for _, cell in cells))
        return grid


def _bar(task: Task, width: int) -> ProgressBar:
    # One colour, which is readable on a dark and on a light background.
    return ProgressBar(
        total=task.total, completed=task.completed, width=width, complete_style="green", finished_style="green"
    )


def _numbers(task: Task) -> tuple[str, ...]:
    """Share, bytes, rows and speed of a step that reads, the longest text first."""
    done, total = int(task.completed), int(task.total or 0)
    if not task.fields["reading"]:
        return (f"{100 * done // total:>3}%",) if total else ()
    read = size_of(done, total)
    share = f"{100 * done // total:>3}%  " if total else ""
    whole = f"{share}{read}  {pluralize(task.fields['rows'], 'row')}"
    elapsed = task.elapsed or 0.0
    speed = f"  {size(int(done / elapsed))}/s" if elapsed >= 1 else ""
    return f"{whole}{speed}", whole, f"{share}{read}", read


@dataclass(slots=True)
class Overall:
    """How far a run is that loads several tables."""

    tables: int
    total: int
    """Bytes of all files."""
    began: float
    """When the run began, by the clock of the caller."""
    clock: Callable[[], float]
    place: int = 0
    """The number of the table, from 1."""
    done: int = 0
    """Bytes that were read."""

    def words(self, width: int) -> str:
        """The line in words: the table, the share of all bytes, the time, and the time that is left by that share."""
        elapsed = self.clock() - self.began
        share = 100 * self.done // self.total if self.total else 0
        words = f"  table {self.place} of {self.tables}, {share}% of {size(self.total)}, {_clock_time(elapsed)}"
        if 0 < self.done < self.total and elapsed >= 2:
            left = f", about {_clock_time(elapsed * (self.total - self.done) / self.done)} left"
            words += left if len(words) + len(left) <= width else ""
        return cut_middle(words, width)


def _clock_time(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds)))
