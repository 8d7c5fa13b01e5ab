"""Time zones in the values of columns that keep none.

PostgreSQL reads ``2020-01-31T10:00:00+05:00`` for a ``timestamp`` without an error, and drops the zone (manual, section
8.5.1.3): the moment is another one then.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pgsluice.source.blocks import Block
from pgsluice.source.typed.duckdb_reader import DuckDBReader
from pgsluice.source.typed.witness import Witness, first_where, witness_of

_ZONE = r":[0-9]{2}(?:[.,][0-9]+)?[ ]?[+-](?:0[1-9]|1[0-9])(?::?[0-9]{2})?\s*"
"""A time with a zone other than UTC. Programs that write UTC everywhere mean columns without a zone."""

_SOMEWHERE = re.compile(_ZONE.encode())

_HEAD_BYTES = 1 << 16
"""A file whose times have zones has such a time here."""


class ZoneScan:
    """Looks for zones in the first block of a file.

    :param columns: the names of columns that keep no zone.
    :param reader: reads the blocks of the file.
    """

    def __init__(self, columns: Sequence[str], reader: DuckDBReader) -> None:
        self._reader = reader
        self._fields = {name: field for name, field in reader.fields.items() if name in columns}
        self._looked = False
        self.found: dict[str, Witness] = {}
        """For each column the first value with a zone."""

    def add(self, block: Block) -> None:
        """Looks at a block, if it is the first.

        :raises FileError: the block cannot be read.
        """
        if self._looked or not self._fields:
            return
        self._looked = True
        if not _SOMEWHERE.search(block.data[:_HEAD_BYTES]):
            return
        fields = self._fields.values()
        inner = ", ".join(f"{c} AS {c}_t, regexp_matches({c}, '{_ZONE}$') AS {c}_zoned" for c in fields)
        outer = ", ".join(part for c in fields for part in first_where(c, "zone", f"{c}_zoned"))
        block, row = self._reader.aggregate(block, inner, outer)
        for name, c in self._fields.items():
            if (place := row[f"{c}_zone"]) is not None:
                self.found[name] = witness_of(block, place, row[f"{c}_zone_t"])
