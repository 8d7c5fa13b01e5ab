"""The commands of rules and derived tables: ``rules`` and ``derive``."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from pgsluice.cli.exit_codes import VETOED
from pgsluice.cli.options.common import (
    ConfigFile,
    DatabaseUrl,
    DataDir,
    Into,
    Json,
    NoConfig,
    RuleFiles,
    file_of_settings,
)
from pgsluice.errors import CallError
from pgsluice.report.output import show, show_json, show_line

rules = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


@rules.callback()
def _rules() -> None:
    """List, test and export the rules that rows have to satisfy.

    Rules are sections [rules.NAME] of pgsluice.toml, or SQL files.

    Example: pgsluice rules test
    """


@rules.command("list")
def list_rules(
    rule_files: RuleFiles = None, config: ConfigFile = None, no_config: NoConfig = False, as_json: Json = False
) -> None:
    """List the rules that a load would check.

    Example: pgsluice rules list
    """
    from pgsluice.api import rules as read_rules
    from pgsluice.report.texts.quality_text import rule_list

    found = read_rules(rule_files=rule_files or (), config=file_of_settings(None, config, no_config=no_config))
    if as_json:
        show_json(dataclasses.asdict(found))
    else:
        show(rule_list(found))


@rules.command("test")
def ask_rules(
    rule_files: RuleFiles = None,
    config: ConfigFile = None,
    no_config: NoConfig = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    into: Into = None,
    as_json: Json = False,
) -> None:
    """Check the rules against the tables as they are now.

    The exit code is 1 if a rule is broken whose severity is not warn.

    Example: pgsluice rules test
    """
    from pgsluice.api import check_rules
    from pgsluice.report.texts.quality_text import rule_parts

    results = check_rules(
        rule_files=rule_files or (),
        config=file_of_settings(None, config, no_config=no_config),
        database_url=database_url,
        data_dir=data_dir,
        into=into,
    )
    if not results:
        raise CallError("there are no rules to test", "Write them into pgsluice.toml, or name SQL files: --rules PATH")
    if as_json:
        show_json({"rules": [dataclasses.asdict(result) for result in results]})
    else:
        show(rule_parts(results))
    if any(not r.ok and r.severity != "warn" for r in results):
        raise typer.Exit(VETOED)


@rules.command("export")
def export_rules(
    dbt: Annotated[
        bool, typer.Option("--dbt", help="As the properties file of a dbt project, with its tests.")
    ] = False,
    rule_files: RuleFiles = None,
    config: ConfigFile = None,
    no_config: NoConfig = False,
) -> None:
    """Write the rules for another program.

    The generic rules become tests of the same names. JSON is YAML, so the output is a schema.yml.

    Example: pgsluice rules export --dbt > models/schema.yml
    """
    from pgsluice.api import rules as read_rules
    from pgsluice.report.dbt_export import as_dbt

    if not dbt:
        raise CallError("rules export needs to know for which program", "Add --dbt")
    found = read_rules(rule_files=rule_files or (), config=file_of_settings(None, config, no_config=no_config))
    show_line(as_dbt(found))


def derive(
    paths: Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", hidden=True)] = None,
    config: ConfigFile = None,
    no_config: NoConfig = False,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    into: Into = None,
    as_json: Json = False,
) -> None:
    """Bring derived tables up to date without a load.

    PATH is a SQL file with one SELECT and a small header of comments, or a folder of them; without PATH the
    setting derive of pgsluice.toml says which. pgsluice load --derive does the same in the transaction that
    publishes the rows.

    Example: pgsluice derive derive/
    """
    from pgsluice.api.quality import derive_there
    from pgsluice.report.console import between_targets
    from pgsluice.report.texts.quality_text import derived_parts

    settings = file_of_settings(None, config, no_config=no_config)
    target, results = derive_there(paths or (), settings, database_url, data_dir, into)
    if as_json:
        derived = [dataclasses.asdict(result) for result in results]
        show_json({"derived": derived, "target": dataclasses.asdict(target)})
    else:
        show(between_targets("Derived tables of", derived_parts(results), target))
