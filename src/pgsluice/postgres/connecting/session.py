"""Memory and workers of a session, set by rules so that the user need not set them.

Memory: an index build gets an eighth of the server's ``effective_cache_size``, at most 512 MB and at least the server's
``maintenance_work_mem``. One index is built at a time, and PostgreSQL divides the amount among the workers of that
build. A sort or a hash gets an eighth of that amount (``work_mem``), because several of them run at once and a hash
takes twice its share (``hash_mem_multiplier``). The buffers for temporary tables (``temp_buffers``) are as large as
``work_mem``. No setting becomes smaller than the server has it. With PostgreSQL's defaults (4 MB, 8 MB) every query
over a million rejects wrote temporary files.

Workers: an index build gets one process for each core. PostgreSQL's default is two workers beside the leader, and the
leader sorts as well. On two cores that is one process too many: four indexes of three million rows took 4.9 s instead
of 4.5 s, and a load 5.0 s instead of 4.3 s (medians of seven and five runs). On eight cores it is too few. The setting
changes only if it has its default and if the server is on this machine, because only then pgsluice knows the number of
cores. PostgreSQL takes fewer workers for a small table.
"""

from __future__ import annotations

import os

import psycopg

from pgsluice.sql import query


def configure_session(conn: psycopg.Connection) -> None:
    """Sets memory and workers of the session.

    Call it before the session makes its first temporary table, because ``temp_buffers`` cannot change after that.

    :param conn: a connection that is not in a transaction. Autocommit mode saves BEGIN and COMMIT, two round trips.
    """
    autocommit = conn.autocommit
    conn.autocommit = True
    conn.execute(query("session", "memory"))
    # The host is a folder for a Unix socket, or begins with @ for an abstract socket: the server is on this machine.
    if conn.info.host.startswith(("/", "@")):
        conn.execute(query("session", "workers"), {"workers": max(0, (os.cpu_count() or 1) - 1)})
    conn.autocommit = autocommit
