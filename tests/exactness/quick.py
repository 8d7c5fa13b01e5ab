"""The quick reader on the same values, past the loader: what it reads goes straight into PostgreSQL in binary.

A block with one value that it does not read is none of its own, so that a file of random values would never get
through it. Here each value is a block by itself. Those that it reads are stored in binary, and compared with what the
oracle stored; those that the oracle refused must be refused in binary as well. Blocks of several values are read too:
one that is read must hold nothing but values that are read alone, and as the same. So must the rows that the forgiving
reader reads of a block.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from random import Random
from typing import TYPE_CHECKING

import psycopg
import pyarrow as pa
from psycopg import sql

from exactness.values import Value
from pgsluice.model import Dialect, Table
from pgsluice.postgres.copy import BinaryEncoder, copy_batch, copy_statement
from pgsluice.source.blocks import Block, block_of
from pgsluice.source.typed.arrow_reader import ArrowReader
from pgsluice.source.typed.partly.reader import PartlyReader

if TYPE_CHECKING:
    from collections.abc import Callable

_DIALECT = Dialect(header=False)
_NAMES = ("id", "v")


def reader_for(table: Table, *, utc: bool) -> ArrowReader:
    """For files with the columns ``id`` and ``v``."""
    return ArrowReader([table.column(name) for name in _NAMES], _DIALECT, utc=utc)


def block(fields: Mapping[int, bytes]) -> Block | None:
    """The records with these fields for ``v``; None when one of them is none."""
    data = b"".join(b"%d,%s\n" % item for item in fields.items())
    made = block_of(data, _DIALECT, _NAMES, 0, 1)
    return None if made.faults or made.rows != len(fields) else made


def alone(reader: ArrowReader, fields: Mapping[int, bytes]) -> dict[int, pa.RecordBatch]:
    """What the reader makes of each field as a block by itself, where it makes anything."""
    found = {}
    for i, field in fields.items():
        made = block({i: field})
        if made is not None and (batch := reader.read(made)) is not None:
            found[i] = batch
    return found


def together(
    reader: ArrowReader, fields: Mapping[int, bytes], one: Mapping[int, pa.RecordBatch], r: Random
) -> Iterator[tuple[int, str]]:
    """What blocks of several values are read as, and should not be.

    Half of them are made of values that are read alone, as few others are read together.
    """
    for ids in (list(fields), list(one)):
        r.shuffle(ids)
        rest = iter(ids)
        while some := list(itertools.islice(rest, r.choice([2, 2, 3, 8]))):
            made = block({i: fields[i] for i in some})
            batch = reader.read(made) if made is not None else None
            if batch is None:
                continue
            yield from _unlike(dict(enumerate(some)), batch, one)


def partly(
    reader: ArrowReader, fields: Mapping[int, bytes], one: Mapping[int, pa.RecordBatch], r: Random
) -> Iterator[tuple[int, str]]:
    """What the forgiving reader reads in blocks of several values, and should not."""
    ids = list(fields)
    r.shuffle(ids)
    rest = iter(ids)
    while some := list(itertools.islice(rest, r.choice([2, 3, 8, 40]))):
        made = block({i: fields[i] for i in some})
        chunk = PartlyReader(reader, _DIALECT, _NAMES).read(made) if made is not None else None
        if chunk is not None and chunk.typed is not None:
            yield from _unlike({n: some[place] for n, place in enumerate(chunk.typed_ordinals)}, chunk.typed, one)


def _unlike(
    ids: Mapping[int, int], batch: pa.RecordBatch, one: Mapping[int, pa.RecordBatch]
) -> Iterator[tuple[int, str]]:
    """The values of a batch that are not the same as those that are read alone."""
    for n, i in ids.items():
        got, own = batch.column(1)[n], one[i].column(1)[0] if i in one else None
        # The types may differ: a number has the decimals, an instant the zone, of all.
        if own is None or not got.equals(own.cast(got.type) if own.type != got.type else own):
            yield i, f"read among others as {got!r}, alone as {own!r}"


def store(
    conn: psycopg.Connection, table: Table, batches: Mapping[int, pa.RecordBatch], refused: Mapping[int, str]
) -> dict[int, str]:
    """Puts the values into the table, in binary.

    :param refused: those that the oracle refused, which go one by one.
    :return: those that PostgreSQL refused here, with the oracle's SQLSTATE where it has one: which one it is does not
        matter, as the loader asks another way then.
    """
    target = sql.Identifier(table.name.schema, table.name.name)
    statement = copy_statement(target, _NAMES, binary=True)
    jsonb = [1] if table.column("v").base == "jsonb" else []
    said: dict[int, str] = {}

    def put(batch: pa.RecordBatch) -> str | None:
        try:
            with conn.transaction():
                copy_batch(conn, statement, BinaryEncoder(batch.schema, jsonb), batch)
        except psycopg.Error as error:
            return str(error.sqlstate)
        return None

    singly: list[int] = [i for i in batches if i in refused]
    by_shape: dict[str, list[int]] = {}
    for i, batch in batches.items():
        if i not in refused:
            by_shape.setdefault(str(batch.schema), []).append(i)
    for ids in by_shape.values():
        whole = pa.Table.from_batches([batches[i] for i in ids]).combine_chunks().to_batches()[0]
        if put(whole) is not None:
            singly += ids
    for i in singly:
        if (code := put(batches[i])) is not None:
            said[i] = refused.get(i, code)
    return said


def differences(
    conn: psycopg.Connection,
    table: Table,
    values: Mapping[int, Value],
    codes: Mapping[int, str],
    r: Random,
    *,
    utc: bool,
    field: Callable[[Value], bytes],
    differ: Callable[[Mapping[int, Value], Mapping[int, str]], list[tuple[int, str]]],
) -> tuple[int, list[tuple[int, str]]]:
    """How many values were read, and which of them were read wrongly.

    :param codes: the SQLSTATE of each value that the oracle refused.
    :param field: a value as it stands in a file.
    :param differ: compares what the tables hold and what was refused.
    """
    reader = reader_for(table, utc=utc)
    if not reader.possible:
        return 0, []
    fields = {i: field(value) for i, value in values.items()}
    batches = alone(reader, fields)
    found = [*together(reader, fields, batches, r), *partly(reader, fields, batches, r)]
    conn.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table.name.schema, table.name.name)))
    said = store(conn, table, batches, codes)
    found += differ({i: values[i] for i in batches}, said)
    return len(batches), found
