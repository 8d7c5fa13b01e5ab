"""DuckDB reads the CSV files and writes through its extension for PostgreSQL. ``python duckdb_postgres.py JOB``."""

import json
import sys
from pathlib import Path

import duckdb
import duckdb_extensions
import psycopg

job = json.loads(Path(sys.argv[1]).read_text())
with psycopg.connect(job["uri"]) as conn:
    conn.execute(job["tables"])
duckdb_extensions.import_extension("postgres_scanner")
duck = duckdb.connect()
duck.execute("LOAD postgres_scanner")
duck.execute(f"ATTACH '{job['uri']}' AS pg (TYPE postgres)")
duck.execute("SET TimeZone = 'UTC'")
duck.execute("BEGIN")
for table, files in job["files"].items():
    rows = duck.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = 'pg' AND schema_name = 'public'"
        " AND table_name = ? ORDER BY column_index",
        [table],
    ).fetchall()
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in rows)
    for file in files:
        duck.execute(
            f"INSERT INTO pg.public.{table} SELECT * FROM"
            f" read_csv('{file}', header=true, auto_detect=false, quote='\"', escape='\"', delim=',',"
            f" columns={{{columns}}})"
        )
duck.execute("COMMIT")
duck.close()
with psycopg.connect(job["uri"]) as conn:
    conn.execute(job["after"])
