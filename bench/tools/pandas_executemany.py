"""pandas + executemany: what most tutorials do. ``python pandas_executemany.py JOB psycopg|psycopg2``."""

import importlib
import json
import sys
from pathlib import Path

import pandas as pd

job = json.loads(Path(sys.argv[1]).read_text())
conn = importlib.import_module(sys.argv[2]).connect(job["uri"])
cursor = conn.cursor()
for table, files in job["files"].items():
    for file in files:
        frame = pd.read_csv(file, dtype_backend="numpy_nullable")
        rows = frame.astype(object).where(frame.notna(), None).values.tolist()
        columns = ", ".join(frame.columns)
        places = ", ".join(["%s"] * len(frame.columns))
        for start in range(0, len(rows), 1000):
            cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", rows[start : start + 1000])
conn.commit()
conn.close()
