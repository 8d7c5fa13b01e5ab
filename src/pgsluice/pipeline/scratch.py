"""The run's own tables: its rejects, and for each table of the user's the *stage* and the *doubts*."""

from __future__ import annotations

import psycopg
from psycopg import sql

from pgsluice.pipeline.state import TableRun, columns_of

REJECT = sql.Identifier("pg_temp", "pgsluice_reject")
"""The run's rejects while it is under way; gone with its transaction. With ``why``, what is said of one stands in
:data:`WHY`; a ``kind`` of its own counts all the same."""


WHY = sql.Identifier("pg_temp", "pgsluice_why")
"""What is said of the rows that a question to a set has found, once for all of them; numbered from 1."""


_CREATE_REJECT = """
CREATE TEMP TABLE pgsluice_reject (
    tab integer NOT NULL, ord bigint NOT NULL, why integer, kind text NOT NULL DEFAULT '',
    col text NOT NULL DEFAULT '', con text NOT NULL DEFAULT '', code text NOT NULL DEFAULT '',
    message text NOT NULL DEFAULT '', parent_tab integer, parent_ord bigint
) ON COMMIT DROP;
CREATE TEMP TABLE pgsluice_why (
    why integer NOT NULL, tab integer NOT NULL, prio integer NOT NULL, kind text NOT NULL, col text NOT NULL,
    con text NOT NULL, code text NOT NULL, message text NOT NULL
) ON COMMIT DROP
"""


def create_reject(conn: psycopg.Connection) -> None:
    """Makes the run's tables of rejects, for the time of the transaction."""
    conn.execute(_CREATE_REJECT)


def make_stage(conn: psycopg.Connection, state: TableRun) -> None:
    """Makes the table's stage if it is not there: its ordinal and the columns of the file, same types."""
    if state.stage_made:
        return
    # Taken from the table itself by CREATE TABLE AS, types keep their modifiers and collations and shed
    # constraints, defaults and identity.
    conn.execute(
        sql.SQL("CREATE {} TABLE {} {} AS SELECT NULL::bigint AS {}, {} FROM {} WITH NO DATA").format(
            _persistence(state),
            state.stage,
            _until(state),
            sql.Identifier(state.ordinal),
            columns_of(state),
            state.target,
        )
    )
    state.stage_made = True


def make_doubt(conn: psycopg.Connection, state: TableRun) -> None:
    """Makes the table's table of doubts if it is not there: the ordinal, and the columns of the file as texts."""
    if state.doubt_made:
        return
    columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(c.name)) for c in state.columns)
    conn.execute(
        sql.SQL("CREATE {} TABLE {} ({} bigint, {}) {}").format(
            _persistence(state), state.doubt, sql.Identifier(state.ordinal), columns, _until(state)
        )
    )
    state.doubt_made = True


def numbering(state: TableRun) -> sql.Identifier:
    """The sequence that numbers the rows which come into the table's stage without an ordinal."""
    return sql.Identifier("pg_temp", f"pgsluice_next_{state.number}")


def number_from(conn: psycopg.Connection, state: TableRun, ordinal: int) -> None:
    """Rows that come into the stage without an ordinal get this one and those after it."""
    sequence = numbering(state)
    literal = sql.Literal(sequence.as_string(conn))
    if not state.numbering:
        conn.execute(sql.SQL("CREATE SEQUENCE {} MINVALUE 0 CACHE 1000").format(sequence))
        conn.execute(
            sql.SQL("ALTER TABLE {} ALTER {} SET DEFAULT nextval({}::regclass)").format(
                state.stage, sql.Identifier(state.ordinal), literal
            )
        )
        state.numbering = True
    conn.execute(sql.SQL("SELECT setval({}::regclass, {}, false)").format(literal, sql.Literal(ordinal)))


def _persistence(state: TableRun) -> sql.SQL:
    return sql.SQL("UNLOGGED" if state.lasting else "TEMP")


def _until(state: TableRun) -> sql.SQL:
    return sql.SQL("" if state.lasting else "ON COMMIT DROP")


BAN = sql.Identifier("pg_temp", "pgsluice_ban")
"""Rows that may not stay because they have no parent, and what is said of them."""


OFF = sql.Identifier("pg_temp", "pgsluice_off")
"""Reasons to reject a row: table, rid, ordinal, ``prio``, and ``rival``, the ordinal of the earlier row that has its
key. Of several the one with the lowest ``prio`` is what PostgreSQL would have said first; its words are in
:data:`SAID`."""


SAID = sql.Identifier("pg_temp", "pgsluice_said")


DUP = sql.Identifier("pg_temp", "pgsluice_dup")
"""Members of groups that share a unique key."""


LOST = sql.Identifier("pg_temp", "pgsluice_lost")
"""Rows that leave: ``loser`` when only because an earlier row has their key."""


_CREATE = (
    "CREATE TEMP TABLE IF NOT EXISTS pgsluice_off (tab integer NOT NULL, rid tid NOT NULL, ord bigint,"
    " prio integer NOT NULL, rival bigint) ON COMMIT DROP",
    "CREATE TEMP TABLE IF NOT EXISTS pgsluice_said (tab integer NOT NULL, prio integer NOT NULL, kind text NOT NULL,"
    " col text NOT NULL, con text NOT NULL, code text NOT NULL, message text NOT NULL) ON COMMIT DROP",
    "CREATE TEMP TABLE IF NOT EXISTS pgsluice_dup (tab integer NOT NULL, ix integer NOT NULL, grp bigint NOT NULL,"
    " rid tid NOT NULL, ord bigint) ON COMMIT DROP",
    "CREATE TEMP TABLE IF NOT EXISTS pgsluice_lost (tab integer NOT NULL, rid tid NOT NULL, loser boolean NOT NULL)"
    " ON COMMIT DROP",
)


def clean_slate(conn: psycopg.Connection) -> None:
    """Makes the tables of this module, or empties them."""
    for statement in _CREATE:
        conn.execute(statement)
    conn.execute(sql.SQL("TRUNCATE {}, {}, {}, {}").format(OFF, SAID, DUP, LOST))
