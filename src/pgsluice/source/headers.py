"""The header of a file: the first record behind the lines that the dialect passes over."""

from __future__ import annotations

from pgsluice.errors import FileError
from pgsluice.model import Dialect
from pgsluice.source.blocks import header_fault
from pgsluice.source.dialect import SAMPLE_BYTES
from pgsluice.source.records.lines import behind_lines, count_lines
from pgsluice.source.records.rules import MAX_RECORD_BYTES, LineTooLong
from pgsluice.source.records.spans import first_record
from pgsluice.source.streams import DecodedStream


def read_header(path: str, stream: DecodedStream, sample: bytes, dialect: Dialect) -> tuple[tuple[str, ...], bool]:
    """The fields of the first record of a file, and whether more than blanks follows; () if the file has no record.

    :param stream: gives the bytes behind the sample, because the header may be longer than the sample.
    :param sample: the first bytes of the file.
    :raises FileError: the record is a fault, or a line is longer than 32 MiB.
    """
    whole, line, missing = False, dialect.skip_lines + 1, dialect.skip_lines
    try:
        while True:
            behind, missing = behind_lines(sample, dialect, missing, at_end=whole)
            sample = sample[behind:]
            first = None
            if not missing:
                # A file may begin with any number of blank lines.
                first, behind = first_record(sample, dialect, line, at_end=whole)
                line += count_lines(sample, dialect, 0, behind)
                sample = sample[behind:]
            if first is not None or whole:
                break
            if missing and len(sample) > MAX_RECORD_BYTES:
                raise LineTooLong(dialect.skip_lines - missing + 1)
            more = stream.read(max(SAMPLE_BYTES, len(sample)))
            whole = not more
            sample += more
    except LineTooLong as error:
        raise FileError(
            f"{path}: line {error.line} is longer than {MAX_RECORD_BYTES >> 20} MiB",
            "Check that this is a CSV file and that its lines end with LF or CRLF",
        ) from error
    if first is None:
        return (), False
    if first.fault:
        raise header_fault(path, first)
    return tuple(value.decode() for value, _ in first.fields), bool(sample.strip() or stream.read(1))
