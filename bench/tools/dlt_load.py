"""dlt with its fastest way into PostgreSQL: Arrow batches, written as CSV, sent by COPY.

``python dlt_load.py JOB``: the tables are made by dlt, in the schema ``dlt``.
"""

import json
import os
import sys

import dlt
import pyarrow.csv

job = json.load(open(sys.argv[1]))
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"


def batches(files):
    for file in files:
        options = pyarrow.csv.ParseOptions(newlines_in_values=True)
        convert = pyarrow.csv.ConvertOptions(
            strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""]
        )
        yield from pyarrow.csv.open_csv(file, parse_options=options, convert_options=convert)


pipeline = dlt.pipeline(
    "bench", destination=dlt.destinations.postgres(job["uri"]), dataset_name="dlt", pipelines_dir=os.getcwd()
)
pipeline.run(
    [dlt.resource(batches(files), name=table) for table, files in job["files"].items()], loader_file_format="csv"
)
