"""The command that shows the settings in force."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import typer

from pgsluice.cli.commands import PanelCommand
from pgsluice.cli.options.common import (
    ConfigFile,
    DatabaseUrl,
    DataDir,
    Json,
    MaxRejects,
    NoConfig,
    Paths,
    file_of_settings,
)
from pgsluice.cli.options.load_option import arguments_of, with_options
from pgsluice.cli.options.reading import PLAN_OPTIONS
from pgsluice.cli.options.writing import RUN_OPTIONS
from pgsluice.report.output import show, show_json

config = typer.Typer(rich_markup_mode=None, no_args_is_help=True)

_OPTIONS = (*PLAN_OPTIONS, *RUN_OPTIONS)


@config.callback()
def _config() -> None:
    """Show the settings of a load: pgsluice.toml and the options.

    Example: pgsluice config show data/
    """


@config.command("show", cls=PanelCommand)
@with_options(*_OPTIONS)
def config_show(
    ctx: typer.Context,
    paths: Paths = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    no_config: NoConfig = False,
    max_rejects: MaxRejects = None,
    as_json: Json = False,
    **options: Any,
) -> None:
    """Print the settings in force, and where each comes from.

    The command takes the paths and options of pgsluice load. A setting comes from the file pgsluice.toml
    (with its line), from an option, from the environment, or is a default.

    Example: pgsluice config show data/ --mode upsert
    """
    from pgsluice.config.read import read_config
    from pgsluice.config.show import settings
    from pgsluice.report.texts.config_text import config_parts

    path = file_of_settings(paths, config, no_config=no_config)
    file = read_config(path) if path is not None else None
    given = arguments_of(ctx, _OPTIONS, options)
    if max_rejects:
        given["max_rejects"] = max_rejects
    named = {o.argument: _option(o.info) for o in _OPTIONS} | {"max_rejects": "--max-rejects"}
    defaults = {o.argument: o.default for o in _OPTIONS if o.default is not None}
    defaults |= {"mode": "append", "max_rejects": 0, "drift": "error"}
    source = _database_source(database_url, data_dir)
    found = settings(file, given, named, defaults, paths=tuple(paths or ()), database=source)
    if as_json:
        show_json({"config": path, "settings": [dataclasses.asdict(setting) for setting in found]})
    else:
        show(config_parts(path, found))


def _option(info: Any) -> str:
    """The name of an option: ``--header`` of ``--header/--no-header``."""
    return str(info.param_decls[0] if info.param_decls else info.default).partition("/")[0]


def _database_source(database_url: str | None, data_dir: str | None) -> str:
    """What names the database, in front of a file of settings; '' if nothing does."""
    if database_url is not None:
        return "option --database-url"
    if data_dir is not None:
        return "option --data-dir"
    return "environment DATABASE_URL" if os.environ.get("DATABASE_URL") else ""
