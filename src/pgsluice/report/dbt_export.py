"""Rules as data tests of a dbt project.

The tables that pgsluice loads are sources for dbt. Rules with the names of dbt's generic tests become these tests in a
properties file; all others become singular tests, SQL files that return the rows that break the rule.
"""

from __future__ import annotations

import json
from typing import Any

from pgsluice.model import GenericTest, RowRule, Rules, SetRule, Severity

SOURCE = "pgsluice"
"""The name of the source that holds the tables."""

PROPERTIES = "models/pgsluice_rules.yml"
"""The properties file within the project."""


def as_dbt(rules: Rules) -> str:
    """The generic tests as a properties file. JSON is YAML, so dbt reads the text as ``schema.yml``."""
    schemas: dict[str, dict[str, dict[str, list[dict[str, Any]]]]] = {}
    for rule in _all(rules):
        if rule.generic is not None and _fits(rule.generic):
            schema, table = _place(rule.table)
            columns = schemas.setdefault(schema, {}).setdefault(table, {})
            for column in rule.generic.columns:
                columns.setdefault(column, []).append(_generic(rule, rule.generic, column))
        else:
            for schema, table in _read(rule):
                schemas.setdefault(schema, {}).setdefault(table, {})
    sources = [
        {
            "name": _source(schema),
            "schema": schema,
            "tables": [
                {"name": table, "columns": [{"name": c, "data_tests": tests} for c, tests in columns.items()]}
                for table, columns in tables.items()
            ],
        }
        for schema, tables in schemas.items()
    ]
    return json.dumps({"version": 2, "sources": sources}, indent=2)


def singular_tests(rules: Rules) -> dict[str, str]:
    """The other rules as SQL files, by their paths within the project. dbt has nothing for drift."""
    others = [r for r in _all(rules) if r.generic is None or not _fits(r.generic)]
    return {
        f"tests/pgsluice_{_identifier(rule.name)}.sql": _singular(rule)
        for rule in others
        if isinstance(rule, RowRule) or rule.drift is None
    }


def not_exported(rules: Rules) -> list[str]:
    """The names of the rules for which dbt has nothing."""
    return [rule.name for rule in rules.sets if rule.drift is not None]


def _all(rules: Rules) -> list[RowRule | SetRule]:
    return [*rules.rows, *rules.sets]


def _fits(test: GenericTest) -> bool:
    """Whether dbt has the test. Its test ``unique`` is about one column."""
    return test.name != "unique" or len(test.columns) == 1


def _generic(rule: RowRule | SetRule, test: GenericTest, column: str) -> dict[str, Any]:
    suffix = f"_{column}" if len(test.columns) > 1 else ""
    said: dict[str, Any] = {"name": _identifier(rule.name + suffix)}
    if test.name == "accepted_values":
        said["arguments"] = {"values": list(test.values)}
    if test.name == "relationships":
        schema, table = _place(test.parent)
        said["arguments"] = {"to": f"source('{_source(schema)}', '{table}')", "field": test.field}
    if rule.description:
        said["description"] = rule.description
    if rule.severity is Severity.WARN:
        said["config"] = {"severity": "warn"}
    return {test.name: said}


def _singular(rule: RowRule | SetRule) -> str:
    head = _plain(f"-- {' '.join((rule.description or rule.name).split())}") + "\n"
    if rule.severity is Severity.WARN:
        head += "{{ config(severity='warn') }}\n"
    if isinstance(rule, RowRule):
        schema, table = _place(rule.table)
        relation = f"{{{{ source('{_source(schema)}', '{table}') }}}}"
        alias = '"' + table.replace('"', '""') + '"'
        return f"{head}select * from {relation} as {alias} where (\n{_plain(rule.expression)}\n) is false\n"
    query = _plain(rule.query)
    if not rule.bounded:
        return f"{head}{query}\n"
    bounds = [f"value >= {rule.minimum}"] if rule.minimum is not None else []
    bounds += [f"value <= {rule.maximum}"] if rule.maximum is not None else []
    return f"{head}select * from (\n{query}\n) as found (value) where ({' and '.join(bounds)}) is not true\n"


def _plain(text: str) -> str:
    """Text that dbt does not take for Jinja."""
    if not any(mark in text for mark in ("{{", "{%", "{#")):
        return text
    return f"{{% raw %}}{text}{{% endraw %}}"


def _read(rule: RowRule | SetRule) -> list[tuple[str, str]]:
    """The tables that the SQL file of a rule takes from the source."""
    return [_place(rule.table)] if isinstance(rule, RowRule) else []


def _place(table: str) -> tuple[str, str]:
    """Schema and name of a table as the user writes it."""
    schema, _, name = table.rpartition(".")
    return schema or "public", name


def _source(schema: str) -> str:
    return SOURCE if schema == "public" else f"{SOURCE}_{_identifier(schema)}"


def _identifier(name: str) -> str:
    """The name with underscores, as dbt writes names of tests."""
    return "".join(c if c.isalnum() else "_" for c in name)
