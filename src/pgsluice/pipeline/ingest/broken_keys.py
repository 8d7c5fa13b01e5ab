"""Keys of records that cannot be parsed: what can be read of them tells their children from orphans."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import sql

from pgsluice.pipeline.ingest.batch import Batch
from pgsluice.postgres.copy import copy_in, csv_bytes
from pgsluice.source.blocks import Fault
from pgsluice.source.records.readable import readable_fields


def store_readable_keys(conn: psycopg.Connection, batch: Batch, faults: Sequence[Fault], *, translated: bool) -> None:
    """Stores the columns of broken records that other tables of the run reference, as far as they can be read.

    :param conn: the main connection.
    :param translated: the bytes of the faults are in the plain dialect of blocks.
    """
    import pyarrow as pa

    scratch, columns = batch.table_run.scratch, batch.file.plan.columns
    places = {name: columns.index(name) for name in scratch.watched if name in columns}
    if not places:
        return
    dialect = batch.file.plan.file.dialect
    dialect = dialect.in_blocks if translated else dialect
    ordinals: list[int] = []
    keys: list[list[str | None]] = [[] for _ in scratch.watched]
    for fault in faults:
        fields = readable_fields(fault.raw, dialect, len(columns))
        found = [fields[p] if (p := places.get(name, len(columns))) < len(fields) else None for name in scratch.watched]
        if any(key is not None and "\0" not in key for key in found):
            ordinals.append(batch.file.base + fault.ordinal)
            for values, key in zip(keys, found, strict=True):
                values.append(None if key is None or "\0" in key else key)
    if not ordinals:
        return
    scratch.ensure_rejected_keys(conn)
    rows = pa.table(
        [pa.array(ordinals), *(pa.array(values, pa.string()) for values in keys)], ["ordinal", *scratch.watched]
    )
    try:
        with conn.transaction():
            copy_in(conn, sql.SQL("COPY {} FROM STDIN (FORMAT csv)").format(scratch.rejected_keys), csv_bytes(rows))
    except psycopg.DataError:
        # The encoding of the database lacks a character: these records keep their children as orphans.
        return
