"""Findings about the load at hand: its files and tables, rights on the tables, extensions, free disk."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg

from pgsluice.checkup.estimates import free_disk
from pgsluice.model import Finding, Plan, State
from pgsluice.postgres.asking import facts
from pgsluice.text import pluralize

_EXTENSION = re.compile(r'^\s*CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?("(?:[^"]|"")+"|[\w$]+)', re.I | re.M)


def extension_findings(conn: psycopg.Connection, schema_file: str) -> Iterator[Finding]:
    """Yields the extensions that a schema file creates and the server does not have.

    :param schema_file: a file that can be read; another one is found out by the plan.
    """
    try:
        text = Path(schema_file).read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return
    names = {name.strip('"').replace('""', '"') for name in _EXTENSION.findall(text)}
    major = conn.info.server_version // 10000
    for name, available, _ in facts.extensions(conn, sorted(names)):
        if not available:
            yield Finding(
                "extensions",
                State.PROBLEM,
                f"{schema_file} needs the extension {name}, which the server does not have",
                f"Install it on the server (Debian: apt-get install postgresql-contrib, or postgresql-{major}-{name}),"
                " or take the statement out of the file",
            )


def plan_findings(plan: Plan) -> Iterator[Finding]:
    """Yields what the plan says: which files feed which tables, what makes tables slow, and how long the load takes."""
    files = sum(len(t.files) for t in plan.tables)
    yield Finding("files", State.OK, f"{pluralize(files, 'file')} for {pluralize(len(plan.tables), 'table')}")
    yield from plan.findings
    if plan.estimate is not None:
        text = f"the load takes about {plan.estimate.seconds:g} s ({plan.estimate.basis}; an estimate)"
        yield Finding("time", State.OK, text)


def disk_findings(conn: psycopg.Connection, reports: str, estimate: int) -> Iterator[Finding]:
    """Yields whether the disks have room for the load.

    :param reports: the folder of the reports on this machine.
    :param estimate: bytes that the server will write for tables and indexes.
    """
    folder = next(p for p in (Path(reports).absolute(), *Path(reports).absolute().parents) if p.exists())
    free = _amount(shutil.disk_usage(folder).free)
    yield Finding("disk", State.OK, f"{free} are free for reports of rejects in {folder}")
    needs = f"the load needs about {_amount(estimate)} on the server"
    left = free_disk(conn)
    if left is None:
        yield Finding("disk", State.OK, f"{needs}; how much is free there cannot be asked")
        return
    # WAL comes in addition, up to max_wal_size or a little more.
    wal = facts.settings(conn)["max_wal_size"].number
    data = facts.data_directory(conn)
    if left >= estimate + wal:
        yield Finding("disk", State.OK, f"{needs}; {_amount(left)} are free in {data}")
    else:
        state = State.PROBLEM if left < estimate else State.RISK
        yield Finding(
            "disk",
            state,
            f"{needs} and {_amount(wal)} for WAL; {_amount(left)} are free in {data}",
            "Make room, or have the database in a tablespace on another disk: CREATE TABLESPACE",
        )


def _amount(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6)):,} MB"
