"""Finds the address of the database and connects to it.

Why a connection fails is explained in :mod:`pgsluice.postgres.connecting.refused_connection`, without a part of the
address that may be a password.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgsluice.errors import CallError, DatabaseError, NoServerError, ServerError
from pgsluice.postgres.connecting.pooler import refuse_transaction_pooler
from pgsluice.postgres.connecting.refused_connection import FORMS, LIBPQ_VARIABLES, explain, unreadable
from pgsluice.postgres.connecting.watched import WatchedConnection
from pgsluice.postgres.search_path import set_safe_path
from pgsluice.sql import query

# Of an interrupted transaction psycopg logs that its ROLLBACK failed. Without a handler Python would print that.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

OLDEST_SERVER = 15
"""The oldest major version of PostgreSQL that pgsluice works with."""


_CONNECT_SECONDS = 10


# A load may wait minutes for one statement. With keepalives a firewall does not drop the idle connection, and a dead
# server is noticed after a minute instead of the two hours that operating systems wait by default.
_KEEPALIVES = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


_OTHER_DATABASES = (
    "mysql",
    "mariadb",
    "sqlite",
    "oracle",
    "mssql",
    "sqlserver",
    "mongodb",
    "redshift",
    "http",
    "https",
)


def missing_server(database_url: str | None, data_dir: str | None) -> str | None:
    """Returns the folder of the embedded server that :func:`resolve` would take, if there is no server in it.

    :raises ServerError: the folder cannot be read.
    """
    if database_url is not None or (data_dir is None and _is_in_environment()):
        return None
    from pgsluice.postgres.embedded import server

    folder = data_dir or server.DEFAULT_DATA_DIR
    return folder if server.status(folder).version is None else None


def _is_in_environment() -> bool:
    return any(os.environ.get(name) for name in ("DATABASE_URL", *LIBPQ_VARIABLES))


def resolve(database_url: str | None, data_dir: str | None, *, make: bool = True, start: bool = True) -> str:
    """Returns the address of the database, ready for :func:`connect`.

    The first of these that is given decides:

    1. ``database_url``; ``data_dir`` is then only the folder of the reports.
    2. The embedded server in ``data_dir``.
    3. The environment variable ``DATABASE_URL``.
    4. libpq's environment variables; the address is then '' and libpq reads the variables.
    5. The embedded server in its default folder.

    An embedded server is started unless it runs.

    :param make: whether to make an embedded server where there is none. A command that only reads finds nothing in a
        new server.
    :param start: whether to start an embedded server that does not run.
    :raises CallError: the address is not an address of a PostgreSQL database.
    :raises ServerError: the embedded server does not start, there is none and ``make`` is False, or it does not run and
        ``start`` is False.
    """
    if database_url is not None:
        return _libpq_form(database_url, "--database-url")
    if data_dir is None:
        if from_environment := os.environ.get("DATABASE_URL"):
            return _libpq_form(from_environment, "DATABASE_URL")
        if any(os.environ.get(name) for name in LIBPQ_VARIABLES):
            return ""
    from pgsluice.postgres.embedded import server  # only here: a call with an address need not wait for this import
    from pgsluice.postgres.embedded.notices import data_dir_option

    folder = data_dir or server.DEFAULT_DATA_DIR
    found = server.status(folder)
    if not make and found.version is None:
        raise NoServerError(
            f"there is no server in {folder}",
            "Name its folder with --data-dir, or a database with --database-url",
        )
    if not start and not found.running:
        raise ServerError(
            f"the embedded server in {folder} does not run, and this command starts none",
            f"Start it with: pgsluice server start{data_dir_option(Path(found.data_dir))}",
        )
    return server.start(folder)


def connect(conninfo: str, *, application_name: str = "pgsluice") -> psycopg.Connection[tuple[object, ...]]:
    """Opens a connection: not in autocommit mode, with client encoding UTF-8 and isolation level READ COMMITTED.

    The first statement that calls more than one function of ``pg_catalog`` sets the safe path
    (:mod:`pgsluice.postgres.search_path`).

    Connect timeout, keepalives and application name are set only where the address does not set them. The timeouts
    that end statements, transactions and idle sessions are off, unless the address sets them.

    :param conninfo: a URL or keywords and values, as libpq reads them.
    :raises ConnectError: the address cannot be read, no server answers, the server refuses the connection, or the
        address leads to a pooler that does not pool sessions (:mod:`pgsluice.postgres.connecting.pooler`).
    :raises DatabaseError: the server is older than PostgreSQL 15.
    """
    try:
        given = conninfo_to_dict(conninfo)
    except (psycopg.Error, ValueError):
        raise unreadable() from None
    params: dict[str, str | int | None] = {"application_name": application_name, **_KEEPALIVES}
    if "PGCONNECT_TIMEOUT" not in os.environ:
        params["connect_timeout"] = _CONNECT_SECONDS
    params |= given
    params["client_encoding"] = "UTF8"

    def open_one() -> psycopg.Connection[tuple[object, ...]]:
        try:
            return WatchedConnection.connect(make_conninfo("", **params), autocommit=True)
        except psycopg.OperationalError as error:
            raise explain(error, conninfo, params) from None  # the text of the cause may quote the address
        except (psycopg.Error, ValueError):
            raise unreadable() from None  # a number that is no number, or hosts and ports that do not match

    conn = open_one()
    # The role or the database may have another default. A run must see what its other connection has committed.
    conn.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    try:
        # Settings would reach other clients of a pooler.
        refuse_transaction_pooler(conn, open_one, where(conn).rpartition(" at ")[2])
        # In autocommit mode: a rollback would undo the settings.
        set_safe_path(conn)
        conn.execute(query("session", "no_timeouts"))
        conn.autocommit = False
    except psycopg.OperationalError as error:
        conn.close()
        raise explain(error, conninfo, params) from None
    except BaseException:
        conn.close()
        raise
    version = conn.info.server_version
    if version < OLDEST_SERVER * 10000:
        conn.close()
        raise DatabaseError(
            f"the server runs PostgreSQL {version // 10000}.{version % 10000}",
            f"pgsluice needs PostgreSQL {OLDEST_SERVER} or newer",
        )
    return conn


def where(conn: psycopg.Connection[tuple[object, ...]]) -> str:
    """Returns ``database at host:port`` for messages, or ``database at folder`` for a Unix socket."""
    info = conn.info
    if info.host.startswith("/"):
        return f"{info.dbname} at {info.host}"
    host = f"[{info.host}]" if ":" in info.host else info.host
    return f"{info.dbname} at {host}:{info.port}"


def _libpq_form(address: str, origin: str) -> str:
    """Returns the address as libpq reads it: without the driver that SQLAlchemy writes into the scheme.

    :param origin: the option or variable that holds the address, for the message.
    """
    scheme, separator, rest = address.strip().partition("://")
    if not separator or "=" in scheme:
        # The address has no scheme, or the "://" is part of a value.
        if "=" in address:
            return address
        raise CallError(f"{origin} is not the address of a database", FORMS)
    dialect = scheme.lower().partition("+")[0]
    if dialect not in ("postgres", "postgresql"):
        # Another scheme is not shown: a password may stand before the first "://".
        begins = f"begins with {dialect}:// and not" if dialect in _OTHER_DATABASES else "does not begin"
        raise CallError(f"{origin} {begins} with postgresql://", FORMS)
    return f"postgresql://{rest}"
