"""dlt with its fastest way into PostgreSQL: Arrow batches, written as CSV, sent by COPY.

``python dlt_load.py JOB``: the tables are made by dlt, in the schema ``dlt``.
"""

import json
import os
import sys
from pathlib import Path
from urllib.parse import quote, urlencode

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

import dlt
import pyarrow.csv
from psycopg.conninfo import conninfo_to_dict

job = json.loads(Path(sys.argv[1]).read_text())
address = conninfo_to_dict(job["uri"])
# dlt wants a host and a password; a server that trusts does not look at the one, and libpq takes the host
# that stands behind the question mark.
login = f"{quote(address['user'])}:{quote(address.get('password', 'none'))}"
query = urlencode({"host": address["host"], "port": address["port"]})
credentials = f"postgresql://{login}@localhost/{address['dbname']}?{query}"


def batches(files):
    for file in files:
        options = pyarrow.csv.ParseOptions(newlines_in_values=True)
        convert = pyarrow.csv.ConvertOptions(
            strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""]
        )
        yield from pyarrow.csv.open_csv(file, parse_options=options, convert_options=convert)


destination = dlt.destinations.postgres(credentials)
pipeline = dlt.pipeline("bench", destination=destination, dataset_name="dlt", pipelines_dir=os.getcwd())
pipeline.run(
    [dlt.resource(batches(files), name=table) for table, files in job["files"].items()], loader_file_format="csv"
)
