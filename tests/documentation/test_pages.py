"""The pages are true: their commands are run as they stand there, and print what stands there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from pages import PROJECT, fits, run_page, steps

from pgsluice.postgres.embedded import server as embedded

OLIST = Path(os.environ.get("PGSLUICE_OLIST", PROJECT.parent / "shared" / "data" / "olist"))
"""The files of the tutorial that brings no files of its own."""
needs_olist = pytest.mark.skipif(not OLIST.exists(), reason=f"the Olist files are not in {OLIST} (PGSLUICE_OLIST)")

PAGES = [
    pytest.param("README.md", 4, id="readme"),
    pytest.param("docs/tutorial/first-load.md", 6, id="first-load", marks=pytest.mark.slow),
    pytest.param("docs/tutorial/dashboard.md", 6, id="dashboard", marks=pytest.mark.slow),
    pytest.param("docs/how-to/excel.md", 6, id="excel", marks=pytest.mark.slow),
    pytest.param("docs/tutorial/olist.md", 8, id="olist", marks=[pytest.mark.slow, needs_olist]),
]
"""Pages whose commands are run, and how many of them have an output to compare, at least."""


def run(page: Path, folder: Path) -> int:
    try:
        return run_page(page, folder)
    finally:
        for server in (folder / "pg", folder / ".pgsluice"):
            embedded.stop(server)


@pytest.mark.parametrize(("page", "least"), PAGES)
def test_the_commands_print_what_the_page_says(page: str, least: int, tmp_path: Path) -> None:
    if "olist" in page:
        shutil.copytree(OLIST, tmp_path / "olist")
    assert run(PROJECT / page, tmp_path) >= least


def test_another_output_is_noticed() -> None:
    shown = "Run 1 published: 3 rows loaded in 0.52 s.\n\ntable  read\n-----  ----\na         3\n...\nb  ... 5\nend\n"
    printed = "Run 1 published: 3 rows loaded in 1.2 s.\ntable read\n--------- ----\na 3\nx\ny\nb  4  5\nend\n"
    assert fits(shown, printed)
    assert fits(shown, printed.replace("x\ny\n", ""))
    for right, wrong in (("3 rows", "4 rows"), ("a 3", "a 4"), ("b  4  5", "b  4  6"), ("end\n", "end\nmore\n")):
        assert right in printed
        assert not fits(shown, printed.replace(right, wrong)), wrong


def test_a_page_with_a_wrong_line_fails(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh\nfalse\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md:2: false\nexit code 1"):
        run_page(page, tmp_path)
    (tmp_path / "examples").unlink()
    page.write_text("<!-- file: a.txt cp1252 crlf -->\n```text\nä\n```\n\n```console\n$ wc -c < a.txt\n4\n```\n")
    with pytest.raises(AssertionError, match=r"expected:\n4\n\nprinted:\n3"):
        run_page(page, tmp_path)


def test_what_a_page_holds() -> None:
    text = (
        "1. item\n\n   ```console\n   $ a \\\n   >   b\n   one\n   $ c\n   ```\n<!-- not run: x -->\n```sh\nrm\n```\n"
    )
    assert [(step.command, step.expected) for step in steps(text) if hasattr(step, "command")] == [
        ("a   b", "one\n"),
        ("c", ""),
    ]
