"""Writes ``docs/reference/python-classes.md``: every field of every class that the Python functions return.

Run it after every change of a class in ``src/pgsluice/model``::

    python docs/generate_python.py

``tests/cli/test_cli_reference.py`` fails when the file is stale, and the generator when a field has no docstring.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pgsluice import api, model

PAGE = Path(__file__).parent / "reference" / "python-classes.md"

HEAD = """\
# Python classes

<!-- Made by docs/generate_python.py. Do not edit: change the docstrings in src/pgsluice/model and run it again. -->

What [the functions](python.md) return, field by field. The classes are frozen dataclasses in `pgsluice.model`. `--json`
has the same names. A field that later releases add has a default; none of the fields that are here is renamed within a
minor version.
"""


def public_classes() -> dict[type, None]:
    """The classes that the functions return, in the order in which a reader meets them, and those of listeners."""
    found: dict[type, None] = {}

    def visit(annotation: Any) -> None:
        for inner in typing.get_args(annotation):
            visit(inner)
        ours = inspect.isclass(annotation) and annotation.__module__.startswith("pgsluice.model")
        if ours and annotation not in found:
            found[annotation] = None
            if dataclasses.is_dataclass(annotation):
                hints = typing.get_type_hints(annotation, localns=_members(model))
                for field in dataclasses.fields(annotation):
                    visit(hints[field.name])

    for function in (api.load, api.plan, *(f for f in _members(api).values() if inspect.isfunction(f))):
        visit(typing.get_type_hints(function)["return"])
    visit(model.Reject)
    visit(model.Progress)
    named = [value for value in _members(model).values() if inspect.isclass(value) and issubclass(value, enum.Enum)]
    texts = " ".join(text for kind in list(found) for text in (doc_of(kind), *field_docs(kind).values()))
    for kind in named:
        if f"`{kind.__name__}`" in texts:
            found[kind] = None
    return found


def _members(module: Any) -> dict[str, Any]:
    """The names of a module with their values, those included that are imported when they are used."""
    return {name: getattr(module, name) for name in module.__dir__()}


def markdown(text: str) -> str:
    """A docstring as Markdown, on one line."""
    text = re.sub(r":(?:func|class|mod|meth|data):`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", " ".join(text.split()))
    return re.sub(r"``(.+?)``", r"`\1`", text).replace("|", "\\|")


def doc_of(kind: type) -> str:
    """The docstring of a class, as Markdown."""
    return markdown(inspect.getdoc(kind) or "")


def field_docs(kind: type) -> dict[str, str]:
    """The fields or members of a class, each with its docstring as Markdown; '' if it has none."""
    [tree] = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    texts: dict[str, str] = {}
    last = ""
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            texts[last := node.target.id] = ""
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            texts[last := node.targets[0].id] = ""
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and last:
            texts[last] = markdown(str(node.value.value))
        else:
            last = ""
    return texts


def section(kind: type) -> Iterator[str]:
    """The lines of the page for one class."""
    yield f"## {kind.__name__}\n\n{doc_of(kind)}\n\n"
    texts = field_docs(kind)
    if issubclass(kind, enum.Enum):
        yield "| value | meaning |\n| --- | --- |\n"
        for member in kind:
            yield f"| `{member.value}` | {texts[member.name]} |\n"
        return
    yield "| field | type | meaning |\n| --- | --- | --- |\n"
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if not texts.get(field.name):
            raise ValueError(f"{kind.__module__}.{kind.__name__}.{field.name} has no docstring")
        types = " or ".join(f"`{one}`" for one in str(field.type).split(" | "))
        yield f"| `{field.name}` | {types} | {texts[field.name]} |\n"
    for name, value in vars(kind).items():
        if isinstance(value, property) and not name.startswith("_"):
            yield f"| `{name}` | property | {markdown(inspect.getdoc(value) or '')} |\n"


def page() -> str:
    """Returns the page as Markdown."""
    return "\n".join([HEAD, *("".join(section(kind)) for kind in public_classes())])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
