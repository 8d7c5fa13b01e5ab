"""The forgiving reader: Arrow reads the rows of a block whose values are certain, and the other rows stay text.

:class:`~pgsluice.source.typed.arrow_reader.ArrowReader` reads a whole block or nothing. This reader reads the columns
that Arrow cannot read whole as texts, leaves out the rows whose texts do not have the shape of their type
(:mod:`~pgsluice.source.typed.partly.shapes`), and has the rules of that reader judge the texts that remain. It takes a
third of the time of :class:`~pgsluice.source.typed.duckdb_reader.DuckDBReader`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pgsluice.model import Dialect
from pgsluice.source.blocks import Block, recheck
from pgsluice.source.typed.arrow_reader import ArrowReader
from pgsluice.source.typed.arrow_values import Uncertain
from pgsluice.source.typed.duckdb_reader import Chunk
from pgsluice.source.typed.ordinals import split_ordinals
from pgsluice.source.typed.partly.shapes import fitting

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_WRONG = 64
"""Texts with the shape of their type that are no value (a 30 February), in a column of a block, that are looked for."""


class PartlyReader:
    """Reads blocks of one file. Once a column has been read as texts, it is read so in all further blocks."""

    def __init__(self, arrow: ArrowReader, dialect: Dialect, names: Sequence[str]) -> None:
        """:param names: names for all fields of a record, for messages."""
        self._arrow = arrow
        self._dialect = dialect
        self._names = tuple(names)
        self._as_texts: set[int] = set()

    def read(self, block: Block) -> Chunk | None:
        """The block in two parts; None if this reader cannot divide it.

        Where a record has too few or too many fields, the block has been parsed record by record and has more faults.
        """
        columns = self._parse(block) if block.rows else None
        if columns is None and not block.exact:
            block = recheck(block, self._dialect, self._names)
            columns = self._parse(block) if block.rows else None
        return None if columns is None or self._has_quoted_nulls(columns) else self._divided(block, columns)

    def _has_quoted_nulls(self, columns: list[pa.Array]) -> bool:
        """Whether a quoted empty field stands for NULL, which Arrow does not know."""
        import pyarrow.compute as pc

        return self._dialect.in_blocks.empty_as_null and any(
            pc.equal(columns[i], "").true_count for i in self._as_texts if not self._arrow.columns[i].is_text
        )

    def _divided(self, block: Block, columns: list[pa.Array]) -> Chunk | None:
        import numpy as np
        import pyarrow as pa

        arrow = self._arrow
        typed: list[pa.Array] = []
        good = np.ones(block.rows, bool)
        late: list[int] = []
        for i, column in enumerate(arrow.columns):
            values = columns[i]
            if column.not_null and values.null_count:
                good &= values.is_valid().to_numpy(zero_copy_only=False)
            try:
                typed.append(arrow.convert(i, values))
            except (pa.ArrowInvalid, Uncertain):
                good &= fitting(column, values)
                typed.append(values)
                late.append(i)
        for i in late:
            if (accepted := self._accepted(i, columns[i], good)) is None:
                return None
            good &= accepted
        keep = pa.array(good)
        try:
            rows = [arrow.convert(i, a.filter(keep)) if i in late else a.filter(keep) for i, a in enumerate(typed)]
        except (pa.ArrowInvalid, Uncertain):
            return None
        certain, others = split_ordinals(block.ordinals, good)
        text = pa.table(
            [c.filter(pa.array(~good)).cast(pa.string()) for c in columns], names=[f"c{i}" for i in range(len(columns))]
        )
        batch = pa.RecordBatch.from_arrays(rows, names=text.column_names)
        return Chunk(block, batch, certain, text, others, block.faults)

    def _parse(self, block: Block) -> list[pa.Array] | None:
        """The columns as Arrow parses them; those with a value that Arrow does not read, as texts."""
        import pyarrow as pa

        while True:
            try:
                columns = self._arrow.parse(block, frozenset(self._as_texts))
            except pa.ArrowInvalid as error:
                found = re.match(r"In CSV column #(\d+):", str(error))
                position = int(found[1]) if found else -1
                # Arrow has no cast of texts to times of day.
                if position < 0 or position in self._as_texts or self._arrow.columns[position].base == "time":
                    return None
                self._as_texts.add(position)
                continue
            if columns is None or len(columns[0]) != block.rows:
                return None
            return columns

    def _accepted(self, i: int, values: pa.Array, good: Any) -> Any:
        """Which of the good rows the rule of column ``i`` accepts; None if many are wrong, or no single row is."""
        import numpy as np
        import pyarrow as pa

        places = np.flatnonzero(good)
        wrong: list[int] = []

        def accepts(some: Any) -> bool:
            try:
                self._arrow.convert(i, values.take(pa.array(some)))
            except (pa.ArrowInvalid, Uncertain):
                return False
            return True

        if not _divide(places, accepts, wrong):
            return None
        accepted = np.ones(len(good), bool)
        accepted[wrong] = False
        return accepted


def _divide(places: Any, accepts: Callable[[Any], bool], wrong: list[int]) -> bool:
    """Finds the places that are not accepted, by bisecting; False if they are too many."""
    if not len(places) or accepts(places):
        return True
    if len(places) == 1:
        wrong.append(int(places[0]))
        return len(wrong) <= _MOST_WRONG
    half = len(places) // 2
    return _divide(places[:half], accepts, wrong) and _divide(places[half:], accepts, wrong)
