"""The rules of pgsluice.source.records.free once more, byte by byte, slow and without any cleverness."""

from __future__ import annotations

from dataclasses import dataclass

from csv_oracle import enclosed

from pgsluice.model import BLANKS, Dialect

CONTROL = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


@dataclass(frozen=True)
class Expected:
    line: int
    start: int
    end: int
    next: int
    fields: list[tuple[bytes, bool]]
    fault: str  # '' none, or the first words of the message


class Bad(Exception):
    """The record has a structure that cannot be read."""


class Oracle:
    def __init__(self, data: bytes, dialect: Dialect, count: int) -> None:
        self.data, self.d, self.count = data, dialect, count
        self.text = dialect.format == "text"
        self.any = dialect.line_ends == "any"
        self.blanks = dialect.delimiter == BLANKS
        self.pad = b" \t" if self.blanks or dialect.skip_initial_blanks else b""
        self.pad = bytes(c for c in self.pad if bytes([c]) != dialect.delimiter.encode())
        self.quote, self.comment = dialect.quote.encode(), dialect.comment.encode()
        self.escape = b"\\" if self.text else dialect.escape.encode()
        self.delimiter = dialect.delimiter.encode()
        self.nulls = [t.encode() for t in dialect.null or ("",)]

    def end_at(self, at: int) -> int:
        """How long the line end is that stands here; 0 if none does."""
        if self.data[at : at + 2] == b"\r\n":
            return 2
        if self.data[at : at + 1] == b"\n" or (self.any and self.data[at : at + 1] == b"\r"):
            return 1
        return 0

    def line(self, at: int) -> tuple[int, int]:
        end = at
        while end < len(self.data) and not self.end_at(end):
            end += 1
        return end, end + (self.end_at(end) if end < len(self.data) else 0)

    def lines_in(self, start: int, stop: int) -> int:
        count = 0
        while start < stop:
            count += self.end_at(start) > 0
            start += self.end_at(start) or 1
        return count

    def records(self) -> list[Expected]:
        found = []
        at, line = 0, 1
        while at < len(self.data):
            end, after = self.line(at)
            text = self.data[at:end]
            blank = not text.strip(self.pad) if self.pad else not text
            if (self.comment and text.startswith(self.comment)) or (blank and self.count != 1):
                at, line = after, line + self.lines_in(at, after)
                continue
            try:
                fields, stop, following, lone = self.record(at)
                fault = self.fault(self.data[at:stop], fields, lone)
            except Bad as bad:
                fields, stop, following, fault = [], end, after, str(bad)
            found.append(Expected(line, at, stop, following, fields, fault))
            line += self.lines_in(at, following)
            at = following
        return found

    def fault(self, raw: bytes, fields: list[tuple[bytes, bool]], lone: bool) -> str:
        if not valid(raw):
            return "invalid byte"
        if self.text:
            i = 0
            while i < len(raw):
                if raw[i : i + 2] == b"\\.":
                    return "end-of-copy"
                i += 2 if raw[i : i + 1] == b"\\" else 1
        d = self.d
        inner = bool(self.quote) and any(self.quote in value for value, quoted in fields if not quoted)
        inner = inner and not self.blanks and not (self.escape and self.escape in raw)
        n = d.trailing_delimiters
        if n and len(fields) > n and all(f == (b"", False) for f in fields[-n:]):
            del fields[-n:]
        if d.ragged != "reject":
            while len(fields) > self.count and all(f == (b"", False) for f in fields[self.count :]):
                del fields[-1]
        if d.ragged == "fill":
            null = b"" if b"" in self.nulls else self.nulls[0]
            fields += [(null, False)] * (self.count - len(fields))
        if self.text and not all(valid(value) for value, _ in fields[: self.count + 1]):
            return "invalid byte"
        if lone:
            return "literal carriage" if self.text else "unquoted carriage"
        if len(fields) != self.count:
            return "extra data" if len(fields) > self.count else "missing data"
        if inner and enclosed(raw, self.delimiter, self.quote, self.pad):
            return "missing data"
        return ""

    def skip_pad(self, at: int) -> int:
        while at < len(self.data) and self.data[at] in self.pad:
            at += 1
        return at

    def record(self, at: int) -> tuple[list[tuple[bytes, bool]], int, int, bool]:
        fields: list[tuple[bytes, bool]] = []
        lone = False
        data = self.data
        while True:
            at = self.skip_pad(at)
            if self.quote and data[at : at + 1] == self.quote:
                value, at = self.quoted(at + 1)
                fields.append((value, True))
                stop = at if self.blanks else self.skip_pad(at)
                at = stop
            else:
                field, at, cr = self.unquoted(at)
                fields.append(field)
                lone = lone or cr
                stop = at
            if at == len(data):
                return fields, stop, at, lone
            if n := self.end_at(at):
                return fields, stop, at + n, lone
            if self.blanks and data[at] in b" \t":
                at = self.skip_pad(at)
                if at == len(data) or self.end_at(at):
                    return fields, at, at + (self.end_at(at) if at < len(data) else 0), lone
            elif not self.blanks and data[at : at + len(self.delimiter)] == self.delimiter:
                at += len(self.delimiter)
            else:
                raise Bad("unquoted carriage" if data[at : at + 1] == b"\r" else "text after")

    def quoted(self, at: int) -> tuple[bytes, int]:
        value, data = b"", self.data
        while True:
            if at >= len(data):
                raise Bad("unterminated")
            c = data[at : at + 1]
            following = data[at + 1 : at + 2]
            if self.escape and c == self.escape:
                if data[at + 1 : at + 3] == b"\r\n":
                    value, at = value + b"\r\n", at + 3
                elif following and following in (self.quote, self.escape, b"\n", b"\r"):
                    value, at = value + following, at + 2
                else:
                    value, at = value + c, at + 1
            elif c == self.quote:
                if following != self.quote:
                    return value, at + 1
                value, at = value + c, at + 2
            else:
                value, at = value + c, at + 1

    def stops(self, at: int) -> bool:
        if self.any and self.data[at : at + 1] == b"\r":
            return True
        if self.data[at : at + 1] == b"\n":
            return True
        if self.blanks:
            return self.data[at] in b" \t"
        return self.data[at : at + len(self.delimiter)] == self.delimiter

    def unquoted(self, at: int) -> tuple[tuple[bytes, bool], int, bool]:
        data, start, value, changed, lone = self.data, at, b"", False, False
        while at < len(data) and not self.stops(at):
            c = data[at : at + 1]
            if self.escape and c == self.escape:
                got, length = self.escaped(at)
                changed = changed or got != data[at : at + length]
                value, at = value + got, at + length
                continue
            if c == b"\r":
                if self.end_at(at):
                    break
                lone = True
            value, at = value + c, at + 1
        raw = data[start:at]
        if raw in self.nulls:
            value, changed = raw, False
        return (value, changed), at, lone

    def escaped(self, at: int) -> tuple[bytes, int]:
        data = self.data
        following = data[at + 1 : at + 2]
        if self.text:
            digits = data[at + 1 : at + 4]
            octal = b""
            for c in digits:
                if chr(c) not in "01234567":
                    break
                octal += bytes([c])
            if octal:
                return bytes([int(octal, 8) & 255]), 1 + len(octal)
            if following == b"x":
                hexadecimal = b""
                for c in data[at + 2 : at + 4]:
                    if chr(c) not in "0123456789abcdefABCDEF":
                        break
                    hexadecimal += bytes([c])
                if hexadecimal:
                    return bytes([int(hexadecimal, 16)]), 2 + len(hexadecimal)
            return CONTROL.get(following, following), 1 + len(following)
        if data[at + 1 : at + 3] == b"\r\n":
            return b"\r\n", 3
        special = [self.quote, self.escape, b"\n", b"\r", self.d.comment[:1].encode()]
        special += [c.encode() for c in (" \t" if self.blanks else self.d.delimiter)]
        for mark in special:
            if mark and data.startswith(mark, at + 1):
                return mark, 1 + len(mark)
        return self.escape + following, 1 + len(following)


def valid(raw: bytes) -> bool:
    try:
        return "\0" not in raw.decode()
    except UnicodeDecodeError:
        return False
