"""Settles the dialect of each file by what its table says, or raises an error that names the candidates."""

from __future__ import annotations

from dataclasses import replace

from pgsluice.errors import MappingError
from pgsluice.model import DialectOptions, SourceFile
from pgsluice.model.reading.readings import CandidateDialect
from pgsluice.source.dialect_search.expectations import Expectations
from pgsluice.source.dialect_search.result import header_fit
from pgsluice.source.table_dialect import resolve

_SHOWN = 100
"""How many characters of a candidate's record are shown."""


def settle_dialect(file: SourceFile, options: DialectOptions, expected: Expectations) -> SourceFile:
    """The file with the dialect that fits its table.

    A file that is clear and whose header names columns of the table is not read again, nor are corrected rejects and
    files of other formats, whose dialect is known.

    :param options: the parts of the dialect that the user fixed.
    :raises MappingError: several dialects are possible and nothing decides between them.
    :raises FileError: the file cannot be read, has changed, or its header is a fault.
    """
    if file.feeds is not None or file.fault or file.form != "text" or (file.findings.clear and not file.header):
        return file
    if file.findings.clear and file.dialect.header:
        columns = expected.columns_of(file.header)
        required = {c.name for c in expected.columns if c.required}
        if all(column is not None for column in columns) and required <= set(columns):
            fit = header_fit(1, len(columns), len(columns), expected.table)
            return replace(file, findings=replace(file.findings, header=fit))
    settled = resolve(file, options, expected)
    if settled.findings.candidates:
        raise _not_sure(settled)
    return settled


def _not_sure(file: SourceFile) -> MappingError:
    candidates = file.findings.candidates
    options = " or ".join(candidate.option for candidate in candidates)
    return MappingError(
        f"{file.path}: its records can be read in {len(candidates)} ways, and nothing decides between them",
        f"Choose with {options}",
        details=[_shown(candidate) for candidate in candidates],
    )


def _shown(candidate: CandidateDialect) -> str:
    fields = " | ".join(repr(field) for field in candidate.fields)
    shown = fields if len(fields) <= _SHOWN else fields[: _SHOWN - 3] + "..."
    return f"  {candidate.option}: line {candidate.line} has {len(candidate.fields)} fields: {shown}"
