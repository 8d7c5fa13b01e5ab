"""No output contains a part of a password, however broken the address is and whatever libpq or a server say."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from unittest import mock

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from command import call
from pgsluice.postgres.connecting import refused_connection

FORMS = (
    "postgresql://user:{}@host:5432/db",
    "postgres://user:{}@host/db?sslmode=require",
    "postgresql+psycopg://user:{}@host/db",
    "postgresql://user:{}@/db?host=host",
    "postgresql://user:{}@host:5432,other:5433/db",
    "postgresql://{}@host/db",
    "postgresql://user@host:{}@5432/db",
    "postgresql://host:5432:{}/db",
    "postgresql://host/db&password={}",
    "postgresql://host/db;password={}",
    "postgresql://host/db password={}",
    "postgresql://host:5432?password={}/db",
    "postgresql://host/db?passwd={}",
    "postgresql://host/db?password={}&x",
    "postgresql://host/db?user=me&password={}",
    "postgresql://host/db?options={}",
    "postgresql//user:{}@host/db",
    "postgresql:/user:{}@host/db",
    "jdbc:postgresql://host/db?user=me&password={}",
    "mysql://user:{}@host/db",
    "user:{}@host/db",
    "{}://user@host/db",
    "user:{}://host/db",
    "host=host password={} dbname=db",
    "host=host password='{}' dbname=db",
    "host=host password='{} dbname=db",
    "password = {} host=host",
    "host=host;password={};dbname=db",
    "host=host,password={},dbname=db",
    "host=host password={}dbname=db port=5432",
    "host=host port=5432password={}",
    "host='host password={}' dbname=db",
    "host=host dbname='db password={}'",
    "host=host options='-c {}'",
)
"""Right addresses, and addresses with a mistake. ``{}`` stands for the password."""

SAYS = (
    'could not translate host name "{}" to address: Name or service not known',
    'invalid port number: "{}"',
    'connection to server at "host" (192.0.2.1), port 5432 failed: FATAL:  role "{}" does not exist',
    'connection to server at "host" (192.0.2.1), port 5432 failed: FATAL:  database "{}" does not exist',
    'FATAL:  password authentication failed for user "{}"',
    'FATAL:  no pg_hba.conf entry for host "192.0.2.1", user "{}", database "{}"',
    "FATAL:  Passwort »{}«, « {} »",
    "FATAL:  invalid command-line argument for server process: {}",
    "FATAL:  {}",
    'FATAL:  invalid value for parameter "{0}": "{0}"',
    'FATAL:  unrecognized configuration parameter "{}"',
    'FATAL:  parameter "{0}" requires a value of "{0}"',
    "Multiple connection attempts failed. All failures were:\n- host: {0}, port: {0}: is not there\n- host: {0}",
)
"""Messages of libpq and of servers. ``{}`` stands for any value of the address."""

LETTERS = "XQZJKV0189ßéÅ漢"
"""No message of pgsluice contains four of these characters in a row."""

_WORDS = st.text(LETTERS, min_size=1, max_size=5)
_SIGNS = st.sampled_from([*"/@:?#%&= ,;'\"\\[]+.-", "%2F", "%40", "://", "@h/", "=x&", "漢"])
PASSWORDS = st.lists(st.one_of(_WORDS, _SIGNS), min_size=2, max_size=8).map("".join).filter(lambda text: len(text) > 3)


def refuse(says: str, asked: list[str]) -> mock.Mock:
    """Stands for ``psycopg.Connection.connect``: raises the error that quotes each value of the address in turn."""

    def connect(conninfo: str, **_: object) -> None:
        values = [str(v) for k, v in conninfo_to_dict(conninfo).items() if not k.startswith("keepalives")]
        asked.append(conninfo)
        raise psycopg.OperationalError("\n".join(says.replace("{0}", v).replace("{}", v) for v in values))

    return mock.Mock(side_effect=connect)


def parts(password: str) -> set[str]:
    """All substrings of four characters, without those that consist only of signs and of names of parameters."""
    found = {password[i : i + 4] for i in range(len(password) - 3)}
    return {part for part in found if set(part) & set(LETTERS)}


def check(tmp_path: Path, form: str, password: str, says: str) -> list[str]:
    asked: list[str] = []
    file = tmp_path / "t.csv"
    file.write_text("a\n1\n")
    log = tmp_path / "log"
    with mock.patch.object(psycopg.Connection, "connect", refuse(says, asked)):
        address = form.replace("{}", password)
        ended = call("plan", file, "--log-file", log, "--log-level", "debug", "--database-url", address, cwd=tmp_path)
    assert ended.code in (2, 3), ended
    printed = ended.out + ended.err + (log.read_text() if log.exists() else "")
    log.unlink(missing_ok=True)
    assert ended.err.startswith("pgsluice: "), ended.err
    # The name of the folder and the time of a log line are shown, and are not of the address.
    printed = printed.replace(str(tmp_path), "")
    printed = re.sub(r"^[0-9]{4}-[0-9T:.+-]+ ", "", printed, flags=re.MULTILINE)
    # The messages list escapes such as %40, and a log may show a part of the list. An address whose only @ comes with
    # the password is a right address: what is behind the @ is its host.
    known = refused_connection._ESCAPES + (address.partition("@")[2] if "@" not in form else "")
    leaked = sorted(part for part in parts(password) if part in printed and part not in known)
    assert not leaked, (form, password, says, printed)
    return asked


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


@settings(deadline=None, max_examples=60)
@given(form=st.sampled_from(FORMS), password=PASSWORDS, says=st.sampled_from(SAYS))
@example("postgresql://user:{}@host:5432/db", "1889/XQZJ", SAYS[2])
@example("postgresql://user:{}@host:5432/db", "1889?dbname=XQZJ", SAYS[2])
@example("postgresql://user:{}@host:5432/db", "1889/XQZJ?user=K", SAYS[8])
@example("postgresql://user:{}@host:5432/db", "XQZJ@K189:1889,x", SAYS[0])
@example("{}://user@host/db", "user:XQZJ", SAYS[0])
@example("host=host options='-c {}'", "18900189", 'FATAL:  unrecognized configuration parameter "{}"')
def test_no_part_of_a_password(folder: Path, form: str, password: str, says: str) -> None:
    check(folder, form, password, says)


@pytest.mark.slow
@settings(deadline=None, max_examples=20_000)
@given(form=st.sampled_from(FORMS), password=PASSWORDS, says=st.sampled_from(SAYS))
def test_no_part_of_a_password_long(folder: Path, form: str, password: str, says: str) -> None:
    check(folder, form, password, says)


def test_the_stub_is_reached(folder: Path) -> None:
    assert check(folder, FORMS[0], "XQZJKV", SAYS[0])


@pytest.mark.parametrize(
    "arguments",
    [
        ("load", "postgresql://user:XQZJ1889@host/db"),
        ("load", "postgresql://user:XQ/ZJ1889@host/db"),
        ("runs", "postgresql://user:XQZJ1889@host/db"),
        ("runs", "--database-urlpostgresql://user:XQZJ1889@host/db"),
        ("runs", "--limit", "postgresql://user:XQZJ1889@host/db"),
        ("rejects", "postgresql://user:XQZJ1889@host/db"),
        ("replay", "1", "postgresql://user:XQZJ1889@host/db", "--database-url", "host=127.0.0.1 port=1"),
        ("postgresql://user:XQZJ1889@host/db",),
    ],
)
def test_an_address_in_the_wrong_place(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ended = call(*arguments, cwd=tmp_path)
    assert ended.code in (2, 3), ended
    assert ended.err
    assert not [part for part in parts("XQZJ1889") if part in ended.out + ended.err], ended.err


def test_an_address_that_is_not_utf8(tmp_path: Path) -> None:
    if sys.getfilesystemencoding() != "utf-8":
        pytest.skip("arguments are decoded otherwise")
    call("runs", cwd=tmp_path, url="postgresql://user:XQZJ\udcff@host/db").complaint(3, "cannot be read")


def test_what_an_unknown_message_quotes(folder: Path) -> None:
    """The server quotes a part of a value: it cuts long names."""
    check(folder, "postgresql://{}@host/db", "XQZJKV1889", 'FATAL:  the name "XQZJKV" is too long')
