"""Finds the schema of a folder, and loads the folder with it."""

from __future__ import annotations

from pathlib import Path

import pgsluice
from pgsluice.api.inferring import write_outputs
from pgsluice.model import InferredSchema, RunResult


def init_and_load(data: Path, folder: Path, url: str, **options: object) -> tuple[InferredSchema, RunResult]:
    """Writes the schema of ``data`` into ``folder``, and loads what the settings name."""
    schema, settings = folder / "schema.sql", folder / "pgsluice.toml"
    found = pgsluice.infer_schema(data, output=schema, **options)  # type: ignore[arg-type]
    write_outputs((schema, settings), found)
    return found, pgsluice.load(config=settings, database_url=url, max_rejects="all")
