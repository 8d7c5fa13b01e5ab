"""How a file writes its records: what the user fixed, the rest concluded from its first bytes."""

from __future__ import annotations

import codecs
from contextlib import suppress
from itertools import islice

from pgsluice.errors import CallError
from pgsluice.model import Dialect, DialectOptions
from pgsluice.source.records.rules import Record
from pgsluice.source.records.walker import scan
from pgsluice.source.streams import is_utf8

SAMPLE_BYTES = 1 << 18
"""How much of the decoded stream :func:`sniff` wants to see; a shorter sample is a whole file."""

_RECORDS = 200
_SPELLED = {"\\t": "\t", "tab": "\t"}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def encoding_of(head: bytes, options: DialectOptions) -> str:
    """The encoding of a file: the user's, else by its byte order mark, else UTF-8.

    :param head: the first bytes, decompressed.
    :raises CallError: the user's is none that Python knows.
    """
    if options.encoding is None:
        return "utf-16" if head.startswith(_UTF16) else "utf-8"
    try:
        # Also refuses codecs that do not decode text, such as base64.
        with suppress(UnicodeError):
            b"a".decode(options.encoding)
    except LookupError as error:
        raise CallError(
            f"encoding {options.encoding!r} is unknown", "Use a name such as utf-8, latin-1, cp1252, utf-16"
        ) from error
    return "utf-8" if is_utf8(options.encoding) else codecs.lookup(options.encoding).name


def sniff(sample: bytes, path: str, options: DialectOptions) -> Dialect:
    """The dialect of a file.

    :param sample: the first SAMPLE_BYTES of its decoded stream.
    :param path: a name that ends in ``.tsv`` speaks for the tab.
    :raises CallError: an option that cannot be meant.
    """
    delimiter = _single("delimiter", _SPELLED.get(options.delimiter or "", options.delimiter))
    quote = _single("quote", options.quote)
    if delimiter is not None and delimiter == (quote or '"'):
        raise CallError(f"delimiter and quote are both {delimiter!r}", "Use different characters")
    tsv = path.lower().removesuffix(".gz").endswith(".tsv")
    quotes = [quote or '"']
    if quote is None and b'"' not in sample and b"'" in sample:
        quotes.insert(0, "'")
    for candidate in quotes:
        found = delimiter or _delimiter(sample, candidate, tsv)
        if candidate == quotes[-1] or _wrapped(_first_records(sample, Dialect(found, candidate))):
            break
    return Dialect(delimiter=found, quote=candidate, encoding=encoding_of(b"", options), header=True, null=options.null)


def _single(what: str, value: str | None) -> str | None:
    if value is not None and (len(value) != 1 or not value.isascii() or value in "\r\n\0"):
        raise CallError(f"{what} {value!r} is not a single ASCII character", "Use one such as , ; | or \\t")
    return value


def _first_records(sample: bytes, dialect: Dialect, count: int = _RECORDS) -> list[Record]:
    whole = len(sample) < SAMPLE_BYTES
    return list(islice(scan(sample, dialect, fields=None, at_end=whole), count))


def _delimiter(sample: bytes, quote: str, tsv: bool) -> str:
    """The one by which most records have as many fields as the first, among those that split the first."""
    order = "\t,;|" if tsv else ",;\t|"
    # Mostly one is left after one record: the rest of the sample need not be looked at.
    able = [c for c in order if any(len(r.fields) > 1 for r in _first_records(sample, Dialect(c, quote), 1))]
    if len(able) < 2:
        return (able or order)[0]
    best, best_score = order[0], (0.0, 0)
    for candidate in able:
        counts = [len(r.fields) for r in _first_records(sample, Dialect(candidate, quote))]
        score = (sum(n == counts[0] for n in counts) / len(counts), counts[0])
        if tsv and candidate == "\t":
            return candidate
        if score > best_score:
            best, best_score = candidate, score
    return best


def _wrapped(records: list[Record]) -> bool:
    """Do single quotes enclose values here, and do nothing else?

    Yes if no record is at fault, no unquoted field holds one, and some column has all its values (the
    header's apart, and empty ones) enclosed, at least two.
    """
    if any(r.fault or r.rewrite for r in records):
        return False
    width = min((len(r.fields) for r in records), default=0)
    for i in range(width):
        values = [r.fields[i] for r in records[1:]]
        enclosed = sum(quoted for _, quoted in values)
        if enclosed >= 2 and all(quoted or not value for value, quoted in values):
            return True
    return False
