"""What a plan says of the differences between tables and files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pgsluice.model import ColumnDrift, DriftKind, TablePlan


def found_drift(plans: Sequence[TablePlan]) -> Iterator[ColumnDrift]:
    """The fields that are left out, and the columns that files lack."""
    for plan in plans:
        table = str(plan.table.name)
        ignored: dict[str, list[str]] = {}
        for file in plan.files:
            for field in file.left_out:
                ignored.setdefault(field, []).append(file.file.path)
        for field, paths in ignored.items():
            yield ColumnDrift(table, DriftKind.IGNORED_FIELD, field, files=tuple(paths))
        full = [file for file in plan.files if file.columns]
        for column in plan.table.loadable:
            lacking = tuple(file.file.path for file in full if column.name not in file.brought)
            if lacking:
                yield ColumnDrift(table, DriftKind.MISSING_COLUMN, column.name, column.type_sql, lacking)
