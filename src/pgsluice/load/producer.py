"""Reading ahead: a thread that turns files into chunks while the main thread sends and PostgreSQL works."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pgsluice.load.modes import key_indexes
from pgsluice.load.state import FileLoad, TableLoad
from pgsluice.source.blocks import Block, BlockReader
from pgsluice.source.corrections import CorrectionReader
from pgsluice.source.typed import Chunk, TypedReader
from pgsluice.target.copy import reads_as_is

# Blocks read ahead of the sender. Two keep both sides busy; more only cost memory (a block of 8 MB is
# about 40 MB as text, columns and binary together).
_AHEAD = 2

# Whether blocks may go as they are at all; a switch for tests of the other way.
AS_IT_IS = True


@dataclass(frozen=True, slots=True)
class Piece:
    """A block of a file and the chunk it became; or, with ``block`` None, the news that the file has ended."""

    table: TableLoad
    file: FileLoad
    reader: TypedReader
    block: Block | None
    chunk: Chunk | None
    """None: the block is to be sent as it is."""
    sha256: str = ""


def _readable(file: FileLoad) -> bool:
    """Whether COPY reads the file's records as they are. One field makes a blank line a record, or none."""
    return file.corrections is None and len(file.plan.columns) > 1 and reads_as_is(file.plan.file.dialect)


class Producer:
    """Iterates over the pieces of all tables in load order, made by a thread of its own.

    What the thread raises is raised again to the one who iterates. ``close()`` ends the thread early.
    """

    def __init__(self, tables: Sequence[TableLoad], *, utc: bool) -> None:
        self._tables = tables
        self._utc = utc
        self._queue: queue.Queue[Piece | BaseException | None] = queue.Queue(_AHEAD)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pgsluice-reader", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Piece]:
        while (item := self._queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self) -> None:
        """Stops reading; returns when the thread has ended."""
        self._stop.set()
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.05)
            except queue.Empty:
                continue

    def _run(self) -> None:
        try:
            for table in self._tables:
                files = [f for f in table.files if not (f.skipped or f.staged_before)]
                table.as_it_is = AS_IT_IS and not table.lasting and all(_readable(f) for f in files)
                for file in files:
                    self._read(table, file)
            self._put(None)
        except _Stopped:
            pass
        except BaseException as error:
            self._put_quietly(error)

    def _read(self, table: TableLoad, file: FileLoad) -> None:
        columns = [table.plan.table.column(name) for name in file.plan.columns]
        blocks = _blocks(table, file)
        reader = TypedReader(columns, file.plan.file.dialect, path=file.plan.file.path, utc=self._utc)
        try:
            for block in blocks:
                chunk = None if table.as_it_is else reader.read(block)
                self._put(Piece(table, file, reader, block, chunk))
            self._put(Piece(table, file, reader, None, None, blocks.sha256))
        finally:
            blocks.close()

    def _put(self, item: Piece | None) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return
            except queue.Full:
                continue
        raise _Stopped

    def _put_quietly(self, error: BaseException) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(error, timeout=0.1)
                return
            except queue.Full:
                continue


def _blocks(table: TableLoad, file: FileLoad) -> BlockReader | CorrectionReader:
    if file.corrections is None:
        return BlockReader(file.plan.file, file.plan.columns)
    # Of several rows with one key a run takes the first. The others stay what they were: matched by their
    # key now, they would take the first one's place.
    return file.corrections.reader(file.plan.columns, key_indexes(table.plan.table, table.key))


class _Stopped(Exception):
    """The consumer does not want any more."""
