"""Typed reading: a block of CSV becomes columns that PostgreSQL is certain to read the same, and the rest.

DuckDB's casts are not PostgreSQL's. So a value counts as *certain* only where a rule below proves that
PostgreSQL's input function would store exactly the value that DuckDB made of it: mostly by the canonical
round trip (text -> typed -> text gives the same text back), which leaves no room for '1.5' read as 2,
'0x1F' as 31 or a seventh digit cut from a timestamp. A row travels as binary COPY when all its values
are certain; any other row travels as the text it was and PostgreSQL decides.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pgsluice.errors import FileError
from pgsluice.model import Column, Dialect
from pgsluice.source.blocks import Block, Fault, recheck

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
class Rule:
    """How one type travels in binary: SQL over the column's text, ``{c}`` the text, ``{v}`` the value.

    ``certain`` holds when ``{v}`` is what PostgreSQL would store for ``{c}``; it is only asked of
    values that are not NULL, and NULL counts as no. ``{s}`` stands for the number of decimals that most of
    the file's values have, where the type does not say it.
    """

    value: str
    certain: str
    jsonb: bool = False

    @property
    def scaled(self) -> bool:
        return "{s}" in self.value

    def value_sql(self, i: int, scale: int) -> str:
        """The typed value of column ``c<i>``."""
        return _filled(self.value, i, scale)

    def certain_sql(self, i: int) -> str:
        """Whether the value of column ``c<i>`` is certain."""
        return _filled(self.certain, i)


_PLACE = re.compile(r"\{([cvs])\}")


def _filled(template: str, i: int, scale: int = 0) -> str:
    # In one pass, so that a place cannot be seen in what was put into another; labels of an enum come in
    # by _quote, which leaves none in them.
    return _PLACE.sub(lambda m: str(scale) if m[1] == "s" else f"{m[1]}{i}", template)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _integer(duck: str) -> Rule:
    return Rule(f"try_cast({{c}} AS {duck})", "{v}::VARCHAR = {c}")


# Both sides read a plain decimal text by correct rounding (fast_float here, strtod there), so any plain
# decimal of moderate length is the same double; exponents, hex and names of infinities go to PostgreSQL.
_FLOAT_CERTAIN = "(strlen({c}) <= 24 AND regexp_full_match({c}, '-?[0-9]+([.][0-9]+)?') AND {v} IS NOT NULL)"

_UUID_SHAPE = "'[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}'"

# ISO dates and times with a four-digit year are read the same under every DateStyle. The shape leaves the
# fields' ranges to DuckDB's cast, which knows the calendar; it excludes what the two engines disagree
# about: hour 24, second 60, a seventh digit (rounded there, cut here). The year 0000 is checked by value.
_DATE_SHAPE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
# A modifier such as timestamp(0) is applied by the binary receive functions as by the input functions.
_TIME_SHAPE = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?"
_YEARS = "{v} >= '0001-01-01' AND {v} < '10000-01-01'"

# More labels than this are not worth an IN list for each value.
_MAX_LABELS = 200


def rule_for(column: Column, *, utc: bool) -> Rule | None:
    """The rule by which values of this column may travel in binary; None: they never may.

    :param utc: the session's TimeZone is UTC, so a timestamptz without a zone is the same instant here.
    """
    if column.kind == "e" or (column.kind == "d" and column.labels):
        if not column.labels or len(column.labels) > _MAX_LABELS:
            return None
        # No brace of a label may look like a place in the rule.
        labels = ", ".join(_quote(label).replace("{", "' || chr(123) || '") for label in column.labels)
        return Rule("{c}", f"{{c}} IN ({labels})")
    if column.base_schema != "pg_catalog":
        return None
    modifier = column.base_typmod
    match column.base:
        case "int2":
            return _integer("SMALLINT")
        case "int4":
            return _integer("INTEGER")
        case "int8":
            return _integer("BIGINT")
        case "numeric":
            # typmod - 4 packs precision and (from 15 on, eleven signed bits of) scale: numeric.c.
            if modifier < 4:
                # The number of decimals is part of the value: '1.50' stays '1.50'. Those that have as many as
                # most of the file's values travel in binary. Eighteen digits fit a machine word.
                return Rule("try_cast({c} AS DECIMAL(18,{s}))", "{v}::VARCHAR = {c}")
            precision, scale = (modifier - 4) >> 16, (modifier - 4) & 0x7FF
            if precision > 38 or scale > precision:
                return None
            # A plain decimal with no more decimals than the column has is not rounded by either side.
            decimals = f"([.][0-9]{{1,{scale}}})?" if scale else ""
            return Rule(
                f"try_cast({{c}} AS DECIMAL({precision},{scale}))",
                f"{_shaped(f'-?[0-9]+{decimals}')} AND {{v}} IS NOT NULL",
            )
        case "float8":
            return Rule("try_cast({c} AS DOUBLE)", _FLOAT_CERTAIN)
        case "float4":
            return Rule("try_cast({c} AS FLOAT)", _FLOAT_CERTAIN + " AND isfinite({v})")
        case "bool":
            # Ten words in any case, all of which boolin() takes as well, and the same way; what it takes
            # beyond them (on, off, prefixes, blanks around) goes to PostgreSQL. Naming the words in SQL costs
            # ten times as much.
            return Rule("try_cast({c} AS BOOLEAN)", "{v} IS NOT NULL")
        case "text":
            return Rule("{c}", "true")
        case "varchar" | "bpchar":
            if modifier < 4:
                return Rule("{c}", "true")
            # The limit counts characters; the cheap test on bytes decides nearly always.
            limit = modifier - 4
            return Rule("{c}", f"(strlen({{c}}) <= {limit} OR length({{c}}) <= {limit})")
        case "date":
            return Rule("try_cast({c} AS DATE)", f"{_shaped(_DATE_SHAPE)} AND {_YEARS}")
        case "timestamp":
            shape = f"{_DATE_SHAPE}([ T]{_TIME_SHAPE})?"
            return Rule("try_cast({c} AS TIMESTAMP)", f"{_shaped(shape)} AND {_YEARS}")
        case "timestamptz":
            # Only instants that say they are UTC, or say nothing in a session that lives in UTC. DuckDB's
            # TIMESTAMP of a text with an offset is the instant in UTC.
            zone = "([+]00(:00)?|Z)" + ("?" if utc else "")
            shape = f"{_DATE_SHAPE}[ T]{_TIME_SHAPE}{zone}"
            return Rule("try_cast({c} AS TIMESTAMP)", f"{_shaped(shape, '+00')} AND {_YEARS}")
        case "time":
            return Rule("try_cast({c} AS TIME)", f"{_shaped(_TIME_SHAPE)} AND {{v}} IS NOT NULL")
        case "uuid":
            return Rule(
                f"CASE WHEN regexp_full_match({{c}}, {_UUID_SHAPE}) THEN unhex(replace({{c}}, '-', '')) END",
                "{v} IS NOT NULL",
            )
        case "bytea":
            return Rule(
                r"CASE WHEN regexp_full_match({c}, '\\x([0-9a-fA-F]{2})*') THEN unhex(substr({c}, 3)) END",
                "{v} IS NOT NULL",
            )
        # json_recv and jsonb_recv parse the text that they are sent, as the input functions do.
        case "json":
            return Rule("{c}", "true")
        case "jsonb":
            return Rule("{c}", "true", jsonb=True)
    return None


def _shaped(shape: str, suffix: str = "") -> str:
    """The text has this shape. The canonical text of the value has it for certain, and comparing with that
    costs a third of a regular expression, so it is asked first.
    """
    canonical = "{v}::VARCHAR" + (f" || '{suffix}'" if suffix else "")
    return f"CASE WHEN {{c}} = {canonical} THEN true ELSE regexp_full_match({{c}}, '{shape}') END"


@dataclass(frozen=True, slots=True)
class Runs:
    """Ordinals of rows in ascending order, as runs of (first, count)."""

    runs: tuple[tuple[int, int], ...]

    @property
    def count(self) -> int:
        return sum(n for _, n in self.runs)

    def __iter__(self) -> Any:
        for first, n in self.runs:
            yield from range(first, first + n)


@dataclass(frozen=True, slots=True)
class Chunk:
    """What a block became: certain rows in typed columns, the others as text, each with its ordinals."""

    block: Block
    typed: pa.RecordBatch | None
    typed_runs: Runs
    text: pa.Table | None
    text_runs: Runs
    faults: tuple[Fault, ...]


class TypedReader:
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
        with TypedReader._serial_lock:
            TypedReader._serial += 1
            self._name = f"/pgsluice-{TypedReader._serial}.csv"
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
        with TypedReader._serial_lock:
            if TypedReader._database is None:
                TypedReader._database = duckdb.connect(config={"threads": 1})
                TypedReader._database.register_filesystem(self._files)
        self._duck = TypedReader._database.cursor()

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
        nulls = ", ".join(_quote(text) for text in (d.null or ("",)))
        return (
            f"read_csv('memory:/{self._name}', auto_detect=false, header=false, delim={_quote(d.delimiter)},"
            f" quote={_quote(d.quote)}, escape={_quote(d.quote)}, nullstr=[{nulls}], allow_quoted_nulls=false,"
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
            return Chunk(block, None, Runs(()), None, Runs(()), block.faults)
        self._files.pipe_file(self._name, block.data)
        runs = Runs(block.ordinals)
        if self.text_only:
            return Chunk(block, None, Runs(()), self._text(block), runs, block.faults)
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
            return Chunk(block, _one_batch(table), runs, None, Runs(()), block.faults)
        if not certain or block.rows - certain > TEXT_SHARE * block.rows:
            # Whole block as text, and from now on all of them.
            self.text_only = True
            return Chunk(block, None, Runs(()), self._text(block), runs, block.faults)
        # The scan once more is half of the query that gave the values, whose terms would all be computed again.
        text = self._text(block).filter(_inverted(ok))
        good, bad = split_runs(block.ordinals, ok.to_numpy())
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


def split_runs(ordinals: tuple[tuple[int, int], ...], mask: Any) -> tuple[Runs, Runs]:
    """The ordinals of the rows where ``mask`` (a numpy array of booleans) holds, and of the others."""
    import numpy as np

    mask = mask.astype(bool)
    every = np.concatenate([np.arange(first, first + n, dtype=np.int64) for first, n in ordinals])
    return runs_of(every[mask]), runs_of(every[~mask])


def runs_of(ordinals: Any) -> Runs:
    """Ascending ordinals (a numpy array) as runs."""
    import numpy as np

    if not len(ordinals):
        return Runs(())
    breaks = np.flatnonzero(np.diff(ordinals) != 1) + 1
    starts = np.concatenate(([0], breaks))
    ends = np.concatenate((breaks, [len(ordinals)]))
    return Runs(tuple((int(ordinals[a]), int(b - a)) for a, b in zip(starts, ends, strict=True)))
