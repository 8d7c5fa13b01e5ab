"""The tutorials are true: their commands are run as they stand there, and say what stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from command import environment
from pgsluice.postgres.embedded import server as embedded

PROJECT = Path(__file__).parents[2]
PAGES = PROJECT / "docs" / "tutorial"
_BLOCK = re.compile(r"^```(sh|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _steps(page: str) -> list[tuple[str, list[str]]]:
    """Commands of the page, each with the lines that it prints, those with something left out aside."""
    steps: list[tuple[str, list[str]]] = []
    for kind, text in _BLOCK.findall((PAGES / page).read_text(encoding="utf-8")):
        for line in text.splitlines():
            if kind == "sh":
                steps.append((line, []))
            elif line.startswith("$ "):
                steps.append((line[2:], []))
            elif "..." not in line:
                steps[-1][1].append(line)
    return steps


def _plain(text: str) -> str:
    """Without what differs from run to run: seconds, and the width of columns."""
    text = re.sub(r"\b\d+\.\d\d s\b", "N s", text)
    return re.sub(r"-{2,}", "-", re.sub(r"[ \t]+", " ", text))


@pytest.mark.parametrize(("page", "least"), [("first-load.md", 20), ("dashboard.md", 25)])
def test_the_commands_say_what_the_page_says(page: str, least: int, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(PROJECT / "examples")
    path = f"{Path(sys.executable).parent}:{environment()['PATH']}"
    said = 0
    try:
        for command, expected in _steps(page):
            if command.startswith(". .venv"):
                continue
            ended = subprocess.run(
                command,
                shell=True,
                cwd=tmp_path,
                env=environment(PATH=path),
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            vetoed = any("vetoed" in line for line in expected) and "load" in command
            assert ended.returncode == int(vetoed), (command, ended.stderr)
            out = [_plain(line).strip() for line in ended.stdout.splitlines()]
            for line in expected:
                assert _plain(line).strip() in out, (command, line, ended.stdout)
                said += 1
    finally:
        embedded.stop(tmp_path / "pg")
    assert said > least
