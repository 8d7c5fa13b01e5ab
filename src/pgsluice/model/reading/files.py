"""Files as discovery describes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pgsluice.model.reading.dialect import Dialect
from pgsluice.model.reading.readings import Findings

if TYPE_CHECKING:
    from pgsluice.model.catalog import TableName


@dataclass(frozen=True, slots=True)
class IgnoredFile:
    """A file of a folder that is not loaded, and why."""

    path: str
    """The path of the file."""
    why: str
    """Why the file is not loaded."""


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What tells one state of a file from another state of the file, and from another file with its path.

    :mod:`pgsluice.source.identity` says where the properties come from.
    """

    size: int | None
    """Bytes on disk; None if the server of a remote file does not say it."""
    modified: float | None
    """When the content was last written, in seconds since 1970; None if the server does not say it."""
    marks: tuple[tuple[str, str], ...]
    """Names and values of further properties: inode and times of a local file, ETag or version of a remote file."""
    ends: str = ""
    """SHA-256, in hexadecimal, of the first and the last bytes on disk."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes of a file are."""

    shown: str
    """The name of the file for people, in messages, reports and the ledger."""
    address: str = field(repr=False)
    """A local path, a URL (which may hold a password, and is shown nowhere), or the handle of a spool."""
    member: str | None = None
    """The member of the archive, or the sheet of the workbook, that is meant."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file found by discovery: its path, size in bytes, dialect and first record."""

    path: str
    """The path or the address of the file."""
    bytes: int
    """The size of the file on disk."""
    stems: tuple[str, ...]
    """Names to compare with table names, in this order: the file name without folder and suffix, then the same
    without its last number (of a part, of a day), and so on."""
    dialect: Dialect
    """How the file is read."""
    header: tuple[str, ...]
    """The fields of the first record; they are column names if ``dialect.header`` is true."""
    max_bytes: int | None = None
    """How many bytes the file may hold unpacked, if it is compressed; None sets no limit."""
    names: tuple[str, ...] = ()
    """The names of the fields that the user gave; () where the header names them."""
    labels: tuple[str, ...] = ()
    """In a replay: the names that the fields had when the file was loaded, for expressions; () elsewhere."""
    optional: bool = False
    """The file is loaded only if its name is that of a table: it was found in a folder, and its suffix does not say
    that it is a CSV file."""
    fault: str = ""
    """Why an optional file cannot be read; an error if the name of the file is that of a table."""
    feeds: TableName | None = None
    """The table that the file goes into, where the table is known and the file name does not matter: in a replay."""
    place: Place | None = None
    """Where the bytes are, if ``path`` does not say all of it."""
    form: str = "text"
    """What the records are made from: ``text``, or rows of ``parquet`` or ``json``, or a ``sheet``. Rows that are not
    text become CSV in which every value is quoted and NULL is an empty field."""
    folder: str = ""
    """The folder in which the file was found; '' if the user named the file."""
    notes: tuple[str, ...] = ()
    """What the user should know of how the file is read, for the plan and the summary of the run."""
    identity: FileIdentity | None = None
    """The state of the file that was planned. None if the records do not come from the file itself: in a replay."""

    findings: Findings = field(default_factory=Findings)
    """What was found out about the dialect, and by what evidence."""

    @property
    def field_names(self) -> tuple[str, ...]:
        """A name for each field: the user's, otherwise the header's."""
        return self.names or self.header
