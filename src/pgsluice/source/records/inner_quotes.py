"""Quotes inside unquoted fields: whether they are data, or enclose a value in front of which a delimiter is missing.

COPY takes a quote anywhere for the begin or the end of a quoted section, so ``5" pipe`` swallows the next lines. Here
a quote inside an unquoted field is data. But in ``1,$78.07"Table, Round",x`` the delimiter between the quotes would
divide a value, and all values behind it would go into wrong columns. COPY misses a field there, and so does pgsluice.
"""

from __future__ import annotations

import re
from functools import lru_cache


def enclosed_delimiters(raw: bytes, delimiter: bytes, quote: bytes, padding: bytes = b"") -> int:
    """How many delimiters stand in quoted sections that begin within unquoted fields; 0 if all these quotes are data.

    A quote opens such a section unless a delimiter follows it. A quote closes the section unless a delimiter stands in
    front of it. Nor is there a section where a blank follows the first quote, and text follows the second, as in
    ``5" pipe,6" tube``.

    :param raw: a faultless record.
    :param padding: characters that are no data in front of a field and behind a closing quote.
    """
    section = _section(quote)
    count = at = 0
    while (start := raw.find(quote, at)) >= 0:
        found = section.match(raw, start)
        if found is None:
            # All further quotes are doubled, and enclose nothing.
            break
        end = found.end()
        at = end
        before, behind = start, end
        while before and raw[before - 1] in padding:
            before -= 1
        while behind < len(raw) and raw[behind] in padding:
            behind += 1
        if not before or raw.endswith(delimiter, 0, before):
            continue
        inside = raw.count(delimiter, start + 1, end - 1)
        encloses = inside and not raw.startswith(delimiter, start + 1) and not raw.endswith(delimiter, 0, end - 1)
        closes = behind == len(raw) or raw.startswith(delimiter, behind)
        if encloses and (closes or raw[start + 1 : start + 2] not in b" \t"):
            count += inside
        else:
            # The second quote may open a section, or a quoted field.
            at = end - 1
    return count


@lru_cache(maxsize=64)
def _section(quote: bytes) -> re.Pattern[bytes]:
    q = re.escape(quote)
    return re.compile(b"%b(?>[^%b]*+(?:%b%b[^%b]*+)*+)%b" % (q, q, q, q, q, q))
