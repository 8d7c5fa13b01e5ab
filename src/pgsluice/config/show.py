"""The settings in force, with the place that each comes from: ``pgsluice config show``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pgsluice.config.description import BY_TABLE, LOAD
from pgsluice.config.read import Config
from pgsluice.model import Setting


def settings(
    config: Config | None,
    given: Mapping[str, Any],
    options: Mapping[str, str],
    defaults: Mapping[str, object],
    *,
    paths: tuple[str, ...],
    database: str,
) -> tuple[Setting, ...]:
    """All settings of a call: those of the file of settings, those that override them, and the defaults.

    :param given: the arguments of the call.
    :param options: the option of the command line for each argument.
    :param defaults: the values of arguments that nobody sets; arguments that are not here have none.
    :param paths: the paths of the call.
    :param database: the option or the variable that names the database, in place of the file; '' if there is none.
        Its value is not shown, because it may hold a password.
    """
    found = list(_of_file(config, given, options, paths, database)) if config is not None else []
    if database:
        found.append(Setting("load.database", "...", database))
    if paths:
        found.append(Setting("load.paths", list(paths), "argument"))
    found += [Setting(f"load.{name}", value, f"option {options[name]}") for name, value in given.items()]
    said = {setting.key for setting in found if not setting.overridden_by}
    found += [
        Setting(f"load.{key.name}", defaults.get(key.name), "default")
        for key in LOAD.keys
        if f"load.{key.name}" not in said
    ]
    return tuple(found)


def _of_file(
    config: Config,
    given: Mapping[str, Any],
    options: Mapping[str, str],
    paths: tuple[str, ...],
    database: str,
) -> Iterator[Setting]:
    """The settings of the file."""
    for path, value in _leaves(config.values, ()):
        where = config.where(*path)
        line = int(where.rpartition(":")[2]) if where != config.path else 0
        name = path[-1]
        over = ""
        if path == ("load", "paths"):
            over = "the paths of the call" if paths else ""
        elif path == ("load", "database"):
            over = database
        elif (path[0] == "load" or (path[0] == "files" and name != "table")) and name in given:
            by_table = name in BY_TABLE and all("=" in str(v) for v in _as_list(given[name]))
            over = "" if by_table else options[name]
        elif len(path) == 3 and path[0] == "tables" and name in BY_TABLE:
            over = options[name] if any(str(v).startswith(f"{path[1]}=") for v in _as_list(given.get(name))) else ""
        yield Setting(".".join(path), value, config.path, line, over)


def _as_list(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _leaves(values: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name), value
