"""Notices a pooler that hands a session's statements to different servers, before anything is set or locked there.

pgsluice needs one session of the server for each connection: settings, temporary tables and advisory locks belong to
the session. A pooler in transaction mode (pgbouncer with ``pool_mode = transaction``, and the poolers of many hosted
servers) gives the session to somebody else after each transaction. Settings then reach other applications, and
advisory locks stay in the pooler's connections, where nobody releases them.

A pooler invents the process id that it tells a client when the connection begins, because it has no session of the
server yet. The function ``pg_backend_pid()`` tells the true one. So a difference shows that a pooler is there. Whether
it pools sessions is found out with a second connection: if the second connection gets the process that the first one
had, the first one does not own it.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg

from pgsluice.errors import ConnectError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROUNDS = 3
"""How often the connections are compared. Once suffices, unless other clients of the pooler come in between."""

_SECONDS = 10
"""How long a pooler may take to give the second connection a session."""

_REMEDY = (
    "pgsluice needs sessions of its own: give it the address of the server itself (often port 5432 instead of 6432 or"
    " 6543), or one with pool_mode = session"
)


def refuse_transaction_pooler(conn: psycopg.Connection, connect: Callable[[], psycopg.Connection], host: str) -> None:
    """Checks that the session of a connection stays its own.

    The first statement on ``conn`` has to be that of this function, and ``conn`` has to be in autocommit mode.

    :param connect: opens another connection to the same address, in autocommit mode.
    :param host: the host and the port for messages.
    :raises ConnectError: a pooler hands out sessions for single transactions or statements, or has no second session.
    """
    own = backend_pid(conn)
    if own == conn.info.backend_pid:
        return
    seen = {own}
    other = connect()
    with other, _hurried(other):
        try:
            for _ in range(_ROUNDS):
                other.execute("BEGIN")
                if backend_pid(other) in seen or backend_pid(conn) not in seen:
                    raise _refusal(host, "transactions")
                other.execute("ROLLBACK")
        except psycopg.errors.ProtocolViolation as error:
            # pgbouncer refuses BEGIN with this error if pool_mode = statement.
            raise _refusal(host, "statements") from error
        except psycopg.OperationalError as error:
            raise ConnectError(
                f"the pooler at {host} gave no second session in {_SECONDS} s",
                "A load needs two sessions at once, with --resumable three: raise the size of the pool, or give the"
                " address of the server itself",
            ) from error


def is_pooled(conn: psycopg.Connection) -> bool:
    """Whether a pooler stands between a connection and its server."""
    return backend_pid(conn) != conn.info.backend_pid


def backend_pid(conn: psycopg.Connection) -> int:
    """The process of the server that executes the next statement."""
    row = conn.execute("SELECT pg_catalog.pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])


def _refusal(host: str, unit: str) -> ConnectError:
    return ConnectError(f"{host} is a pooler that pools {unit}, not sessions; nothing was locked or changed", _REMEDY)


@contextmanager
def _hurried(conn: psycopg.Connection) -> Iterator[None]:
    """Breaks the connection if the block takes too long: the pooler makes a client wait, and no timeout of the server
    is in force there."""

    def hang_up() -> None:
        with suppress(OSError), socket.socket(fileno=os.dup(conn.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(_SECONDS, hang_up)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
