"""Merge a file of settings with the arguments of a call, which override it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pgsluice.arguments import FILE_ARGUMENTS
from pgsluice.config.description import BY_TABLE, FORMATS, argument_kinds, is_list
from pgsluice.config.read import Config
from pgsluice.errors import CallError

_NULLS = ("null", "null_only")
"""Arguments that exclude each other."""

SOURCES = ("from", "constant", "expression")
"""The keys of a column, of which a column has one."""


def placed(config: Config, path: str) -> str:
    """A path of the file of settings, as the process finds it. URLs stay as they are."""
    if "://" in path:
        return path
    return os.path.normpath(os.path.join(os.path.dirname(config.path), os.path.expanduser(path)))


def merged(config: Config, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of :func:`pgsluice.load` that a file of settings and a call say together.

    :param given: the arguments of the call. They override the file: a value replaces the value of the file; of lists
        whose elements are about single tables, files or fields, those of the call come first.
    :raises CallError: settings of the file contradict each other.
    """
    load = _as_arguments({k: v for k, v in config.section("load").items() if k not in ("paths", "database")})
    if "schema" in load:
        load["schema"] = placed(config, load["schema"])
    for name in ("rule_files", "derive"):
        if name in load:
            load[name] = [placed(config, path) for path in load[name]]
    if "then" in load:
        load["then"] = [_placed_guest(config, text) for text in load["then"]]
    if "null" in given or "null_only" in given:
        load = {k: v for k, v in load.items() if k not in _NULLS}
    arguments = {**load, **given}
    for name in BY_TABLE:
        values = [*_listed(given.get(name)), *_of_tables(config, name), *_listed(load.get(name), scoped=True)]
        if not any("=" not in value for value in values):
            values += _listed(load.get(name), scoped=False)
        if values:
            arguments[name] = values
    for name in FORMATS:
        own = _listed(given.get(name))
        values = [*own, *_formats(config, name), *_listed(load.get(name), scoped=True)]
        if not any("=" not in value for value in own):
            values += _listed(load.get(name), scoped=False)
        if values:
            arguments[name] = values
    for name, pairs in (
        ("tables", _tables(config)),
        ("names", ((table, s["fields"]) for table, s in _table_sections(config) if "fields" in s)),
        ("key", ((table, ",".join(_listed(s["key"]))) for table, s in _table_sections(config) if "key" in s)),
    ):
        if both := [*given.get(name, ()), *pairs]:
            arguments[name] = both
    if rules := [*given.get("column_rules", ()), *_column_rules(config)]:
        arguments["column_rules"] = rules
    if asked := [*given.get("rules", ()), *_quality_rules(config)]:
        arguments["rules"] = asked
    if options := [*given.get("file_options", ()), *_file_options(config, given)]:
        arguments["file_options"] = options
    return arguments


def _placed_guest(config: Config, text: str) -> str:
    """``dbt:PATH`` with the path as the process finds it."""
    program, colon, path = text.partition(":")
    return f"{program}:{placed(config, path)}" if colon and path else text


def _as_arguments(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the arguments have them: a text that stands for a list is a list."""
    kinds = argument_kinds()
    return {k: [v] if isinstance(v, str) and is_list(kinds[k]) else v for k, v in values.items()}


def _listed(value: object, *, scoped: bool | None = None) -> list[str]:
    """A value or a list of values as texts.

    :param scoped: only those that begin with ``TABLE=``, or only the others.
    """
    values = [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]
    return [str(v) for v in values if scoped is None or ("=" in str(v)) is scoped]


def _table_sections(config: Config) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from config.section("tables").items()


def _of_tables(config: Config, name: str) -> list[str]:
    return [f"{table}={section[name]}" for table, section in _table_sections(config) if name in section]


def _formats(config: Config, name: str) -> Iterator[str]:
    """How the columns of single tables are written, the columns that are named first."""
    for table, section in _table_sections(config):
        for column, rule in section.get("columns", {}).items():
            yield from (f"{table}.{column}={value}" for value in _listed(rule.get(name)))
    for table, section in _table_sections(config):
        yield from (f"{table}.*={value}" for value in _listed(section.get(name)))


def _tables(config: Config) -> Iterator[tuple[str, str]]:
    for glob, section in config.section("files").items():
        if "table" in section:
            yield section["table"], glob


def _file_options(config: Config, given: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """How single files are read, except for what the call says of all files."""
    for glob, section in config.section("files").items():
        over = {*given, *(_NULLS if not given.keys().isdisjoint(_NULLS) else ())}
        options = {k: v for k, v in section.items() if k in FILE_ARGUMENTS and k not in over}
        if options:
            yield glob, _as_arguments(options)


def _column_rules(config: Config) -> Iterator[dict[str, str]]:
    """Where columns get their values from, and the fields that are left out."""
    for table, section in _table_sections(config):
        for field in section.get("ignore", ()):
            yield {"table": table, "from": field, "column": "", "where": config.where("tables", table, "ignore")}
        for column, rule in section.get("columns", {}).items():
            where = config.where("tables", table, "columns", column)
            said = [name for name in SOURCES if name in rule]
            if not said and rule:
                continue
            if len(said) != 1:
                raise CallError(
                    f"{where}: column {column} of {table} has {' and '.join(said) or 'no source'}",
                    f"Give one of {', '.join(SOURCES)}",
                )
            yield {"table": table, "column": column, said[0]: _text(rule[said[0]]), "where": where}


def _quality_rules(config: Config) -> Iterator[dict[str, Any]]:
    """The rules that a run has to satisfy."""
    for name, section in config.section("rules").items():
        rule = {**section, "name": name, "source": config.where("rules", name)}
        if "equals_file" in rule:
            rule["equals_file"] = placed(config, rule["equals_file"])
        yield rule


def _text(value: Sequence[str] | str | int) -> str:
    """A value of the file as PostgreSQL reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
