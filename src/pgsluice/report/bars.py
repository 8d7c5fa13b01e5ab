"""The live lines of a terminal: one line for each step that goes on. Imports rich.

Each line fits the width of the terminal. Where it is narrow the bar becomes shorter, then the name is cut in its
middle, so that the numbers stay whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TextIO

from rich.console import Console, RenderableType
from rich.progress import Progress, Task, TaskID
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from pgsluice.report.parts import columns_of, cut_middle, size_of
from pgsluice.text import pluralize

LONGEST_BAR = 24
SHORTEST_BAR = 6
SHORTEST_NAME = 12


class Bars(Progress):
    """The live lines of one terminal."""

    def __init__(self, stream: TextIO) -> None:
        """:param stream: the terminal."""
        super().__init__(console=Console(file=stream, highlight=False), transient=True)
        self._spinner = Spinner("dots", style="progress.spinner")

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

    def remove(self, task: TaskID) -> None:
        """Removes a line."""
        self.remove_task(task)

    def print_above(self, text: str) -> None:
        """Writes a line above the live lines; a long line is wrapped between words."""
        self.console.print(Text(text))

    def get_renderables(self) -> Iterable[RenderableType]:
        """The live lines, for rich."""
        for task in self.tasks:
            yield self._line(task, self.console.width)

    def _line(self, task: Task, width: int) -> Table:
        elapsed = str(timedelta(seconds=int(task.elapsed or 0)))
        # The last column stays free: some terminals wrap when it is written.
        room = width - 1 - len("S ") - len(f" {elapsed}")
        numbers = next((n for n in _numbers(task) if room - len(f" {n}") >= SHORTEST_NAME), "")
        name = task.description
        cells: list[tuple[int, RenderableType]] = []
        if numbers:
            room -= len(f" {numbers}")
            bar = min(LONGEST_BAR, room - 1 - min(columns_of(name), 2 * SHORTEST_NAME))
            if bar >= SHORTEST_BAR:
                room -= bar + 1
                cells.append((bar, ProgressBar(total=task.total, completed=task.completed, width=bar)))
            cells.append((len(numbers), Text(numbers, style="progress.download")))
        cells.append((len(elapsed), Text(elapsed, style="progress.elapsed")))
        name = cut_middle(name, max(room, 1))
        cells.insert(0, (columns_of(name), Text(name)))
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(width=1)
        for columns, _ in cells:
            grid.add_column(width=columns, no_wrap=True)
        grid.add_row(self._spinner.render(task.get_time()), *(cell for _, cell in cells))
        return grid


def _numbers(task: Task) -> tuple[str, ...]:
    """Bytes and rows of a step that reads, the longest text first."""
    if not task.fields["reading"]:
        return ()
    read = size_of(int(task.completed), int(task.total or 0))
    return f"{read}  {pluralize(task.fields['rows'], 'row')}", read
