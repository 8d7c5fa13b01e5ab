"""Runs a page of the documentation: its commands as they stand there, in order, and compares what they print.

- A block ``sh`` is a script. A block ``console`` has commands, ``$ command``, each with its output below it.
- Every line of the output must stand on the page. A line ``...`` stands for any number of lines, and ``...`` or ``…``
  within a line for any text.
- :data:`MASKS` names what differs from run to run. Runs of blanks and dashes count as one: widths of columns differ.
- If a command ends with exit code 2 or more, its standard error is compared, which then has the message. Otherwise
  standard error is progress.
- Exit code 1 is expected where the page shows a veto or a failed check, 2 or more where it shows ``pgsluice: ...``.
- A block below ``<!-- file: NAME [ENCODING] [crlf] -->`` is a file. A block below ``<!-- not run: why -->`` is not run.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from command import environment

PROJECT = Path(__file__).parents[2]
SECONDS = 120
MASKS = (
    (r"\b\d+\.\d\d? s\b", "N s"),  # seconds
    (r"\bin [\d.,]+ (min|h)\b", "in N s"),
    (r"run-(\d+)-\d{8}T\d{6}", r"run-\1-TIME"),  # names of reports
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?(\+\d\d)?\b", "TIME"),
    (r"PostgreSQL 1\d\.\d+", "PostgreSQL N"),
    (r"\bprocess \d+", "process N"),
)
"""What differs from run to run: patterns with what takes their place on the page and in the output."""

_BLOCK = re.compile(
    r"(?:^<!-- (?P<kind>file|not run): (?P<said>.*?) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
_CONTINUED = re.compile(r"\\\n(?:> )?")


@dataclass(frozen=True)
class Step:
    """A command with the output that the page shows; None if it shows none."""

    line: int
    command: str
    expected: str | None


@dataclass(frozen=True)
class Written:
    """A file that the page shows."""

    path: str
    content: bytes


def steps(text: str) -> list[Step | Written]:
    """The commands and the files of a page."""
    found: list[Step | Written] = []
    for block in _BLOCK.finditer(text):
        body = re.sub(rf"^{block['indent']}", "", block["text"], flags=re.MULTILINE)
        line = text[: block.start("text")].count("\n") + 1
        if block["kind"] == "file":
            found.append(_written(block["said"].split(), body))
        elif block["kind"] is None and block["language"] == "sh":
            found.append(Step(line, body, None))
        elif block["kind"] is None and block["language"] == "console":
            parts = re.split(r"^\$ ", _CONTINUED.sub("", body), flags=re.MULTILINE)
            assert not parts[0], f"line {line}: output without a command"
            found += [Step(line, part.partition("\n")[0], part.partition("\n")[2]) for part in parts[1:]]
    return found


def _written(said: list[str], body: str) -> Written:
    name, *how = said
    ends = "\r\n" if "crlf" in how else "\n"
    encoding = next((word for word in how if word != "crlf"), "utf-8")
    return Written(name, body.replace("\n", ends).encode(encoding))


def plain(text: str) -> list[str]:
    """The lines of a text without what differs from run to run, and without blank lines."""
    for pattern, mask in MASKS:
        text = re.sub(pattern, mask, text)
    text = re.sub(r"-{2,}", "-", re.sub(r"[ \t]+", " ", text))
    return [line.strip() for line in text.splitlines() if line.strip()]


def fits(expected: str, printed: str) -> bool:
    """Whether the output is the one that the page shows."""
    pattern = []
    for line in plain(expected):
        if line == "...":
            pattern.append(r"(?:[^\n]*\n)*?")
        else:
            pattern.append(r"[^\n]*".join(re.escape(part) for part in re.split(r"\.\.\.|…", line)) + r"\n")
    return re.fullmatch("".join(pattern), "".join(f"{line}\n" for line in plain(printed))) is not None


def run_page(page: Path, folder: Path) -> int:
    """Runs a page in a folder that has ``examples``.

    :returns: how many commands had an output to compare.
    :raises AssertionError: if a command ends otherwise than the page says, or prints something else.
    """
    (folder / "examples").symlink_to(PROJECT / "examples")
    path = f"{Path(sys.executable).parent}:{environment()['PATH']}"
    compared = 0
    for step in steps(page.read_text(encoding="utf-8")):
        if isinstance(step, Written):
            (folder / step.path).parent.mkdir(parents=True, exist_ok=True)
            (folder / step.path).write_bytes(step.content)
            continue
        ended = subprocess.run(
            ["bash", "-eu", "-c", step.command],
            cwd=folder,
            env=environment(PATH=path),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        place = f"{page.name}:{step.line}: {step.command.strip()}\nexit code {ended.returncode}\n"
        assert _code_fits(ended.returncode, step.expected or ""), f"{place}{ended.stdout}{ended.stderr}"
        if step.expected is not None and step.expected.strip():
            printed = ended.stderr if ended.returncode > 1 else ended.stdout
            assert fits(step.expected, printed), f"{place}expected:\n{step.expected}\nprinted:\n{printed}"
            compared += 1
    return compared


def _code_fits(code: int, expected: str) -> bool:
    if re.search(r"^pgsluice: ", expected, re.MULTILINE):
        return code in (2, 3)
    return code == int(bool(re.search(r"\bvetoed after\b|\d+ failed\b", expected)))
