"""The pages of docs/reference agree with the code."""

from __future__ import annotations

import dataclasses
import re

import pytest

from generators import DOCS, generator_of
from pgsluice import errors
from pgsluice.cli import exit_codes as ends


@pytest.mark.parametrize(("page", "generator"), [("cli.md", "generate_cli"), ("python-classes.md", "generate_python")])
def test_page_is_what_the_generator_makes(page: str, generator: str) -> None:
    assert (DOCS / "reference" / page).read_text(encoding="utf-8") == generator_of(generator).page(), (
        f"stale: run python docs/{generator}.py"
    )


def test_field_without_a_docstring_is_noticed() -> None:
    @dataclasses.dataclass
    class Half:
        """A class."""

        said: int
        """A field."""
        unsaid: int

    with pytest.raises(ValueError, match=r"Half\.unsaid has no docstring"):
        list(generator_of("generate_python").section(Half))


def test_cli_page_fits_80_columns() -> None:
    page = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    helps = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    assert len(helps) == 27
    assert max(len(line) for text in helps for line in text.splitlines()) <= 80


def test_every_exit_code_is_documented() -> None:
    codes = {ends.VETOED, ends.WRONG, ends.REFUSED, ends.UNWRITTEN, ends.GUEST_FAILED, ends.DEFECT, ends.INTERRUPTED, 0}
    codes |= {
        error.exit_code
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.SluiceError)
    }
    page = (DOCS / "reference" / "exit-codes.md").read_text(encoding="utf-8")
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)} == codes
