"""Where records begin and end, and which of them are faulty: the exact rules, in one place.

The rules:

* A record ends at LF or CRLF outside quotes. A lone CR outside quotes is a fault of its record.
* A field is quoted if and only if its first byte is the quote; a doubled quote in it is one quote. A
  quote inside an unquoted field is data. Only a delimiter or the record's end may follow a closing quote.
* A line without any byte (but CR) is not a record, except when the file has one column: there it is a
  record of one unquoted empty field.
* After an unterminated quote or text behind a closing quote, the faulty record is its first physical line
  alone and scanning resumes on the next line, so that one missing quote does not swallow the file. A
  record that is not complete within ``MAX_RECORD_BYTES`` counts as unterminated.
* A record has one fault at most, the first of: structure, encoding (also NUL), lone CR, number of fields.

Three speeds: :func:`clean` judges a whole buffer by a few vectorised passes; :meth:`Walker.spans` classifies
lines by vectorised passes and walks in Python only through records that are faulty or span lines;
:func:`scan` makes an object of every record.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from pgsluice.model import Dialect

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Positions = NDArray[np.intp]
    Mask = NDArray[np.bool_]
    Octets = NDArray[np.uint8]

MAX_RECORD_BYTES = 32 << 20
"""A record that is longer is a fault; a single line that is longer ends the run (:class:`LineTooLong`)."""

WINDOW_BYTES = 1 << 20
"""How much of the data is classified at a time: keeps the arrays of positions small and in cache."""

BAD_FORMAT = "22P04"
BAD_ENCODING = "22021"

_LF, _CR = 10, 13

_RUN = 16
"""Records taken in Python before the classified lines are looked at again, which may be faster."""

Field = tuple[bytes, bool]
"""The value of a field, quotes undone, and whether it was quoted."""


class LineTooLong(Exception):
    """A line has no end within MAX_RECORD_BYTES: this is not a CSV file, or one with CR as line end."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class Record(NamedTuple):
    """A record: ``data[start:end]`` without its newline; the next one begins at ``next``.

    ``fields`` may be empty when there is a fault. ``rewrite`` says that DuckDB would not read it as it
    is: an unquoted field holds a quote, or a blank line is a record (see :func:`loses_blanks`).
    """

    start: int
    end: int
    next: int
    line: int
    fields: tuple[Field, ...]
    fault: tuple[str, str] | None
    rewrite: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """``count`` faultless records: ``data[start:next]``, every one ended by a newline.

    ``ends`` are the positions of those newlines (LF); None: every record is one line.
    """

    start: int
    next: int
    line: int
    count: int
    ends: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Clean:
    """The verdict that a buffer holds faultless records only, up to ``cut``.

    ``ends`` are the positions of the LFs that end records; ``data`` is the buffer up to ``cut`` with every
    record ended by LF alone. Numbers of fields have been compared in sum only.
    """

    cut: int
    ends: Positions
    data: bytes


def scan(
    data: bytes,
    dialect: Dialect,
    *,
    fields: int | None,
    column_names: Sequence[str] = (),
    first_line: int = 1,
    at_end: bool = True,
) -> Iterator[Record]:
    """Every record of ``data``, good or faulty.

    :param data: begins where a record begins.
    :param fields: how many fields a record must have; None: any number is right.
    :param column_names: for messages about missing fields.
    :param at_end: the file ends with ``data``. Otherwise a last record that may go on is not yielded.
    :raises LineTooLong: a line is longer than MAX_RECORD_BYTES.
    """
    walker = Walker(data, dialect, fields, column_names, at_end)
    if fields is None:
        yield from walker.walk(0, first_line)
        return
    for span in walker.spans(first_line):
        if isinstance(span, Record):
            yield span
        else:
            yield from walker.walk(span.start, span.line, span.next)


def warm_up() -> None:
    """Imports what :func:`clean` needs, in a thread, so that it is there when the first block has been read."""
    threading.Thread(target=import_module, args=("numpy",), daemon=True).start()


def clean(data: bytes, dialect: Dialect, fields: int) -> Clean | None:
    """Judge a buffer that begins where a record begins.

    :return: the verdict, or None when something in there (or nothing being complete) calls for
        :meth:`Walker.spans`. An incomplete record at the end is left out of the verdict.
    """
    import numpy as np

    if len(data) > MAX_RECORD_BYTES:
        return None  # there may be a record in it that is too long
    delimiter, quote = dialect.delimiter.encode(), dialect.quote.encode()
    octets = np.frombuffer(data, np.uint8)
    is_end = octets == _LF
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

    if b"\0" in body or not _is_utf8(body):
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
        is_cr = octets == _CR
        if inside is not None:
            is_cr &= ~inside
        # The last byte is an LF, so there is a byte behind every CR.
        if not (octets[np.flatnonzero(is_cr) + 1] == _LF).all():
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
    kept: bytes = octets[(octets != _CR) | _prefix_xor(octets == quote[0])].tobytes()
    return kept


# --------------------------------------------------------------------------- vectorised pieces


def _is_utf8(data: bytes) -> bool:
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
    return bool(_beside(delimiter, _LF, quote)[before].all() and _beside(delimiter, _LF, _CR, quote)[behind].all())


def _has_blank(octets: Octets, ends: Positions) -> bool:
    import numpy as np

    lengths = np.diff(ends, prepend=-1) - 1
    short = lengths == 1
    return bool((lengths == 0).any() or (octets[ends[short] - 1] == _CR).any())


class _Lines(NamedTuple):
    """The lines of a window, classified."""

    ends: Positions
    """Of all LFs."""
    peculiar: Positions
    """Ascending, the numbers of those lines that, were a record to begin on them, would not be one faultless record
    of one line."""
    fields: Positions | None
    """How many fields each of these has; None where more than that may be wrong with one, but for a blank line."""


def _classified(data: bytes, delimiter: int, quote: int, fields: int, keeps_blanks: bool) -> _Lines:
    """Classify the lines of ``data``, which ends with LF.

    :param keeps_blanks: a blank line is as good a record as any.
    """
    import numpy as np

    octets = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(octets == _LF)
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
        before = np.where(opening > 0, octets[opening - 1], np.uint8(_LF))
        mark(opening[~_beside(delimiter, _LF, quote)[before]])
        # A closing quote is never the last byte, which is LF. A lone CR behind it is marked below.
        mark(closing[~_beside(delimiter, _LF, _CR, quote)[octets[closing + 1]]])
        is_delimiter &= ~inside
    counts = np.diff(np.searchsorted(np.flatnonzero(is_delimiter), ends), prepend=0)
    peculiar |= counts != fields - 1

    plain = not quotes.size and data.isascii() and len(data) <= MAX_RECORD_BYTES
    if b"\r" in data:
        plain = False
        # Within quotes a CR does no harm, but lines with one are few.
        cr = np.flatnonzero(octets == _CR)
        mark(cr[octets[cr + 1] != _LF])
    if not keeps_blanks:
        lengths = ends - starts
        peculiar |= lengths == 0
        short = np.flatnonzero(lengths == 1)
        peculiar[short] |= octets[ends[short] - 1] == _CR
    if len(data) > MAX_RECORD_BYTES:
        peculiar |= ends - starts >= MAX_RECORD_BYTES
    if b"\0" in data:
        plain = False
        mark(np.flatnonzero(octets == 0))
    if not _is_utf8(data):
        # Every invalid byte becomes a lone surrogate, which valid UTF-8 cannot hold.
        escaped = data.decode("utf-8", "surrogateescape").encode("utf-32-le", "surrogatepass")
        points = np.frombuffer(escaped, "<u4")
        invalid = np.flatnonzero((points >= 0xDC80) & (points <= 0xDCFF))
        peculiar[np.searchsorted(np.flatnonzero(points == _LF), invalid)] = True
    found = np.flatnonzero(peculiar)
    return _Lines(ends, found, counts[found] + 1 if plain else None)


# --------------------------------------------------------------------------- one record at a time


class Walker:
    """The exact rules over one buffer; parameters as for :func:`scan`."""

    def __init__(
        self, data: bytes, dialect: Dialect, fields: int | None, column_names: Sequence[str], at_end: bool
    ) -> None:
        self.data = data
        self.at_end = at_end
        self.consumed = 0
        """How much of the data :meth:`spans` has done with, blank lines included."""
        self.fields = fields
        self.column_names = column_names
        self.keeps_blanks = fields == 1 and not loses_blanks(dialect)
        self.delimiter = dialect.delimiter.encode()
        self.quote = dialect.quote.encode()
        self.unquoted = re.compile(b"[^" + re.escape(self.delimiter) + b"\n]*")
        self.quotes = re.compile(re.escape(self.quote) + b"+")
        if fields is not None:
            values = {b"q": re.escape(self.quote), b"d": re.escape(self.delimiter)}
            field = b"(?>%(q)b[^%(q)b]*+(?:%(q)b%(q)b[^%(q)b]*+)*+%(q)b|[^%(q)b%(d)b\r\n]*+)" % values
            # A faultless record with its newline, but for its encoding and length.
            self.faultless = re.compile(b"(?>(?:%b%b){%d})%b\r?\n" % (field, values[b"d"], fields - 1, field))

    def walk(self, start: int, line: int, stop: int | None = None) -> Iterator[Record]:
        """Record by record from ``start`` on."""
        end = len(self.data) if stop is None else stop
        while start < end:
            record = self.record(start, line)
            if record is None:
                return
            if not self.blank(record):
                yield record
            line += self.data.count(b"\n", start, record.next)
            start = record.next

    def spans(self, first_line: int) -> Iterator[Run | Record]:
        """As :func:`scan`, with neighbouring faultless records taken together."""
        assert self.fields is not None
        data, size, start, line = self.data, len(self.data), 0, first_line
        while start < size:
            # A window of whole lines; a record that spans its end is walked through all the same.
            stop = data.rfind(b"\n", start, start + WINDOW_BYTES) + 1
            if not stop:
                stop = data.find(b"\n", start) + 1
            if not stop:
                for last in self.walk(start, line):
                    self.consumed = last.next
                    yield last
                return
            lines = _classified(data[start:stop], self.delimiter[0], self.quote[0], self.fields, self.keeps_blanks)
            ends, peculiar = lines.ends, lines.peculiar
            if lines.fields is not None and self.fields > 1:
                yield from self.plain(start, line, lines, lines.fields)
                line += int(ends.size)
                self.consumed = start = stop
                continue
            window, at, count = start, 0, int(ends.size)
            numbers = peculiar.tolist()
            numbers.append(count)
            turn = 0
            while at < count:
                while numbers[turn] < at:
                    turn += 1
                if numbers[turn] > at:
                    following = window + int(ends[numbers[turn] - 1]) + 1
                    yield Run(start, following, line, numbers[turn] - at)
                    line += numbers[turn] - at
                    self.consumed = start = following
                    at = numbers[turn]
                    continue
                span = self.unquoted_line(start, line) or self.run(start, line) or self.record(start, line)
                if span is None:
                    return
                if isinstance(span, Run) or not self.blank(span):
                    yield span
                self.consumed = start = span.next
                if start - window == ends[at] + 1:
                    at += 1
                    line += 1
                    continue
                after = int(ends.searchsorted(start - window)) if start < stop else count
                line += after - at
                if start > stop:
                    line += data.count(b"\n", stop, start)
                at = after

    def plain(self, window: int, line: int, lines: _Lines, fields: Positions) -> Iterator[Run | Record]:
        """The lines of a window each of which is a record, or blank, and has at most too few or too many fields."""
        import numpy as np

        begins = np.concatenate(([0], lines.ends[:-1] + 1)) + window
        stop = window + int(lines.ends[-1]) + 1
        found = (lines.peculiar, begins[lines.peculiar], lines.ends[lines.peculiar] + window, fields)
        faults: dict[int, tuple[str, str] | None] = {}
        done, after = 0, window
        for number, start, end, count in zip(*(column.tolist() for column in found), strict=True):
            if number > done:
                yield Run(after, start, line + done, number - done)
            done, after = number + 1, end + 1
            if end == start:
                continue
            if count not in faults:
                faults[count] = self.fault(b"", count, False)
            yield Record(start, end, after, line + number, (), faults[count])
        if after < stop:
            yield Run(after, stop, line + done, int(lines.ends.size) - done)

    def run(self, start: int, line: int) -> Run | None:
        """The faultless records from ``start`` on, up to the first that is not, or that the data may cut."""
        ends: list[int] = []
        at = start
        while len(ends) < _RUN and (match := self.faultless.match(self.data, at)):
            end = match.end()
            text = match.group()
            if end - at > MAX_RECORD_BYTES or b"\0" in text or not _is_utf8(text):
                break
            if text in (b"\n", b"\r\n") and not self.keeps_blanks:
                break
            ends.append(end - 1)
            at = end
        return Run(start, at, line, len(ends), tuple(ends)) if ends else None

    def blank(self, record: Record) -> bool:
        return record.end == record.start and self.fields != 1

    def unquoted_line(self, start: int, line: int) -> Record | None:
        """The record that begins at ``start``, if it ends with its line and no field of it is quoted."""
        newline = self.data.find(b"\n", start, start + MAX_RECORD_BYTES)
        if newline < 0:
            return None
        text, delimiter, quote = self.data[start:newline], self.delimiter, self.quote
        if text.startswith(quote) or delimiter + quote in text:
            return None
        text = text.removesuffix(b"\r")
        end = start + len(text)
        fault = self.fault(text, text.count(delimiter) + 1, b"\r" in text)
        if fault is not None:
            return Record(start, end, newline + 1, line, (), fault)
        plain = tuple((value, False) for value in text.split(delimiter))
        return Record(start, end, newline + 1, line, plain, None, quote in text or not (text or self.keeps_blanks))

    def record(self, start: int, line: int) -> Record | None:
        """The record that begins at ``start``; None: it may go on beyond the data."""
        plain = self.unquoted_line(start, line)
        if plain is not None:
            return plain
        data, delimiter, quote = self.data, self.delimiter, self.quote
        limit = start + MAX_RECORD_BYTES
        too_long = len(data) > limit
        size = limit if too_long else len(data)
        # What happens at ``size``: the file ends, or the record is too long, or one cannot know yet.
        at_file_end = self.at_end and not too_long
        unknown = not self.at_end and not too_long
        fields: list[Field] = []
        lone_cr = rewrite = False
        at = start
        end = -1
        while end < 0:
            if at < size and data.startswith(quote, at):
                close = self.closing(at + 1, size)
                if close < 0 or (close + 1 == size and not at_file_end):
                    return None if unknown else self.broken(start, line, "unterminated CSV quoted field")
                value = data[at + 1 : close]
                fields.append((value.replace(quote * 2, quote) if quote in value else value, True))
                at = close + 1
                if data.startswith(delimiter, at):
                    at += 1
                elif at == size:
                    end = following = at
                elif data.startswith(b"\n", at):
                    end, following = at, at + 1
                elif data.startswith(b"\r\n", at):
                    end, following = at, at + 2
                elif data.startswith(b"\r", at):
                    if at + 1 == size and unknown:
                        return None
                    return self.broken(start, line, "unquoted carriage return found in data")
                else:
                    return self.broken(start, line, "text after a closing quote")
                continue
            match = self.unquoted.match(data, at, size)
            assert match is not None  # it matches the empty string
            close = match.end()
            if close == size:
                if not at_file_end:
                    return None if unknown else self.broken(start, line, "record is longer than 32 MiB")
                end = following = close
            elif data.startswith(b"\n", close):
                end = close - 1 if close > at and data[close - 1] == _CR else close
                following = close + 1
            value = data[at : close if end < 0 else end]
            lone_cr = lone_cr or b"\r" in value
            rewrite = rewrite or quote in value
            fields.append((value, False))
            at = close + 1
        fault = self.fault(data[start:end], len(fields), lone_cr)
        return Record(start, end, following, line, tuple(fields), fault, rewrite)

    def closing(self, at: int, size: int) -> int:
        """Where the field whose content begins at ``at`` is closed; -1: nowhere before ``size``."""
        while (first := self.data.find(self.quote, at, size)) >= 0:
            run = self.quotes.match(self.data, first, size)
            assert run is not None
            # An even run is doubled quotes only; the last quote of an odd one closes.
            at = run.end()
            if (at - first) % 2:
                return at - 1
        return -1

    def broken(self, start: int, line: int, message: str) -> Record | None:
        """A fault of structure: the record is its first physical line; None: the line may go on."""
        data = self.data
        newline = data.find(b"\n", start, start + MAX_RECORD_BYTES)
        if newline < 0:
            if len(data) > start + MAX_RECORD_BYTES:
                raise LineTooLong(line)
            if not self.at_end:
                return None
            return Record(start, len(data), len(data), line, (), (BAD_FORMAT, message))
        end = newline - 1 if data[newline - 1] == _CR else newline
        return Record(start, end, newline + 1, line, (), (BAD_FORMAT, message))

    def fault(self, raw: bytes, count: int, lone_cr: bool) -> tuple[str, str] | None:
        bad = _invalid_utf8(raw)
        if bad is not None:
            return BAD_ENCODING, f'invalid byte sequence for encoding "UTF8": {bad}'
        if lone_cr:
            return BAD_FORMAT, "unquoted carriage return found in data"
        if self.fields is None or count == self.fields:
            return None
        if count > self.fields:
            return BAD_FORMAT, "extra data after last expected column"
        name = self.column_names[count] if count < len(self.column_names) else str(count + 1)
        return BAD_FORMAT, f'missing data for column "{name}"'


_LEADS = ((2, 0xC0, 0xDF), (3, 0xE0, 0xEF), (4, 0xF0, 0xF7))


def _invalid_utf8(raw: bytes) -> str | None:
    """The first bytes that are no UTF-8 (or NUL), as PostgreSQL shows them: ``0xc3 0x28``."""
    if b"\0" not in raw and raw.isascii():
        return None
    nul = raw.find(b"\0")
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        if nul < 0 or error.start < nul:
            lead = raw[error.start]
            # As pg_utf_mblen: as many bytes as the first one announces, whatever they are.
            length = next((n for n, low, high in _LEADS if low <= lead <= high), 1)
            return " ".join(f"0x{byte:02x}" for byte in raw[error.start : error.start + length])
    return "0x00" if nul >= 0 else None
