"""The rows of all files in DuckDB, as texts, in the order of the files. What does not fit into memory is on disk."""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Self

from pgsluice.inference.draft import DraftTable
from pgsluice.model import Listener, Phase, Progress, RowPlace, SourceFile, text_column
from pgsluice.source.blocks import BlockReader, Extent, extent
from pgsluice.source.locate import locate
from pgsluice.source.typed.duckdb_reader import DuckDBReader

_MEMORY = "128MB"
"""How much DuckDB holds in memory. The process with its libraries takes as much again."""

_FAULTS_SHOWN = 3

_VALUE_SHOWN = 60


@dataclass(slots=True)
class _FileRows:
    """Which rows of a table come from a file."""

    file: SourceFile
    names: tuple[str, ...]
    first: int
    """The number of its first row in the table."""
    extents: list[Extent] = field(default_factory=list)
    ranges: list[tuple[int, int, int]] = field(default_factory=list)
    """(row, ordinal, count): consecutive rows of the table that are consecutive records of the file."""


class Store:
    """The rows of the tables: ``t0``, ``t1`` and so on, with columns ``c0``, ``c1`` and so on."""

    def __init__(self) -> None:
        import duckdb

        self._folder = tempfile.TemporaryDirectory(prefix="pgsluice-init-")
        self._duck = duckdb.connect(config={"memory_limit": _MEMORY, "temp_directory": self._folder.name, "threads": 2})
        self._files: dict[int, list[_FileRows]] = {}
        self.warnings: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._duck.close()
        self._folder.cleanup()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self._duck.execute(sql).fetchall()

    def row(self, sql: str) -> dict[str, Any]:
        """The only row of a query, by the names of its columns."""
        found = self._duck.execute(sql)
        names = [column[0] for column in found.description]
        return dict(zip(names, found.fetchall()[0], strict=True))

    def execute(self, sql: str) -> None:
        """Executes a statement without a result."""
        self._duck.execute(sql)

    def read(self, table: DraftTable, listen: Listener) -> None:
        """Reads the files of a table.

        :raises FileError: a file cannot be read.
        """
        columns = ", ".join(f"c{i} VARCHAR" for i in range(len(table.columns)))
        self._duck.execute(f"CREATE TABLE {table.store} ({columns})")
        total = sum(file.bytes for file in table.files)
        before = 0
        self._files[table.number] = []
        for file, names in zip(table.files, table.names, strict=True):
            rows = _FileRows(file, names, table.rows)
            self._files[table.number].append(rows)
            for done in self._read_file(table, rows):
                listen(Progress(Phase.STAGE, table.name, "", min(before + done, total), total, table.rows))
            before += file.bytes
        listen(Progress(Phase.STAGE, table.name, "", total, total, table.rows))

    def _read_file(self, table: DraftTable, rows: _FileRows) -> Iterable[int]:
        """Reads a file, and yields how many of its bytes are read."""
        file, names = rows.file, rows.names
        fields = {i: text_column(name) for i, name in enumerate(names)}
        reader = DuckDBReader(fields, names, file.dialect, path=file.path, utc=False)
        reader.text_only = True
        targets = ", ".join(f"c{table.column(name).number}" for name in names)
        faults = 0
        with closing(reader), closing(BlockReader(file, names)) as blocks:
            for block in blocks:
                chunk = reader.read(block)
                rows.extents.append(extent(chunk.block))
                for fault in chunk.faults[: max(0, _FAULTS_SHOWN - faults)]:
                    self.warnings.append(
                        f"{file.path}:{fault.line}: the record cannot be read ({fault.verdict.message});"
                        " a load rejects it"
                    )
                faults += len(chunk.faults)
                if chunk.text is not None:
                    for first, count in chunk.text_ordinals.ranges:
                        rows.ranges.append((table.rows, first, count))
                        table.rows += count
                    self._duck.register("block", chunk.text)
                    self._duck.execute(f"INSERT INTO {table.store} ({targets}) SELECT * FROM block")
                    self._duck.unregister("block")
                yield block.position
        if faults > _FAULTS_SHOWN:
            self.warnings.append(f"{file.path}: {faults:,} records cannot be read; a load rejects them")
        table.faults += faults

    def places(self, table: DraftTable, found: Sequence[tuple[int, str]]) -> tuple[RowPlace, ...]:
        """Where rows stand in the files.

        :param found: (row, value) pairs, by the numbers of the rows in the table.
        """
        import numpy as np

        places = []
        for number, value in sorted(found):
            rows = next(r for r in reversed(self._files[table.number]) if r.first <= number)
            at = bisect_right(rows.ranges, number, key=lambda r: r[0]) - 1
            row, ordinal, _ = rows.ranges[at]
            wanted = [np.array([ordinal + number - row])]
            line = int(next(iter(locate(rows.file, rows.names, rows.extents, wanted))).lines[0])
            shown = value if len(value) <= _VALUE_SHOWN else value[: _VALUE_SHOWN - 3] + "..."
            places.append(RowPlace(rows.file.path, line, shown))
        return tuple(places)
