"""How much memory the server may use for a run, by rules instead of settings that somebody has to know.

An index build gets an eighth of what the server calls ``effective_cache_size``, at most 512 MB, and never
less than ``maintenance_work_mem`` is: one index is built at a time, and PostgreSQL shares the amount between
the workers of that build. A sort or a hash, of the judge or of a mode's statement, gets an eighth of that, as
several of them run at once and a hash takes twice its share (``hash_mem_multiplier``); so do the buffers for
temporary tables. Nothing is made smaller than the server has it. With PostgreSQL's own defaults (4 MB, 8 MB)
everything that is done with a million rejects went through the disk.
"""

from __future__ import annotations

import psycopg

from pgsluice.sql import query


def for_session(conn: psycopg.Connection) -> None:
    """Sets the session's memory; to be called before it makes a temporary table. Leaves no transaction open."""
    conn.execute(query("memory", "for_session"))
    conn.commit()
