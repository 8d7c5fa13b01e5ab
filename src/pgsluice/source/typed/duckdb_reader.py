"""Typed reading: a block of CSV becomes columns that PostgreSQL is certain to read the same, and the rest.

DuckDB's casts are not PostgreSQL's. So a value counts as *certain* only where a rule below proves that
PostgreSQL's input function would store exactly the value that DuckDB made of it: mostly by the canonical
round trip (text -> typed -> text gives the same text back), which leaves no room for '1.5' read as 2,
'0x1F' as 31 or a seventh digit cut from a timestamp. A row travels as binary COPY when all its values
are certain; any other row travels as the text it was and PostgreSQL decides.
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
from pgsluice.source.typed.type_rules import Rule, rule_for, sql_quote

if TYPE_CHECKING:
    import pyarrow as pa


# A table whose rows are mostly uncertain (timestamps written day first, say) is read twice for nothing:
# once a block has more than this share of uncertain rows, the table's further rows go as text unlooked at.
TEXT_SHARE = 0.2


# Rows that are looked at to learn how many decimals the numbers of a file have.
_SAMPLE = 2000


# DuckDB's parser refuses lines above max_line_size (2 MB by default); our own reader bounds records first.
# A record of 32 MB that is all stray quotes doubles when it is written anew.
_MAX_LINE = 65 << 20


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a block became: certain rows in typed columns, the others as text, each with its ordinals."""

    block: Block
    typed: pa.RecordBatch | None
    typed_runs: OrdinalRanges
    text: pa.Table | None
    text_runs: OrdinalRanges
    faults: tuple[Fault, ...]


class DuckDBReader:
    """Turns the blocks of one file into chunks; keeps one DuckDB connection, single-threaded.

    One reader serves one file. Several may live in one process: every one has its own connection, and its
    own name in the in-memory file system through which DuckDB sees a block. They share one database, which
    holds nothing: making one takes longer than reading a small file.
    """

    _database: Any = None
    _serial = 0
    _serial_lock = threading.Lock()

    def __init__(
        self, columns: Mapping[int, Column], names: Sequence[str], dialect: Dialect, *, path: str, utc: bool
    ) -> None:
        """:param columns: the target columns by the numbers of their fields, ascending; other fields are left out.
        :param names: of all fields of a record, for messages.
        :param path: the file's, for messages.
        """
        self.columns = tuple(columns.values())
        self._places = tuple(columns)
        self._names = tuple(names)
        self.dialect = dialect
        self.path = path
        rules = [rule_for(c, utc=utc) for c in self.columns]
        self.rules: tuple[Rule, ...] | None = None
        if all(rules):
            self.rules = tuple(r for r in rules if r)
        self.text_only = self.rules is None
        self._files: Any = None
        self._duck: Any = None
        with DuckDBReader._serial_lock:
            DuckDBReader._serial += 1
            self._name = f"/pgsluice-{DuckDBReader._serial}.csv"
        self._scan = self._scan_sql()
        # Made at the first block, which shows how many decimals numbers have.
        self._typed = ""
        # The sender asks for a block's texts while the reading thread is at the next block.
        self._lock = threading.Lock()

    def _open(self) -> None:
        """DuckDB is loaded at the first block that needs it: most files need it for none."""
        if self._duck is not None:
            return
        import duckdb
        from fsspec.implementations.memory import MemoryFileSystem

        # The memory file system keeps its files on the class: names must differ, instances need not.
        self._files = MemoryFileSystem()
        with DuckDBReader._serial_lock:
            if DuckDBReader._database is None:
                DuckDBReader._database = duckdb.connect(config={"threads": 1})
                DuckDBReader._database.register_filesystem(self._files)
        self._duck = DuckDBReader._database.cursor()

    def close(self) -> None:
        """Frees what DuckDB holds for this reader, and the block."""
        if self._duck is None:
            return
        self._duck.close()
        if self._files.exists(self._name):
            self._files.rm_file(self._name)

    def _scan_sql(self) -> str:
        d = self.dialect
        names = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(self._names)))
        nulls = ", ".join(sql_quote(text) for text in (d.null or ("",)))
        return (
            f"read_csv('memory:/{self._name}', auto_detect=false, header=false, delim={sql_quote(d.delimiter)},"
            f" quote={sql_quote(d.quote)}, escape={sql_quote(d.quote)}, nullstr=[{nulls}], allow_quoted_nulls=false,"
            f" strict_mode=true, null_padding=false, max_line_size={_MAX_LINE}, new_line='\\n',"
            f" columns={{{names}}})"
        )

    def _certain_sql(self) -> str:
        assert self.rules is not None
        terms = []
        for i, column, rule in zip(self._places, self.columns, self.rules, strict=True):
            certain = rule.certain_sql(i)
            # A NULL that the column does not take is not certain to be refused in the same words: PostgreSQL
            # says them.
            if column.not_null:
                terms.append(f"c{i} IS NOT NULL")
                if certain != "true":
                    terms.append(f"coalesce({certain}, false)")
            elif certain != "true":
                terms.append(f"(c{i} IS NULL OR coalesce({certain}, false))")
        return " AND ".join(terms) or "true"

    def _typed_sql(self) -> str:
        assert self.rules is not None
        scales = self._scales(self.rules)
        values = ", ".join(
            f"{r.value_sql(i, scales.get(i, 0))} AS v{i}" for i, r in zip(self._places, self.rules, strict=True)
        )
        outs = ", ".join(f"v{i}" for i in self._places)
        return f"SELECT {outs}, {self._certain_sql()} AS ok FROM (SELECT *, {values} FROM {self._scan})"

    def _scales(self, rules: Sequence[Rule]) -> dict[int, int]:
        """How many decimals most values of a scaled column have, by the first rows of the block at hand.

        Right or wrong, it decides nothing but the way: values with another number of decimals go as text.
        """
        scaled = [i for i, r in zip(self._places, rules, strict=True) if r.scaled]
        if not scaled:
            return {}
        decimals = "CASE WHEN contains({c}, '.') THEN length({c}) - strpos({c}, '.') ELSE 0 END"
        modes = ", ".join(f"mode({decimals}) FILTER (WHERE {{c}} <> '')".replace("{c}", f"c{i}") for i in scaled)
        row = self._duck.sql(f"SELECT {modes} FROM (FROM {self._scan} LIMIT {_SAMPLE})").fetchall()[0]
        return {i: n for i, n in zip(scaled, row, strict=True) if n is not None and n <= 18}

    def read(self, block: Block) -> Chunk:
        """The chunk of one block.

        :raises FileError: when DuckDB and our own reader disagree about a block even after the exact scan.
        """
        import duckdb

        with self._lock:
            self._open()
            try:
                return self._read(block)
            except (duckdb.Error, _CountError):
                # A wrong number of fields, or a view of the block that differs from ours: the exact scanner
                # names the faulty records, and what is left must agree.
                block = recheck(block, self.dialect, self._names)
            try:
                return self._read(block)
            except (duckdb.Error, _CountError) as error:
                raise FileError(
                    f"{self.path}: the records from line {block.first_line} on cannot be read ({error})",
                    "This is a defect of pgsluice: please report it with the lines",
                ) from error

    def texts(self, block: Block) -> pa.Table:
        """All well-formed records of a block as strings, in order."""
        with self._lock:
            self._open()
            self._files.pipe_file(self._name, block.data)
            return self._text(block)

    def _read(self, block: Block) -> Chunk:
        if not block.rows:
            return Chunk(block, None, OrdinalRanges(()), None, OrdinalRanges(()), block.faults)
        self._files.pipe_file(self._name, block.data)
        runs = OrdinalRanges(block.ordinals)
        if self.text_only:
            return Chunk(block, None, OrdinalRanges(()), self._text(block), runs, block.faults)
        if not self._typed:
            self._typed = self._typed_sql()
        table = self._duck.sql(self._typed).to_arrow_table()
        if table.num_rows != block.rows:
            raise _CountError(f"{table.num_rows} records instead of {block.rows}")
        ok = table.column(len(self.columns))
        # Not pyarrow.compute: importing it takes as long as reading 20 MB.
        certain = sum(part.true_count for part in ok.chunks)
        table = table.drop_columns(["ok"])
        if certain == block.rows:
            return Chunk(block, _one_batch(table), runs, None, OrdinalRanges(()), block.faults)
        if not certain or block.rows - certain > TEXT_SHARE * block.rows:
            # Whole block as text, and from now on all of them.
            self.text_only = True
            return Chunk(block, None, OrdinalRanges(()), self._text(block), runs, block.faults)
        # The scan once more is half of the query that gave the values, whose terms would all be computed again.
        text = self._text(block).filter(_inverted(ok))
        good, bad = split_ordinals(block.ordinals, ok.to_numpy())
        return Chunk(block, _one_batch(table.filter(ok)), good, text, bad, block.faults)

    def _text(self, block: Block) -> pa.Table:
        names = ", ".join(f"c{i}" for i in self._places)
        table = self._duck.sql(f"SELECT {names} FROM {self._scan}").to_arrow_table()
        if table.num_rows != block.rows:
            raise _CountError(f"{table.num_rows} records instead of {block.rows}")
        return table


class _CountError(Exception):
    """DuckDB saw another number of records than our own reader."""


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0]


def _inverted(mask: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    return pc.invert(mask)
