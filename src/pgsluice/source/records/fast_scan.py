"""TODO pgsluice.source.records.fast_scan."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from pgsluice.model import Dialect
from pgsluice.source.records import rules
from pgsluice.source.records.rules import CR, LF

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Positions = NDArray[np.intp]
    Mask = NDArray[np.bool_]
    Octets = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Clean:
    """The verdict that a buffer holds faultless records only, up to ``cut``.

    ``ends`` are the positions of the LFs that end records; ``data`` is the buffer up to ``cut`` with every
    record ended by LF alone. Numbers of fields have been compared in sum only.
    """

    cut: int
    ends: Positions
    data: bytes


def warm_up() -> None:
    """Imports what :func:`clean` needs, in a thread, so that it is there when the first block has been read."""
    threading.Thread(target=import_module, args=("numpy",), daemon=True).start()


def clean(data: bytes, dialect: Dialect, fields: int) -> Clean | None:
    """Judge a buffer that begins where a record begins.

    :return: the verdict, or None when something in there (or nothing being complete) calls for
        :meth:`Walker.spans`. An incomplete record at the end is left out of the verdict.
    """
    import numpy as np

    if len(data) > rules.MAX_RECORD_BYTES:
        return None  # there may be a record in it that is too long
    delimiter, quote = dialect.delimiter.encode(), dialect.quote.encode()
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

    if b"\r" in body:
        is_cr = octets == CR
        if inside is not None:
            is_cr &= ~inside
        # The last byte is an LF, so there is a byte behind every CR.
        if not (octets[np.flatnonzero(is_cr) + 1] == LF).all():
            return None
    if (fields > 1 or loses_blanks(dialect)) and _has_blank(octets, ends):
        return None
    return Clean(cut, ends, with_lf(body, dialect))


def loses_blanks(dialect: Dialect) -> bool:
    """Whether DuckDB passes over blank lines even in a file of one column: when they do not mean NULL.

    They mean the empty string then, so quotes may be put there.
    """
    return bool(dialect.null) and "" not in dialect.null


def with_lf(data: bytes, dialect: Dialect) -> bytes:
    """Faultless records with every CRLF that ends one as LF; within quotes all stays as it is."""
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
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _prefix_xor(mask: Mask) -> Mask:
    """Of every byte: is the number of set bytes up to and with it odd? Eight bytes of bits at a time."""
    import numpy as np

    bits = np.packbits(mask, bitorder="little")
    words = np.zeros((bits.size + 7) // 8 * 8, np.uint8)
    words[: bits.size] = bits
    lanes = words.view("<u8")
    for shift in (1, 2, 4, 8, 16, 32):
        lanes ^= lanes << np.uint64(shift)
    parity = np.bitwise_xor.accumulate(lanes >> np.uint64(63))
    lanes[1:] ^= np.negative(parity[:-1])
    return np.unpackbits(words, bitorder="little", count=mask.size).view(np.bool_)


@lru_cache(maxsize=8)
def _beside(*allowed: int) -> Mask:
    import numpy as np

    table = np.zeros(256, np.bool_)
    table[list(allowed)] = True
    return table


def _quotes_well_placed(octets: Octets, quotes: Positions, delimiter: int, quote: int) -> bool:
    """Do opening and closing quotes, taken in turn, stand where such quotes may stand?

    A doubled quote looks like a closing one followed at once by an opening one, hence ``quote`` in both
    tables. ``octets`` ends with the LF of a record, so ``quotes`` is even in number.
    """
    opening, closing = quotes[0::2], quotes[1::2]
    if opening.size and opening[0] == 0:
        opening = opening[1:]
    before, behind = octets[opening - 1], octets[closing + 1]
    return bool(_beside(delimiter, LF, quote)[before].all() and _beside(delimiter, LF, CR, quote)[behind].all())


def _has_blank(octets: Octets, ends: Positions) -> bool:
    import numpy as np

    lengths = np.diff(ends, prepend=-1) - 1
    short = lengths == 1
    return bool((lengths == 0).any() or (octets[ends[short] - 1] == CR).any())


class ClassifiedLines(NamedTuple):
    """The lines of a window, classified."""

    ends: Positions
    """Of all LFs."""
    peculiar: Positions
    """Ascending, the numbers of those lines that, were a record to begin on them, would not be one faultless record
    of one line."""
    fields: Positions | None
    """How many fields each of these has; None where more than that may be wrong with one, but for a blank line."""


def classified(data: bytes, delimiter: int, quote: int, fields: int, keeps_blanks: bool) -> ClassifiedLines:
    """Classify the lines of ``data``, which ends with LF.

    :param keeps_blanks: a blank line is as good a record as any.
    """
    import numpy as np

    octets = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(octets == LF)
    starts = np.concatenate((np.zeros(1, np.intp), ends[:-1] + 1))
    peculiar = np.zeros(ends.size, np.bool_)

    def mark(positions: Positions) -> None:
        peculiar[np.searchsorted(ends, positions)] = True

    is_delimiter = octets == delimiter
    is_quote = octets == quote
    quotes = np.flatnonzero(is_quote)
    if quotes.size:
        parity = _prefix_xor(is_quote)
        # Counted from the start of each line: a line is judged as if a record began on it.
        at_start = np.zeros(ends.size, np.bool_)
        at_start[1:] = parity[ends[:-1]]
        inside = parity ^ np.repeat(at_start, ends - starts + 1)
        peculiar |= inside[ends]
        opens = inside[quotes]
        opening, closing = quotes[opens], quotes[~opens]
        before = np.where(opening > 0, octets[opening - 1], np.uint8(LF))
        mark(opening[~_beside(delimiter, LF, quote)[before]])
        # A closing quote is never the last byte, which is LF. A lone CR behind it is marked below.
        mark(closing[~_beside(delimiter, LF, CR, quote)[octets[closing + 1]]])
        is_delimiter &= ~inside
    counts = np.diff(np.searchsorted(np.flatnonzero(is_delimiter), ends), prepend=0)
    peculiar |= counts != fields - 1

    plain = not quotes.size and data.isascii() and len(data) <= rules.MAX_RECORD_BYTES
    if b"\r" in data:
        plain = False
        # Within quotes a CR does no harm, but lines with one are few.
        cr = np.flatnonzero(octets == CR)
        mark(cr[octets[cr + 1] != LF])
    if not keeps_blanks:
        lengths = ends - starts
        peculiar |= lengths == 0
        short = np.flatnonzero(lengths == 1)
        peculiar[short] |= octets[ends[short] - 1] == CR
    if len(data) > rules.MAX_RECORD_BYTES:
        peculiar |= ends - starts >= rules.MAX_RECORD_BYTES
    if b"\0" in data:
        plain = False
        mark(np.flatnonzero(octets == 0))
    if not is_valid_utf8(data):
        # Every invalid byte becomes a lone surrogate, which valid UTF-8 cannot hold.
        escaped = data.decode("utf-8", "surrogateescape").encode("utf-32-le", "surrogatepass")
        points = np.frombuffer(escaped, "<u4")
        invalid = np.flatnonzero((points >= 0xDC80) & (points <= 0xDCFF))
        peculiar[np.searchsorted(np.flatnonzero(points == LF), invalid)] = True
    found = np.flatnonzero(peculiar)
    return ClassifiedLines(ends, found, counts[found] + 1 if plain else None)
