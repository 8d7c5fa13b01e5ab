"""The dialect of a file: the parts that the user fixed, and the other parts detected from the first bytes."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice

from pgsluice.errors import CallError
from pgsluice.model import Dialect, DialectOptions, Format, LineEnds
from pgsluice.source.records.lines import behind_lines
from pgsluice.source.records.rules import Record
from pgsluice.source.records.spans import scan

SAMPLE_BYTES = 1 << 18
"""How many bytes of the decoded stream :func:`sniff` needs; a shorter sample is a whole file."""

_RECORDS = 200
"""How many records a delimiter or a quote is tried on."""

_SEPARATOR_LINE = re.compile(rb'("?)sep=([^\r\n"]{1,4})\1\r?(?:\n|\r|\Z)', re.IGNORECASE)


def sniff(sample: bytes, path: str, options: DialectOptions) -> Dialect:
    """The dialect of a file.

    :param sample: the first SAMPLE_BYTES of the file's decoded stream.
    :param path: a name that ends in ``.tsv`` prefers the tab as delimiter.
    :returns: the dialect; its encoding is UTF-8, which the decoded stream has.
    :raises CallError: a text for NULL contains the delimiter or the quote.
    """
    hint = None if options.format is Format.TEXT else separator_hint(sample)
    delimiter = hint if options.delimiter is None else options.delimiter
    dialect = _fixed(options, delimiter, 0 if hint is None else 1)
    quotes = [dialect.quote]
    if options.quote is None and dialect.quote and b'"' not in sample and b"'" in sample and delimiter != "'":
        quotes.insert(0, "'")
    fixed = delimiter is not None or options.format is Format.TEXT
    tsv = path.lower().removesuffix(".gz").endswith(".tsv")
    whole = len(sample) < SAMPLE_BYTES
    rest = sample[behind_lines(sample, dialect, dialect.skip_lines, at_end=whole)[0] :]
    for quote in quotes:
        dialect = replace(dialect, quote=quote)
        if not fixed:
            dialect = replace(dialect, delimiter=_delimiter(rest, dialect, tsv, whole))
        if quote == quotes[-1] or _wrapped(_first_records(rest, dialect, whole)):
            break
    for text in options.null:
        if mark := next((mark for mark in (dialect.delimiter, dialect.quote) if mark and mark in text), None):
            raise CallError(
                f"{path}: the text {text!r} for NULL contains {mark!r}, the delimiter or the quote of the file",
                "Give the text of the field as it is without quotes",
            )
    return dialect


def separator_hint(sample: bytes) -> str | None:
    """The delimiter that a first line ``sep=;`` names, which Excel reads and writes; None if there is no such line."""
    found = _SEPARATOR_LINE.match(sample)
    text = "" if found is None else found[2].decode("utf-8", "replace")
    return text if len(text) == 1 and text != "\ufffd" else None


def _fixed(options: DialectOptions, delimiter: str | None, hint_lines: int) -> Dialect:
    """The dialect, with defaults for the parts to detect.

    :param delimiter: the delimiter, if it is known.
    :param hint_lines: how many lines at the beginning tell the delimiter.
    """
    text = options.format is Format.TEXT
    return Dialect(
        delimiter=delimiter or ("\t" if text else ","),
        quote="" if text else '"' if options.quote is None else options.quote,
        header=options.header is not False,
        null=options.null,
        empty_as_null=options.empty_as_null,
        escape=options.escape or "",
        format=options.format or Format.CSV,
        skip_lines=hint_lines if options.skip_lines is None else max(hint_lines, options.skip_lines),
        skip_footer=options.skip_footer or 0,
        comment=options.comment or "",
        trailing_delimiter=options.trailing_delimiter or False,
        skip_initial_blanks=options.skip_initial_blanks or False,
        line_ends=options.line_ends or LineEnds.LF,
        ragged=options.ragged,
        strip_nul=options.strip_nul,
    )


def _first_records(sample: bytes, dialect: Dialect, whole: bool, count: int = _RECORDS) -> list[Record]:
    """The first complete records of a sample.

    :param whole: the sample ends where the file ends.
    """
    return list(islice(scan(sample, dialect, fields=None, at_end=whole), count))


def _delimiter(sample: bytes, dialect: Dialect, tsv: bool, whole: bool) -> str:
    """Detects the delimiter: it divides the first record, and gives most records as many fields as the first.

    :param dialect: the other parts of the dialect.
    :param tsv: the file's name ends in ``.tsv``.
    :param whole: the sample ends where the file ends.
    """
    order = [c for c in ("\t,;|" if tsv else ",;\t|") if c not in (dialect.quote, dialect.escape)]
    tried = {c: replace(dialect, delimiter=c) for c in order}
    # One record mostly leaves one candidate, and the rest of the sample need not be parsed.
    able = [c for c in order if any(len(r.fields) > 1 for r in _first_records(sample, tried[c], whole, 1))]
    if len(able) < 2:
        return (able or order)[0]
    best, best_score = order[0], (0.0, 0)
    for candidate in able:
        counts = [len(r.fields) for r in _first_records(sample, tried[candidate], whole)]
        score = (sum(n == counts[0] for n in counts) / len(counts), counts[0])
        if tsv and candidate == "\t":
            return candidate
        if score > best_score:
            best, best_score = candidate, score
    return best


def _wrapped(records: list[Record]) -> bool:
    """Whether the quote of these records encloses values and has no other use.

    This is so if no record is a fault, no unquoted field holds the quote, and one column has all its values enclosed:
    two at least, empty values and the header not counted.
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
