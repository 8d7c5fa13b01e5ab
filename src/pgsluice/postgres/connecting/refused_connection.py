"""Explains why a connection failed, and shows nothing of the address but host, port and database.

A character that is not escaped moves the parts of a URL: in ``postgresql://user:pass/word@host/db`` libpq takes
``user`` for the host, ``pass`` for the port and ``word@host/db`` for the database. So host, port and database are shown
only if the whole address looks as it should. Messages of libpq and of the server may quote any part of the address.
They are recognized and told in other words. A message that is not recognized is shown without what it quotes.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from pgsluice.errors import ConnectError

LIBPQ_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGDATABASE")
"""Environment variables with which libpq names a database."""

FORMS = "Write postgresql://user:password@host:5432/database or 'host=... dbname=...'"

_ESCAPES = "in a URL write % as %25, @ as %40, / as %2F, : as %3A, ? as %3F, # as %23 and a blank as %20"

_NAME = re.compile(r"[\w.-]+")
_FOLDER = re.compile(r"/[\w./+-]*")
_PORTS = re.compile(r"[0-9]{0,5}(,[0-9]{0,5})*")
_QUOTED = re.compile(r"[\"«»„“”‘’'].*[\"«»„“”‘’']")
"""What a message quotes: from the first to the last quotation mark of a line, because a value may hold one itself."""
_PREFIX = re.compile(
    r"^(connection failed: )?(connection to server (at|on socket) \".*?\"( \([^)]*\))?(, port \d+)? failed: )?"
)
"""What psycopg and libpq write before the reason."""

_SETTING_VARIABLES = {"timezone": "PGTZ", "datestyle": "PGDATESTYLE", "geqo": "PGGEQO"}
"""Settings that libpq sends with the connection, each with its environment variable (manual, libpq)."""
_SETTING = re.compile(
    r'(?:invalid value for|unrecognized configuration|outside the valid range .*for) parameter "(.*?)"'
    r'|parameter "(.*?)" requires|(time zone) ".*" appears to use leap seconds'
)
_ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,60}")

_PASSES = ("starting up", "shutting down", "terminating connection", "closed the connection unexpectedly")
"""Parts of messages about a server that is there, and accepts a connection in a moment."""

Params = Mapping[str, str | int | None]
"""Keywords of libpq with their values."""


def unreadable() -> ConnectError:
    """Returns the error for an address that libpq cannot read.

    libpq quotes the part that it cannot read. That part may be the password, so the message repeats nothing.
    """
    return ConnectError("the address of the database cannot be read", f"{FORMS}; {_ESCAPES}")


@dataclass(frozen=True, slots=True)
class _Shown:
    """The parts of an address that messages may show."""

    host: str
    """Host and port, or words that stand for them."""
    database: str
    """The name in quotation marks, '' if it is not shown or not given."""
    sound: bool
    """The address looks as it should."""


def explain(error: psycopg.OperationalError, conninfo: str, params: Params) -> ConnectError:
    """Returns an error with what failed and what to do, in one line each.

    libpq gives no SQLSTATE for a failed connection, so the cause is found in its text. A text that is not in English
    matches no case.

    :param conninfo: the address as it was given.
    :param params: the keywords that the address and pgsluice set.
    """
    text = str(error)
    lower = text.lower()
    shown = _shown(conninfo, params)
    message, remedy = _cause(error, lower, shown, params) or _unknown(text, shown, params)
    if not shown.sound:
        remedy = f"{remedy}; {_ESCAPES}"
    passes = any(part in lower for part in _PASSES) or _is_full(lower)
    return ConnectError(message, remedy, passes=passes)


def _cause(error: psycopg.OperationalError, lower: str, shown: _Shown, params: Params) -> tuple[str, str] | None:
    """Returns message and remedy of a known cause, None for an unknown one.

    :param lower: the message of libpq in lower case.
    """
    host = shown.host
    if isinstance(error, psycopg.errors.ConnectionTimeout) or "timeout expired" in lower:
        seconds = str(params.get("connect_timeout") or os.environ.get("PGCONNECT_TIMEOUT", ""))
        after = f" in {seconds} s" if seconds.isdecimal() else ""
        remedy = "Check address, network and firewall, or wait longer with connect_timeout=... in the address"
        return f"no answer from {host}{after}", remedy
    if "could not translate host name" in lower or "resol" in lower or "name or service not known" in lower:
        if not shown.sound:
            return "the host of the address is not known", "Check its spelling"
        return f"the host {host} is not known", "Check its spelling; in a URL, write an @ in the password as %40"
    if "password authentication failed" in lower:
        return f"wrong password for the user at {host}", "Check user and password of the address"
    if "no password supplied" in lower:
        return f"{host} asks for a password", "Put it into the address, PGPASSWORD or ~/.pgpass"
    if re.search(r'database ".*" does not exist', lower):
        what = f"no database {shown.database}" if shown.database else "no such database"
        return f"there is {what} at {host}", "Create it first: createdb " + (shown.database.strip('"') or "...")
    if re.search(r'role ".*" does not exist', lower):
        return f"there is no such role at {host}", "Name a user in the address: postgresql://user@..."
    if any(part in lower for part in ("starting up", "shutting down")):
        return f"the server at {host} is just starting or stopping", "Try again in a moment"
    if "terminating connection" in lower or "closed the connection unexpectedly" in lower:
        return (
            f"the server at {host} ended the connection while it was opened",
            "Try again in a moment; the log of the server says why",
        )
    if "connection refused" in lower or "no such file or directory" in lower:
        return (
            f"no server listens at {host}",
            f"Start it, or check host and port; without {_named_by()} an embedded server is used",
        )
    if _is_full(lower):
        return f"{host} has no connection left", "Close others or raise max_connections"
    if "pg_hba.conf" in lower:
        return (
            f"the server at {host} does not admit this client",
            "Have its pg_hba.conf extended, or check sslmode",
        )
    return _refused_setting(lower, shown, params)


def _refused_setting(lower: str, shown: _Shown, params: Params) -> tuple[str, str] | None:
    """Returns message and remedy if the server refuses the value of a setting, for example of the time zone.

    The settings come with the connection: from an environment variable of libpq, or from ``options``. A value of
    ``options`` is a part of the address and is not shown, nor is the name of its setting.
    """
    found = _SETTING.search(lower)
    if found is None:
        return None
    setting = "timezone" if found[3] else found[1] or found[2]
    variable = _SETTING_VARIABLES.get(setting, "")
    value = os.environ.get(variable) if variable else None
    # libpq reads PGOPTIONS unless the address has options.
    options = "the address" if params.get("options") else os.environ.get("PGOPTIONS") and "PGOPTIONS"
    named = value is not None and (not options or f'"{value.lower()}"' in lower)
    origin = variable if named else options or "the address"
    if setting == "timezone":
        zone = f" {value}" if named and value and _ZONE.fullmatch(value) else ""
        what = f"the server at {shown.host} does not know the time zone{zone} that {origin} names"
        return what, _zone_remedy(zone.strip(), variable if named else "", origin)
    if named:
        return f"the server at {shown.host} refuses the value of {variable}", f"Correct the value, or: unset {variable}"
    return f"the server at {shown.host} refuses a setting that {origin} names", f"Check {_options(origin)}"


def _options(origin: str) -> str:
    return "the options of the address" if origin == "the address" else origin


def _zone_remedy(zone: str, variable: str, origin: str) -> str:
    """Returns how to name a time zone that the server knows.

    :param zone: the unknown name, '' if it may not be shown.
    :param variable: the environment variable of the time zone, '' if something else names the zone.
    :param origin: what names the zone.
    """
    known = "a name from the view pg_timezone_names of the server"
    if not variable:
        return f"Write {known} into {_options(origin)}"
    if present := _present_name(zone):
        return f"{zone} is an old name of {present}: export {variable}={present}"
    return f"Set {variable} to {known}, or take the time zone of the server: unset {variable}"


def _present_name(zone: str) -> str | None:
    """Returns the present name of a time zone that was renamed, None if this machine's tables know no other name.

    The systems of some servers leave the old names out, Debian since version 13: its package ``tzdata-legacy`` has
    them. The file ``tzdata.zi`` has a line ``L target name`` for each link (manual page of zic).
    """
    from zoneinfo import TZPATH

    for folder in TZPATH:
        try:
            lines = (Path(folder) / "tzdata.zi").read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        links = (line.split() for line in lines if line.startswith("L "))
        return next((link[1] for link in links if len(link) == 3 and link[2].lower() == zone.lower()), None)
    return None


def _is_full(lower: str) -> bool:
    return "too many clients" in lower or "remaining connection slots" in lower


def _unknown(text: str, shown: _Shown, params: Params) -> tuple[str, str]:
    """Returns message and remedy of an unknown cause: the whole message of libpq, without what it quotes."""
    check = "Check the address of the database"
    if not shown.sound:
        return f"no connection to {shown.host}", check
    lines = [_QUOTED.sub('"..."', _PREFIX.sub("", line.strip())) for line in text.splitlines()]
    reason = " ".join(line for line in lines if line) or "no reason given"
    secrets = [str(value) for key, value in params.items() if key not in ("host", "hostaddr", "port", "dbname")]
    secrets.append(os.environ.get("PGPASSWORD", ""))
    words = {word for secret in secrets for word in (secret, *re.split(r"[\s=,]+", secret))}
    if any(word in reason for word in words if len(word) > 3):
        # The server repeats some values without quotation marks, for example those of options.
        reason = "the reason is not shown, because it repeats a part of the address"
    return f"no connection to {shown.host}: {reason}", check


def _named_by() -> str:
    """Returns the option and the variables without which an embedded server would be used."""
    given = [name for name in ("DATABASE_URL", *LIBPQ_VARIABLES) if os.environ.get(name)]
    return " and ".join(["--database-url", *given])


def _shown(conninfo: str, params: Params) -> _Shown:
    """Returns what messages may show of an address."""
    host = _param(params, "host", "PGHOST") or _param(params, "hostaddr", "PGHOSTADDR")
    port = _param(params, "port", "PGPORT")
    database = _param(params, "dbname", "PGDATABASE")
    _, at, behind = host.rpartition("@")
    if at and not port and _is_url(conninfo) and "@" not in _after_authority(conninfo) and _is_host(behind):
        # The password contains an @ that is not escaped: libpq takes the text behind the first @ for the host.
        return _Shown(behind, "", True)
    sound = not (_is_url(conninfo) and "@" in _after_authority(conninfo))
    sound = sound and all(_is_host(part) for part in host.split(",") if part) and _PORTS.fullmatch(port) is not None
    if not sound or (database and not _NAME.fullmatch(database)):
        return _Shown("the server that the address names", "", False)
    return _Shown(_host_and_port(params, host, port), f'"{database}"' if database else "", True)


def _host_and_port(params: Params, host: str, port: str) -> str:
    if not host:
        return "the service of the address" if _param(params, "service", "PGSERVICE") else "the local socket"
    if host.startswith("/"):
        return f"socket {host}"
    return f"{host}:{port or 5432}"


def _is_host(text: str) -> bool:
    """Whether the text looks like a host name, an IP address or the folder of a socket."""
    if _NAME.fullmatch(text) or _FOLDER.fullmatch(text) or (text.startswith("/") and os.path.isdir(text)):
        return True
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_url(conninfo: str) -> bool:
    return conninfo.startswith(("postgresql://", "postgres://"))


def _after_authority(url: str) -> str:
    """Returns the part of a URL behind user, password, host and port."""
    found = re.search(r"[/?]", url.partition("://")[2])
    return url.partition("://")[2][found.start() :] if found else ""


def _param(params: Params, key: str, variable: str) -> str:
    return str(params.get(key) or os.environ.get(variable) or "")
