"""The rules of pgsluice.source.records.rules once more, byte by byte, slow and without any cleverness."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Expected:
    ordinal: int
    line: int
    start: int
    end: int
    next: int
    fields: tuple[tuple[bytes, bool], ...]
    fault: str  # '' none, or the first words of the message


def parse(
    data: bytes, *, fields: int, header: bool, delimiter: bytes = b",", quote: bytes = b'"', limit: int
) -> list[Expected]:
    at, line, ordinal, skip = 0, 1, 0, header
    found = []
    while at < len(data):
        got, end, following, fault = _record(data, at, delimiter, quote, limit)
        raw = data[at:end]
        if not raw and not fault and (fields != 1 or skip):
            pass
        elif skip:
            skip = False
        else:
            if not fault:
                fault = _content(raw, got, fields)
                if not fault and any(quote in value for value, quoted in got if not quoted):
                    fault = "missing data" if enclosed(raw, delimiter, quote) else ""
            found.append(Expected(ordinal, line, at, end, following, tuple(got), fault))
            ordinal += 1
        line += data[at:following].count(b"\n")
        at = following
    return found


def _content(raw: bytes, got: list[tuple[bytes, bool]], fields: int) -> str:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return "invalid byte"
    if b"\0" in raw:
        return "invalid byte"
    if any(b"\r" in value for value, quoted in got if not quoted):
        return "unquoted carriage"
    if len(got) != fields:
        return "extra data" if len(got) > fields else "missing data"
    return ""


def _record(
    data: bytes, start: int, delimiter: bytes, quote: bytes, limit: int
) -> tuple[list[tuple[bytes, bool]], int, int, str]:
    window = data[start : start + limit]
    whole = len(data) <= start + limit
    got: list[tuple[bytes, bool]] = []
    value, at, state = b"", 0, "begin"
    fault = ""
    while True:
        byte = window[at : at + 1]
        if not byte:
            if not whole:
                fault = "record is" if state in ("begin", "plain") else "unterminated"
            elif state == "quoted":
                fault = "unterminated"
            elif state == "closed":
                got.append((value, True))
            else:
                got.append((value, False))
            end = following = start + len(window)
            break
        if state == "quoted":
            if byte == quote:
                state = "closed"
            else:
                value += byte
        elif state == "closed":
            newline = b"\r\n" if data[start + at : start + at + 2] == b"\r\n" else byte
            if byte == quote:
                value, state = value + quote, "quoted"
            elif byte == delimiter:
                got.append((value, True))
                value, state = b"", "begin"
            elif newline in (b"\n", b"\r\n"):
                got.append((value, True))
                end, following = start + at, start + at + len(newline)
                break
            else:
                fault = "unquoted carriage" if byte == b"\r" else "text after"
                break
        elif state == "begin" and byte == quote:
            state = "quoted"
        elif byte == delimiter:
            got.append((value, False))
            value, state = b"", "begin"
        elif byte == b"\n":
            end = start + at
            if value.endswith(b"\r"):
                value, end = value[:-1], end - 1
            got.append((value, False))
            following = start + at + 1
            break
        else:
            value, state = value + byte, "plain"
        at += 1
    if not fault:
        return got, end, following, ""
    newline_at = data.find(b"\n", start, start + limit)
    if newline_at < 0:
        if not whole:
            raise OverflowError("line too long")
        return [], len(data), len(data), fault
    end = newline_at - 1 if data[newline_at - 1 : newline_at] == b"\r" else newline_at
    return [], end, newline_at + 1, fault


def enclosed(raw: bytes, delimiter: bytes, quote: bytes, pad: bytes = b"") -> int:
    """How many delimiters stand between quotes inside unquoted fields that look like those of a quoted field."""
    total = i = 0
    while i < len(raw):
        if raw[i : i + 1] != quote:
            i += 1
            continue
        j = i + 1
        while j < len(raw):
            if raw[j : j + 1] != quote:
                j += 1
            elif raw[j + 1 : j + 2] == quote:
                j += 2
            else:
                break
        if j >= len(raw):
            return total
        inner, behind = raw[i + 1 : j], raw[j + 1 :]
        before = raw[:i].rstrip(pad) if pad else raw[:i]
        behind = behind.lstrip(pad) if pad else behind
        if before == b"" or before.endswith(delimiter):
            i = j + 1
        elif (
            delimiter in inner
            and not inner.startswith(delimiter)
            and not inner.endswith(delimiter)
            and (behind == b"" or behind.startswith(delimiter) or inner[:1] not in (b" ", b"\t"))
        ):
            total += inner.count(delimiter)
            i = j + 1
        else:
            i = j
    return total
