"""Vectorised validation of records: a few passes of numpy over a whole buffer instead of a loop over its bytes.

:func:`clean_prefix` validates a buffer in which no record is a fault, which is nearly every buffer.
:func:`classify_lines` finds the lines of a buffer that :class:`~pgsluice.source.records.walker.Walker` must parse.

Both find the bytes inside quotes by the parity of the quotes up to each byte: a byte is inside quotes if their number
is odd. (Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019, find strings in JSON in this manner.)
"""

from __future__ import annotations

import codecs
import threading
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from pgsluice.model import Dialect
from pgsluice.source.records import rules
from pgsluice.source.records.rules import CR, LF

if TYPE_CHECKING:
    from pgsluice.source.records.rules import Mask, Octets, Positions


_MANY_BYTES, _MOST_POSITIONS = 9 << 20, 4 << 20
"""A buffer becomes longer than a block for a long record. Its newlines and quotes must not be too many then: each takes
24 bytes as a position."""


_DECODED_BYTES = 1 << 20
"""How many bytes of a text are decoded at a time."""


@dataclass(frozen=True, slots=True)
class CleanPrefix:
    """The part of a buffer up to ``cut``, in which no record is a fault as far as sums of fields tell.

    The delimiters have been counted in sum only: a record with one field too many and a record with one too few
    may hide each other.
    """

    cut: int
    """Where the last complete record ends, its line end included."""
    ends: Positions
    """The positions of the LFs that end records."""
    data: bytes
    """The buffer up to ``cut`` with every record ended by LF alone."""
    whole: bool
    """No complete record stands behind ``cut``."""


def warm_up() -> None:
    """Imports numpy in a thread, so that the import is done when the first block has been read."""
    threading.Thread(target=import_module, args=("numpy",), daemon=True).start()


def clean_prefix(data: bytes, dialect: Dialect, fields: int, most: int | None = None) -> CleanPrefix | None:
    """Validates a buffer that begins where a record begins.

    :param data: the buffer; an incomplete record at its end is left out of the result.
    :param fields: how many fields a record must have.
    :param most: how many records the prefix may hold.
    :returns: the prefix that holds the complete records; None when a record may be a fault, when a blank line must be
        left out, or when no record is complete. The caller then needs
        :meth:`~pgsluice.source.records.walker.Walker.spans`.
    """
    import numpy as np

    if len(data) > rules.MAX_RECORD_BYTES:
        return None  # a record in the buffer may be too long
    delimiter, quote = dialect.delimiter.encode(), dialect.quote.encode()
    if len(data) > _MANY_BYTES and data.count(b"\n") + data.count(quote) > _MOST_POSITIONS:
        return None
    octets = np.frombuffer(data, np.uint8)
    is_end = octets == LF
    inside: Mask | None = None
    if quote in data:
        is_quote = octets == quote[0]
        inside = _prefix_xor(is_quote)
        is_end &= ~inside
    ends = np.flatnonzero(is_end)
    if not ends.size:
        return None
    whole = most is None or ends.size <= most
    if not whole:
        ends = ends[:most]
    cut = int(ends[-1]) + 1
    body = data if cut == len(data) else data[:cut]
    octets = octets[:cut]

    if b"\0" in body or not is_valid_utf8(body):
        return None
    is_delimiter = octets == delimiter[0]
    if inside is not None:
        inside = inside[:cut]
        if not _quotes_well_placed(octets, np.flatnonzero(is_quote[:cut]), delimiter[0], quote[0]):
            return None
        is_delimiter &= ~inside
    if np.count_nonzero(is_delimiter) != ends.size * (fields - 1):
        return None
    if b"\r" in body and _has_lone_cr(octets, inside):
        return None
    if (fields > 1 or loses_blanks(dialect)) and _has_blank(octets, ends):
        return None
    return CleanPrefix(cut, ends, with_lf(body, dialect), whole)


def loses_blanks(dialect: Dialect) -> bool:
    """Whether DuckDB skips blank lines even in a file of one column: it does when a blank line does not mean NULL.

    Such a blank line means the empty string, so it can be rewritten as a quoted field.
    """
    return bool(dialect.null) and "" not in dialect.null


def with_lf(data: bytes, dialect: Dialect) -> bytes:
    """Replaces the CRLF that ends a record by LF; bytes within quotes do not change.

    :param data: complete faultless records.
    """
    import numpy as np

    if b"\r" not in data:
        return data
    quote = dialect.quote.encode()
    if quote not in data:
        return data.replace(b"\r\n", b"\n")
    octets = np.frombuffer(data, np.uint8)
    kept: bytes = octets[(octets != CR) | _prefix_xor(octets == quote[0])].tobytes()
    return kept


def is_valid_utf8(data: bytes) -> bool:
    """Whether the bytes are UTF-8; a NUL byte is valid here."""
    return data.isascii() or invalid_utf8_at(data) < 0


def invalid_utf8_at(data: bytes) -> int:
    """Where the first byte sequence begins that is not UTF-8; -1 if there is none.

    A long text is decoded piece by piece, because a decoded text may take four times as much memory as its bytes.
    """
    at, size = 0, len(data)
    try:
        while at < size:
            stop = at + _DECODED_BYTES
            at += codecs.utf_8_decode(data if at == 0 and stop >= size else data[at:stop], "strict", stop >= size)[1]
    except UnicodeDecodeError as error:
        return at + error.start
    return -1


def _prefix_xor(mask: Mask) -> Mask:
    """For every byte, whether the number of set bytes up to and including it is odd.

    The parity is computed for 64 bytes at a time: their bits fill one word, and shifts by 1, 2, 4 ... 32 spread them.
    """
    import numpy as np

    bits = np.packbits(mask, bitorder="little")
    words = np.zeros((bits.size + 7) // 8 * 8, np.uint8)
    words[: bits.size] = bits
    lanes = words.view("<u8")
    for shift in (1, 2, 4, 8, 16, 32):
        lanes ^= lanes << np.uint64(shift)
    # The parity at the end of a word is carried into all bits of the next word.
    parity = np.bitwise_xor.accumulate(lanes >> np.uint64(63))
    lanes[1:] ^= np.negative(parity[:-1])
    return np.unpackbits(words, bitorder="little", count=mask.size).view(np.bool_)


@lru_cache(maxsize=8)
def _table_of(*allowed: int) -> Mask:
    """A table of 256 booleans, true for the allowed bytes."""
    import numpy as np

    table = np.zeros(256, np.bool_)
    table[list(allowed)] = True
    return table


def _before_opening(delimiter: int, quote: int) -> Mask:
    """Which bytes may stand before an opening quote.

    The quote is among them, and among the bytes behind a closing quote: a doubled quote looks like a closing quote
    and an opening quote side by side.
    """
    return _table_of(delimiter, LF, quote)


def _behind_closing(delimiter: int, quote: int) -> Mask:
    """Which bytes may stand behind a closing quote; see :func:`_before_opening`."""
    return _table_of(delimiter, LF, CR, quote)


def _quotes_well_placed(octets: Octets, quotes: Positions, delimiter: int, quote: int) -> bool:
    """Whether quotes, taken in turn as opening and closing, stand where such quotes may stand.

    :param octets: ends with the LF of a record, so the number of quotes is even.
    """
    opening, closing = quotes[0::2], quotes[1::2]
    if opening.size and opening[0] == 0:
        opening = opening[1:]
    before, behind = octets[opening - 1], octets[closing + 1]
    return bool(_before_opening(delimiter, quote)[before].all() and _behind_closing(delimiter, quote)[behind].all())


def _has_lone_cr(octets: Octets, inside: Mask | None) -> bool:
    """Whether a CR outside quotes has no LF behind it.

    :param octets: ends with LF, so a byte stands behind every CR.
    :param inside: which bytes are within quotes; None if there are no quotes.
    """
    import numpy as np

    is_cr = octets == CR
    if inside is not None:
        is_cr &= ~inside
    return not (octets[np.flatnonzero(is_cr) + 1] == LF).all()


def _has_blank(octets: Octets, ends: Positions) -> bool:
    """Whether a record has no byte but CR."""
    import numpy as np

    lengths = np.diff(ends, prepend=-1) - 1
    short = lengths == 1
    return bool((lengths == 0).any() or (octets[ends[short] - 1] == CR).any())


class ClassifiedLines(NamedTuple):
    """The lines of a buffer, divided into plain lines and peculiar lines.

    A line is plain if a record that began on the line would be faultless and would end with the line.
    """

    ends: Positions
    """The positions of all LFs."""
    peculiar: Positions
    """The numbers of the peculiar lines, ascending, from 0."""
    fields: Positions | None
    """How many fields each peculiar line has, if nothing but the number of fields, or being blank, can make a line of
    this buffer peculiar; else None."""


def classify_lines(data: bytes, delimiter: int, quote: int, fields: int, keeps_blanks: bool) -> ClassifiedLines:
    """Classifies the lines of a buffer, each as if a record began on it.

    :param data: ends with LF.
    :param fields: how many fields a record must have.
    :param keeps_blanks: a blank line is a faultless record.
    """
    import numpy as np

    octets = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(octets == LF)
    starts = np.concatenate((np.zeros(1, np.intp), ends[:-1] + 1))
    lengths = ends - starts
    peculiar = np.zeros(ends.size, np.bool_)

    def mark(positions: Positions) -> None:
        """Makes the lines peculiar that hold these positions."""
        peculiar[np.searchsorted(ends, positions)] = True

    is_delimiter = octets == delimiter
    is_quote = octets == quote
    has_quotes = bool(is_quote.any())
    if has_quotes:
        inside = _inside_by_line(is_quote, ends, lengths)
        peculiar |= inside[ends]
        mark(_misplaced_quotes(octets, is_quote, inside, delimiter, quote))
        is_delimiter &= ~inside
    counts = np.diff(np.searchsorted(np.flatnonzero(is_delimiter), ends), prepend=0)
    peculiar |= counts != fields - 1
    if b"\r" in data:
        # A CR within quotes is data, but lines with such a CR are few, so they may be peculiar too.
        cr = np.flatnonzero(octets == CR)
        mark(cr[octets[cr + 1] != LF])
    if not keeps_blanks:
        peculiar |= lengths == 0
        short = np.flatnonzero(lengths == 1)
        peculiar[short] |= octets[ends[short] - 1] == CR
    if len(data) > rules.MAX_RECORD_BYTES:
        peculiar |= lengths >= rules.MAX_RECORD_BYTES
    if b"\0" in data:
        mark(np.flatnonzero(octets == 0))
    if not is_valid_utf8(data):
        peculiar[_lines_not_utf8(data)] = True
    only_counts = (
        not has_quotes
        and data.isascii()
        and len(data) <= rules.MAX_RECORD_BYTES
        and b"\r" not in data
        and b"\0" not in data
    )
    found = np.flatnonzero(peculiar)
    return ClassifiedLines(ends, found, counts[found] + 1 if only_counts else None)


def _inside_by_line(is_quote: Mask, ends: Positions, lengths: Positions) -> Mask:
    """Which bytes are within quotes, if the count of quotes starts anew on each line."""
    import numpy as np

    parity = _prefix_xor(is_quote)
    at_start = np.zeros(ends.size, np.bool_)
    at_start[1:] = parity[ends[:-1]]
    return parity ^ np.repeat(at_start, lengths + 1)


def _misplaced_quotes(octets: Octets, is_quote: Mask, inside: Mask, delimiter: int, quote: int) -> Positions:
    """The positions of quotes that stand where no opening or closing quote may stand."""
    import numpy as np

    quotes = np.flatnonzero(is_quote)
    opens = inside[quotes]
    opening, closing = quotes[opens], quotes[~opens]
    before = np.where(opening > 0, octets[opening - 1], np.uint8(LF))
    # A closing quote is never the last byte, which is LF. A lone CR behind a closing quote is a matter of the CR.
    behind = octets[closing + 1]
    return np.concatenate(
        (
            opening[~_before_opening(delimiter, quote)[before]],
            closing[~_behind_closing(delimiter, quote)[behind]],
        )
    )


def _lines_not_utf8(data: bytes) -> Positions:
    """The numbers of the lines that hold bytes which are not UTF-8, from 0."""
    import numpy as np

    # Every invalid byte becomes a lone surrogate, which valid UTF-8 cannot hold.
    escaped = data.decode("utf-8", "surrogateescape").encode("utf-32-le", "surrogatepass")
    points = np.frombuffer(escaped, "<u4")
    invalid = np.flatnonzero((points >= 0xDC80) & (points <= 0xDCFF))
    return np.searchsorted(np.flatnonzero(points == LF), invalid)
