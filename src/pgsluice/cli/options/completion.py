"""What a shell completes beyond the names of commands and options: tables of the database, and modes.

A completion must not hang, must not start a server, and has nobody to complain to: what cannot be asked at once is not
completed.
"""

from __future__ import annotations

import threading

import typer

MODES = ("append", "upsert", "insert-missing", "replace")
"""The values of ``--mode``."""

_SECONDS = 2.0
"""How long a completion waits for the database."""


def complete_table(ctx: typer.Context, incomplete: str) -> list[str]:
    """Completes the name of a table."""
    return [name for name in _tables(ctx) if name.startswith(incomplete)]


def complete_table_value(ctx: typer.Context, incomplete: str) -> list[str]:
    """Completes the first part of ``TABLE=...``."""
    return [f"{name}=" for name in complete_table(ctx, incomplete)] if "=" not in incomplete else []


def complete_mode(ctx: typer.Context, incomplete: str) -> list[str]:
    """Completes a mode, also behind ``TABLE=``."""
    table, equals, mode = incomplete.rpartition("=")
    modes = [f"{table}{equals}{m}" for m in MODES if m.startswith(mode)]
    return modes if equals or modes else complete_table_value(ctx, incomplete)


def _tables(ctx: typer.Context) -> list[str]:
    """The tables of the database of a command line; [] if it does not answer at once."""
    from pgsluice.postgres.connecting.connect import connect, resolve
    from pgsluice.postgres.search_path import current_schema
    from pgsluice.sql import query

    found: list[str] = []

    def ask() -> None:
        try:
            address = resolve(ctx.params.get("database_url"), ctx.params.get("data_dir"), make=False, start=False)
            with connect(address) as conn:
                schema = ctx.params.get("into") or current_schema(conn)
                rows = conn.execute(query("catalog", "tables"), {"schema": schema}).fetchall()
            found.extend(sorted(str(row[2]) for row in rows))
        except Exception:
            return

    # The name of a host may take longer to look up than any timeout of libpq.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_SECONDS)
    return list(found)
