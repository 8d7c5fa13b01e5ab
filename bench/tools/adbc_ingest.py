"""pyarrow reads the CSV files, ADBC's driver for PostgreSQL takes the batches. ``python adbc_ingest.py JOB``."""

import json
import re
import sys
from pathlib import Path

import adbc_driver_postgresql.dbapi
import pyarrow as pa
import pyarrow.csv

job = json.loads(Path(sys.argv[1]).read_text())

TYPES = {
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp with time zone": pa.timestamp("us", "UTC"),
}


def arrow_type(name):
    if numeric := re.fullmatch(r"numeric\((\d+),(\d+)\)", name):
        return pa.decimal128(int(numeric[1]), int(numeric[2]))
    return TYPES.get(name, pa.string())


with adbc_driver_postgresql.dbapi.connect(job["uri"]) as conn, conn.cursor() as cursor:
    for statement in job["tables"].split(";\n"):
        if statement.strip():
            cursor.execute(statement)
    for table, files in job["files"].items():
        cursor.execute(
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute"
            f" WHERE attrelid = '{table}'::regclass AND attnum > 0 ORDER BY attnum"
        )
        types = {name: arrow_type(kind) for name, kind in cursor.fetchall()}
        convert = pyarrow.csv.ConvertOptions(
            column_types=types,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
            timestamp_parsers=["%Y-%m-%d %H:%M:%S+00", pyarrow.csv.ISO8601],
        )
        for file in files:
            reader = pyarrow.csv.open_csv(
                file, parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True), convert_options=convert
            )
            cursor.adbc_ingest(table, reader, mode="append")
    for statement in job["after"].split(";\n"):
        if statement.strip():
            cursor.execute(statement)
    conn.commit()
