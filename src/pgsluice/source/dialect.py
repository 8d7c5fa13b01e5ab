"""The dialect of a file: the parts that the user fixed, and the other parts detected from the first bytes."""

from __future__ import annotations

from itertools import islice

from pgsluice.errors import CallError
from pgsluice.model import Dialect, DialectOptions
from pgsluice.source.records.rules import Record
from pgsluice.source.records.walker import scan

SAMPLE_BYTES = 1 << 18
"""How many bytes of the decoded stream :func:`sniff` needs; a shorter sample is a whole file."""

_RECORDS = 200
"""How many records a delimiter or a quote is tried on."""

_SPELLED = {"\\t": "\t", "tab": "\t"}
"""How the command line may spell a delimiter that a shell passes badly."""


def sniff(sample: bytes, path: str, options: DialectOptions) -> Dialect:
    """The dialect of a file.

    :param sample: the first SAMPLE_BYTES of the file's decoded stream.
    :param path: a name that ends in ``.tsv`` prefers the tab as delimiter.
    :returns: the dialect; its encoding is UTF-8, which the decoded stream has.
    :raises CallError: the delimiter or the quote that the user fixed is not allowed.
    """
    _check_null_texts(options)
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
    for text in options.null:
        if mark := next((mark for mark in (found, candidate) if mark in text), None):
            raise CallError(
                f"{path}: the text {text!r} for NULL contains {mark!r}, the delimiter or the quote of the file",
                "Give the text of the field as it is without quotes",
            )
    return Dialect(
        delimiter=found,
        quote=candidate,
        header=options.header is not False,
        null=options.null,
        empty_as_null=options.empty_as_null,
        strip_nul=options.strip_nul,
    )


def _check_null_texts(options: DialectOptions) -> None:
    """Checks that a field can contain the texts for NULL without quotes.

    :raises CallError: a text contains a quote or the end of a line.
    """
    for text in options.null:
        if text == '""':
            raise CallError(
                "--null '\"\"': a field in quotes is never NULL",
                "For empty fields in quotes, use --empty-as-null: they are NULL in all columns that are not text",
            )
        if any(mark in text for mark in '"\r\n\0'):
            raise CallError(
                f"--null {text!r} contains a quote or the end of a line",
                "A text for NULL is a field without quotes",
            )


def _single(what: str, value: str | None) -> str | None:
    """Checks that a delimiter or a quote is one ASCII character.

    :param what: the name of the option, for the message.
    """
    if value is not None and (len(value) != 1 or not value.isascii() or value in "\r\n\0"):
        raise CallError(f"{what} {value!r} is not a single ASCII character", "Use one such as , ; | or \\t")
    return value


def _first_records(sample: bytes, dialect: Dialect, count: int = _RECORDS) -> list[Record]:
    """The first complete records of a sample."""
    whole = len(sample) < SAMPLE_BYTES
    return list(islice(scan(sample, dialect, fields=None, at_end=whole), count))


def _delimiter(sample: bytes, quote: str, tsv: bool) -> str:
    """Detects the delimiter: it divides the first record, and gives most records as many fields as the first.

    :param tsv: the file's name ends in ``.tsv``.
    """
    order = "\t,;|" if tsv else ",;\t|"
    # One record mostly leaves one candidate, and the rest of the sample need not be parsed.
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
