"""The dialect of a file: by a quick look if it is plain to see, otherwise by the search."""

from __future__ import annotations

from dataclasses import replace

from pgsluice.model import BLANKS, Dialect, DialectOptions, Format, LineEnds
from pgsluice.model.reading.readings import Findings
from pgsluice.source.dialect_search.expectations import Expectations
from pgsluice.source.dialect_search.quick import plain_to_see
from pgsluice.source.dialect_search.readings import RUNS
from pgsluice.source.dialect_search.result import Result
from pgsluice.source.dialect_search.sample import Sample, sample_of
from pgsluice.source.dialect_search.search import search
from pgsluice.source.records.lines import raise_field_limit

_EXOTIC = ("escape", "format", "skip_lines", "skip_footer", "comment", "trailing_delimiter", "skip_initial_blanks")
"""Options that the quick look knows nothing of."""


def detect(
    sample: bytes, whole: bool, fixed: Dialect, options: DialectOptions, *, tab: bool
) -> tuple[Dialect, Findings]:
    """The dialect of a file of which no table is known.

    :param sample: the first bytes of the file, in UTF-8.
    :param whole: the sample is the whole file.
    :param fixed: the parts that the user fixed, with defaults for the others.
    :param tab: the name of the file says that the tab is the delimiter.
    """
    raise_field_limit()
    if quick_options(options) and (found := plain_to_see(sample, whole, options.delimiter)) is not None:
        delimiter, _ = found
        if not (tab and delimiter != "\t" and b"\t" in sample):
            return replace(fixed, delimiter=delimiter), Findings(clear=True)
    result = search(sample_of(sample, whole), options, None, tab=tab)
    return dialect_of(result, fixed, options), findings_of(result)


def detect_with_table(
    sample: Sample, fixed: Dialect, options: DialectOptions, expected: Expectations | None, *, tab: bool
) -> tuple[Dialect, Findings, tuple[str, ...]]:
    """The dialect of a file whose table is known; the parameters are those of :func:`detect`.

    :returns: the dialect, what was found out about it, and the names of the fields where a header is passed over.
    """
    raise_field_limit()
    result = search(sample, options, expected, tab=tab)
    return dialect_of(result, fixed, options), findings_of(result), result.names


def quick_options(options: DialectOptions) -> bool:
    """Whether the options leave a file as the quick look knows files."""
    if options.quote not in (None, '"') or (options.delimiter is not None and len(options.delimiter) != 1):
        return False
    return all(getattr(options, name) is None for name in _EXOTIC)


def dialect_of(result: Result, fixed: Dialect, options: DialectOptions) -> Dialect:
    """The dialect that the search found; the parts that the user fixed stay."""
    reading = result.reading
    text = reading.text or options.format is Format.TEXT
    escape = "" if text else fixed.escape if options.escape is not None else reading.escape
    return replace(
        fixed,
        null=_null(fixed.null, text, escape),
        delimiter=fixed.delimiter if options.delimiter is not None else _delimiter(reading.delimiter),
        quote="" if text else fixed.quote if options.quote is not None else reading.quote,
        escape=escape,
        format=Format.TEXT if text else fixed.format,
        header=fixed.header if options.header is not None else result.header,
        skip_lines=fixed.skip_lines if options.skip_lines is not None else result.skip_lines,
        skip_footer=fixed.skip_footer if options.skip_footer is not None else result.skip_footer,
        comment=fixed.comment if options.comment is not None else result.comment,
        trailing_delimiters=result.trailing,
        skip_initial_blanks=fixed.skip_initial_blanks if options.skip_initial_blanks is not None else reading.blanks,
        line_ends=LineEnds.ANY if options.line_ends is None and result.cr else fixed.line_ends,
    )


def _null(fixed: tuple[str, ...], text: bool, escape: str) -> tuple[str, ...]:
    r"""The texts for NULL: where a backslash escapes, ``\N`` is among them; in the text format it stands for NULL in
    place of the empty field.
    """
    if text:
        return tuple(dict.fromkeys(("\\N", *(one for one in fixed if one)))) if not fixed or "" in fixed else fixed
    if escape == "\\" and (not fixed or "" in fixed):
        return tuple(dict.fromkeys((*(fixed or ("",)), "\\N")))
    return fixed


def _delimiter(found: str) -> str:
    return BLANKS if found == RUNS else found


def findings_of(result: Result) -> Findings:
    """What the search found out, for people and for the plan."""
    return Findings(
        False,
        result.sure,
        result.header_fit,
        tuple(result.evidence),
        tuple(result.warnings),
        tuple(result.passed_over),
        tuple(result.candidates),
        result.of_quotes,
    )
