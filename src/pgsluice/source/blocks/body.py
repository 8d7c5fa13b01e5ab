"""The bytes of a file without its footer: the last lines, which are known as such only at the end of the file."""

from __future__ import annotations

from pgsluice.errors import FileError
from pgsluice.model import Dialect, Format
from pgsluice.source.records.rules import MAX_RECORD_BYTES
from pgsluice.source.streams import DecodedStream

_END_MARKER = b"\\."
"""The last line of data in COPY's text format, if there is such a line."""

_MOST_HELD = 2 * MAX_RECORD_BYTES


class Body:
    """Reads a stream up to the footer.

    :param dialect: ``skip_footer`` says how many lines the footer has; blank lines are not counted. In the text format
        the end marker is passed over as well.
    """

    def __init__(self, stream: DecodedStream, dialect: Dialect) -> None:
        self._stream = stream
        self._lines = dialect.skip_footer
        self._marked = dialect.format is Format.TEXT
        self._held = b""
        self._ended = False

    def read(self, size: int) -> bytes:
        """Reads ``size`` bytes, or fewer at the end.

        :raises FileError: as :meth:`DecodedStream.read`; or the last lines are longer than 64 MiB.
        """
        if not (self._lines or self._marked):
            return self._stream.read(size)
        while True:
            stop = len(self._held) if self._ended else self._begin(self._lines + self._marked + 1)
            if stop >= size or self._ended:
                data, self._held = self._held[: min(size, stop)], self._held[min(size, stop) :]
                return data
            if len(self._held) - stop > _MOST_HELD:
                raise FileError(
                    f"{self._stream.path}: its last {self._lines + 1} lines are longer than 64 MiB",
                    "Check --skip-footer, and that the lines of the file end with LF or CRLF",
                )
            more = self._stream.read(max(size, len(self._held)))
            self._ended = len(more) < max(size, len(self._held))
            self._held += more
            if self._ended:
                self._held = self._held[: self._end()]

    def _end(self) -> int:
        """Where the footer begins, at the end of the file."""
        stop = self._begin(self._lines) if self._lines else len(self._held)
        if not self._marked:
            return stop
        text = self._held[:stop].rstrip(b"\r\n")
        last = text.rfind(b"\n") + 1
        return last if text[last:] == _END_MARKER else stop

    def _begin(self, count: int) -> int:
        """Where the last lines that are not blank begin.

        :param count: how many lines.
        """
        stop = len(self._held)
        while count and stop:
            start = max(self._held.rfind(b"\n", 0, stop - 1), self._held.rfind(b"\r", 0, stop - 1)) + 1
            if self._held[start:stop].strip():
                count -= 1
            stop = start
        return stop
