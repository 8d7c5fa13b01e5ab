"""Counts the records that could not be parsed, and the option with which the file's reader would parse them."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pgsluice.model import Dialect, Format, LineEnds, Ragged, RejectKind
from pgsluice.source.records.rules import QUOTE_FAULTS, UNQUOTED_CR, LineTooLong
from pgsluice.source.records.spans import scan
from pgsluice.text import pluralize

if TYPE_CHECKING:
    import pyarrow as pa

    from pgsluice.pipeline.state import FileRun

_TRIED = 300
"""How many records of one piece of the report are tried with other options."""

_BAD_BYTES = "invalid byte sequence"
"""How the message of a record begins that holds bytes which are no text."""

_NUL = "NUL bytes. To remove them: --nul strip"
_OTHER_BYTES = (
    "not UTF-8. If a file has another encoding throughout, name it: --encoding cp1252 for all files,"
    " --encoding 'GLOB=cp1252' for one"
)

_LONGEST = 1 << 16
"""Bytes of a record that is tried."""


class RecordCauses:
    """Counts the records that an option of the dialect would cure. Each option was tried on the records."""

    def __init__(self) -> None:
        self._cured: Counter[tuple[str, str, str]] = Counter()
        """By table, SQLSTATE and sentence."""

    def add(self, report: pa.Table, file: FileRun) -> None:
        """Counts the rejects of one piece of the report.

        :param file: the file that the rejects are from.
        """
        from pyarrow import compute as pc

        rejects = report.filter(pc.equal(report["kind"], str(RejectKind.STRUCTURE)))
        all_of_them = rejects.num_rows == file.read
        rejects = rejects.slice(0, _TRIED)
        if not rejects.num_rows or file.corrections is not None:
            return
        dialect, fields = file.plan.file.dialect, len(file.plan.names)
        for row in rejects.select(["table", "sqlstate", "message", "raw"]).to_pylist():
            raw, group = row["raw"].encode(), (row["table"], row["sqlstate"])
            if row["message"].startswith(_BAD_BYTES):
                # The text of the record has escapes in place of the bytes, and would be parsed.
                self._cured[*group, _NUL if row["message"].endswith(" 0x00") else _OTHER_BYTES] += 1
                continue
            if len(raw) > _LONGEST:
                continue
            for sentence, fits, changed in _OPTIONS:
                if fits(row["message"], raw, dialect) and _is_cured(raw, changed(dialect), fields):
                    self._cured[*group, sentence] += 1
                    break
            else:
                if all_of_them and dialect.header and _is_cured(raw, dialect, fields + 1):
                    self._cured[
                        *group, _unnamed_field(row["table"], file.plan.file.header, dialect.skip_lines + 1)
                    ] += 1

    def remedies(self) -> list[tuple[int, str]]:
        """A sentence for each option, with the number of records."""
        counts: Counter[str] = Counter()
        for (_, _, sentence), count in self._cured.items():
            counts[sentence] += count
        return [
            (count, f"{pluralize(count, 'rejected record')}{'' if count < _TRIED else ' at least'}: {sentence}")
            for sentence, count in counts.items()
        ]

    def help(self, table: str, sqlstate: str) -> tuple[str, ...]:
        """The sentences for the records of one table and one SQLSTATE, the most frequent first."""
        found = [
            (sentence, n) for (name, code, sentence), n in self._cured.items() if (name, code) == (table, sqlstate)
        ]
        return tuple(_capital(sentence) for sentence, _ in sorted(found, key=lambda item: -item[1]))


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _unnamed_field(table: str, header: Sequence[str], lines: int) -> str:
    """The sentence for a file whose header lacks the name of the first field, as R writes the names of rows.

    :param lines: how many lines stand above the rows.
    """
    names = shlex.quote(f"{table}={','.join(('', *header))}")
    return (
        "one field more than the header has names. To leave the first field out (the name of a column in front of the"
        f" first comma loads it): --skip-lines {lines} --no-header --columns {names}"
    )


def _is_cured(raw: bytes, dialect: Dialect, fields: int) -> bool:
    """Whether the dialect reads a record without a fault."""
    try:
        found = list(scan(raw + b"\n", dialect, fields=fields))
    except LineTooLong:
        return False
    return bool(found) and not any(record.fault for record in found)


_Option = tuple[str, Callable[[str, bytes, Dialect], bool], Callable[[Dialect], Dialect]]

_OPTIONS: tuple[_Option, ...] = (
    (
        "quotes with a backslash in front. If it escapes them: --escape '\\'",
        lambda message, raw, d: message in QUOTE_FAULTS and b"\\" in raw and not d.escape,
        lambda d: replace(d, escape="\\"),
    ),
    (
        "blanks around quoted fields. To leave them out: --skip-initial-blanks",
        lambda message, raw, d: not d.skip_initial_blanks and d.format is Format.CSV and bool(d.quote),
        lambda d: replace(d, skip_initial_blanks=True),
    ),
    (
        "surplus empty fields at the end. To leave them out: --ragged drop",
        lambda message, raw, d: message.startswith("extra data") and d.ragged is Ragged.REJECT,
        lambda d: replace(d, ragged=Ragged.DROP),
    ),
    (
        "missing fields at the end. If they mean NULL: --ragged fill",
        lambda message, raw, d: message.startswith("missing data") and not (d.quote and d.quote.encode() in raw),
        lambda d: replace(d, ragged=Ragged.FILL),
    ),
    (
        "lines that end with CR alone. If a CR ends a line: --line-ends any",
        lambda message, raw, d: message == UNQUOTED_CR,
        lambda d: replace(d, line_ends=LineEnds.ANY),
    ),
    (
        "quotes that enclose no field. If quotes are data: --quote none",
        lambda message, raw, d: message in QUOTE_FAULTS and bool(d.quote),
        lambda d: replace(d, quote=""),
    ),
)
"""Options with the words for what they cure: when an option may be meant, and what it changes. The first that cures a
record counts."""
