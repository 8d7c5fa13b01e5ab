"""The result of a run, put together from what the states pluralize."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pgsluice.model import FileResult, Limits, Strategy, TableName, TableResult
from pgsluice.pipeline.state import FileRun, TableRun
from pgsluice.text import pluralize


def _file_result(file: FileRun, rejected: dict[int, int]) -> FileResult:
    refused = rejected.get(file.number, 0)
    return FileResult(
        path=file.plan.file.path,
        sha256=file.sha256,
        bytes=file.plan.file.bytes,
        read=file.read,
        loaded=file.read - refused,
        rejected=refused,
        skipped=file.skipped,
        staged_before=file.staged_before,
    )


def table_result(state: TableRun, rejected: dict[int, int]) -> TableResult:
    files = tuple(_file_result(f, rejected) for f in state.files)
    return TableResult(
        table=state.name,
        read=sum(f.read for f in files),
        loaded=sum(f.loaded for f in files),
        rejected=sum(f.rejected for f in files),
        skipped=all(f.skipped for f in files),
        files=files,
        way=str(state.way),
        mode=str(state.plan.mode),
        inserted=state.inserted if state.way is Strategy.STAGE else state.landed,
        updated=state.updated,
        unchanged=0 if state.way is not Strategy.STAGE else state.landed - state.inserted - state.updated,
        deleted=state.deleted,
    )


def unloaded(table: TableResult) -> TableResult:
    """The result of a table whose run did not publish: nothing is loaded."""
    return replace(
        table,
        loaded=0,
        inserted=0,
        updated=0,
        unchanged=0,
        deleted=0,
        files=tuple(replace(f, loaded=0) for f in table.files),
    )


def veto(limits: Limits, tables: Mapping[TableName, TableResult]) -> str:
    """Which limit was passed, in words; '' when none."""
    others = []
    for called, table in tables.items():
        limit = next((limit for name, limit in limits.tables if called.called(name)), None)
        if limit is None:
            others.append(table)
        elif not limit.allows(table.rejected, table.read):
            return (
                f"{table.rejected:,} of {pluralize(table.read, 'row')} of {called} were rejected, allowed are {limit}"
            )
    rejected, read = sum(t.rejected for t in others), sum(t.read for t in others)
    if not limits.run.allows(rejected, read):
        return f"{rejected:,} of {pluralize(read, 'row')} were rejected, allowed are {limits.run}"
    return ""
