"""pandas to_sql into tables that exist. ``python pandas_to_sql.py JOB``."""

import json
import sys
from pathlib import Path

import pandas as pd
import sqlalchemy

job = json.loads(Path(sys.argv[1]).read_text())
engine = sqlalchemy.create_engine(job["uri"].replace("postgresql://", "postgresql+psycopg2://"))
with engine.begin() as conn:
    for table, files in job["files"].items():
        for file in files:
            frame = pd.read_csv(file, dtype_backend="numpy_nullable")
            frame.to_sql(table, conn, if_exists="append", index=False, chunksize=10_000)
