"""The commands of rules and derived tables: ``rules`` and ``derive``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
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
from pgsluice.report.output import complain, show, show_json, show_line
from pgsluice.text import pluralize

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
    dbt: Annotated[bool, typer.Option("--dbt", help="As tests of a dbt project.")] = False,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="The folder of the dbt project: write models/pgsluice_rules.yml and tests/pgsluice_*.sql.  [default:"
            " print the properties file]",
        ),
    ] = None,
    rule_files: RuleFiles = None,
    config: ConfigFile = None,
    no_config: NoConfig = False,
) -> None:
    """Write the rules for another program.

    The tables are a source of the project. The rules not_null, accepted_values, relationships and unique become
    the tests of these names, all other rules SQL files. dbt has nothing for drift.

    Example: pgsluice rules export --dbt --output transform/
    """
    from pgsluice.api import rules as read_rules
    from pgsluice.report.dbt_export import PROPERTIES, as_dbt, not_exported, singular_tests

    if not dbt:
        raise CallError("rules export needs to know for which program", "Add --dbt")
    found = read_rules(rule_files=rule_files or (), config=file_of_settings(None, config, no_config=no_config))
    tests = singular_tests(found)
    if output is None:
        show_line(as_dbt(found))
        if tests:
            complain(f"{pluralize(len(tests), 'rule')} cannot stand in a properties file. Add --output FOLDER")
    else:
        files = {PROPERTIES: as_dbt(found) + "\n"} | tests
        for name, text in files.items():
            path = Path(output, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        show_line(f"Wrote {pluralize(len(files), 'file')} into {output}.")
    for name in not_exported(found):
        complain(f"rule {name!r} is left out: dbt has nothing for drift")


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
