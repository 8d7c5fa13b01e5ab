"""What can still be read of a record that cannot be parsed."""

from __future__ import annotations

from pgsluice.model import Dialect
from pgsluice.model.reading.dialect import BLANKS, Format


def readable_fields(raw: bytes, dialect: Dialect, most: int) -> list[str | None]:
    """Returns the fields of a broken record from the left, up to the first one that cannot be read.

    :param raw: the bytes of the record without its line end, in UTF-8.
    :param most: the number of fields that a record has.
    :returns: at most ``most`` fields; None for a field that is NULL or not UTF-8. A field with an escape cannot be
        read, nor can a quoted field between runs of blanks.
    """
    delimiter, quote = dialect.delimiter.encode(), dialect.quote.encode()
    escape = b"\\" if dialect.format is Format.TEXT else dialect.escape.encode()
    if dialect.delimiter == BLANKS:
        raw, delimiter = b" ".join(raw.split()), b" "
        if quote and quote in raw:
            return []
    fields: list[str | None] = []
    at = 0
    while len(fields) < most:
        while dialect.skip_initial_blanks and raw[at : at + 1] in (b" ", b"\t") and not raw.startswith(delimiter, at):
            at += 1
        quoted = bool(quote) and raw.startswith(quote, at)
        if quoted:
            stop = _closing_quote(raw, quote, at + len(quote))
            behind = stop + len(quote)
            if stop < 0 or (behind < len(raw) and not raw.startswith(delimiter, behind)):
                break
            value = raw[at + len(quote) : stop].replace(quote + quote, quote)
        else:
            stop = raw.find(delimiter, at)
            behind = len(raw) if stop < 0 else stop
            value = raw[at:behind]
        if escape and escape in value and (quoted or value.decode(errors="replace") not in dialect.null_texts):
            break
        try:
            text = value.decode()
        except UnicodeDecodeError:
            fields.append(None)
        else:
            fields.append(None if not quoted and text in dialect.null_texts else text)
        if behind >= len(raw):
            break
        at = behind + len(delimiter)
    return fields


def _closing_quote(raw: bytes, quote: bytes, at: int) -> int:
    """The position of the quote that closes a field, -1 if there is none."""
    while (found := raw.find(quote, at)) >= 0:
        if not raw.startswith(quote, found + len(quote)):
            return found
        at = found + 2 * len(quote)
    return -1
