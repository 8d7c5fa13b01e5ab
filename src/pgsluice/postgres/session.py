"""What a run may use of the server, by rules instead of settings that somebody has to know.

Memory: an index build gets an eighth of what the server calls ``effective_cache_size``, at most 512 MB, and never
less than ``maintenance_work_mem`` is: one index is built at a time, and PostgreSQL shares the amount between
the workers of that build. A sort or a hash, of the judge or of a mode's statement, gets an eighth of that, as
several of them run at once and a hash takes twice its share (``hash_mem_multiplier``); so do the buffers for
temporary tables. Nothing is made smaller than the server has it. With PostgreSQL's own defaults (4 MB, 8 MB)
everything that is done with a million rejects went through the disk.

Processes: an index build gets one for each core. PostgreSQL's default is two workers beside the process that asks,
which sorts as well: on two cores one too many (four indexes of three million rows took 4.5 s instead of 4.9, in a load
4.3 instead of 5.0, medians of seven and five turns), and on eight few. Only where nobody has set it, and where the
cores are known: the server is on this machine. PostgreSQL takes fewer for a small table.
"""

from __future__ import annotations

import os

import psycopg

from pgsluice.sql import query


def configure_session(conn: psycopg.Connection) -> None:
    """Sets the session's memory and workers; to be called before it makes a temporary table. Leaves no transaction
    open.
    """
    conn.execute(query("session", "memory"))
    # A Unix socket's folder, or the name of an abstract one.
    if conn.info.host.startswith(("/", "@")):
        conn.execute(query("session", "workers"), {"workers": max(0, (os.cpu_count() or 1) - 1)})
    conn.commit()
