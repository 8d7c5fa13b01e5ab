"""The command ``doctor``."""

from __future__ import annotations

import dataclasses
from typing import Any

import typer

from pgsluice.cli.exit_codes import REFUSED
from pgsluice.cli.options.common import (
    ConfigFile,
    DatabaseUrl,
    DataDir,
    Embedded,
    Json,
    NoConfig,
    Paths,
    embedded_folder,
    file_of_settings,
)
from pgsluice.cli.options.load_option import arguments_of, with_options
from pgsluice.cli.options.reading import PLAN_OPTIONS
from pgsluice.report.output import OutputError, complain, show, show_json


@with_options(*PLAN_OPTIONS)
def doctor(
    ctx: typer.Context,
    paths: Paths = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    embedded: Embedded = False,
    config: ConfigFile = None,
    no_config: NoConfig = False,
    as_json: Json = False,
    **options: Any,
) -> None:
    """Check whether a load would work here, how fast, and what to change.

    The checks: connection, version, rights, poolers, timeouts, settings that make loads slow. With PATH also the
    files, their tables, the extensions of the schema file and the free disk. Nothing is written. The exit code
    is 3 if a load would fail.

    Example: pgsluice doctor data/ --schema schema.sql
    """
    from pgsluice.api import doctor as examine
    from pgsluice.report.texts.doctor_text import doctor_parts

    data_dir = embedded_folder(database_url, data_dir, embedded=embedded)
    result = examine(
        *(paths or ()),
        config=file_of_settings(paths, config, no_config=no_config),
        database_url=database_url,
        data_dir=data_dir,
        **arguments_of(ctx, PLAN_OPTIONS, options),
    )
    try:
        if as_json:
            show_json(dataclasses.asdict(result))
        else:
            show(doctor_parts(result))
    except OutputError as error:
        if result.ok:
            raise
        complain(str(error))
    if not result.ok:
        raise typer.Exit(REFUSED)
