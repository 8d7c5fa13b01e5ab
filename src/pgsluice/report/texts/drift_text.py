"""Text of what differs between tables and files."""

from __future__ import annotations

from collections.abc import Sequence

from pgsluice.model import ColumnDrift, DriftKind
from pgsluice.report.parts import Line, Part, clean, some


def drift_parts(drift: Sequence[ColumnDrift], *, done: bool) -> list[Part]:
    """The fields that are left out and the columns that are added. Other lines name the columns that files lack.

    :param done: the rows are published; otherwise nothing has changed.
    """
    lines: list[Part] = []
    for found in drift:
        table, name, files = clean(found.table), clean(found.name), some(found.files)
        if found.kind == DriftKind.IGNORED_FIELD:
            lines.append(Line(f"{table}: the field {name} has no column and is left out ({files})."))
        elif found.kind == DriftKind.ADDED_COLUMN:
            verb = "was added" if done else "would be added"
            lines.append(Line(f"{table}: column {name} ({found.type}) {verb} for {files}."))
    return lines
