"""The links of the Markdown files lead somewhere, and the start page names each page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def check(project: Path) -> tuple[int, list[str]]:
    command = [sys.executable, PROJECT / "tools" / "links.py", project]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert not ended.stderr
    return ended.returncode, ended.stdout.splitlines()


def test_links_of_the_project() -> None:
    assert check(PROJECT) == (0, ["All links lead somewhere."])


def test_links_that_lead_nowhere_are_named(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (tmp_path / "README.md").write_text("# A\n\n[start](docs/README.md#two-words)\n")
    (docs / "README.md").write_text(
        "# Start\n\n## Two *words*\n\n## `x`, what's y?\n\n## Two words\n\n<a id='no'></a><a id=\"own\"></a>\n\n"
        "- [a](a.md), [web](https://example.org/nothing), [up](../README.md#a)\n"
        "- [1](#two-words) [2](#two-words-1) [3](#x-whats-y) [4](#own)\n"
    )
    (docs / "a.md").write_text("text `[code](nowhere.md)`\n\n    [code](nowhere.md)\n\n[to b](b%20c.md)\n")
    (docs / "b c.md").write_text("[page](<b c.md>)\n")
    assert check(tmp_path) == (1, ["docs/b c.md:1: docs/README.md does not name this page"])
    (docs / "b c.md").unlink()
    (docs / "a.md").write_text(
        "one\n\n![picture](b.svg)\ntwo\n\n| a |\n| - |\n| [x](README.md#two) |\n\n<img src='x'>\n"
    )
    (tmp_path / "README.md").write_text('# A\n\n[gone](docs/c.md)\n\n<img src="c.png">\n')
    assert check(tmp_path) == (
        1,
        [
            "README.md:3: docs/c.md: no such file",
            "README.md:5: c.png: no such file",
            "docs/a.md:3: b.svg: no such file",
            "docs/a.md:8: README.md#two: no such heading in README.md; there is #two-words, #two-words-1",
        ],
    )
