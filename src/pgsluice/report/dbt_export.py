"""Rules as the properties file of a dbt project."""

from __future__ import annotations

import json
from typing import Any

from pgsluice.model import RowRule, Rules, SetRule, Severity


def as_dbt(rules: Rules) -> str:
    """The rules as data tests. JSON is YAML, so dbt reads the text as ``schema.yml``.

    A row rule becomes a test ``dbt_utils.expression_is_true``. A set rule becomes a test of the same name with its
    query, to be saved as ``tests/NAME.sql``; dbt has nothing for bounds and drift, which are described only.
    """
    models: dict[str, dict[str, Any]] = {}
    for rule in rules.rows:
        model = models.setdefault(rule.table, {"name": rule.table, "data_tests": []})
        model["data_tests"].append({"dbt_utils.expression_is_true": _row_test(rule)})
    return json.dumps(
        {"version": 2, "models": list(models.values()), "data_tests": [_set_test(rule) for rule in rules.sets]},
        indent=2,
    )


def _row_test(rule: RowRule) -> dict[str, Any]:
    test: dict[str, Any] = {"name": _identifier(rule.name), "expression": f"({rule.expression}) IS NOT FALSE"}
    if rule.severity is Severity.WARN:
        test["config"] = {"severity": "warn"}
    return test


def _set_test(rule: SetRule) -> dict[str, Any]:
    test: dict[str, Any] = {"name": _identifier(rule.name), "description": rule.description or _described(rule)}
    if rule.severity is Severity.WARN:
        test["config"] = {"severity": "warn"}
    return test


def _described(rule: SetRule) -> str:
    if rule.drift is not None:
        return f"drift of {rule.drift.measure} {rule.drift.column}".rstrip()
    bounds = [f"at least {rule.minimum}"] if rule.minimum is not None else []
    bounds += [f"at most {rule.maximum}"] if rule.maximum is not None else []
    return f"{rule.query} must be {' and '.join(bounds)}" if bounds else f"must return no row: {rule.query}"


def _identifier(name: str) -> str:
    """The name with underscores, as dbt writes names of tests."""
    return "".join(c if c.isalnum() else "_" for c in name)
