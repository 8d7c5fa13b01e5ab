"""Reading ahead: a thread that turns files into chunks while the main thread sends and PostgreSQL works."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pgsluice.pipeline.ingest.adaptive import Backoff
from pgsluice.pipeline.prefetch import Prefetch
from pgsluice.pipeline.state import FileRun, TableRun
from pgsluice.postgres.capabilities import key_indexes
from pgsluice.postgres.copy import reads_as_is
from pgsluice.source.blocks import Block, BlockReader
from pgsluice.source.corrections import CorrectionReader
from pgsluice.source.typed.arrow_reader import ArrowReader
from pgsluice.source.typed.duckdb_reader import Chunk, DuckDBReader

if TYPE_CHECKING:
    import pyarrow as pa


# Blocks read ahead of the sender. Two keep both sides busy; more only cost memory (a block of 8 MB is
# about 40 MB as text, columns and binary together).
_AHEAD = 2


# Whether blocks may go as they are at all; a switch for tests of the other way.
AS_IT_IS = True


@dataclass(frozen=True, slots=True)
class Piece:
    """A block of a file and the chunk it became; or, with ``block`` None, the news that the file has ended."""

    table: TableRun
    file: FileRun
    reader: DuckDBReader
    block: Block | None
    chunk: Chunk | None
    """None: the whole block is to be sent as it is, or as ``batch``."""
    batch: pa.RecordBatch | None = None
    """The block's records, all of them certain."""
    sha256: str = ""


def _readable(file: FileRun) -> bool:
    """Whether COPY reads the file's records as they are. It leaves no field out; and one field alone makes a blank line
    a record, or none.
    """
    columns = file.plan.columns
    return file.corrections is None and len(columns) > 1 and all(columns) and reads_as_is(file.plan.file.dialect)


def producer(tables: Sequence[TableRun], *, utc: bool) -> Prefetch[Piece]:
    """The pieces of all tables in load order, made by a thread of its own.

    :param utc: the session's time zone is UTC.
    """
    return Prefetch(_pieces(tables, utc), _AHEAD, "pgsluice-reader")


def _pieces(tables: Sequence[TableRun], utc: bool) -> Generator[Piece, None, None]:
    for table in tables:
        files = [f for f in table.files if not (f.skipped or f.staged_before)]
        table.as_it_is = AS_IT_IS and not table.lasting and all(_readable(f) for f in files)
        for file in files:
            yield from _pieces_of(table, file, utc)


def _pieces_of(table: TableRun, file: FileRun, utc: bool) -> Generator[Piece, None, None]:
    columns = {i: table.plan.table.column(name) for i, name in enumerate(file.plan.columns) if name}
    blocks = _blocks(table, file)
    reader = DuckDBReader(columns, file.plan.names, file.plan.file.dialect, path=file.plan.file.path, utc=utc)
    quick = ArrowReader(reader.columns, file.plan.file.dialect, utc=utc)
    patience = Backoff()
    try:
        for block in blocks:
            chunk = batch = None
            if not table.as_it_is:
                chunk = reader.read(block)
            else:
                careful = table.careful_from is not None and table.careful_from <= (file.number, block.first_ordinal)
                if quick.possible and (careful or table.pace.typed(len(block.data))) and patience.now():
                    batch = quick.read(block)
                    patience.tried(well=batch is not None)
                if batch is None and careful:
                    chunk = reader.read(block)
            table.pace.read()
            yield Piece(table, file, reader, block, chunk, batch)
        yield Piece(table, file, reader, None, None, sha256=blocks.sha256)
    finally:
        blocks.close()


def _blocks(table: TableRun, file: FileRun) -> BlockReader | CorrectionReader:
    if file.corrections is None:
        return BlockReader(file.plan.file, file.plan.names)
    # Of several rows with one key a run takes the first. The others stay what they were: matched by their
    # key now, they would take the first one's place.
    return file.corrections.reader(file.plan.names, key_indexes(table.plan.table, table.key))
