"""What the reader thread hands to the sender: a block, and what the block was parsed into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pgsluice.pipeline.ingest.route import CopyRoute
from pgsluice.pipeline.state import FileRun, TableRun
from pgsluice.source.blocks import Block, Remarks
from pgsluice.source.typed.duckdb_reader import Chunk, DuckDBReader

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class _Item:
    table_run: TableRun
    route: CopyRoute
    file: FileRun
    parser: DuckDBReader
    """Parses a block of the file when PostgreSQL has refused it whole."""


@dataclass(frozen=True, slots=True)
class RawBatch(_Item):
    """A block to send as the file has it."""

    block: Block


@dataclass(frozen=True, slots=True)
class ArrowBatch(_Item):
    """A block that Arrow has read into typed columns; every value is certain."""

    block: Block
    rows: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class SplitBatch(_Item):
    """A block that DuckDB has separated into certain rows and rows that only PostgreSQL can judge."""

    chunk: Chunk

    @property
    def block(self) -> Block:
        """The block."""
        return self.chunk.block


@dataclass(frozen=True, slots=True)
class EndOfFile(_Item):
    """The file has ended."""

    sha256: str
    remarks: Remarks


Batch = RawBatch | ArrowBatch | SplitBatch
