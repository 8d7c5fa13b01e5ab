"""Where a connection leads, as the server says it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from pgsluice.model import Target
from pgsluice.postgres.embedded.processes import folder_of_server
from pgsluice.sql import query


def read_target(conn: psycopg.Connection[Any], schema: str | None) -> Target:
    """Returns the database, the server and the role of a connection.

    :param schema: the schema that the command works on; None if no schema of the user's path exists.
    """
    with conn.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(query("session", "target")).fetchone()
    assert row is not None
    database, role, data_directory = row
    info = conn.info
    version = info.parameter_status("server_version") or str(info.server_version // 10000)
    # Only a server on a socket is on this machine for certain, and has its folder here.
    folder = folder_of_server(Path(data_directory or info.host)) if info.host.startswith("/") else None
    return Target(
        database=database,
        host=info.host,
        port=info.port,
        role=role,
        # Packages add words of their own: 18.6 (Debian 18.6-1).
        server_version=version.split(" ")[0],
        schema=schema or "",
        data_dir=str(folder) if folder else "",
    )
