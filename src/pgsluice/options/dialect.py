"""The options that say how files are read: checked, and made :class:`~pgsluice.model.DialectOptions`."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pgsluice.arguments import PlanArguments
from pgsluice.errors import CallError
from pgsluice.model import BLANKS, ColumnFormat, Dialect, DialectOptions, Format, LineEnds, Ragged
from pgsluice.options.encodings import parse_encodings, parse_nul

_NONE = "none"
"""What ``--quote`` and ``--escape`` say if a file has no such character."""

_ESCAPED = re.compile(r"\\(?:t|\\|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4}))")
"""How a delimiter may spell a character that a shell passes badly."""

_MOST_FOOTER_LINES = 1000
"""How many lines at the end of a file may be passed over: a reader holds them until it knows that they are the last."""

_Choice = TypeVar("_Choice", bound=enum.StrEnum)


def parse_dialect(given: PlanArguments) -> DialectOptions:
    """Returns the parts of the dialect that the arguments of a call fix.

    :raises CallError: an argument is wrong, or two arguments exclude each other.
    """
    family = _choice("--format", Format, given.get("format"))
    header, skip_lines = _head(given)
    text = family is Format.TEXT
    quote, escape = _character("--quote", given.get("quote")), _character("--escape", given.get("escape"))
    if text and (quote or escape):
        raise CallError("--format text has neither quotes nor another escape", "Leave out --quote and --escape")
    encodings = parse_encodings(given.get("encoding"))
    options = DialectOptions(
        delimiter=parse_delimiter(given.get("delimiter")),
        quote="" if text else quote,
        encoding=next((name for glob, name in encodings if not glob), None),
        encodings=tuple((glob, name) for glob, name in encodings if glob),
        strip_nul=parse_nul(given.get("nul", "reject")),
        header=False if text and header is None else header,
        null=_null(given.get("null", ()), given.get("null_only", ()), escaped=text or escape == "\\", text=text),
        empty_as_null=given.get("empty_as_null", False),
        escape=escape,
        format=family,
        skip_lines=skip_lines,
        skip_footer=_count("--skip-footer", given.get("skip_footer"), _MOST_FOOTER_LINES),
        comment=_comment(given.get("comment")),
        trailing_delimiter=given.get("trailing_delimiter"),
        skip_initial_blanks=given.get("skip_initial_blanks"),
        line_ends=_choice("--line-ends", LineEnds, given.get("line_ends")),
        ragged=_choice("--ragged", Ragged, given.get("ragged")) or Ragged.REJECT,
    )
    _check_marks(options)
    return options


def parse_delimiter(given: str | None) -> str | None:
    r"""Returns ``--delimiter`` with its escapes ``\t``, ``\xHH``, ``\uHHHH`` and ``\\`` replaced.

    :raises CallError: the delimiter is empty, or holds the end of a line or NUL.
    """
    if given is None or given == BLANKS:
        return given
    text = "\t" if given == "tab" else _ESCAPED.sub(_character_of, given)
    if not text or any(c in text for c in "\r\n\0") or not _is_text(text):
        raise CallError(
            f"--delimiter {given!r} is not a delimiter",
            "Use one or more characters such as , ; | or ||, \\t for a tab, \\x01 for a control character, or blanks",
        )
    return text


def _character_of(found: re.Match[str]) -> str:
    digits = found[1] or found[2]
    return chr(int(digits, 16)) if digits else {"\\t": "\t", "\\\\": "\\"}[found[0]]


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _character(option: str, given: str | None) -> str | None:
    r"""Returns ``--quote`` or ``--escape``: '' for "none", None for a character to detect.

    :raises CallError: the text is not one ASCII character.
    """
    if given is None:
        return None
    if given == _NONE:
        return ""
    text = given if len(given) == 1 else _ESCAPED.sub(_character_of, given)
    if len(text) != 1 or not text.isascii() or text in "\r\n\0":
        raise CallError(f"{option} {given!r} is not a single ASCII character", f"Use one, or {option} {_NONE}")
    return text


def _comment(given: str | None) -> str | None:
    """Returns ``--comment``.

    :raises CallError: the text is empty or holds the end of a line.
    """
    if given is not None and (not given or any(c in given for c in "\r\n\0") or not _is_text(given)):
        raise CallError(f"--comment {given!r} begins no line", "Give the text that begins such lines: --comment '#'")
    return given


def _head(given: PlanArguments) -> tuple[bool | None, int | None]:
    """Returns ``--header`` and ``--skip-lines``; ``--header-line N`` stands for both.

    :raises CallError: the numbers are wrong, or the options exclude each other.
    """
    header, line = given.get("header"), given.get("header_line")
    skip = _count("--skip-lines", given.get("skip_lines"), None)
    if line is None:
        return header, skip
    if header is False or skip is not None:
        other = "--no-header" if header is False else "--skip-lines"
        raise CallError(f"--header-line and {other} exclude each other", "--header-line N passes over N-1 lines")
    if isinstance(line, bool) or line < 1:
        raise CallError(f"--header-line {line} is no line of a file", "Lines count from 1")
    return True, line - 1


def _count(option: str, given: int | None, most: int | None) -> int | None:
    """Returns a number of lines.

    :raises CallError: the number is negative or too large.
    """
    if given is not None and (isinstance(given, bool) or given < 0 or (most is not None and given > most)):
        limit = "0 or more" if most is None else f"from 0 to {most:,}"
        raise CallError(f"{option} {given} is no number of lines", f"Say a whole number, {limit}")
    return given


def _choice(option: str, kind: type[_Choice], given: str | None) -> _Choice | None:
    """Returns one of the words of an option.

    :raises CallError: the word is none of them.
    """
    if given is None:
        return None
    try:
        return kind(given)
    except ValueError:
        raise CallError(f"{option} {given!r} does not exist", f"Say one of {', '.join(kind)}") from None


def _null(null: Sequence[str], null_only: Sequence[str], *, escaped: bool, text: bool) -> tuple[str, ...]:
    r"""Returns the texts that mean NULL: ``--null`` adds texts to the usual ones, ``--null-only`` takes their place.

    Where a backslash escapes, ``\N`` is among the usual ones: a program that escapes backslashes writes it for NULL
    only. In the text format it is the only one.

    :raises CallError: both are given, or a text cannot be a field without quotes.
    """
    if null and null_only:
        raise CallError("--null and --null-only exclude each other", "Give all texts with one of them")
    usual = ("\\N",) if text else ("", "\\N") if escaped else ("",)
    found = tuple(null_only) or tuple(dict.fromkeys((*usual, *null)))
    for one in found:
        if one == '""':
            raise CallError(
                "--null '\"\"': a field in quotes is never NULL",
                "For empty fields in quotes, use --empty-as-null: they are NULL in all columns that are not text",
            )
        if any(mark in one for mark in '"\r\n\0'):
            raise CallError(
                f"--null {one!r} contains a quote or the end of a line", "A text for NULL is a field without quotes"
            )
    return () if found == ("",) and not null and not null_only else found


def _check_marks(options: DialectOptions) -> None:
    """Checks that delimiter, quote, escape and comment can be told apart.

    :raises CallError: they cannot.
    """
    delimiter, quote, escape = options.delimiter, options.quote, options.escape
    effective = '"' if quote is None else quote
    for name, mark in (("quote", effective), ("escape", escape)):
        if mark and delimiter is not None and delimiter != BLANKS and mark in delimiter:
            what = f"delimiter and {name} are both {delimiter!r}"
            if mark != delimiter:
                what = f"the delimiter {delimiter!r} holds the {name} {mark!r}"
            none = f", or --{name} none" if name == "quote" else ""
            raise CallError(what, f"Use different characters{none}")
    if delimiter == BLANKS and (effective in {" ", "\t"} or escape in {" ", "\t"}):
        raise CallError("--delimiter blanks excludes a blank as quote or escape", "Use different characters")
    if escape and escape == effective:
        raise CallError(f"quote and escape are both {escape!r}", "A doubled quote needs no --escape")
    comment = options.comment or ""
    if comment and effective and comment.startswith(effective):
        raise CallError(f"--comment {comment!r} begins with the quote", "Such lines cannot be told from records")


def restore_dialect(stored: Mapping[str, Any]) -> Dialect:
    """Returns the dialect with which a run has read a file.

    :param stored: ``pgsluice.file.dialect``. Ledgers of older versions lack the newer parts.
    """
    parts = _typed(stored)
    if "trailing_delimiter" in parts:
        # Before 0.3 a record had at most one such delimiter.
        parts["trailing_delimiters"] = int(parts.pop("trailing_delimiter"))
    formats = []
    for given in stored.get("formats", ()):
        lists: dict[str, Any] = {name: tuple(given.get(name, ())) for name in ("strip", "negative", "true", "false")}
        formats.append(ColumnFormat(**{**given, **lists}))
    return Dialect(**{**parts, "formats": tuple(formats)})


def restore_dialect_options(stored: Mapping[str, Any]) -> DialectOptions:
    """Returns the dialect's options of a resumable run.

    :param stored: the part ``dialect`` of ``pgsluice.run.options``. Ledgers of older versions lack the newer parts.
    """
    return DialectOptions(**_typed(stored))


_TYPES: dict[str, Callable[[Any], Any]] = {
    "format": Format,
    "line_ends": LineEnds,
    "ragged": Ragged,
    "null": tuple,
    "encodings": lambda pairs: tuple((glob, name) for glob, name in pairs),
}
"""What the parts of a dialect are that JSON stores as something else."""


def _typed(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _TYPES[name](value) if name in _TYPES and value is not None else value for name, value in stored.items()
    }
