"""Finds the address of the database and connects to it.

No message of this module contains a password. A message of libpq may quote the address, so this module writes messages
of its own. Only for an unknown reason it repeats the last line of libpq's message, without the password.
"""

from __future__ import annotations

import os
import re

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgsluice.errors import CallError, ConnectError, DatabaseError, ServerError
from pgsluice.postgres.search_path import set_safe_path

OLDEST_SERVER = 15
"""The oldest major version of PostgreSQL that pgsluice works with."""


_CONNECT_SECONDS = 10


# A load may wait minutes for one statement. With keepalives a firewall does not drop the idle connection, and a dead
# server is noticed after a minute instead of the two hours that operating systems wait by default.
_KEEPALIVES = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


_PG_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE")


_FORMS = "Write postgresql://user:password@host:5432/database or 'host=... dbname=...'"


def resolve(database_url: str | None, data_dir: str | None, *, make: bool = True) -> str:
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
    :raises CallError: the address is not an address of a PostgreSQL database.
    :raises ServerError: the embedded server does not start, or there is none and ``make`` is False.
    """
    if database_url is not None:
        return _libpq_form(database_url, "--database-url")
    if data_dir is None:
        if from_environment := os.environ.get("DATABASE_URL"):
            return _libpq_form(from_environment, "DATABASE_URL")
        if any(os.environ.get(name) for name in _PG_VARIABLES):
            return ""
    from pgsluice.postgres.embedded import server  # only here: a call with an address need not wait for this import

    folder = data_dir or server.DEFAULT_DATA_DIR
    if not make and server.status(folder).version is None:
        raise ServerError(
            f"there is no server in {folder}",
            "Name its folder with --data-dir, or a database with --database-url",
        )
    return server.start(folder)


def connect(conninfo: str, *, application_name: str = "pgsluice") -> psycopg.Connection[tuple[object, ...]]:
    """Opens a connection: not in autocommit mode, with client encoding UTF-8 and isolation level READ COMMITTED.

    The first statement sets the safe path (:mod:`pgsluice.postgres.search_path`).

    Connect timeout, keepalives and application name are set only where the address does not set them.

    :param conninfo: a URL or keywords and values, as libpq reads them.
    :raises ConnectError: the address cannot be read, no server answers, or the server refuses the connection.
    :raises DatabaseError: the server is older than PostgreSQL 15.
    """
    try:
        given = conninfo_to_dict(conninfo)
    except psycopg.Error:
        # libpq quotes the part that it cannot read. That part may be the password, so the message repeats nothing.
        raise ConnectError(
            "the address of the database cannot be read", f"{_FORMS}; in a URL write % as %25, @ as %40"
        ) from None
    params: dict[str, str | int | None] = {"application_name": application_name, **_KEEPALIVES}
    if "PGCONNECT_TIMEOUT" not in os.environ:
        params["connect_timeout"] = _CONNECT_SECONDS
    params |= given
    params["client_encoding"] = "UTF8"
    try:
        conn: psycopg.Connection[tuple[object, ...]] = psycopg.connect(make_conninfo("", **params), autocommit=True)
        set_safe_path(conn)
    except psycopg.OperationalError as error:
        raise _explain(error, params) from None  # the text of the cause may quote the address
    conn.autocommit = False
    # The role or the database may have another default. A run must see what its other connection has committed.
    conn.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
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
        raise CallError(f"{origin} is not the address of a database", _FORMS)
    dialect = scheme.lower().partition("+")[0]
    if dialect not in ("postgres", "postgresql"):
        raise CallError(f"{origin} begins with {scheme}:// and not with postgresql://", _FORMS)
    return f"postgresql://{rest}"


def _explain(error: psycopg.OperationalError, params: dict[str, str | int | None]) -> ConnectError:
    """Returns an error with what failed and what to do, in one line each.

    libpq gives no SQLSTATE for a failed connection, so the cause is found in its text. A text that is not in English
    matches no case, and the last line of the text becomes the message.
    """
    text = str(error)
    lower = text.lower()
    host = _host(params)
    user = _param(params, "user", "PGUSER")
    as_user = f' for user "{user}"' if user else ""
    if isinstance(error, psycopg.errors.ConnectionTimeout) or "timeout expired" in lower:
        return ConnectError(
            f"no answer from {host} in {params.get('connect_timeout') or os.environ['PGCONNECT_TIMEOUT']} s",
            "Check address, network and firewall, or wait longer with connect_timeout=... in the address",
        )
    if "could not translate host name" in lower or "resol" in lower or "name or service not known" in lower:
        # If a password contains an @ that is not escaped, libpq takes the text behind it for a part of the host.
        return ConnectError(
            f"the host {host.rpartition('@')[2]} is not known",
            "Check its spelling; in a URL, write an @ in the password as %40",
        )
    if "password authentication failed" in lower:
        return ConnectError(f"wrong password{as_user} at {host}", "Check user and password of the address")
    if "no password supplied" in lower:
        return ConnectError(f"{host} asks for a password{as_user}", "Put it into the address, PGPASSWORD or ~/.pgpass")
    if missing := re.search(r'database "([^"]*)" does not exist', text):
        return ConnectError(f'there is no database "{missing[1]}" at {host}', f"Create it first: createdb {missing[1]}")
    if missing := re.search(r'role "([^"]*)" does not exist', text):
        return ConnectError(
            f'there is no role "{missing[1]}" at {host}', "Name a user in the address: postgresql://user@..."
        )
    if "starting up" in lower or "shutting down" in lower:
        return ConnectError(f"the server at {host} is just starting or stopping", "Try again in a moment")
    if "connection refused" in lower or "no such file or directory" in lower:
        return ConnectError(
            f"no server listens at {host}",
            f"Start it, or check host and port; without {_named_by()} an embedded server is used",
        )
    if "too many clients" in lower or "remaining connection slots" in lower:
        return ConnectError(f"{host} has no connection left", "Close others or raise max_connections")
    if "pg_hba.conf" in lower:
        return ConnectError(
            f"the server at {host} does not admit this client{as_user}",
            "Have its pg_hba.conf extended, or check sslmode",
        )
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reason = lines[-1] if lines else "no reason given"
    if password := params.get("password") or os.environ.get("PGPASSWORD"):
        reason = reason.replace(str(password), "***")
    return ConnectError(f"no connection to {host}: {reason}", "Check the address of the database")


def _named_by() -> str:
    """Returns the option and the variables without which an embedded server would be used."""
    given = [name for name in ("DATABASE_URL", *_PG_VARIABLES) if os.environ.get(name)]
    return " and ".join(["--database-url", *given])


def _param(params: dict[str, str | int | None], key: str, variable: str) -> str:
    return str(params.get(key) or os.environ.get(variable) or "")


def _host(params: dict[str, str | int | None]) -> str:
    """Returns host and port of the address or of libpq's variables, for messages."""
    host = _param(params, "host", "PGHOST") or _param(params, "hostaddr", "PGHOSTADDR")
    if not host:
        service = _param(params, "service", "PGSERVICE")
        return f"service {service}" if service else "the local socket"
    if host.startswith("/"):
        return f"socket {host}"
    return f"{host}:{_param(params, 'port', 'PGPORT') or 5432}"
