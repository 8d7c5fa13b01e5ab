"""The rows behind the counts of a :class:`~pgsluice.model.RejectsResult`: as objects, or as a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from pgsluice.model.results import Reject

Source = Callable[[], "Iterator[Reject]"]

_AT_ONCE = 10_000
"""How many rejects are Python objects at a time while a table is made of them."""


class RejectSource:
    """Reads rejects from the ledger of the run. The source is no field: JSON, ``==`` and ``repr()`` do not see it."""

    __slots__ = ("_source",)

    _source: Source

    def set_source(self, source: Source) -> None:
        """Says where the rejects come from.

        :param source: opens a connection of its own, and returns the rejects in load order.
        """
        object.__setattr__(self, "_source", source)

    def rows(self) -> Iterator[Reject]:
        """Yields the open rejects in load order, one object for each. They are read from the ledger as a stream.

        :raises LookupError: the result was not returned by a function of pgsluice, but copied or read from a file.
        :raises DatabaseError: the database cannot be reached.
        """
        try:
            source = self._source
        except AttributeError as error:
            raise LookupError(
                "a copy of a result does not know its database: call pgsluice.reject_rows(run_id)"
            ) from error
        return source()

    def to_arrow(self) -> pyarrow.Table:
        """Returns the open rejects as a table of Arrow, with a column for each field of :class:`Reject` but ``marks``.

        :raises LookupError, DatabaseError: as for :meth:`rows`.
        """
        import pyarrow as pa

        from pgsluice.model.results import Reject

        fields = [f for f in dataclasses.fields(Reject) if f.name != "marks"]
        schema = pa.schema([(f.name, pa.string() if f.type == "str" else pa.int64()) for f in fields])
        rows, batches = self.rows(), []
        while some := list(islice(rows, _AT_ONCE)):
            columns = [pa.array([getattr(r, f.name) for r in some], schema.field(f.name).type) for f in fields]
            batches.append(pa.record_batch(columns, schema))
        return pa.Table.from_batches(batches, schema)

    def to_pandas(self, **options: Any) -> pandas.DataFrame:
        """Returns the open rejects as a data frame, with a column for each field of :class:`Reject` but ``marks``.

        :param options: keyword arguments for ``pyarrow.Table.to_pandas``.
        :raises ModuleNotFoundError: pandas is not installed.
        :raises LookupError, DatabaseError: as for :meth:`rows`.
        """
        try:
            import pandas  # noqa: F401
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("to_pandas() needs pandas: pip install pandas", name="pandas") from error
        return self.to_arrow().to_pandas(**options)
