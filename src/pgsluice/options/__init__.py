"""Build :class:`~pgsluice.model.LoadOptions` from the arguments of a call, or from what the ledger stored of a run."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from pgsluice.arguments import LoadArguments
from pgsluice.errors import CallError
from pgsluice.model import FormatRule, Limit, Limits, LoadOptions, Mode, Modes
from pgsluice.names import Names
from pgsluice.options.dialect import parse_dialect, restore_dialect_options
from pgsluice.options.dialect import restore_dialect as restore_dialect
from pgsluice.options.formats import parse_formats
from pgsluice.options.guests import parse_guests, restore_guests
from pgsluice.options.quality import parse_quality_rules, restore_quality_rules
from pgsluice.options.rules import (
    file_arguments,
    parse_drift,
    parse_rules,
    parse_run_columns,
    restore_drift,
    restore_rules,
    restore_run_columns,
)


def build_options(data_dir: str | None = None, **given: Unpack[LoadArguments]) -> LoadOptions:
    """Validates the arguments of a public function, and returns them as options.

    :param data_dir: the folder for reports (default ``.pgsluice``).
    :raises CallError: an argument is wrong, or does not exist.
    """
    known = LoadArguments.__optional_keys__
    if unknown := next((name for name in given if name not in known), None):
        near = Names(known).nearest(unknown)
        raise CallError(f"there is no argument {unknown!r}", f"Did you mean {near}?" if near else "Check it")
    schema = given.get("schema")
    dialect = parse_dialect(given)
    file_dialects = tuple((glob, build_options(**own).dialect) for glob, own in file_arguments(given))
    return LoadOptions(
        schema_file=None if schema is None else os.fspath(schema),
        tables=parse_pairs("tables", given.get("tables", ()), ("orders", "orders_*.csv")),
        columns=parse_pairs("columns", given.get("columns", ()), ("cust_no", "customer_id")),
        names=parse_names(given.get("names", ()), [dialect.header, *(own.header for _, own in file_dialects)]),
        skip=tuple(given.get("skip", ())),
        recursive=given.get("recursive", False),
        allow_empty=given.get("allow_empty", False),
        into=given.get("into"),
        limits=parse_limits(given.get("max_rejects", 0)),
        dialect=dialect,
        formats=parse_formats(given),
        file_dialects=file_dialects,
        rules=parse_rules(given.get("column_rules", ())),
        drift=parse_drift(given.get("drift", "error"), given.get("resumable", False)),
        run_columns=parse_run_columns(given.get("run_column", ())),
        modes=parse_modes(given.get("mode", "append"), given.get("key", ()), given.get("delete_missing", False)),
        dry_run=given.get("dry_run", False),
        again=given.get("again", False),
        no_wait=given.get("no_wait", False),
        lock_timeout=parse_seconds(given.get("lock_timeout", 5.0)),
        resumable=given.get("resumable", False),
        settle=parse_settle(given.get("settle", 0.0)),
        max_bytes=parse_size(given.get("max_bytes")),
        quality=parse_quality_rules(given.get("rules", ()), given.get("rule_files", ())),
        profile=given.get("profile_columns", True),
        derive=tuple(os.fspath(path) for path in given.get("derive", ())),
        then=parse_guests(given.get("then", ())),
        reports=os.path.join(data_dir or ".pgsluice", "rejects"),
    )


def parse_names(
    given: Sequence[tuple[str, Sequence[str]]], headers: Sequence[bool | None]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Returns the names of fields for tables, ``--columns``.

    :param headers: whether files have a header, as far as the user says so.
    :raises CallError: the user does not say of any file whether it has a header.
    """
    if given and all(header is None for header in headers):
        raise CallError(
            "--columns needs to know what the first line is, and so does fields in pgsluice.toml",
            "Add --no-header (header = false) if it is data, or --header (header = true) if the names take its place",
        )
    return tuple((table, tuple(names)) for table, names in given)


def parse_seconds(seconds: float) -> float:
    """Returns ``--lock-timeout`` in seconds. PostgreSQL stores the timeout in milliseconds, as an int4.

    :raises CallError: the number is out of range.
    """
    if not 0.001 <= seconds <= (2**31 - 1) / 1000:
        raise CallError(f"--lock-timeout {seconds:g} is no time to wait", "Say seconds, from 0.001 to 2147483")
    return seconds


def parse_settle(seconds: float) -> float:
    """Returns ``--settle`` in seconds.

    :raises CallError: the number is negative or no number.
    """
    if not 0 <= seconds < float("inf"):
        raise CallError(f"--settle {seconds:g} is no age of a file", "Say seconds, 0 or more")
    return seconds


_UNITS = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4}
_UNITS |= {f"{unit}B": factor for unit, factor in _UNITS.items()}
_UNITS |= {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


def parse_size(given: str | int | None) -> int | None:
    """Returns ``--max-bytes`` as a number of bytes; None stays None.

    :param given: a whole number of bytes above 0, as a text also with a unit: ``10GB``, ``512MiB``, ``64k``.
    :raises CallError: the size is none of these.
    """
    if given is None:
        return None
    found = re.fullmatch(r"([0-9]{1,18}) ?([A-Za-z]*)", str(given).strip(), re.ASCII)
    if found is None or isinstance(given, bool) or found[2] not in _UNITS or not int(found[1]):
        raise CallError(
            f"--max-bytes {given!r} is not a size", "Give a whole number of bytes, or one with k, M, G, kB, MB, GB, GiB"
        )
    return int(found[1]) * _UNITS[found[2]]


def parse_modes(given: str | Sequence[str], keys: Sequence[tuple[str, str]], delete_missing: bool) -> Modes:
    """Returns ``--mode``, ``--key`` and ``--delete-missing``.

    :param given: a mode such as ``upsert``, with a table in front for single tables (``orders=append``).
    :param keys: (table, its unique constraint or columns) pairs.
    :raises CallError: a mode does not exist, or ``delete_missing`` is set and no table has the mode upsert.
    """
    run = Mode.APPEND
    tables: list[tuple[str, Mode]] = []
    for text in [given] if isinstance(given, str) else given:
        name, equals, word = text.rpartition("=")
        try:
            mode = Mode(word.strip())
        except ValueError:
            raise CallError(f"--mode {word!r} is not a mode", f"Modes are {', '.join(Mode)}") from None
        if equals:
            tables.append((name, mode))
        else:
            run = mode
    if delete_missing and Mode.UPSERT not in (run, *(m for _, m in tables)):
        raise CallError("--delete-missing goes with --mode upsert", "--mode replace deletes missing rows by itself")
    return Modes(run, tuple(tables), tuple(keys), delete_missing)


def parse_pairs(name: str, given: Sequence[tuple[str, str]], example: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Returns the pairs of an argument.

    :param name: the argument's name, for the error message.
    :param example: a pair, for the error message.
    :raises CallError: an element is not a pair.
    """
    pairs = tuple(given)
    if wrong := [pair for pair in pairs if isinstance(pair, str) or len(pair) != 2]:
        raise CallError(f"{name}: {wrong[0]!r} is no pair", f"Give pairs: [{example!r}]")
    return pairs


def parse_limits(given: str | int | Sequence[str]) -> Limits:
    """Returns ``--max-rejects``.

    :param given: ``0``, ``10``, ``1%`` or ``all``, with a table in front for single tables (``orders=0.1%``).
    :raises CallError: a limit is none of these.
    """
    texts = [str(given)] if isinstance(given, (str, int)) else list(given) if isinstance(given, Sequence) else [given]
    if wrong := [text for text in texts if not isinstance(text, str)]:
        raise CallError(
            f"max_rejects={wrong[0]!r} is not a limit",
            "Give a number, a text such as '1%' or 'all', or a list of these texts",
        )
    run = Limit()
    tables: list[tuple[str, Limit]] = []
    for text in texts:
        name, equals, limit = text.rpartition("=")
        if equals:
            tables.append((name, _limit(limit)))
        else:
            run = _limit(limit)
    return Limits(run, tuple(tables))


def _limit(text: str) -> Limit:
    """Returns one limit: a number of rows, a percentage, or ``all``."""
    text = text.strip()
    if text == "all":
        return Limit(rows=None)
    try:
        if text.endswith("%"):
            percent = float(text[:-1])
            if 0 <= percent <= 100:
                return Limit(rows=None, percent=percent)
        elif int(text) >= 0:
            return Limit(rows=int(text))
    except ValueError:
        pass
    raise CallError(f"--max-rejects {text!r} is not a limit", "Give a number, a share such as 1%, or all")


def restore_options(stored: dict[str, Any]) -> LoadOptions:
    """Returns the options of a resumable run.

    :param stored: ``pgsluice.run.options``, the JSON of :class:`~pgsluice.model.LoadOptions`.
    """
    limits = stored["limits"]
    return LoadOptions(
        schema_file=stored["schema_file"],
        tables=tuple((table, glob) for table, glob in stored["tables"]),
        columns=tuple((field, column) for field, column in stored["columns"]),
        names=tuple((table, tuple(names)) for table, names in stored.get("names", ())),
        skip=tuple(stored.get("skip", ())),
        recursive=stored.get("recursive", False),
        # A run of version 0.2 or older took every empty file.
        allow_empty=stored.get("allow_empty", True),
        into=stored["into"],
        limits=Limits(Limit(**limits["run"]), tuple((name, Limit(**limit)) for name, limit in limits["tables"])),
        dialect=restore_dialect_options(stored["dialect"]),
        file_dialects=tuple((glob, restore_dialect_options(d)) for glob, d in stored.get("file_dialects", ())),
        rules=restore_rules(stored),
        drift=restore_drift(stored),
        run_columns=restore_run_columns(stored),
        # Runs of version 0.2 and before have no such options.
        formats=tuple(FormatRule(**rule) for rule in stored.get("formats", ())),
        modes=restore_modes(stored["modes"]),
        again=stored["again"],
        resumable=True,
        lock_timeout=stored["lock_timeout"],
        # Runs of pgsluice 0.2 and before have no such option.
        settle=stored.get("settle", 0.0),
        # A run of version 0.2 or older has no such option.
        max_bytes=stored.get("max_bytes"),
        quality=restore_quality_rules(stored.get("quality", {})),
        derive=tuple(stored.get("derive", ())),
        then=restore_guests(stored),
        profile=stored.get("profile", True),
        reports=stored["reports"],
    )


def restore_modes(stored: Mapping[str, Any], *, replay: bool = False) -> Modes:
    """Returns the modes of a run.

    :param stored: the part ``modes`` of ``pgsluice.run.options``.
    :param replay: return the modes for a replay of the run.
    """
    return Modes(
        Mode(stored.get("run", Mode.APPEND)),
        tuple((name, Mode(mode)) for name, mode in stored.get("tables", ())),
        tuple((name, key) for name, key in stored.get("keys", ())),
        # The run has deleted the missing rows. A replay only adds rows.
        delete_missing=not replay and stored.get("delete_missing", False),
        replay=replay,
    )
