"""The line of a key, for messages. ``tomllib`` reads the values, but does not say where they stand."""

from __future__ import annotations

import re
import tomllib

_KEY = re.compile(r"""\s*((?:"[^"\n]*"|'[^'\n]*'|[\w-]+)(?:\s*\.\s*(?:"[^"\n]*"|'[^'\n]*'|[\w-]+))*)\s*=""")
_HEADER = re.compile(r"\s*\[.*\]")


def line_of(text: str, path: tuple[str, ...]) -> int:
    """The line, from 1, on which a key or its section is set; 0 if that is not found.

    A line in a text of several lines may look like a key. The number is for people, who see that.
    """
    section: tuple[str, ...] = ()
    best, length = 0, 0
    for number, line in enumerate(text.splitlines(), start=1):
        if _HEADER.match(line):
            section = here = _parsed(line)
        elif key := _KEY.match(line):
            here = section + _parsed(f"{key[1]} = 0")
        else:
            continue
        if length < len(here) <= len(path) and here == path[: len(here)]:
            best, length = number, len(here)
    return best


def _parsed(line: str) -> tuple[str, ...]:
    """The names in a header or in a key, as TOML reads them; () if the line is neither."""
    try:
        inner: object = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    names = []
    while isinstance(inner, (dict, list)) and inner:
        if isinstance(inner, list):
            inner = inner[0]
        else:
            name, inner = next(iter(inner.items()))
            names.append(name)
    return tuple(names)
