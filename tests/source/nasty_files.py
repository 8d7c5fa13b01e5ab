"""Generators of files that are hard to parse: each makes a file of about a given number of bytes.

``python nasty_files.py NAME SIZE FOLDER`` writes a file, reads it as a load does, and prints CPU time and peak memory.
"""

from __future__ import annotations

import gzip
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_HEADER = b"a,b\n"


def _repeat(text: bytes, size: int, *, before: bytes = _HEADER) -> bytes:
    return before + text * max(1, (size - len(before)) // len(text))


def _random_bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def _random_special(size: int) -> bytes:
    return _HEADER + bytes(random.Random(size).choices(b'",\n\r"a\0', k=size))


def _utf16_halves(size: int) -> bytes:
    # An odd number of bytes: the last character is half of one.
    return b"\xff\xfe" + "a,b\n".encode("utf-16-le") + ("1,\u2028\n".encode("utf-16-le") * (size // 8)) + b"1"


GENERATORS: dict[str, Callable[[int], bytes]] = {
    "endless quote": lambda n: _repeat(b"2,y\n", n, before=b'a,b\n1,"x\n'),
    "endless quote in the header": lambda n: _repeat(b"2,y\n", n, before=b'a,"b\n'),
    "quote on each line": lambda n: _repeat(b'1,"x\n', n),
    "quote ends each line": lambda n: _repeat(b'1,"\n', n),
    "quote begins each line": lambda n: _repeat(b'"\n', n),
    "quoted fields across lines": lambda n: _repeat(b'a","\n', n),
    "quoted fields across lines, in the header": lambda n: _repeat(b'a","\n', n, before=b""),
    "quoted fields across lines, then text": lambda n: _repeat(b'a","\n', n) + b'x"y\n',
    "long quoted fields across lines": lambda n: _repeat(b'a","' + b"x" * 50 + b"\n", n),
    "delimiters alone": lambda n: b"," * n,
    "delimiters behind a header": lambda n: _repeat(b",", n),
    "delimiters and a newline": lambda n: _repeat(b",", n) + b"\n",
    "two delimiters": lambda n: _repeat(b",;", n, before=b""),
    "quotes alone": lambda n: b'"' * n,
    "quotes behind a header": lambda n: _repeat(b'"', n),
    "quoted fields alone": lambda n: _repeat(b'"",', n, before=b""),
    "quoted fields behind a header": lambda n: _repeat(b'"",', n),
    "quoted newlines": lambda n: _repeat(b'"\n",', n),
    "apostrophes": lambda n: _repeat(b"a','\n", n, before=b""),
    "CR alone": lambda n: b"\r" * n,
    "CR lines": lambda n: _repeat(b"1,2\r", n, before=b"a,b\r"),
    "CR behind a header": lambda n: _repeat(b"1,2\r", n),
    "newlines alone": lambda n: b"\n" * n,
    "NULs": bytes,
    "NUL lines": lambda n: _repeat(b"\0,\0\n", n),
    "long line": lambda n: _repeat(b"x", n),
    "long header": lambda n: b"h" * n,
    "wide header": lambda n: b",".join(b"c%d" % i for i in range(n // 8)) + b"\n1,2\n",
    "short rows": lambda n: _repeat(b"1\n", n),
    "long rows": lambda n: _repeat(b"1,2,3\n", n),
    "good and short rows": lambda n: _repeat(b"1,2\n1\n", n),
    "short, good and long rows": lambda n: _repeat(b"1\n1,2\n1,2,3\n", n),
    "blank and good rows": lambda n: _repeat(b"\n1,2\n", n),
    "rows that are not UTF-8": lambda n: _repeat(b"1,\xff\n", n),
    "doubled quotes": lambda n: _repeat(b'"' + b'""' * 1000 + b'",1\n', n),
    "doubled quotes in one field": lambda n: _repeat(b'""', n, before=b'a,b\n1,"'),
    "doubled quotes on each line": lambda n: _repeat(b'1,"""x\n', n),
    "two lines a record": lambda n: _repeat(b'1,"x\ny"\n', n),
    "random bytes": _random_bytes,
    "random quotes and delimiters": _random_special,
    "utf-16 halves": _utf16_halves,
}

FREE_GENERATORS: dict[str, tuple[dict[str, Any], Callable[[int], bytes]]] = {
    "two characters, endless quote": ({"delimiter": "||"}, lambda n: _repeat(b"2||y\n", n, before=b'a||b\n1||"x\n')),
    "two characters, quote on each line": ({"delimiter": "||"}, lambda n: _repeat(b'1||"x\n', n, before=b"a||b\n")),
    "two characters, fields across lines": ({"delimiter": "||"}, lambda n: _repeat(b'a"||"\n', n, before=b"a||b\n")),
    "two characters, halves": ({"delimiter": "||"}, lambda n: _repeat(b"|", n, before=b"a||b\n1")),
    "two characters, good rows": ({"delimiter": "||"}, lambda n: _repeat(b'1||"x"\n', n, before=b"a||b\n")),
    "blanks alone": ({"delimiter": "blanks"}, lambda n: _repeat(b" ", n, before=b"a b\n")),
    "blank lines": ({"delimiter": "blanks"}, lambda n: _repeat(b" \t \n", n, before=b"a b\n")),
    "blanks, good rows": ({"delimiter": "blanks"}, lambda n: _repeat(b" 1  2 \n", n, before=b"a b\n")),
    "escapes alone": ({"escape": "\\"}, lambda n: _repeat(b"\\", n)),
    "escaped line ends": ({"escape": "\\"}, lambda n: _repeat(b"a\\\n", n)),
    "escaped line ends in two fields": (
        {"escape": "\\"},
        lambda n: _repeat(b"a\\\n", n // 2) + b"," + _repeat(b"b\\\n", n // 2, before=b""),
    ),
    "escaped line ends and delimiters": ({"escape": "\\"}, lambda n: _repeat(b"a\\\n,", n)),
    "escaped quotes": ({"escape": "\\"}, lambda n: _repeat(b'\\"', n, before=b'a,b\n1,"')),
    "escapes, good rows": ({"escape": "\\"}, lambda n: _repeat(b'1,"x\\"y"\n', n)),
    "text format, escaped line ends": ({"format": "text"}, lambda n: _repeat(b"a\\\n", n)),
    "text format, good rows": ({"format": "text"}, lambda n: _repeat(b"1\ta\\nb\n", n, before=b"")),
    "comments": ({"comment": "#"}, lambda n: _repeat(b"#\n", n)),
    "comments and rows": ({"comment": "#"}, lambda n: _repeat(b'#"\n1,"2"\n', n)),
    "long comment": ({"comment": "#"}, lambda n: _repeat(b"#", n)),
    "no quotes": ({"quote": "none"}, lambda n: _repeat(b'1,"x\n', n)),
    "CR ends lines": ({"line_ends": "any"}, lambda n: _repeat(b"1,2\r", n, before=b"a,b\r")),
    "CR ends lines, quotes": ({"line_ends": "any"}, lambda n: _repeat(b'1,"x\ry"\r', n, before=b"a,b\r")),
    "CR alone, any end": ({"line_ends": "any"}, lambda n: b"\r" * n),
    "initial blanks": ({"skip_initial_blanks": True}, lambda n: _repeat(b'                1,       "x"   \n', n)),
    "surplus fields": ({"ragged": "fill"}, lambda n: _repeat(b"1,2,,,\n", n)),
    "surplus fields in one line": ({"ragged": "fill"}, lambda n: _repeat(b",", n)),
    "short rows, filled": ({"ragged": "fill"}, lambda n: _repeat(b"1\n", n)),
    "trailing delimiters": ({"trailing_delimiter": True}, lambda n: _repeat(b"1,2,\n", n)),
    "footer": ({"skip_footer": 900}, lambda n: _repeat(b"1,2\n", n)),
    "footer of a long line": ({"skip_footer": 9}, lambda n: _repeat(b"x", n)),
    "inner quotes": ({"comment": "#"}, lambda n: _repeat(b'1,x"y', n)),
    "inner quotes on each line": ({"delimiter": "||"}, lambda n: _repeat(b'1||5" x 3" y\n', n, before=b"a||b\n")),
}
"""Files of dialects that are not plain, with the arguments that say the dialect."""

GENERATORS |= {name: generator for name, (_, generator) in FREE_GENERATORS.items()}


def read(path: Path, arguments: dict[str, Any] | None = None, *, encoding: str | None = None) -> tuple[int, int, str]:
    """Discovers the file, reads it block by block as a load does, and finds all its records again.

    :returns: how many records and faults there are, and the message of the FileError that ended the reading.
    """
    import numpy as np

    from pgsluice.errors import FileError
    from pgsluice.options.dialect import parse_dialect
    from pgsluice.source.blocks import BlockReader, extent, recheck
    from pgsluice.source.discover import discover
    from pgsluice.source.locate import locate

    records = faults = 0
    try:
        options = parse_dialect({**(arguments or {}), "encoding": encoding})  # type: ignore[typeddict-item]
        (file,) = discover([str(path)], options).files
        columns = file.header if 1 < len(file.header) < 100 else ("a", "b")
        reader = BlockReader(file, columns)
        extents = []
        for block in reader:
            block = recheck(block, file.dialect, columns)
            records, faults = records + block.count, faults + len(block.faults)
            extents.append(extent(block))
        reader.close()
        portions = (np.arange(e.first_ordinal, e.first_ordinal + e.count)[:1000] for e in extents)
        for _ in locate(file, columns, extents, portions):
            pass
    except FileError as error:
        return records, faults, str(error)
    return records, faults, ""


def peak_megabytes() -> int:
    """The most memory that this process has had, in MiB.

    ru_maxrss does not tell this: Linux keeps the peak of the process that forked across execve (fs/exec.c,
    setmax_mm_hiwater_rss), and a test runner may have had more than the bound.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) >> 10


def main() -> None:
    """Writes one file and reads it."""
    name, size, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    path = folder / ("nasty.csv.gz" if "--gzip" in sys.argv else "nasty.csv")
    if "--read" not in sys.argv:
        data = GENERATORS[name](size)
        path.write_bytes(gzip.compress(data, 1) if path.suffix == ".gz" else data)
        return
    start = time.process_time()
    found = read(path, FREE_GENERATORS.get(name, ({},))[0])
    print(time.process_time() - start, peak_megabytes(), *found, sep="\t")


if __name__ == "__main__":
    main()
