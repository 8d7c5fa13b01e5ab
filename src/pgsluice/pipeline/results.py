"""The result of a run, computed from what its table runs counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pgsluice.model import (
    FileResult,
    Limit,
    Limits,
    PhaseTime,
    ReportKey,
    ReportTable,
    RunNotes,
    RunResult,
    Strategy,
    TableName,
    TableResult,
)
from pgsluice.pipeline.state import FileRun, TableRun
from pgsluice.text import pluralize


def _file_result(file: FileRun, rejected: Mapping[int, int], lacks: tuple[str, ...]) -> FileResult:
    rejects = rejected.get(file.number, 0)
    findings = file.plan.file.findings
    return FileResult(
        path=file.plan.file.path,
        sha256=file.sha256,
        bytes=file.plan.file.bytes,
        read=file.read,
        loaded=file.read - rejects,
        rejected=rejects,
        skipped=file.skipped,
        staged_before=file.staged_before,
        formats=file.plan.file.dialect.formats,
        lacks=lacks,
        notes=() if file.skipped else (*file.plan.file.notes, *_notes(file)),
        passed_over=findings.passed_over,
        evidence=findings.evidence,
        warnings=(*_of_sample(file), *_header_again(file), *_swallowing(file)),
        blank_lines=None if file.skipped or file.staged_before else file.remarks.blank_lines,
    )


def _notes(file: FileRun) -> Iterator[str]:
    """What was done while the file was read."""
    if nuls := file.remarks.nuls:
        yield f"{pluralize(nuls, 'NUL byte')} removed"
    if blanks := file.remarks.blank_lines:
        yield f"{pluralize(blanks, 'blank line')} passed over"


def _of_sample(file: FileRun) -> Iterator[str]:
    """The warnings of the plan, without the one of quotes if all records were looked at and tell more."""
    findings = file.plan.file.findings
    told = bool(file.remarks.swallowing)
    return (text for text in findings.warnings if not (told and text == findings.of_quotes))


def _swallowing(file: FileRun) -> Iterator[str]:
    """The warning about records whose quotes may be data."""
    count, line = file.remarks.swallowing, file.remarks.first_swallowing
    if not count or file.plan.file.form != "text":
        return
    if count == 1:
        what = f"the record at line {line} spans lines and holds delimiters"
    else:
        what = f"{count:,} records span lines and hold delimiters, the first at line {line}"
    yield f"{what}. If quotes are data: --quote none"


def _header_again(file: FileRun) -> tuple[str, ...]:
    """The warning about lines in the middle of a file that hold its header: they are read as records."""
    if not file.remarks.header_again:
        return ()
    lines = " and ".join(f"line {line:,}" for line in file.remarks.header_again)
    return (f"{lines} of the file: the header stands there again, and is read as a record; remove it from the file",)


def table_result(table_run: TableRun, rejected: Mapping[int, int]) -> TableResult:
    """The result of one table.

    :param rejected: rejects by number of the file.
    """
    lacked = table_run.plan.lacked
    files = tuple(_file_result(f, rejected, lacks) for f, lacks in zip(table_run.files, lacked, strict=True))
    counts = table_run.counts
    staged = table_run.strategy is Strategy.STAGE
    return TableResult(
        table=table_run.name,
        read=sum(f.read for f in files),
        loaded=sum(f.loaded for f in files),
        rejected=sum(f.rejected for f in files),
        skipped=all(f.skipped for f in files),
        files=files,
        way=str(table_run.strategy),
        mode=str(table_run.plan.mode),
        inserted=counts.inserted if staged else counts.landed,
        updated=counts.updated,
        unchanged=counts.landed - counts.inserted - counts.updated if staged else 0,
        deleted=counts.deleted,
    )


def nothing_loaded(table: TableResult) -> TableResult:
    """The result of a table whose run did not publish."""
    return replace(
        table,
        loaded=0,
        inserted=0,
        updated=0,
        unchanged=0,
        deleted=0,
        files=tuple(replace(f, loaded=0) for f in table.files),
    )


def veto_reason(limits: Limits, tables: Mapping[TableName, TableResult]) -> str:
    """The limit that the rejects exceed, in words; '' if they exceed none.

    A table with a limit of its own does not count for the limit of the run.
    """
    others = []
    for name, table in tables.items():
        limit = next((limit for named, limit in limits.tables if name.called(named)), None)
        if limit is None:
            others.append(table)
        elif not limit.allows(table.rejected, table.read):
            return _too_many(table.rejected, f"{pluralize(table.read, 'row')} of {name}", limit)
    rejected, read = sum(t.rejected for t in others), sum(t.read for t in others)
    return "" if limits.run.allows(rejected, read) else _too_many(rejected, pluralize(read, "row"), limits.run)


def _too_many(rejected: int, rows: str, limit: Limit) -> str:
    return f"{rejected:,} of {rows} were rejected; the limit is {limit} (--max-rejects)"


def run_notes(table_runs: Iterable[TableRun], result: RunResult, phases: tuple[PhaseTime, ...]) -> RunNotes:
    """What the report of the run will need.

    :param table_runs: the tables in the order of ``result.tables``, which is the load order.
    :param phases: where the time went so far.
    """
    pairs = list(zip(table_runs, result.tables, strict=True))
    names = {table_run.table.name for table_run, _ in pairs}
    return RunNotes(
        tables=tuple(_report_table(table_run, table, names) for table_run, table in pairs),
        phases=phases,
        remedies=result.rejects.remedies,
    )


def _report_table(table_run: TableRun, result: TableResult, names: set[TableName]) -> ReportTable:
    plan = table_run.plan
    return ReportTable(
        table=table_run.name,
        mode=result.mode,
        way=result.way,
        why=plan.why,
        merge_key=plan.key,
        keys=tuple(
            ReportKey(key.columns, str(key.references), key.referenced_columns)
            for key in plan.table.foreign_keys
            if key.references in names
        ),
        inserted=result.inserted,
        updated=result.updated,
        unchanged=result.unchanged,
        deleted=result.deleted,
    )
