"""Options of single files and of single columns of a table, as ``pgsluice.toml`` has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pgsluice.arguments import FILE_ARGUMENTS, LoadArguments
from pgsluice.errors import CallError
from pgsluice.model import ColumnRule, DriftMode, DriftModes, RunColumns


def file_arguments(given: LoadArguments) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields how single files are read, as (glob, arguments) pairs: what the call says of all files and of these.

    :raises CallError: an argument does not say how a file is read.
    """
    for glob, own in given.get("file_options", ()):
        if wrong := next((name for name in own if name not in FILE_ARGUMENTS), None):
            raise CallError(
                f"file_options: {wrong!r} cannot be said of single files", f"Say {', '.join(FILE_ARGUMENTS)}"
            )
        common: dict[str, Any] = {k: v for k, v in given.items() if k in FILE_ARGUMENTS}
        if "null" in own or "null_only" in own:
            common = {k: v for k, v in common.items() if k not in ("null", "null_only")}
        yield glob, {**common, **own}


_RULE_KEYS = frozenset({"table", "column", "from", "constant", "expression", "where"})


def parse_rules(given: Sequence[Mapping[str, str]]) -> tuple[ColumnRule, ...]:
    """Returns the rules of columns.

    :raises CallError: a rule lacks its table or column, or has no source or two.
    """
    rules = []
    for rule in given:
        sources = [name for name in ("from", "constant", "expression") if name in rule]
        if len(sources) != 1 or not {"table", "column"} <= rule.keys() <= _RULE_KEYS:
            raise CallError(
                f"column_rules: {dict(rule)!r} is no rule",
                "Give table, column and one of from, constant, expression",
            )
        rules.append(
            ColumnRule(
                rule["table"],
                rule["column"],
                rule.get("from"),
                rule.get("constant"),
                rule.get("expression"),
                rule.get("where", ""),
            )
        )
    return tuple(rules)


def restore_rules(stored: Mapping[str, Any]) -> tuple[ColumnRule, ...]:
    """Returns the rules of columns of a run.

    :param stored: ``pgsluice.run.options``. Runs of version 0.2 and older have no rules.
    """
    return tuple(ColumnRule(**rule) for rule in stored.get("rules", ()))


def parse_drift(given: str | Sequence[str], resumable: bool) -> DriftModes:
    """Returns ``--drift``.

    :param given: a mode such as ``ignore``, with a table in front for single tables (``orders=add``).
    :raises CallError: a mode does not exist, or columns are to be added by a resumable run.
    """
    run = DriftMode.ERROR
    tables: list[tuple[str, DriftMode]] = []
    for text in [given] if isinstance(given, str) else given:
        name, equals, word = text.rpartition("=")
        if word.strip() not in list(DriftMode):
            raise CallError(f"--drift {word!r} is not a mode", f"Modes are {', '.join(DriftMode)}")
        if equals:
            tables.append((name, DriftMode(word.strip())))
        else:
            run = DriftMode(word.strip())
    if resumable and DriftMode.ADD in (run, *(mode for _, mode in tables)):
        raise CallError(
            "--drift add does not go with --resumable: its stages are made before a column is published",
            "Leave --resumable out for the load that adds the columns",
        )
    return DriftModes(run, tuple(tables))


def restore_drift(stored: Mapping[str, Any]) -> DriftModes:
    """Returns what happens to fields without a column in a run.

    :param stored: ``pgsluice.run.options``. Runs of version 0.2 and older have no such option.
    """
    drift = stored.get("drift", {})
    tables = tuple((name, DriftMode(mode)) for name, mode in drift.get("tables", ()))
    return DriftModes(DriftMode(drift.get("run", DriftMode.ERROR)), tables)


def parse_run_columns(given: str | Sequence[str]) -> RunColumns:
    """Returns ``--run-column``.

    :param given: a column, with a table in front for single tables (``orders=run_id``).
    :raises CallError: no column is named.
    """
    run = ""
    tables: list[tuple[str, str]] = []
    for text in [given] if isinstance(given, str) else given:
        name, equals, column = text.rpartition("=")
        if equals:
            tables.append((name, column))
        elif not column:
            raise CallError("--run-column '' names no column", "Name one: --run-column loaded_by")
        else:
            run = column
    return RunColumns(run, tuple(tables))


def restore_run_columns(stored: Mapping[str, Any]) -> RunColumns:
    """Returns the columns that a run filled with its id.

    :param stored: ``pgsluice.run.options``. Runs of version 0.2 and older have no such option.
    """
    columns = stored.get("run_columns", {})
    return RunColumns(columns.get("run", ""), tuple((name, column) for name, column in columns.get("tables", ())))
