"""Writes the JSON Schema of ``pgsluice.toml`` for editors, and its reference page, from :mod:`pgsluice.config`.

Run it after every change of a setting::

    python docs/generate_config.py

``tests/config/test_config_reference.py`` fails when a file is stale.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pgsluice import arguments
from pgsluice.config.description import ROOT, Key, Section
from pgsluice.config.kinds import choices_of, element_of, parts_of, words_for

REFERENCE = Path(__file__).parent / "reference"
PAGE = REFERENCE / "pgsluice-toml.md"
SCHEMA = REFERENCE / "pgsluice.schema.json"

HEAD = """\
# pgsluice.toml

<!-- Made by docs/generate_config.py. Do not edit: change src/pgsluice/config/description.py or the docstrings in
src/pgsluice/arguments.py and run it again. -->

A file of settings says what each load of some files needs: [how to use it](../how-to/config.md). Options of the command
line override it. A key that does not exist, or a value of another kind, is an error. `pgsluice.schema.json` in this
folder is a JSON Schema of the file, for editors.
"""


def argument_texts() -> dict[str, str]:
    """The docstring of each argument of ``load``, on one line."""
    texts = {}
    for node in ast.walk(ast.parse(inspect.getsource(arguments))):
        if not isinstance(node, ast.ClassDef):
            continue
        for field, doc in zip(node.body, node.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(doc, ast.Expr):
                assert isinstance(doc.value, ast.Constant)
                texts[field.target.id] = " ".join(str(doc.value.value).split())
    return texts


TEXTS = argument_texts()


def text_of(key: Key) -> str:
    """What a key says, as Markdown."""
    text = key.text or TEXTS[key.name].replace(". None", ". No value").replace("None", "no value")
    return re.sub(r"``(.+?)``", r"`\1`", re.sub(r":(?:func|class|mod):`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text))


def schema_of_kind(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a kind of values."""
    found = []
    for part in parts_of(kind):
        if (element := element_of(part)) is not None:
            found.append({"type": "array", "items": schema_of_kind(element)})
        elif choices := choices_of(part):
            found.append({"enum": list(choices)})
        else:
            found.append({"type": {str: "string", bool: "boolean", int: "integer", float: "number"}[part]})
    return found[0] if len(found) == 1 else {"anyOf": found}


def schema_of_section(section: Section) -> dict[str, Any]:
    """The JSON Schema of a section."""
    properties = {k.name: schema_of_kind(k.kind) | {"description": text_of(k)} for k in section.keys}
    properties |= {s.name: schema_of_section(s) for s in section.sections}
    inner = {"type": "object", "additionalProperties": False, "properties": properties}
    found = {"type": "object", "additionalProperties": inner} if section.named else inner
    return found | ({"description": section.text} if section.text else {})


def schema() -> str:
    """The JSON Schema."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "pgsluice.toml"}
    return json.dumps(head | schema_of_section(ROOT), indent=2, ensure_ascii=False) + "\n"


def sections(section: Section) -> Iterator[str]:
    """The Markdown of a section and of those in it."""
    if section.header:
        yield f"## `{section.header}`\n\n{section.text}\n"
        rows = [
            f"| `{k.name}` | {words_for(k.kind)} | {text_of(k).replace('|', chr(92) + '|')} |" for k in section.keys
        ]
        yield "\n".join(["| key | value | meaning |", "| --- | --- | --- |", *rows]) + "\n"
    for inner in section.sections:
        yield from sections(inner)


def page() -> str:
    """The reference page as Markdown."""
    return "\n".join([HEAD, *sections(ROOT)])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMA.write_text(schema(), encoding="utf-8")
