"""Kinds of files, known by their first bytes."""

from __future__ import annotations

import enum
import json
import re

from pgsluice.errors import FileError

HEAD_BYTES = 512
"""How many first bytes tell the kind of a file."""


class Kind(enum.Enum):
    """A kind of file that is not text. The value is its name in messages."""

    GZIP = "gzip"
    ZSTD = "zstd"
    BZIP2 = "bzip2"
    XZ = "xz"
    LZ4 = "lz4"
    ZIP = "zip"
    TAR = "tar"
    PARQUET = "Parquet"
    WORKBOOK = "workbook"
    """A zip file that is a workbook."""
    OLE = "Excel"
    """A compound file of Microsoft: a workbook .xls, or a document of another program."""


COMPRESSED = frozenset({Kind.GZIP, Kind.ZSTD, Kind.BZIP2, Kind.XZ, Kind.LZ4})

_KINDS = (
    (b"\x1f\x8b", Kind.GZIP),
    (b"\x28\xb5\x2f\xfd", Kind.ZSTD),
    (b"BZh", Kind.BZIP2),
    (b"\xfd7zXZ\x00", Kind.XZ),
    (b"\x04\x22\x4d\x18", Kind.LZ4),
    (b"PK\x03\x04", Kind.ZIP),
    (b"PK\x05\x06", Kind.ZIP),
    (b"PAR1", Kind.PARQUET),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind.OLE),
)

_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
"""A frame that decoders of zstd and lz4 pass over; pzstd begins files with one."""

_BZIP2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17\x72\x45\x38\x50\x90)")

_UNPACK, _EXPORT = "Unpack it first: {}", "Export its tables as CSV first: {}"

_UNREADABLE = (
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK.format("7z x FILE")),
    (rb"Rar!\x1a\x07", "a rar archive", _UNPACK.format("unrar x FILE")),
    (rb"\x1f[\x9d\xa0]", "a file of compress (.Z)", _UNPACK.format("uncompress FILE")),
    (rb"\x89LZO", "a file of lzop", _UNPACK.format("lzop -d FILE")),
    (rb"LZIP\x01", "a file of lzip", _UNPACK.format("lzip -d FILE")),
    (rb"\xff\x06\x00\x00sNaPpY", "a file in Snappy's framing", _UNPACK.format("python -m snappy -d FILE")),
    (rb"MSCF", "a cabinet archive", _UNPACK.format("cabextract FILE")),
    (rb"%PDF-", "a PDF document", "Get the data as CSV from whoever made it"),
    (rb"SQLite format 3\x00", "an SQLite database", _EXPORT.format("sqlite3 -header -csv FILE 'SELECT ...'")),
    (rb".{8}DUCK", "a DuckDB database", _EXPORT.format("duckdb FILE -c \"COPY t TO 't.csv'\"")),
    (rb"PGDMP", "a dump of pg_dump", "Restore it with pg_restore"),
    (rb"PGCOPY\n\xff\r\n\x00", "a file of COPY in binary format", "Load it with \\copy ... (FORMAT binary)"),
    (rb"Obj\x01", "an Avro file", "Convert it to Parquet or CSV first"),
    (rb"ORC", "an ORC file", "Convert it to Parquet or CSV first"),
    (rb"ARROW1", "an Arrow (Feather) file", "Convert it to Parquet or CSV first"),
    (rb"\x93NUMPY", "an array of NumPy", "Convert it to Parquet or CSV first"),
    (rb"\x80[\x02-\x05]", "a pickle of Python", "Convert it to Parquet or CSV first"),
    (rb"\x00\x01\x00\x00Standard (?:Jet|ACE)", "an Access database", _EXPORT.format("mdb-export FILE TABLE")),
    (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a", "a picture", "Name a file that holds a table"),
    (rb"\x7fELF|MZ[^\n]{0,64}\x00", "a program", "Name a file that holds a table"),
    (rb"(?:\xef\xbb\xbf)?\s*(?i:<!doctype html|<html|<head|<table)", "a web page (HTML)",
     "It may be an error page of its server, or a table of a program that writes HTML under another name; open it in"
     " a browser, and save the table as CSV"),
    (rb"(?:\xef\xbb\xbf)?<\?xml", "an XML document", "Convert it to CSV first"),
)  # fmt: skip
_UNREADABLE_KINDS = tuple((re.compile(pattern, re.DOTALL), what, remedy) for pattern, what, remedy in _UNREADABLE)

_TAR_MAGIC = slice(257, 262)
"""Where ``ustar`` stands in the first header of a tar file (POSIX.1-1988)."""


def kind_of(head: bytes) -> Kind | None:
    """The kind of a file; None for text, and for what nothing is known of.

    :param head: the first HEAD_BYTES.
    """
    if head[_TAR_MAGIC] == b"ustar":
        return Kind.TAR
    if _SKIPPABLE.match(head):
        return Kind.ZSTD
    kind = next((kind for magic, kind in _KINDS if head.startswith(magic)), None)
    # Three letters may begin a CSV file as well.
    return None if kind is Kind.BZIP2 and not _BZIP2.match(head) else kind


def refuse_unreadable(path: str, head: bytes) -> None:
    """Refuses a file of a kind that pgsluice does not read.

    :raises FileError: the file is of such a kind. The error names the kind, and what to do.
    """
    for pattern, what, remedy in _UNREADABLE_KINDS:
        if (found := pattern.match(head)) and not (found[0].isalnum() and _is_text(head)):
            raise FileError(f"{path}: this is {what}, which pgsluice does not read", remedy)
    if re.match(rb"\s*\[\s*\{", head) and _is_text(head):
        raise FileError(
            f"{path}: this is a JSON array, which pgsluice does not read",
            "Write one object in each line (JSON Lines): jq -c '.[]' FILE",
        )


def _is_text(head: bytes) -> bool:
    """Whether the first line has only printable characters of ASCII: ``ORC_ID,name`` is the header of a CSV file."""
    line = head.partition(b"\n")[0].rstrip(b"\r")
    return line.isascii() and all(byte >= 32 or byte == 9 for byte in line)


def is_json_lines(sample: bytes) -> bool:
    """Whether the first line of a decoded text is a JSON object.

    :param sample: the first bytes of the text; a first line that is longer is no object.
    """
    line = sample.lstrip().partition(b"\n")[0]
    if not line.startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
