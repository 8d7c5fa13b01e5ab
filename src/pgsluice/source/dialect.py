"""The dialect of a file: the parts that the user fixed, and the other parts detected from the first bytes."""

from __future__ import annotations

from pgsluice.errors import CallError
from pgsluice.model import Dialect, DialectOptions, Findings, Format, LineEnds
from pgsluice.source.dialect_search.detect import detect
from pgsluice.source.dialect_search.sample import named_delimiter

SAMPLE_BYTES = 1 << 18
"""How many bytes of the decoded stream :func:`detected` needs; a shorter sample is a whole file."""

_LONGEST_HINT = 32
"""Bytes of a first line that may name the delimiter."""


def detected(sample: bytes, path: str, options: DialectOptions) -> tuple[Dialect, Findings]:
    """The dialect of a file of which no table is known, and what was found out about it.

    :param sample: the first SAMPLE_BYTES of the file's decoded stream.
    :param path: a name that ends in ``.tsv`` prefers the tab as delimiter.
    :returns: the dialect; its encoding is UTF-8, which the decoded stream has.
    :raises CallError: a text for NULL contains the delimiter or the quote.
    """
    whole = len(sample) < SAMPLE_BYTES
    dialect, findings = detect(sample, whole, fixed_dialect(sample, options), options, tab=prefers_tab(path))
    check_null_texts(path, dialect)
    return dialect, findings


def prefers_tab(path: str) -> bool:
    """Whether the name of a file says that its delimiter is the tab."""
    return path.lower().removesuffix(".gz").endswith(".tsv")


def check_null_texts(path: str, dialect: Dialect) -> None:
    """Checks that the texts for NULL can be fields without quotes.

    :raises CallError: a text contains the delimiter or the quote.
    """
    for text in dialect.null:
        if mark := next((mark for mark in (dialect.delimiter, dialect.quote) if mark and mark in text), None):
            raise CallError(
                f"{path}: the text {text!r} for NULL contains {mark!r}, the delimiter or the quote of the file",
                "Give the text of the field as it is without quotes",
            )


def fixed_dialect(sample: bytes, options: DialectOptions) -> Dialect:
    """The parts of the dialect that the user fixed, with defaults for the parts to detect.

    :param sample: the first bytes of the file, which may tell the delimiter.
    """
    first = sample[:_LONGEST_HINT].replace(b"\r", b"\n").partition(b"\n")[0].decode(errors="replace")
    named = "" if options.format is Format.TEXT else named_delimiter(first)
    return _fixed(options, named if options.delimiter is None else options.delimiter, 1 if named else 0)


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
        trailing_delimiters=int(options.trailing_delimiter or False),
        skip_initial_blanks=options.skip_initial_blanks or False,
        line_ends=options.line_ends or LineEnds.LF,
        ragged=options.ragged,
        strip_nul=options.strip_nul,
    )
