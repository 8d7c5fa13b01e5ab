"""Public functions for rules and derived tables."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from pgsluice.api.configured import database_of
from pgsluice.api.connections import PathLike, existing
from pgsluice.config.merge import merged
from pgsluice.config.read import Config, read_config
from pgsluice.errors import CallError
from pgsluice.ledger import schema
from pgsluice.ledger.quality import made_last, record_derived
from pgsluice.model import DerivedResult, LoadOptions, RowRule, RuleResult, Rules, SetRule, Target
from pgsluice.options import build_options
from pgsluice.pipeline.quality.standing import ask_standing
from pgsluice.postgres.asking.target import read_target
from pgsluice.postgres.derived.build import derive as bring_up_to_date
from pgsluice.postgres.derived.definitions import read_definitions
from pgsluice.postgres.search_path import choose_schema, current_schema


def rules(
    *,
    rules: Sequence[RowRule | SetRule | Mapping[str, Any]] = (),
    rule_files: Sequence[PathLike] = (),
    config: PathLike | None = None,
) -> Rules:
    """Returns the rules that a load would ask. No database is needed.

    :param rules: rules, as for :func:`load`.
    :param rule_files: SQL files of rules, or folders of them.
    :param config: a file of settings (``pgsluice.toml``) with rules.
    :raises CallError: a rule is wrong.
    :raises FileError: a file cannot be read.
    """
    return quality_options(config, rules, rule_files)[0].quality


def check_rules(
    *,
    rules: Sequence[RowRule | SetRule | Mapping[str, Any]] = (),
    rule_files: Sequence[PathLike] = (),
    config: PathLike | None = None,
    database_url: str | None = None,
    data_dir: str | None = None,
    into: str | None = None,
) -> tuple[RuleResult, ...]:
    """Asks rules of the tables as they stand. Drift rules need a run and are left out.

    :param rules: rules, as for :func:`load`.
    :param rule_files: SQL files of rules, or folders of them.
    :param config: a file of settings (``pgsluice.toml``) with rules.
    :param database_url: the server, as for :func:`load`; an embedded server is not created.
    :param data_dir: the folder for the embedded server's data.
    :param into: the schema of the tables (default: the first of the search path).
    :raises CallError: a rule is wrong or cannot be asked.
    :raises MappingError: a rule names a table that does not exist.
    :raises DatabaseError: the database cannot be reached, or a rule raises an error for a row.
    """
    options, file = quality_options(config, rules, rule_files)
    with existing(database_of(file, database_url, data_dir) if file else database_url, data_dir) as conn:
        return ask_standing(conn, options.quality, into or options.into)


def derive(
    *paths: PathLike,
    config: PathLike | None = None,
    database_url: str | None = None,
    data_dir: str | None = None,
    into: str | None = None,
) -> tuple[DerivedResult, ...]:
    """Brings derived tables up to date, without a load, in one transaction.

    :param paths: SQL files of definitions, or folders of them; without paths those of ``config``.
    :param config: a file of settings (``pgsluice.toml``).
    :param database_url: the server, as for :func:`load`; an embedded server is not created.
    :param data_dir: the folder for the embedded server's data.
    :param into: the schema of the derived tables (default: the first of the search path).
    :returns: what was done with each derived table, in the order of its dependencies.
    :raises CallError: no definition is given, or a definition is wrong.
    :raises FileError: a path is missing.
    :raises DatabaseError: the database cannot be reached, or PostgreSQL refuses a definition.
    """
    return derive_there(paths, config, database_url, data_dir, into)[1]


def derive_there(
    paths: Sequence[PathLike],
    config: PathLike | None,
    database_url: str | None,
    data_dir: str | None,
    into: str | None,
) -> tuple[Target, tuple[DerivedResult, ...]]:
    """Does what :func:`derive` does, and returns also where."""
    options, file = quality_options(config, (), ())
    named = [os.fspath(path) for path in paths] or list(options.derive)
    if not named:
        raise CallError("no definition of a derived table is given", "Name SQL files, or write derive into [load]")
    with existing(database_of(file, database_url, data_dir) if file else database_url, data_dir) as conn:
        schema.ensure(conn)
        with conn.transaction():
            if chosen := into or options.into:
                choose_schema(conn, chosen)
            current = chosen or current_schema(conn)
            target = read_target(conn, current)
            definitions = read_definitions(named, current or "public")
            derived = bring_up_to_date(conn, definitions, made_last(conn), None)
            record_derived(conn, None, definitions, derived)
    return target, derived.results


def quality_options(
    config: PathLike | None, rules: Sequence[RowRule | SetRule | Mapping[str, Any]], files: Sequence[PathLike]
) -> tuple[LoadOptions, Config | None]:
    """The options that a file of settings and a call say of rules and derived tables, and that file."""
    file = None if config is None else read_config(os.fspath(config))
    given: dict[str, Any] = {k: list(v) for k, v in (("rules", rules), ("rule_files", files)) if v}
    return build_options(**(merged(file, given) if file else given)), file
