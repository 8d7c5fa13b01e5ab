"""COPY into a relation: typed Arrow columns as binary, Arrow strings as quoted CSV, records of a file unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import psycopg.copy
from psycopg import generators, pq, sql, waiting

from pgsluice.model import Dialect

if TYPE_CHECKING:
    import pyarrow as pa
    from psycopg.abc import Buffer, PQGen
    from psycopg.pq.abc import PGresult


# A batch is encoded in slices. pgpq holds the interpreter's lock while it encodes. With small slices the server works
# on one slice while pgpq encodes the next (a Unix socket buffers about 200 kB). With a whole block the server would be
# idle for the 20 ms that the encoding takes.
_SLICE_ROWS = 2048


# A slice is encoded in memory as a whole, so rows that are long on average need slices of fewer rows.
_SLICE_BYTES = 1 << 20


# The data of a text or CSV COPY are sent in pieces of this size, so that libpq does not copy all data at once.
_PIECE_BYTES = 1 << 18


def copy_statement(
    relation: sql.Composable, columns: Sequence[str], *, binary: bool, freeze: bool = False
) -> sql.Composed:
    """Returns ``COPY relation (columns) FROM STDIN`` for data that pgsluice writes.

    :param binary: True for the binary format. False for CSV, where an empty field without quotes is NULL.
    :param freeze: whether to write frozen rows. PostgreSQL allows that for a table that was created or truncated in
        this transaction, and not in a savepoint.
    """
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    options = [sql.SQL("FORMAT binary") if binary else sql.SQL("FORMAT csv, NULL ''")]
    if freeze:
        options.append(sql.SQL("FREEZE"))
    return sql.SQL("COPY {} ({}) FROM STDIN ({})").format(relation, names, sql.SQL(", ").join(options))


def reads_as_is(dialect: Dialect) -> bool:
    """Whether COPY has options for this dialect: delimiter and quote of one byte each, a text for NULL without them.

    COPY has one text for NULL. Where the dialect has several, :func:`block_reads_as_is` decides for each block.

    Source: PostgreSQL manual, COPY.
    """
    marks = dialect.delimiter, dialect.quote
    null = dialect.null_texts[0]
    return (
        all(len(m.encode()) == 1 for m in marks)
        and not any(c in null for c in (*marks, "\r", "\n"))
        # FORCE_NULL compares a quoted field with the text for NULL.
        and not (null and dialect.empty_as_null)
        and not dialect.formats
    )


def block_reads_as_is(dialect: Dialect, data: bytes) -> bool:
    """Whether COPY reads these records as the dialect says: they contain no further text for NULL.

    :param dialect: a dialect for which :func:`reads_as_is` is true.
    """
    return not any(text.encode() in data for text in dialect.null_texts[1:])


# Characters that COPY accepts as delimiter in CSV and not in the text format (``ProcessCopyOptions``, copy.c).
_NO_DELIMITERS = frozenset(b"\\.abcdefghijklmnopqrstuvwxyz0123456789")


def copy_as_is(
    relation: sql.Composable,
    columns: Sequence[str],
    dialect: Dialect,
    data: bytes,
    *,
    force_null: Sequence[str] = (),
    freeze: bool,
) -> sql.Composed:
    """Returns ``COPY relation (columns) FROM STDIN`` for records as a file of this dialect contains them.

    For records without quotes and backslashes the text format gives the same rows as CSV. The text format takes 5 %
    less time, because COPY does not look for quotes (medians of 32 loads of three million orders).

    :param data: the records; they decide whether the text format is possible.
    :param force_null: the columns in which a quoted empty field is NULL.
    :param freeze: as for :func:`copy_statement`.
    """
    delimiter, quote = dialect.delimiter.encode(), dialect.quote.encode()
    null = dialect.null_texts[0]
    options: list[sql.Composable] = [
        sql.SQL("DELIMITER {}, NULL {}").format(sql.Literal(dialect.delimiter), sql.Literal(null))
    ]
    if quote in data or b"\\" in data or "\\" in null or delimiter[0] in _NO_DELIMITERS:
        options = [
            sql.SQL("FORMAT csv"),
            *options,
            sql.SQL("QUOTE {}").format(sql.Literal(dialect.quote)),
        ]
        if force_null:
            forced = sql.SQL(", ").join(map(sql.Identifier, force_null))
            options.append(sql.SQL("FORCE_NULL ({})").format(forced))
    if freeze:
        options.append(sql.SQL("FREEZE"))
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("COPY {} ({}) FROM STDIN ({})").format(relation, names, sql.SQL(", ").join(options))


class ListeningWriter(psycopg.copy.Writer):
    """Sends COPY data and reads meanwhile what the server sends: ``cursor.copy(..., writer=ListeningWriter(cursor))``.

    psycopg's own writer waits only until it can write (psycopg 3.3, ``generators.copy_to``). An error of PostgreSQL
    quotes the value that it refuses. With a value of a megabyte the error is larger than the buffer of the socket:
    PostgreSQL does not read until its error is read, and both sides wait for ever. A million notices of a trigger have
    the same effect.
    """

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        self._cursor = cursor
        self._pgconn = cursor.connection.pgconn

    def write(self, data: Buffer) -> None:
        """Sends data and returns when libpq has handed all of them to the socket."""
        self._cursor.connection.wait(self._put(data))

    def finish(self, exc: BaseException | None = None) -> None:
        """Ends the COPY.

        :param exc: the error in the caller that ends the COPY early; the server then discards the rows.
        :raises psycopg.Error: PostgreSQL refused the data, and ``exc`` is None.
        """
        why = None if exc is None else f"error from Python: {type(exc).__qualname__} - {exc}".encode()
        result = self._cursor.connection.wait(self._end(why))
        if result.status == pq.ExecStatus.COMMAND_OK:
            self._cursor._results = [result]  # as psycopg's own writer does
        elif exc is None:
            raise psycopg.errors.error_from_result(result, encoding=self._cursor.connection.info.encoding)

    def _put(self, data: Buffer) -> PQGen[None]:
        while self._pgconn.put_copy_data(data) == 0:
            yield from self._wait()
        while self._pgconn.flush():
            yield from self._wait()

    def _end(self, why: bytes | None) -> PQGen[PGresult]:
        while self._pgconn.put_copy_end(why) == 0:
            yield from self._wait()
        while self._pgconn.flush():
            yield from self._wait()
        results: list[PGresult] = yield from generators.fetch_many(self._pgconn)
        return results[-1]

    def _wait(self) -> PQGen[None]:
        """Waits until the socket can be written to or read from, and reads what has arrived."""
        ready = 0
        while not ready:
            ready = yield waiting.Wait.RW
        if ready & waiting.Ready.R:
            self._pgconn.consume_input()


class BinaryEncoder:
    """Encodes Arrow record batches of one schema for a binary COPY."""

    def __init__(self, schema: pa.Schema, jsonb: Sequence[int] = ()) -> None:
        """:param jsonb: positions of the string columns that have the type jsonb in the table."""
        import pgpq

        self._make = pgpq.ArrowToPostgresBinaryEncoder
        self._schema = schema
        self._builders: dict[str, Any] | None = None
        if jsonb:
            from pgpq import encoders
            from pgpq.schema import Jsonb

            builders = {f.name: self._make.infer_encoder(f) for f in schema}
            for i in jsonb:
                builders[schema.field(i).name] = encoders.StringEncoderBuilder.new_with_output(schema.field(i), Jsonb())
            self._builders = builders

    def send(self, copy: psycopg.Copy, batch: pa.RecordBatch) -> None:
        """Writes a batch to ``copy`` as a complete binary stream: header, rows, trailer."""
        if self._builders is None:
            encoder = self._make(self._schema)
        else:
            encoder = self._make.new_with_encoders(self._schema, self._builders)
        copy.write(encoder.write_header())
        rows = batch.num_rows
        step = _SLICE_ROWS
        if rows and batch.nbytes // rows * step > _SLICE_BYTES:
            step = max(1, _SLICE_BYTES * rows // batch.nbytes)
        for start in range(0, rows, step):
            copy.write(encoder.write_batch(batch.slice(start, step)))
        copy.write(encoder.finish())


def copy_in(conn: psycopg.Connection[Any], statement: sql.Composed | LiteralString, data: memoryview) -> int:
    """Sends data with a COPY ... FROM STDIN in the text or CSV format.

    :returns: the number of rows that PostgreSQL copied.
    :raises psycopg.Error: PostgreSQL refused the data.
    """
    with conn.cursor() as cursor:
        with cursor.copy(statement, writer=ListeningWriter(cursor)) as copy:
            for start in range(0, len(data), _PIECE_BYTES):
                copy.write(data[start : start + _PIECE_BYTES])
        return cursor.rowcount


def copy_batch(
    conn: psycopg.Connection[Any],
    statement: sql.Composed | LiteralString,
    encoder: BinaryEncoder,
    batch: pa.RecordBatch,
) -> int:
    """Sends a batch with a COPY ... FROM STDIN (FORMAT binary).

    :returns: the number of rows that PostgreSQL copied.
    :raises psycopg.Error: PostgreSQL refused the data.
    """
    with conn.cursor() as cursor:
        with cursor.copy(statement, writer=ListeningWriter(cursor)) as copy:
            encoder.send(copy, batch)
        return cursor.rowcount


def csv_bytes(table: pa.Table) -> memoryview:
    """Returns a table of strings as CSV for COPY.

    Every value is quoted and NULL is an empty field without quotes, so that COPY cannot confuse a value with NULL.
    """
    import pyarrow as pa
    import pyarrow.csv as pc

    sink = pa.BufferOutputStream()
    pc.write_csv(table, sink, pc.WriteOptions(include_header=False, quoting_style="all_valid"))
    return memoryview(sink.getvalue())
