"""The exact typed reader: DuckDB divides the rows of a block into certain rows, typed, and rows that stay text.

DuckDB's casts are not PostgreSQL's input functions. A value is *certain* only where a rule of
:mod:`~pgsluice.source.typed.type_rules` proves that PostgreSQL would store exactly the value that DuckDB made of the
text. A row is sent as binary COPY if all its values are certain. Any other row is sent as text, and PostgreSQL decides.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pgsluice.errors import FileError
from pgsluice.model import Column, Dialect
from pgsluice.source.blocks import Block, Fault, recheck
from pgsluice.source.typed.ordinals import OrdinalRanges, split_ordinals
from pgsluice.source.typed.rewriting import rewritten
from pgsluice.source.typed.type_rules import Rule, rule_for, sql_quote

if TYPE_CHECKING:
    import pyarrow as pa


TEXT_SHARE = 0.2
"""The share of uncertain rows in a block above which all further rows of the file stay text.

Reading the rows of such a file twice (its timestamps have the day first, for example) would gain nothing."""

_SAMPLE = 2000
"""How many rows of a block show how many decimals the numbers of a file have."""

_MAX_LINE = 65 << 20
"""DuckDB's max_line_size, which is 2 MB by default, in bytes.

The rules of records limit a record to 32 MiB; a record that is all quotes in unquoted fields doubles its length when
the fields become quoted fields."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a block was read into: certain rows in typed columns, the other rows as text, and the faults."""

    block: Block
    """The block, parsed record by record if DuckDB found that it has faults."""
    typed: pa.RecordBatch | None
    typed_ordinals: OrdinalRanges
    """The ordinals of the rows in ``typed``."""
    text: pa.Table | None
    text_ordinals: OrdinalRanges
    """The ordinals of the rows in ``text``."""
    faults: Sequence[Fault]


class DuckDBReader:
    """Reads the blocks of one file into chunks. DuckDB is imported and opened when the first block is read.

    Each reader has a connection of its own, with one thread, and a file name of its own in the in-memory file system
    through which DuckDB reads a block. All readers of the process share one DuckDB database, which holds no data:
    opening a database takes longer than reading a small file.

    :param columns: the target columns by the positions of their fields in a record, ascending; other fields are left
        out.
    :param names: names for all fields of a record, for messages.
    :param path: the path of the file, for messages.
    :param utc: the session's TimeZone is UTC, so a timestamptz without an offset is an instant in UTC.
    """

    _database: Any = None
    _serial = 0
    _serial_lock = threading.Lock()

    def __init__(
        self, columns: Mapping[int, Column], names: Sequence[str], dialect: Dialect, *, path: str, utc: bool
    ) -> None:
        self.columns = tuple(columns.values())
        self._positions = tuple(columns)
        self._names = tuple(names)
        self.dialect = dialect
        self.path = path
        rules = [rule_for(c, utc=utc) for c in self.columns]
        self.rules: tuple[Rule, ...] | None = None
        """The rules of ``columns``; None if a column has no rule."""
        if all(rules):
            self.rules = tuple(r for r in rules if r)
        self.text_only = self.rules is None
        """All rows of the next blocks stay text."""
        self._files: Any = None
        self._duck: Any = None
        with DuckDBReader._serial_lock:
            DuckDBReader._serial += 1
            self._name = f"/pgsluice-{DuckDBReader._serial}.csv"
        self._scan = self._scan_sql()
        # Built when the first block is read, which shows how many decimals the numbers have.
        self._typed = ""
        # The sender calls texts() for a block while the reader thread reads the next block.
        self._lock = threading.Lock()

    def _open(self) -> None:
        """Imports and opens DuckDB when a block needs it for the first time; most files need no DuckDB."""
        if self._duck is not None:
            return
        import duckdb
        from fsspec.implementations.memory import MemoryFileSystem

        # fsspec keeps the files of all memory file systems on the class, so the names must differ.
        self._files = MemoryFileSystem()
        with DuckDBReader._serial_lock:
            if DuckDBReader._database is None:
                DuckDBReader._database = duckdb.connect(config={"threads": 1})
                DuckDBReader._database.register_filesystem(self._files)
        self._duck = DuckDBReader._database.cursor()

    def close(self) -> None:
        """Closes the connection, and frees the last block."""
        if self._duck is None:
            return
        self._duck.close()
        if self._files.exists(self._name):
            self._files.rm_file(self._name)

    def _scan_sql(self) -> str:
        """SQL that reads the block at hand as columns ``c0``, ``c1`` and so on, all of them text."""
        d = self.dialect.in_blocks
        names = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(self._names)))
        nulls = ", ".join(sql_quote(text) for text in d.null_texts)
        scan = (
            f"read_csv('memory:/{self._name}', auto_detect=false, header=false, delim={sql_quote(d.delimiter)},"
            f" quote={sql_quote(d.quote)}, escape={sql_quote(d.quote)}, nullstr=[{nulls}], allow_quoted_nulls=false,"
            f" strict_mode=true, null_padding=false, max_line_size={_MAX_LINE}, new_line='\\n',"
            f" columns={{{names}}})"
        )
        replaced = []
        for i, column in zip(self._positions, self.columns, strict=True):
            text = f"nullif(c{i}, '')" if d.empty_as_null and not column.is_text else f"c{i}"
            text = rewritten(text, column, d.format_of(column.name), d.null_texts)
            if text != f"c{i}":
                replaced.append(f"{text} AS c{i}")
        return f"(SELECT * REPLACE ({', '.join(replaced)}) FROM {scan})" if replaced else scan

    def _certain_sql(self) -> str:
        """SQL of the condition that all values of a row are certain."""
        assert self.rules is not None
        terms = []
        for i, column, rule in zip(self._positions, self.columns, self.rules, strict=True):
            certain = rule.certain_sql(i)
            # A NULL in a NOT NULL column is not certain, so that PostgreSQL refuses the row with its own message. A
            # NULL that the default of its column will replace is not certain either.
            if column.not_null or self.dialect.format_of(column.name).default_on_empty:
                terms.append(f"c{i} IS NOT NULL")
                if certain != "true":
                    terms.append(f"coalesce({certain}, false)")
            elif certain != "true":
                terms.append(f"(c{i} IS NULL OR coalesce({certain}, false))")
        return " AND ".join(terms) or "true"

    def _typed_sql(self) -> str:
        """SQL that reads the block at hand as typed columns ``v<i>``, and ``ok``: whether the row is certain."""
        assert self.rules is not None
        scales = self._scales(self.rules)
        values = ", ".join(
            f"{r.value_sql(i, scales.get(i, 0))} AS v{i}" for i, r in zip(self._positions, self.rules, strict=True)
        )
        outs = ", ".join(f"v{i}" for i in self._positions)
        return f"SELECT {outs}, {self._certain_sql()} AS ok FROM (SELECT *, {values} FROM {self._scan})"

    def _scales(self, rules: Sequence[Rule]) -> dict[int, int]:
        """How many decimals most values of each scaled column have, in the first rows of the block at hand.

        The number has no influence on stored values: values with another number of decimals stay text.
        """
        scaled = [i for i, r in zip(self._positions, rules, strict=True) if r.scaled]
        if not scaled:
            return {}
        decimals = "CASE WHEN contains({c}, '.') THEN length({c}) - strpos({c}, '.') ELSE 0 END"
        modes = ", ".join(f"mode({decimals}) FILTER (WHERE {{c}} <> '')".replace("{c}", f"c{i}") for i in scaled)
        row = self._duck.sql(f"SELECT {modes} FROM (FROM {self._scan} LIMIT {_SAMPLE})").fetchall()[0]
        return {i: n for i, n in zip(scaled, row, strict=True) if n is not None and n <= 18}

    def read(self, block: Block) -> Chunk:
        """Reads a block into a chunk.

        :raises FileError: DuckDB finds other records in the block than the rules of records, even after every record
            was parsed.
        """
        import duckdb

        with self._lock:
            self._open()
            try:
                return self._read(block)
            except (duckdb.Error, _CountError):
                # A record has a wrong number of fields, or DuckDB divides the block differently. Parsing every record
                # finds the faults, and DuckDB must read the other records.
                block = recheck(block, self.dialect, self._names)
            try:
                return self._read(block)
            except (duckdb.Error, _CountError) as error:
                raise self._defect(block, error) from error

    @property
    def fields(self) -> dict[str, str]:
        """The field in the SQL of this reader, by the name of its column."""
        return {column.name: f"c{i}" for i, column in zip(self._positions, self.columns, strict=True)}

    def aggregate(self, block: Block, inner: str, outer: str) -> tuple[Block, dict[str, Any]]:
        """What a query computes of the texts of a block.

        :param inner: SQL of the values of each row.
        :param outer: SQL of aggregates over these values and ``place``, the number of the row, from 0.
        :returns: the block, parsed record by record if it has faults, and the aggregates by name.
        :raises FileError: DuckDB finds other records in the block than the rules of records.
        """
        import duckdb

        rows = f"SELECT row_number() OVER () - 1 AS place, {inner} FROM {self._scan}"
        select = f"SELECT count(*) AS every_row, {outer} FROM ({rows})"

        def compute(block: Block) -> dict[str, Any]:
            self._files.pipe_file(self._name, block.data)
            found: dict[str, Any] = self._duck.sql(select).to_arrow_table().to_pylist()[0]
            if found["every_row"] != block.rows:
                raise _CountError(f"{found['every_row']} records instead of {block.rows}")
            return found

        with self._lock:
            self._open()
            try:
                return block, compute(block)
            except (duckdb.Error, _CountError):
                block = recheck(block, self.dialect, self._names)
            try:
                return block, compute(block)
            except (duckdb.Error, _CountError) as error:
                raise self._defect(block, error) from error

    def _defect(self, block: Block, error: Exception) -> FileError:
        return FileError(
            f"{self.path}: the records from line {block.first_line} on cannot be read ({error})",
            "This is a defect of pgsluice: please report it with the lines",
        )

    def texts(self, block: Block) -> pa.Table:
        """The records of a block as columns of strings, in order, without the faults.

        :param block: the block of a chunk, which :meth:`read` has read before.
        """
        with self._lock:
            self._open()
            self._files.pipe_file(self._name, block.data)
            return self._text(block)

    def _read(self, block: Block) -> Chunk:
        """What :meth:`read` returns.

        :raises duckdb.Error, _CountError: DuckDB finds other records in the block.
        """
        if not block.rows:
            return Chunk(block, None, OrdinalRanges(()), None, OrdinalRanges(()), block.faults)
        self._files.pipe_file(self._name, block.data)
        ordinals = OrdinalRanges(block.ordinals)
        if self.text_only:
            return Chunk(block, None, OrdinalRanges(()), self._text(block), ordinals, block.faults)
        if not self._typed:
            self._typed = self._typed_sql()
        table = self._duck.sql(self._typed).to_arrow_table()
        if table.num_rows != block.rows:
            raise _CountError(f"{table.num_rows} records instead of {block.rows}")
        ok = table.column(len(self.columns))
        # Not pyarrow.compute: its import takes as long as reading 20 MB.
        certain = sum(part.true_count for part in ok.chunks)
        table = table.drop_columns(["ok"])
        if certain == block.rows:
            return Chunk(block, _one_batch(table), ordinals, None, OrdinalRanges(()), block.faults)
        if not certain or block.rows - certain > TEXT_SHARE * block.rows:
            # This block and all further blocks stay text.
            self.text_only = True
            return Chunk(block, None, OrdinalRanges(()), self._text(block), ordinals, block.faults)
        # A second scan costs half of the query for the values; a query for both would compute all terms again.
        text = self._text(block).filter(_inverted(ok))
        good, bad = split_ordinals(block.ordinals, ok.to_numpy())
        return Chunk(block, _one_batch(table.filter(ok)), good, text, bad, block.faults)

    def _text(self, block: Block) -> pa.Table:
        """The columns of the block at hand as strings.

        :raises duckdb.Error, _CountError: DuckDB finds other records in the block.
        """
        names = ", ".join(f"c{i}" for i in self._positions)
        table = self._duck.sql(f"SELECT {names} FROM {self._scan}").to_arrow_table()
        if table.num_rows != block.rows:
            raise _CountError(f"{table.num_rows} records instead of {block.rows}")
        return table


class _CountError(Exception):
    """DuckDB finds another number of records in a block than the rules of records."""


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    """The table in one piece."""
    batches = table.combine_chunks().to_batches()
    return batches[0]


def _inverted(mask: pa.ChunkedArray) -> pa.ChunkedArray:
    """The negation of a boolean column."""
    import pyarrow.compute as pc

    return pc.invert(mask)
