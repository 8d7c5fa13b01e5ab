"""Where the database is, and a connection to it.

A message of this module never holds a password: what libpq says is used only where it cannot quote the
address, and the password is cut out of it even then.
"""

from __future__ import annotations

import os
import re

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgsluice.errors import CallError, ConnectError, DatabaseError, ServerError

OLDEST_SERVER = 15


_CONNECT_SECONDS = 10


# A load may wait for minutes on one statement; a firewall in between must neither forget the connection
# nor may a dead server go unnoticed for the two hours of the operating system.
_KEEPALIVES = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


_PG_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE")


_FORMS = "Write postgresql://user:password@host:5432/database or 'host=... dbname=...'"


def resolve(database_url: str | None, data_dir: str | None, *, make: bool = True) -> str:
    """The address of the database, ready for :func:`connect`.

    In this order: ``database_url`` (``data_dir`` is then only the place of reports); the embedded server
    in ``data_dir``; ``DATABASE_URL``; libpq's own variables (the address is then '' and libpq reads them);
    the embedded server in its default folder. An embedded server is started unless it runs.

    :param make: make an embedded server where none is; whoever only looks would find nothing in it.
    :raises CallError: the address is none of PostgreSQL's.
    :raises ServerError: the embedded server does not start, or there is none.
    """
    if database_url is not None:
        return _libpq_form(database_url, "--database-url")
    if data_dir is None:
        if from_environment := os.environ.get("DATABASE_URL"):
            return _libpq_form(from_environment, "DATABASE_URL")
        if any(os.environ.get(name) for name in _PG_VARIABLES):
            return ""
    from pgsluice.postgres.embedded import server  # not needed, and not paid for, by those who bring a database

    folder = data_dir or server.DEFAULT_DATA_DIR
    if not make and server.status(folder).version is None:
        raise ServerError(
            f"there is no server in {folder}",
            "Name its folder with --data-dir, or a database with --database-url",
        )
    return server.start(folder)


def connect(conninfo: str, *, application_name: str = "pgsluice") -> psycopg.Connection[tuple[object, ...]]:
    """Open a connection (not autocommit, text in UTF-8) to a server that is new enough.

    Timeout, keepalives and name are only set where ``conninfo`` says nothing about them.

    :raises ConnectError: the address cannot be read or nothing that answers there lets us in.
    :raises DatabaseError: the server is older than PostgreSQL 15.
    """
    try:
        given = conninfo_to_dict(conninfo)
    except psycopg.Error:
        # libpq quotes the piece that it cannot read, and that may be the password: say nothing of it.
        raise ConnectError(
            "the address of the database cannot be read", f"{_FORMS}; in a URL write % as %25, @ as %40"
        ) from None
    params: dict[str, str | int | None] = {"application_name": application_name, **_KEEPALIVES}
    if "PGCONNECT_TIMEOUT" not in os.environ:
        params["connect_timeout"] = _CONNECT_SECONDS
    params |= given
    params["client_encoding"] = "UTF8"
    try:
        conn: psycopg.Connection[tuple[object, ...]] = psycopg.connect(make_conninfo("", **params))
    except psycopg.OperationalError as error:
        raise _explain(error, params) from None  # the cause's own text may quote the address
    # Whatever the role or the database has for a default: a run must see what its other connection has committed.
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
    """``database at host:port`` in words, without user and password; a socket goes by its folder."""
    info = conn.info
    if info.host.startswith("/"):
        return f"{info.dbname} at {info.host}"
    host = f"[{info.host}]" if ":" in info.host else info.host
    return f"{info.dbname} at {host}:{info.port}"


def _libpq_form(address: str, origin: str) -> str:
    """The address as libpq reads it: without the driver that SQLAlchemy puts into the scheme."""
    scheme, separator, rest = address.strip().partition("://")
    if not separator or "=" in scheme:
        # No scheme, or the "://" stands inside of a key's value.
        if "=" in address:
            return address
        raise CallError(f"{origin} is not the address of a database", _FORMS)
    dialect = scheme.lower().partition("+")[0]
    if dialect not in ("postgres", "postgresql"):
        raise CallError(f"{origin} begins with {scheme}://, which is not PostgreSQL", _FORMS)
    return f"postgresql://{rest}"


def _explain(error: psycopg.OperationalError, params: dict[str, str | int | None]) -> ConnectError:
    """One line that says what failed, and what to do.

    libpq gives no SQLSTATE for a failed connection, so that its text is all there is. A server that
    speaks another language than English falls through to the last case, which repeats it.
    """
    text = str(error)
    said = text.lower()
    host = _host(params)
    user = _of(params, "user", "PGUSER")
    as_user = f' for user "{user}"' if user else ""
    if isinstance(error, psycopg.errors.ConnectionTimeout) or "timeout expired" in said:
        return ConnectError(
            f"no answer from {host} in {params.get('connect_timeout') or os.environ['PGCONNECT_TIMEOUT']} s",
            "Check address, network and firewall, or wait longer with connect_timeout=... in the address",
        )
    if "could not translate host name" in said or "resol" in said or "name or service not known" in said:
        # An unescaped @ in a password makes its tail part of the "host": do not print it.
        return ConnectError(
            f"the host {host.rpartition('@')[2]} is not known",
            "Check its spelling; in a URL, write an @ inside of the password as %40",
        )
    if "password authentication failed" in said:
        return ConnectError(f"wrong password{as_user} at {host}", "Check user and password of the address")
    if "no password supplied" in said:
        return ConnectError(f"{host} asks for a password{as_user}", "Put it into the address, PGPASSWORD or ~/.pgpass")
    if missing := re.search(r'database "([^"]*)" does not exist', text):
        return ConnectError(f'there is no database "{missing[1]}" at {host}', f"Create it first: createdb {missing[1]}")
    if missing := re.search(r'role "([^"]*)" does not exist', text):
        return ConnectError(
            f'there is no role "{missing[1]}" at {host}', "Name a user in the address: postgresql://user@..."
        )
    if "starting up" in said or "shutting down" in said:
        return ConnectError(f"the server at {host} is just starting or stopping", "Try again in a moment")
    if "connection refused" in said or "no such file or directory" in said:
        return ConnectError(
            f"no server listens at {host}",
            f"Start it, or check host and port; without {_named_by()} an embedded server is used",
        )
    if "too many clients" in said or "remaining connection slots" in said:
        return ConnectError(f"{host} has no connection left", "Close others or raise max_connections")
    if "pg_hba.conf" in said:
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
    """What an embedded server would be used without."""
    given = [name for name in ("DATABASE_URL", *_PG_VARIABLES) if os.environ.get(name)]
    return " and ".join(["--database-url", *given])


def _of(params: dict[str, str | int | None], key: str, variable: str) -> str:
    return str(params.get(key) or os.environ.get(variable) or "")


def _host(params: dict[str, str | int | None]) -> str:
    """Host and port as the address or libpq's variables have them."""
    host = _of(params, "host", "PGHOST") or _of(params, "hostaddr", "PGHOSTADDR")
    if not host:
        service = _of(params, "service", "PGSERVICE")
        return f"service {service}" if service else "the local socket"
    if host.startswith("/"):
        return f"socket {host}"
    return f"{host}:{_of(params, 'port', 'PGPORT') or 5432}"
