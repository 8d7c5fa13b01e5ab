"""TODO pgsluice.options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pgsluice.errors import CallError
from pgsluice.model import (
    DialectOptions,
    Limit,
    Limits,
    LoadOptions,
    Mode,
    Modes,
)


def parse_dialect(
    delimiter: str | None, quote: str | None, encoding: str | None, null: Sequence[str]
) -> DialectOptions:
    return DialectOptions(delimiter=delimiter, quote=quote, encoding=encoding, null=tuple(null))


def parse_seconds(seconds: float) -> float:
    """How long to wait for a lock, as PostgreSQL takes it: in milliseconds, as an int4."""
    if not 0.001 <= seconds <= (2**31 - 1) / 1000:
        raise CallError(f"--lock-timeout {seconds:g} is no time to wait", "Say seconds, from 0.001 to 2147483")
    return seconds


def parse_modes(given: str | Sequence[str], keys: Sequence[tuple[str, str]], delete_missing: bool) -> Modes:
    """``--mode``: ``upsert``, and with a table in front ``orders=append``.

    :raises CallError: something else, or --delete-missing without an upsert.
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
    pairs = tuple(given)
    if wrong := [pair for pair in pairs if isinstance(pair, str) or len(pair) != 2]:
        raise CallError(f"{name}: {wrong[0]!r} is no pair", f"Give pairs: [{example!r}]")
    return pairs


def parse_limits(given: str | int | Sequence[str]) -> Limits:
    """``--max-rejects``: ``0``, ``10``, ``1%``, ``all``, and with a table in front ``orders=0.1%``.

    :raises CallError: something else.
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
    """The options of a run as the ledger's JSON has them."""
    limits = stored["limits"]
    return LoadOptions(
        schema_file=stored["schema_file"],
        tables=tuple((table, glob) for table, glob in stored["tables"]),
        columns=tuple((field, column) for field, column in stored["columns"]),
        into=stored["into"],
        limits=Limits(Limit(**limits["run"]), tuple((name, Limit(**limit)) for name, limit in limits["tables"])),
        dialect=DialectOptions(**{**stored["dialect"], "null": tuple(stored["dialect"]["null"])}),
        modes=restore_modes(stored["modes"]),
        again=stored["again"],
        resumable=True,
        lock_timeout=stored["lock_timeout"],
        reports=stored["reports"],
    )


def restore_modes(stored: Mapping[str, Any], *, replay: bool = False) -> Modes:
    """The modes of a run as the ledger's JSON has them."""
    return Modes(
        Mode(stored.get("run", Mode.APPEND)),
        tuple((name, Mode(mode)) for name, mode in stored.get("tables", ())),
        tuple((name, key) for name, key in stored.get("keys", ())),
        # What was missing went with the run; its replay brings rows and takes none.
        delete_missing=not replay and stored.get("delete_missing", False),
        replay=replay,
    )
