"""Findings about the server, the session and its settings."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg

from pgsluice.errors import DatabaseError
from pgsluice.ledger.schema import check_rights
from pgsluice.model import Finding, State
from pgsluice.postgres.asking import facts
from pgsluice.postgres.asking.facts import Session, Setting
from pgsluice.postgres.connecting.connect import where
from pgsluice.postgres.connecting.pooler import is_pooled

_SESSIONS = 3
"""The sessions of a load with --resumable; without it a load has two."""

_MIB, _GIB = 1 << 20, 1 << 30

_RELOAD = "SELECT pg_reload_conf();"
_RESTART = "and restart the server"

_TIMEOUTS = ("statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout")


def server_findings(conn: psycopg.Connection, estimate: int | None) -> Iterator[Finding]:
    """Yields what was found about the server.

    :param conn: in autocommit mode.
    :param estimate: bytes that the load will write; None: not known.
    """
    session, settings = facts.session(conn), facts.settings(conn)
    version = conn.info.server_version
    yield Finding("version", State.OK, f"PostgreSQL {version // 10000}.{version % 10000} at {where(conn)}")
    if is_pooled(conn):
        yield Finding("pooler", State.OK, "a pooler that pools sessions is in between; a load needs two sessions of it")
    yield from _session_findings(session, settings)
    yield _ledger(conn)
    yield from _timeouts(session, settings)
    yield from _settings(settings, session, local=facts.on_this_machine(conn), estimate=estimate)


def _session_findings(session: Session, settings: dict[str, Setting]) -> Iterator[Finding]:
    role, database = session.role, session.database
    if session.is_standby:
        yield Finding(
            "server", State.PROBLEM, "the server is a standby, which only reads", "Give the address of the primary"
        )
    elif settings["default_transaction_read_only"].reset_val == "on":
        yield Finding(
            "server",
            State.PROBLEM,
            f"transactions of role {role} only read (default_transaction_read_only = on)",
            f"ALTER ROLE {role} SET default_transaction_read_only = off; or, for one load,"
            " PGOPTIONS='-c default_transaction_read_only=off'",
        )
    if session.may_create_temporary:
        yield Finding("rights", State.OK, f"role {role} may create temporary tables in {database}")
    else:
        yield Finding(
            "rights",
            State.PROBLEM,
            f"role {role} may not create temporary tables in {database}",
            f"GRANT TEMPORARY ON DATABASE {database} TO {role};",
        )
    free = session.most_sessions - session.sessions
    if free < _SESSIONS - 1:
        yield Finding(
            "sessions",
            State.PROBLEM,
            f"{session.sessions} of {session.most_sessions} sessions are in use; a load needs 2, with --resumable 3",
            "Close others, or raise max_connections or the connection limit of the role or the database",
        )
    if session.encoding == "UTF8":
        text = f"database {database} has the encoding UTF8 and the collation {session.collation}"
        yield Finding("encoding", State.OK, text)
    else:
        lacking = "keeps any bytes and checks none" if session.encoding == "SQL_ASCII" else "lacks most characters"
        yield Finding(
            "encoding",
            State.RISK,
            f"database {database} has the encoding {session.encoding}, which {lacking}",
            f"createdb --encoding UTF8 --template template0 NAME; rows with characters that {session.encoding} lacks"
            " are rejects",
        )


def _ledger(conn: psycopg.Connection) -> Finding:
    try:
        text = check_rights(conn)
    except DatabaseError as error:
        return Finding("ledger", State.PROBLEM, error.message, error.remedy)
    return Finding("ledger", State.OK, text)


def _timeouts(session: Session, settings: dict[str, Setting]) -> Iterator[Finding]:
    found = [settings[name] for name in _TIMEOUTS if name in settings and settings[name].reset_val != "0"]
    for given in found:
        if given.setting != "0":
            yield Finding(
                given.name,
                State.RISK,
                f"the address or PGOPTIONS sets {given.name} to {given.number} ms, which may end a load",
                f"Take {given.name} out of the address and PGOPTIONS: pgsluice switches it off by itself",
            )
    names = ", ".join(f"{s.name} = {s.number} ms" for s in found if s.setting == "0")
    text = f"{names} of role {session.role}: off in the sessions of pgsluice" if names else "no timeout ends a load"
    yield Finding("timeouts", State.OK, text)


def _settings(
    settings: dict[str, Setting], session: Session, *, local: bool, estimate: int | None
) -> Iterator[Finding]:
    for name in ("fsync", "full_page_writes"):
        if settings[name].reset_val == "off":
            yield Finding(
                name,
                State.RISK,
                f"{name} is off: a crash of the machine may destroy the database",
                f"ALTER SYSTEM RESET {name}; {_RELOAD}",
            )
    size = settings["max_wal_size"].number
    wanted = max(4 * _GIB, min(estimate or 0, 64 * _GIB))
    yield _at_least(
        "max_wal_size", size, wanted, "each time that so much is written, a checkpoint interrupts the load", _RELOAD
    )
    minutes = settings["checkpoint_timeout"].number // 60_000
    if minutes < 15:
        yield Finding(
            "checkpoint_timeout",
            State.SLOW,
            f"checkpoint_timeout is {minutes} min: checkpoints write the same pages again and again",
            f"ALTER SYSTEM SET checkpoint_timeout = '15min'; {_RELOAD}",
        )
    memory = max(min(512 * _MIB, settings["effective_cache_size"].number // 8), settings["maintenance_work_mem"].number)
    if memory < 256 * _MIB:
        yield Finding(
            "maintenance_work_mem",
            State.SLOW,
            f"index builds get {memory // _MIB} MB, an eighth of effective_cache_size",
            f"ALTER SYSTEM SET maintenance_work_mem = '512MB'; {_RELOAD}",
        )
    yield _shared_buffers(settings["shared_buffers"].number, local=local)
    if settings["wal_level"].reset_val != "minimal" and not session.needs_wal:
        yield Finding(
            "wal_level",
            State.SLOW,
            f"wal_level is {settings['wal_level'].reset_val}, and no replica or archive reads the WAL: the rows of"
            " empty tables are written twice",
            "ALTER SYSTEM SET wal_level = minimal; ALTER SYSTEM SET max_wal_senders = 0;"
            f" {_RESTART}. pg_basebackup and replicas need wal_level = replica",
        )
    limit = int(settings["temp_file_limit"].reset_val)
    if limit >= 0:
        yield Finding(
            "temp_file_limit",
            State.RISK,
            f"temp_file_limit is {limit // 1024} MB: building an index of a larger table fails",
            f"As a superuser: ALTER ROLE {session.role} SET temp_file_limit = -1;",
        )


def _shared_buffers(size: int, *, local: bool) -> Finding:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if local else 0
    return _at_least(
        "shared_buffers",
        size,
        256 * _MIB,
        "PostgreSQL writes pages early and reads them again",
        _RESTART,
        min(max(memory // 4, 256 * _MIB), 8 * _GIB),
    )


def _at_least(name: str, size: int, least: int, why: str, then: str, wanted: int | None = None) -> Finding:
    megabytes = size // _MIB
    if size >= least:
        return Finding(name, State.OK, f"{name} is {megabytes:,} MB")
    proposed = (wanted or least) // _MIB
    return Finding(
        name,
        State.SLOW,
        f"{name} is {megabytes:,} MB: {why}",
        f"ALTER SYSTEM SET {name} = '{proposed}MB'; {then}",
    )
