"""The reader thread: reads the files of all tables in load order and parses blocks while PostgreSQL works."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

from pgsluice.model import text_column
from pgsluice.pipeline.fallback import FallBack, Retreat, read_numbers
from pgsluice.pipeline.ingest.adaptive import Backoff
from pgsluice.pipeline.ingest.batch import ArrowBatch, Batch, EndOfFile, RawBatch, SplitBatch
from pgsluice.pipeline.ingest.route import Care, CopyRoute
from pgsluice.pipeline.prefetch import Prefetch
from pgsluice.pipeline.scratch import field_column
from pgsluice.pipeline.state import FileRun, TableRun
from pgsluice.postgres.copy import block_reads_as_is, reads_as_is
from pgsluice.postgres.table_properties import key_indexes
from pgsluice.source.blocks import BlockReader
from pgsluice.source.corrections import CorrectionReader
from pgsluice.source.typed.arrow_reader import ArrowReader
from pgsluice.source.typed.date_orders import DateScan
from pgsluice.source.typed.duckdb_reader import DuckDBReader
from pgsluice.source.typed.number_signs import SEMICOLON, SignScan, may_be_ambiguous
from pgsluice.source.typed.partly.reader import PartlyReader

# Batches that wait for the sender. Two keep both sides busy; more only take memory (a block of 8 MB takes about 40 MB
# as text, columns and binary together).
_AHEAD = 2

AS_IS = True
"""Whether blocks may be sent as the file has them at all. Tests switch this off to take the other route."""


def read_tables(
    table_runs: Sequence[TableRun], routes: Mapping[int, CopyRoute], *, utc: bool
) -> Prefetch[Batch | EndOfFile]:
    """The batches of all tables, in load order and file order, read by a thread of its own.

    :param routes: the copy routes by number of the table run.
    :param utc: the session's time zone is UTC.
    """
    return Prefetch(_batches(table_runs, routes, utc), _AHEAD, "pgsluice-reader")


def _batches(
    table_runs: Sequence[TableRun], routes: Mapping[int, CopyRoute], utc: bool
) -> Generator[Batch | EndOfFile, None, None]:
    for table_run in table_runs:
        route = routes[table_run.number]
        files = [f for f in table_run.files if not (f.skipped or f.staged_before)]
        as_is = AS_IS and not (table_run.scratch.lasting or table_run.computed) and all(map(_reads_as_is, files))
        route.start_reading(as_is=as_is)
        for file in files:
            yield from _batches_of(table_run, route, file, utc)


def _reads_as_is(file: FileRun) -> bool:
    """Whether COPY reads the file's records as they stand.

    A file that leaves a field out is not such a file. Nor is a file of one column, because COPY and pgsluice differ
    on whether a blank line is a record.
    """
    columns = file.plan.columns
    return (
        file.corrections is None and len(columns) > 1 and all(columns) and reads_as_is(file.plan.file.dialect.in_blocks)
    )


def _batches_of(
    table_run: TableRun, route: CopyRoute, file: FileRun, utc: bool
) -> Generator[Batch | EndOfFile, None, None]:
    dialect, path = file.plan.file.dialect, file.plan.file.path
    columns = {i: table_run.table.column(name) for i, name in enumerate(file.plan.columns) if name}
    if table_run.computed:
        # Expressions may use any field.
        columns = {i: columns.get(i) or text_column(field_column(i)) for i in range(len(file.plan.columns))}
    blocks = _blocks(table_run, file)
    parser = DuckDBReader(columns, file.plan.names, dialect, path=path, utc=utc)
    parser.text_only = parser.text_only or table_run.computed
    arrow = ArrowReader(parser.columns, dialect, utc=utc)
    partly = PartlyReader(arrow, dialect, file.plan.names)
    dates = DateScan(file.unordered_dates, parser) if file.unordered_dates else None
    # Values with a decimal comma are found among those that PostgreSQL refuses.
    numbers = SignScan(file.unread_numbers, parser) if file.unread_numbers and dialect.delimiter == SEMICOLON else None
    backoff = Backoff()
    try:
        for block in blocks:
            if numbers is not None and not numbers.settled and may_be_ambiguous(block.data):
                numbers.add(block)
                if numbers.needs_all:
                    raise read_numbers(table_run.table.name, path)
            as_is = route.as_is
            must_parse = route.must_parse or (as_is and not block_reads_as_is(dialect.in_blocks, block.data))
            rows = chunk = None
            if as_is and arrow.possible and (must_parse or route.prefers_binary(len(block.data))) and backoff.now():
                if route.care is Care.HOLDING:
                    chunk = partly.read(block)
                else:
                    rows = arrow.read(block)
                backoff.tried(well=not (rows is None and chunk is None))
            # Arrow reads dates with the year first only.
            if rows is None and chunk is None and dates is not None and dates.add(block):
                raise FallBack(table_run.table.name, f"{path} has numeric dates", Retreat.READ_DATES, path)
            batch: Batch
            if rows is not None:
                batch = ArrowBatch(table_run, route, file, parser, block, rows)
            elif chunk is not None or must_parse or not as_is:
                batch = SplitBatch(table_run, route, file, parser, chunk or parser.read(block))
            else:
                batch = RawBatch(table_run, route, file, parser, block)
            route.block_read()
            yield batch
        yield EndOfFile(table_run, route, file, parser, blocks.sha256, blocks.remarks)
    finally:
        blocks.close()


def _blocks(table_run: TableRun, file: FileRun) -> BlockReader | CorrectionReader:
    if file.corrections is None:
        return BlockReader(file.plan.file, file.plan.names)
    # A run loads the first of several rows with one key and rejects the others. In a replay, an uncorrected reject of
    # that kind must stay a reject: matched by its key, it would now overwrite the row that was loaded.
    return file.corrections.reader(file.plan.names, key_indexes(table_run.table, table_run.merge_key))
