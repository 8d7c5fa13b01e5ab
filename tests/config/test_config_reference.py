"""The schema and the reference page of ``pgsluice.toml`` agree with its description."""

from __future__ import annotations

import json
import tomllib
from types import ModuleType

import pytest

from generators import DOCS, generator_of
from pgsluice.arguments import FILE_ARGUMENTS, LoadArguments
from pgsluice.cli.options.reading import DIALECT_OPTIONS, VALUE_OPTIONS
from pgsluice.config.description import FORMATS, LOAD


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    return generator_of("generate_config")


def test_page_and_schema_are_what_the_generator_makes(generator: ModuleType) -> None:
    for path, text in ((generator.PAGE, generator.page()), (generator.SCHEMA, generator.schema())):
        assert path.read_text(encoding="utf-8") == text, "stale: run python docs/generate_config.py"


def test_the_example_of_the_page_fits_the_schema() -> None:
    """A small check of the schema: each key of the example is there. Editors check the rest."""
    page = (DOCS / "how-to" / "config.md").read_text(encoding="utf-8")
    example = tomllib.loads(page.partition("```toml\n")[2].partition("```")[0])
    schema = json.loads((DOCS / "reference" / "pgsluice.schema.json").read_text(encoding="utf-8"))

    def check(value: object, inner: dict[str, object]) -> None:
        if isinstance(value, dict):
            for name, below in value.items():
                properties = inner.get("properties", {})
                assert isinstance(properties, dict)
                found = properties.get(name) or inner["additionalProperties"]
                assert found, name
                check(below, found)

    check(example, schema)


def test_every_option_of_how_files_are_read_can_be_set() -> None:
    """An option of these panels is a setting of single files, or of the columns of tables, or of the whole load."""
    whole = {"default_on_empty", "integer_decimals", "trim"}
    options = {option.argument for option in (*DIALECT_OPTIONS, *VALUE_OPTIONS)}
    assert options - {*FILE_ARGUMENTS, *FORMATS} <= whole
    assert set(FILE_ARGUMENTS) <= LoadArguments.__optional_keys__
    assert options <= {key.name for key in LOAD.keys}
