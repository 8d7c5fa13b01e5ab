"""Draws the pictures of the terminal in docs/pictures: real commands in a terminal of 80 and of 160 columns.

    make pictures                                  # all of them
    make pictures PICTURES="load vetoed"           # some of them

Each command runs in a pseudo terminal. A terminal emulator (pyte) turns what it writes into a screen, and Rich draws
the screen as SVG, in dark and in light colours. The picture of the progress is the screen in the middle of a load,
which is then interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import itertools
import os
import pty
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyte
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import DIMMED_MONOKAI, TerminalTheme
from rich.text import Text

from pgsluice.postgres.embedded import server as embedded

PROJECT = Path(__file__).resolve().parents[1]
PICTURES = PROJECT / "docs" / "pictures"
EXAMPLE = PROJECT / "examples" / "ecommerce"
WIDTHS = (80, 160)
NAMES = ("plan", "load", "vetoed", "rejects", "runs")
LINES = 100
SECONDS = 300
"""After these seconds a command is ended, and no picture is made."""

LIGHT = TerminalTheme(
    (255, 255, 255),
    (36, 41, 47),
    [
        (36, 41, 47),
        (180, 35, 24),
        (17, 99, 41),
        (127, 78, 0),
        (9, 79, 180),
        (120, 50, 150),
        (0, 100, 110),
        (110, 119, 129),
    ],
    [
        (87, 96, 106),
        (164, 14, 38),
        (26, 127, 55),
        (99, 60, 1),
        (33, 139, 255),
        (130, 80, 223),
        (49, 146, 170),
        (60, 66, 72),
    ],
)
THEMES = {"dark": DIMMED_MONOKAI, "light": LIGHT}
SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>TITLE</title>
<style>
.{unique_id}-m {{ font: {char_height}px/{line_height}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; \
white-space: pre; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />\
</clipPath>{lines}</defs>
<rect fill="BACKGROUND" x="0" y="0" width="{width}" height="{height}" rx="8" stroke="#8884"/>
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}<g class="{unique_id}-m">{matrix}</g></g>
</svg>
"""
Until = Callable[[list[str]], bool]


class Terminal:
    """A pseudo terminal with a screen, in which commands run one after the other.

    :param folder: the folder of the commands.
    :param columns: the width.
    """

    def __init__(self, folder: Path, columns: int) -> None:
        self._folder = folder
        self._columns = columns

    def run(self, command: str, until: Until | None = None) -> pyte.Screen:
        """Runs a command and returns the screen with the command above its output.

        :param until: looks at the lines of the screen; once it is true the screen is returned, and the command is
            interrupted.
        :raises TimeoutError: the command does not end, or ``until`` is never true.
        """
        screen = pyte.Screen(self._columns, LINES)
        stream = pyte.ByteStream(screen)
        stream.feed(f"$ {command}\r\n".encode())
        process, terminal = self._start(command)
        try:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                ready, _, _ = select.select([terminal], [], [], 0.05)
                try:
                    data = os.read(terminal, 65536) if ready else b""
                except OSError:  # the command has ended
                    data = None
                if data:
                    stream.feed(data)
                if until is not None and until(screen.display):
                    return screen
                if ready and not data:
                    if until is not None:
                        raise TimeoutError(f"{command} ended before the moment of the picture:\n" + _shown(screen))
                    return screen
            raise TimeoutError(command)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGINT)
            # A process that waits for room in the terminal would not end.
            with contextlib.suppress(OSError):
                while os.read(terminal, 65536):
                    pass
            os.waitpid(process, 0)
            os.close(terminal)

    def _start(self, command: str) -> tuple[int, int]:
        process, terminal = pty.fork()
        if process == 0:
            os.chdir(self._folder)
            size = struct.pack("HHHH", LINES, self._columns, 0, 0)
            fcntl.ioctl(1, termios.TIOCSWINSZ, size)
            kept = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR") and not k.startswith("PG")}
            kept.pop("DATABASE_URL", None)
            path = f"{Path(sys.executable).parent}:{kept['PATH']}"
            environment = kept | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PATH": path, "LANG": "C.UTF-8"}
            os.execvpe("bash", ["bash", "-c", f"exec {command}"], environment)
        return process, terminal


def _shown(screen: pyte.Screen) -> str:
    return "\n".join(line.rstrip() for line in screen.display).rstrip()


def draw(screen: pyte.Screen, name: str, title: str) -> None:
    """Writes the pictures of a screen: NAME-COLUMNS-dark.svg and NAME-COLUMNS-light.svg."""
    used = len(_shown(screen).splitlines())
    for theme_name, theme in THEMES.items():
        with open(os.devnull, "w") as nowhere:
            console = Console(
                width=screen.columns, record=True, file=nowhere, color_system="truecolor", force_terminal=True
            )
            for y in range(used):
                console.print(_line(screen, y), soft_wrap=True, end="\n")
            frame = SVG.replace("TITLE", title).replace("BACKGROUND", theme.background_color.hex)
            svg = console.export_svg(title=title, theme=theme, code_format=frame, unique_id="t")
        PICTURES.mkdir(exist_ok=True)
        (PICTURES / f"{name}-{screen.columns}-{theme_name}.svg").write_text(svg, encoding="utf-8")


def _line(screen: pyte.Screen, y: int) -> Text:
    text = Text()
    row = screen.buffer[y]
    width = max((x + 1 for x in range(screen.columns) if row[x].data.strip()), default=0)
    for style, cells in itertools.groupby((row[x] for x in range(width)), _style):
        text.append("".join(cell.data for cell in cells), style)
    return text


def _style(cell: pyte.screens.Char) -> Style:
    return Style(color=_color(cell.fg), bgcolor=_color(cell.bg), bold=cell.bold, reverse=cell.reverse)


def _color(name: str) -> Color | None:
    if name == "default":
        return None
    if re.fullmatch("[0-9a-f]{6}", name):
        return Color.parse(f"#{name}")
    return Color.parse({"brown": "yellow"}.get(name, name.replace("bright", "bright_").replace("brown", "yellow")))


def _halfway(lines: Sequence[str]) -> bool:
    """Whether the screen shows a load in the middle of its orders, with a percentage if there is one."""
    shown = "\n".join(lines)
    found = re.search(r"\borders\b.*?([\d.]+)/([\d.]+) MB", shown)
    return found is not None and 0.35 < float(found[1]) / float(found[2]) < 0.9


def _spoil(folder: Path) -> None:
    """The bad records of the first tutorial."""
    customers, orders, products = (folder / f"{name}.csv" for name in ("customers", "orders", "products"))
    customers.write_text(
        customers.read_text().replace(
            "\n1,José,Dubois,customer1@example.com,56,", "\n1,José,Dubois,customer1@example.com,12,"
        )
    )
    orders.write_text(
        orders.read_text().replace("\n1,1380,133,3,", "\n1,1380,133,three,").replace("\n2,3861,", "\n2,99999,")
    )
    products.write_text(products.read_text() + products.read_text().splitlines()[-1] + "\n")


def make(folder: Path, columns: int, names: Sequence[str]) -> None:
    """Makes the pictures of one width in a folder that has ``shop``, ``big`` and ``schema.sql``."""

    def picture(name: str, title: str, command: str, until: Until | None = None) -> None:
        screen = terminal.run(command, until)
        if name in names:
            draw(screen, name, title)

    terminal = Terminal(folder, columns)
    load = "pgsluice load {} --schema schema.sql --data-dir pg"
    embedded.start(folder / "pg")
    try:
        picture("plan", "pgsluice plan", "pgsluice plan shop --schema schema.sql --data-dir pg")
        picture("load", "pgsluice load, halfway", load.format("big"), _halfway)
        picture("vetoed", "pgsluice load, vetoed", load.format("shop"))
        picture("rejects", "pgsluice rejects", "pgsluice rejects --data-dir pg")
        subprocess.run(
            [sys.executable, "-m", "pgsluice", *shlex.split(load.format("shop"))[1:], "--max-rejects", "10", "--quiet"],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        picture("runs", "pgsluice runs", "pgsluice runs --data-dir pg")
    finally:
        embedded.stop(folder / "pg")
        shutil.rmtree(folder / "pg")


def main() -> None:
    parser = argparse.ArgumentParser(description="Draws the pictures of the terminal in docs/pictures.")
    parser.add_argument("name", nargs="*", help=f"pictures to draw, by default all: {', '.join(NAMES)}")
    names = parser.parse_args().name or NAMES
    with tempfile.TemporaryDirectory(prefix="pictures-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for target, sizes in (("shop", ()), ("big", ("--customers=100000", "--orders=1000000"))):
            command = [sys.executable, str(EXAMPLE / "generate.py"), str(folder / target), *sizes]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        _spoil(folder / "shop")
        shutil.copy(EXAMPLE / "sql" / "create_schema.sql", folder / "schema.sql")
        for columns in WIDTHS:
            make(folder, columns, names)
    for path in sorted(PICTURES.glob("*.svg")):
        print(f"{path.relative_to(PROJECT)}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
