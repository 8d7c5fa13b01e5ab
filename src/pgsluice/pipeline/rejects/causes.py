"""Causes: values that many rejects share, each with the option that cures it."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING

from pgsluice.model import RejectKind
from pgsluice.source.records.rules import BAD_ENCODING
from pgsluice.text import pluralize

if TYPE_CHECKING:
    import pyarrow as pa

_NULL_WORDS = frozenset(
    {"\\N", "null", "NULL", "Null", "(null)", "na", "NA", "N/A", "n/a", "#N/A", "nil", "none", "None", "-", "?", "."}
)
"""Texts by which programs write a missing value: PostgreSQL and MySQL dumps, pandas, R, Excel, Ruby, Python."""

_LONGEST = max(map(len, _NULL_WORDS))


class Causes:
    """Counts the refused values that are probably meant as NULL."""

    def __init__(self) -> None:
        self._found: Counter[str] = Counter()
        self._nuls = 0
        self._other_bytes = 0

    def add(self, report: pa.Table) -> None:
        """Counts the rejects of one piece of the report.

        PostgreSQL's message of an invalid value ends with the value in quotes.
        """
        from pyarrow import compute as pc

        bad_bytes = report.filter(pc.equal(report["sqlstate"], BAD_ENCODING))["message"]
        nuls = pc.sum(pc.ends_with(bad_bytes, ": 0x00")).as_py() or 0
        self._nuls += nuls
        self._other_bytes += len(bad_bytes) - nuls
        messages = report.filter(pc.equal(report["kind"], str(RejectKind.VALUE)))["message"]
        quoted = pc.extract_regex(messages, f': "(?P<value>.{{0,{_LONGEST}}})"$')
        values = pc.drop_null(pc.struct_field(quoted, [0]))
        for counted in pc.value_counts(values).to_pylist():
            self._found[counted["values"]] += counted["counts"]

    def remedies(self) -> tuple[str, ...]:
        """A sentence for each cause, the most frequent first."""
        found = []
        for value, count in self._found.most_common():
            rejected = pluralize(count, "rejected value")
            if not value:
                found.append(f'{rejected}: "", an empty field in quotes. If it means NULL: --empty-as-null')
            elif value in _NULL_WORDS:
                found.append(f"{rejected}: {value}. If it means NULL: --null {shlex.quote(value)}")
        if self._nuls:
            found.append(
                f"{pluralize(self._nuls, 'rejected record')}: NUL bytes, which no text of PostgreSQL can hold."
                " --nul strip removes them"
            )
        if self._other_bytes:
            found.append(
                f"{pluralize(self._other_bytes, 'rejected record')}: not UTF-8. If a file has another encoding"
                " throughout, name it: --encoding cp1252 for all files, --encoding 'GLOB=cp1252' for one"
            )
        return tuple(found)
