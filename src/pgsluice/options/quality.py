"""The rules of a run: row rules and set rules, from Python, from ``pgsluice.toml`` and from SQL files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pgsluice.errors import CallError
from pgsluice.model import Drift, Measure, RowRule, Rules, SetRule, Severity
from pgsluice.options.rule_kinds import KINDS, is_number, made
from pgsluice.sql_headers import read_sql_file, sql_files

_QUERY = re.compile(r"\s*(?:select|with|values|table)\b", re.IGNORECASE)
_KEYS = ("table", "severity", "description", "minimum", "maximum")


def parse_quality_rules(
    given: Sequence[RowRule | SetRule | Mapping[str, Any]], files: Sequence[str | os.PathLike[str]]
) -> Rules:
    """Returns the rules, row rules and set rules apart.

    :param given: rules, or mappings with the keys of a section of ``pgsluice.toml``.
    :param files: SQL files of rules, or folders of them.
    :raises CallError: an element is no rule, has a severity that its kind does not have, or a name comes twice.
    :raises FileError: a file cannot be read.
    """
    rules = [*map(_rule, given), *(rule for path in files for rule in _of_files(Path(path)))]
    seen: set[str] = set()
    for rule in rules:
        if rule.name in seen:
            raise CallError(f"two rules are called {rule.name!r}", "Give each rule a name of its own")
        seen.add(rule.name)
        if isinstance(rule, SetRule) and (text := _no_number(rule)) is not None:
            raise CallError(
                f"rule {rule.name!r}{_at(rule.source)}: {text!r} is not a number", "Write digits with a point"
            )
        if rule.severity is (Severity.VETO if isinstance(rule, RowRule) else Severity.REJECT):
            raise CallError(
                f"rule {rule.name!r}{_at(rule.source)} has the severity {rule.severity}",
                "A row rule rejects or warns, a set rule vetoes or warns",
            )
    return Rules(
        tuple(rule for rule in rules if isinstance(rule, RowRule)),
        tuple(rule for rule in rules if isinstance(rule, SetRule)),
    )


def _no_number(rule: SetRule) -> str | None:
    """A bound that is no number."""
    bounds = (rule.minimum, rule.maximum)
    return next((bound for bound in bounds if isinstance(bound, str) and not is_number(bound)), None)


def _rule(given: object) -> RowRule | SetRule:
    if isinstance(given, (RowRule, SetRule)):
        return given
    if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
        raise CallError(f"rules: {given!r} is no rule", "Give RowRule and SetRule objects, or mappings with a name")
    keys = dict(given)
    name, source = keys.pop("name"), keys.pop("source", "")
    said = [kind for kind in KINDS if kind in keys]
    if len(said) != 1:
        raise CallError(
            f"rule {name!r}{_at(source)} has {' and '.join(said) or 'nothing to ask'}",
            f"Give one of {', '.join(KINDS)}",
        )
    severity = keys.pop("severity", None)
    if severity is not None and severity not in tuple(Severity):
        raise CallError(f"rule {name!r}{_at(source)}: {severity!r} is no severity", f"Give {', '.join(Severity)}")
    return made(said[0], name, source, None if severity is None else Severity(severity), keys)


def _of_files(path: Path) -> Iterator[RowRule | SetRule]:
    """The rules in SQL files: a query is a set rule, and an expression is a row rule of the table in the header."""
    for found in sql_files(path):
        file = read_sql_file(found, _KEYS)
        keys: dict[str, Any] = {"name": file.stem, "source": f"{found}:{file.line}"}
        keys |= {key: file.last(key) for key in ("table", "severity", "description") if key in file.header}
        keys |= {bound: file.last(bound) for bound in ("minimum", "maximum") if bound in file.header}
        keys["query" if _QUERY.match(file.statement) else "check"] = file.statement
        yield _rule(keys)


def _at(source: str) -> str:
    return f" ({source})" if source else ""


def restore_quality_rules(stored: Mapping[str, Any]) -> Rules:
    """Returns the rules of a run. Runs of pgsluice 0.2 and before have none.

    :param stored: the part ``quality`` of ``pgsluice.run.options``.
    """
    return Rules(
        tuple(
            RowRule(**{**rule, "severity": Severity(rule["severity"]), "generic": None})
            for rule in stored.get("rows", ())
        ),
        tuple(
            SetRule(
                **{
                    **rule,
                    "severity": Severity(rule["severity"]),
                    "generic": None,
                    "drift": _restore_drift(rule.get("drift")),
                }
            )
            for rule in stored.get("sets", ())
        ),
    )


def _restore_drift(stored: Mapping[str, Any] | None) -> Drift | None:
    return None if stored is None else Drift(**{**stored, "measure": Measure(stored["measure"])})
