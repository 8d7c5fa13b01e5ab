"""Writes the JSON Schema of what ``--json`` prints, and its reference page, from the classes of the results.

Run it after every change of a field::

    python docs/generate_json.py

``tests/documentation/test_json.py`` fails when a file is stale, and compares the schema with real output.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import importlib
import inspect
import json
import pkgutil
import re
import types
import typing
from pathlib import Path
from typing import Any

from pgsluice import config, model

REFERENCE = Path(__file__).parent / "reference"
SCHEMA = REFERENCE / "output.schema.json"
PAGE = REFERENCE / "json.md"

COMMANDS: dict[str, tuple[str, str | dict[str, str]]] = {
    "load": ("pgsluice load --json", "RunResult"),
    "replay": ("pgsluice replay RUN FILE --json", "RunResult"),
    "resume": ("pgsluice resume RUN --json", "RunResult"),
    "plan": ("pgsluice plan --json", "Plan"),
    "init": ("pgsluice init --json", "InferredSchema"),
    "init_diff": ("pgsluice init --diff --json", "SchemaDiff"),
    "rejects": ("pgsluice rejects --format json", {"run_id": "integer", "*": "RejectsResult", "rows": "Reject[]"}),
    "purge": ("pgsluice rejects --purge --older-than AGE --format json", "PurgeResult"),
    "runs": ("pgsluice runs --json", {"runs": "RunSummary[]"}),
    "report": ("pgsluice report --json", "RunReport"),
    "verify": ("pgsluice verify --json", "VerifyResult"),
    "doctor": ("pgsluice doctor --json", "DoctorResult"),
    "derive": ("pgsluice derive --json", {"derived": "DerivedResult[]", "target": "Target"}),
    "rules_list": ("pgsluice rules list --json", "Rules"),
    "rules_test": ("pgsluice rules test --json", {"rules": "RuleResult[]"}),
    "config_show": ("pgsluice config show --json", {"config": "string?", "settings": "Setting[]"}),
}
"""For each command what its JSON is: a class, or the members of an object; ``*`` stands for the fields of a class."""

ERROR: dict[str, Any] = {
    "type": {"type": "string", "description": "The class of the error in pgsluice.errors."},
    "message": {"type": "string", "description": "What happened, and where."},
    "remedy": {"type": "string", "description": "What to do."},
    "details": {"type": "array", "items": {"type": "string"}, "description": "Further lines of several causes."},
    "exit_code": {"type": "integer", "description": "The exit code of the command."},
}
"""The members of an error; the command line makes them of a SluiceError."""

SECRET = {"place", "address"}
"""Fields that no command prints, because an address can hold a password."""

HEAD = """\
# JSON output

<!-- Made by docs/generate_json.py. Do not edit: change src/pgsluice/model and run it again. -->

With `--json` a command prints one JSON object, on one line, to standard output. `rejects` takes `--format json`.
Messages and progress are on standard error. A vetoed run (exit code 1) has its object, too. With the exit codes 2, 3, 70 and
130 the object is the error. The first member of each object, `version`, is the version of pgsluice.

`output.schema.json` in this folder is a [JSON Schema](https://json-schema.org) of all commands. A test compares it with
real output.

- New versions add fields. Ignore fields that you do not know.
- A field that is renamed or removed is listed in [the changes](../../CHANGELOG.md).
- Numbers of rows and bytes are whole numbers. Seconds have decimals. Times are ISO timestamps. SHA-256 is hexadecimal.
- The text is ASCII: other characters are `\\uXXXX`.

```sh
pgsluice load data/ --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["rejects"]["count"])'
```

| command | object |
| --- | --- |
"""


def classes() -> dict[str, type]:
    """All dataclasses and enums of the results, by name."""
    found: dict[str, type] = {}
    modules = [config.show] if hasattr(config, "show") else [importlib.import_module("pgsluice.config.show")]
    modules += [importlib.import_module(m.name) for m in pkgutil.walk_packages(model.__path__, f"{model.__name__}.")]
    for module in modules:
        for name, value in vars(module).items():
            if inspect.isclass(value) and (dataclasses.is_dataclass(value) or issubclass(value, enum.Enum)):
                found[name] = value
    return found


CLASSES = classes()


def words(text: str) -> str:
    """A docstring as plain text on one line."""
    text = re.sub(r":(?:func|class|mod|attr|data|meth):`~?(?:[\w.]+\.)?(\w+)`", r"\1", " ".join(text.split()))
    return text.replace("``", "`").replace("None", "null")


def field_texts(kind: type) -> dict[str, str]:
    """The docstring of each field of a class, its bases included."""
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not dataclasses.is_dataclass(base) and base is not kind:
            continue
        body = ast.parse(inspect.getsource(base)).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, doc in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(doc, ast.Expr):
                assert isinstance(doc.value, ast.Constant)
                texts[field.target.id] = str(doc.value.value)
    return texts


class Schema:
    """The schema, made class by class as fields name them.

    :param strict: an object may have no other members, as a test wants it.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self._closed = {"additionalProperties": False} if strict else {}
        self.definitions: dict[str, dict[str, Any]] = {}

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of a type."""
        origin = typing.get_origin(kind)
        inner = typing.get_args(kind)
        if origin in (types.UnionType, typing.Union):
            return {"anyOf": [self.of(one) for one in inner]}
        if origin is tuple and inner[-1:] != (...,):
            return {"type": "array", "prefixItems": [self.of(one) for one in inner], "items": False} if inner else {}
        if origin in (tuple, list, frozenset, set) or getattr(origin, "__name__", "") == "Sequence":
            return {"type": "array", "items": self.of(inner[0])}
        if origin is dict or getattr(origin, "__name__", "") == "Mapping":
            return {"type": "object", "additionalProperties": self.of(inner[1])}
        if inspect.isclass(kind) and (dataclasses.is_dataclass(kind) or issubclass(kind, enum.Enum)):
            return self.named(kind)
        plain = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
        return {"type": plain[kind]} if kind in plain else {}

    def named(self, kind: type) -> dict[str, Any]:
        """A reference to the schema of a class, which is made when it is named first."""
        name = kind.__name__
        if name not in self.definitions:
            self.definitions[name] = {}
            text = words(inspect.getdoc(kind) or "")
            if issubclass(kind, enum.Enum):
                self.definitions[name] = {"description": text, "enum": [member.value for member in kind]}
            else:
                self.definitions[name] = {"description": text, **self.object(self.fields(kind))}
        return {"$ref": f"#/$defs/{name}"}

    def fields(self, kind: type) -> dict[str, dict[str, Any]]:
        """The schemas of the fields of a class."""
        hints = typing.get_type_hints(kind, localns=CLASSES)
        texts = field_texts(kind)
        found = {}
        for field in dataclasses.fields(kind):
            if field.name in SECRET:
                continue
            text = texts.get(field.name, "")
            said = self.of(hints[field.name])
            one_of = re.search(r"One of :class:`~?(?:[\w.]+\.)?(\w+)`", text)
            if said == {"type": "string"} and one_of is not None and one_of[1] in CLASSES:
                said = self.named(CLASSES[one_of[1]])
            found[field.name] = {"description": words(text), **said} if text else said
        return found

    def object(self, properties: dict[str, dict[str, Any]]) -> dict[str, Any]:
        return {"type": "object", "required": list(properties), "properties": properties, **self._closed}

    def command(self, shape: str | dict[str, str]) -> dict[str, Any]:
        """The schema of what a command prints."""
        properties: dict[str, dict[str, Any]] = {"version": {"type": "string"}}
        for name, kind in ({"*": shape} if isinstance(shape, str) else shape).items():
            if name == "*":
                self.named(CLASSES[kind])  # for the page, which has a section for each class
                properties |= self.fields(CLASSES[kind])
            elif kind.endswith("[]"):
                properties[name] = {"type": "array", "items": self.named(CLASSES[kind.removesuffix("[]")])}
            elif kind in CLASSES:
                properties[name] = self.named(CLASSES[kind])
            else:
                plain = kind.removesuffix("?")
                properties[name] = {"type": [plain, "null"] if kind.endswith("?") else plain}
        return self.object(properties)


def schema(*, strict: bool = False) -> dict[str, Any]:
    """The schema as a value: a definition for each command, and for each class."""
    made = Schema(strict=strict)
    commands = {name: {"title": call, **made.command(shape)} for name, (call, shape) in COMMANDS.items()}
    error = made.object({"version": {"type": "string"}, "error": made.object(ERROR)})
    commands["error"] = {"title": "any command that fails", **error}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What pgsluice prints with --json",
        "description": "The object of a command is #/$defs/COMMAND: load, plan, rejects, runs and so on.",
        "$defs": commands | dict(sorted(made.definitions.items())),
    }


def schema_text() -> str:
    """The text of the schema file."""
    return json.dumps(schema(), indent=1) + "\n"


def page() -> str:
    """The text of the page."""
    made = schema()["$defs"]
    parts = [HEAD]
    for call, shape in COMMANDS.values():
        parts.append(f"| `{call}` | {_shape(shape)} |\n")
    parts.append("| any command that fails | `error`: [error](#error) |\n")
    parts.append(_section("error", {"description": "Why a command failed.", **made["error"]["properties"]["error"]}))
    for name in made:
        if name not in COMMANDS and name != "error":
            parts.append(_section(name, made[name]))
    return "".join(parts)


def _shape(shape: str | dict[str, str]) -> str:
    if isinstance(shape, str):
        return f"the members of {_link(shape)}"
    members = (
        f"the members of {_link(kind)}"
        if name == "*"
        else f"`{name}`: " + (f"array of {_link(kind[:-2])}" if kind.endswith("[]") else _link(kind))
        for name, kind in shape.items()
    )
    return ", ".join(members)


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})" if name in CLASSES else name.replace("?", " or null")


def _section(name: str, made: dict[str, Any]) -> str:
    head = f"\n## {name}\n\n{_cell(made['description'])}\n\n"
    if "enum" in made:
        return head + "One of " + ", ".join(f"`{value}`" for value in made["enum"]) + ".\n"
    lines = ["| member | value | meaning |\n| --- | --- | --- |\n"]
    for member, said in made["properties"].items():
        lines.append(f"| `{member}` | {_value(said)} | {_cell(said.get('description', ''))} |\n")
    return head + "".join(lines)


def _value(said: dict[str, Any]) -> str:
    if "$ref" in said:
        return _link(str(said["$ref"]).rpartition("/")[2])
    if "anyOf" in said:
        return " or ".join(_value(one) for one in said["anyOf"])
    if said.get("type") == "array":
        if "prefixItems" in said:
            return "array of " + ", ".join(_value(one) for one in said["prefixItems"])
        return f"array of {_value(said['items'])}"
    return str(said.get("type", "any value"))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
