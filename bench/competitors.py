"""Who loads: for each competitor the state that it starts from and the command that is timed."""

from __future__ import annotations

import compileall
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from bench.workloads import Unavailable, Workload

TOOLS = Path(__file__).parent / "tools"


@dataclass(frozen=True)
class Context:
    """What a competitor is given."""

    workload: Workload
    uri: str
    scratch: Path
    """A folder of its own for each run; the commands run in it."""
    psql: str
    pgsluice: str
    bench_bin: Path

    @property
    def python(self) -> str:
        return str(self.bench_bin / "python")


@dataclass(frozen=True)
class Start:
    """How a run begins: what is in the database before, and the command that is timed."""

    before: str
    command: Sequence[str]


@dataclass(frozen=True)
class Competitor:
    title: str
    start: Callable[[Context], Start]
    check: Callable[[Context], str]
    """The version; raises :class:`Unavailable` when it is not on this machine."""
    note: str = ""


# --------------------------------------------------------------------------- psql

EXPERT = """SET maintenance_work_mem = '1GB';
SET max_parallel_maintenance_workers = 4;
"""


def _literal(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def copies(context: Context, options: str = "", folder: Path | None = None) -> str:
    """psql's \\copy for all files in load order."""
    load = context.workload
    return "".join(
        f"\\copy {table} FROM {_literal(path)} WITH (FORMAT csv, HEADER{options})\n"
        for table in load.order
        for path in load.files(table, folder)
    )


def _psql(context: Context, script: str, before: str) -> Start:
    path = context.scratch / "script.sql"
    path.write_text(script)
    command = [context.psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", context.uri, "-f", str(path)]
    return Start(before, command)


def _copy(context: Context) -> Start:
    return _psql(context, "BEGIN;\n" + copies(context) + "COMMIT;\n", context.workload.schema)


def _hand(context: Context) -> Start:
    load = context.workload
    analyze = "".join(f"ANALYZE {table};\n" for table in load.order)
    script = EXPERT + "BEGIN;\n" + load.tables + copies(context, ", FREEZE", load.reference) + load.indexes + analyze
    return _psql(context, script + load.foreign_keys + "COMMIT;\n", "")


def _floor(context: Context) -> Start:
    load = context.workload
    # Without CHECKs as well: each stands on a line of its own, last in its table.
    tables = re.sub(r",\n    CONSTRAINT .*? CHECK .*?(?=,\n|\n\);)", "", load.tables)
    tables = tables.replace("CREATE TABLE", "CREATE UNLOGGED TABLE")
    return _psql(context, EXPERT + "BEGIN;\n" + tables + copies(context, ", FREEZE") + load.indexes + "COMMIT;\n", "")


def _psql_version(context: Context) -> str:
    return _said(context.psql, "--version")


# --------------------------------------------------------------------------- pgsluice


def _pgsluice(context: Context, folder: Path | None = None) -> Start:
    load = context.workload
    command = [context.pgsluice, "load", str(folder or load.folder), "--database-url", context.uri, "--json"]
    command += ["--data-dir", str(context.scratch)]
    if load.rejects and folder is None:
        command += ["--max-rejects", "all"]
    return Start(load.schema, command)


def _pgsluice_schema(context: Context) -> Start:
    """From where the hand-tuned script starts: an empty database, and a file with the tables."""
    schema = context.scratch / "schema.sql"
    schema.write_text(context.workload.schema)
    return Start("", [*_pgsluice(context, context.workload.reference).command, "--schema", str(schema)])


def _pgsluice_clean(context: Context) -> Start:
    return _pgsluice(context, context.workload.reference)


def _pgsluice_version(context: Context) -> str:
    # As pip does when it installs from a wheel; an editable installation would compile in the first run.
    import pgsluice

    compileall.compile_dir(Path(pgsluice.__file__).parent, quiet=1)
    return _said(context.pgsluice, "--version")


# --------------------------------------------------------------------------- scripts in Python


def _tool(script: str, *options: str, before: Callable[[Workload], str]) -> Callable[[Context], Start]:
    def start(context: Context) -> Start:
        load = context.workload
        job = context.scratch / "job.json"
        files = {table: [str(f) for f in load.files(table)] for table in load.order}
        after = load.indexes + "".join(f"ANALYZE {t};\n" for t in load.order) + load.foreign_keys
        job.write_text(json.dumps({"uri": context.uri, "files": files, "tables": load.tables, "after": EXPERT + after}))
        command = [context.python, str(TOOLS / script), str(job), *options]
        return Start(before(load), command)

    return start


def _module(*names: str) -> Callable[[Context], str]:
    def check(context: Context) -> str:
        code = "import importlib.metadata as m, sys; print(', '.join(f'{n} {m.version(n)}' for n in sys.argv[1:]))"
        try:
            return _said(context.python, "-c", code, *names)
        except Unavailable:
            raise Unavailable(f"not installed: {' or '.join(names)}") from None

    return check


# --------------------------------------------------------------------------- programs


def _pgloader(context: Context) -> Start:
    load = context.workload
    parts = urlsplit(context.uri)
    query = parse_qs(parts.query)
    host = parts.netloc
    if "host" in query:
        host = f"{parts.username or 'postgres'}@unix:{query['host'][0]}:{query.get('port', ['5432'])[0]}"
    commands = []
    for table in load.order:
        for path in load.files(table):
            with path.open() as file:
                header = file.readline().strip().split(",")
            names = ", ".join(f'"{name}" [null if blanks]' for name in header)
            commands.append(
                f"LOAD CSV FROM '{path}' ({names})\n"
                f'  INTO postgresql://{host}{parts.path} TARGET TABLE "public"."{table}"\n'
                f"  WITH skip header = 1, fields terminated by ',', fields optionally enclosed by '\"',\n"
                f"    fields escaped by double-quote, batch rows = 25000, prefetch rows = 100000;\n"
            )
    script = context.scratch / "pgloader.load"
    script.write_text("\n".join(commands))
    return Start(load.schema, ["pgloader", "--on-error-stop", "--root-dir", str(context.scratch), str(script)])


def _pgloader_version(context: Context) -> str:
    if shutil.which("pgloader") is None:
        raise Unavailable("pgloader is not installed (Debian's package pgloader)")
    return _said("pgloader", "--version").replace('"', "").replace("version ", "")


def _csvsql(context: Context) -> Start:
    load = context.workload
    script = context.scratch / "csvsql.sh"
    program = context.bench_bin / "csvsql"
    uri = context.uri.replace("postgresql://", "postgresql+psycopg2://")
    lines = [
        f'"{program}" --db "{uri}" --insert --no-create --snifflimit 0 --chunk-size 1000 --tables {table} "{path}"'
        for table in load.order
        for path in load.files(table)
    ]
    script.write_text("set -e\n" + "\n".join(lines) + "\n")
    return Start(load.schema, ["/bin/sh", str(script)])


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(f"{Path(command[0]).name} does not run: {error}") from error
    return (done.stdout or done.stderr).strip().splitlines()[0]


def _schema(load: Workload) -> str:
    return load.schema


def _nothing(load: Workload) -> str:
    return ""


COMPETITORS: dict[str, Competitor] = {
    "pgsluice": Competitor("pgsluice load", _pgsluice, _pgsluice_version, "into the empty, constrained tables"),
    "pgsluice-schema": Competitor(
        "pgsluice load --schema",
        _pgsluice_schema,
        _pgsluice_version,
        "into an empty database, as the hand-tuned script: the load makes the tables",
    ),
    "hand": Competitor(
        "hand-tuned SQL script",
        _hand,
        _psql_version,
        "one transaction: tables with their CHECKs, \\copy with FREEZE, keys and indexes, ANALYZE, foreign keys;"
        " maintenance_work_mem 1 GB",
    ),
    "copy": Competitor(
        "psql \\copy", _copy, _psql_version, "into the empty, constrained tables, all files in one transaction"
    ),
    "floor": Competitor(
        "floor: \\copy and bare indexes",
        _floor,
        _psql_version,
        "unlogged tables, no CHECKs, no foreign keys, no statistics: less than anybody needs",
    ),
    "pandas-psycopg3": Competitor(
        "pandas + executemany, psycopg 3",
        _tool("pandas_executemany.py", "psycopg", before=_schema),
        _module("pandas", "psycopg"),
        "INSERT in batches of 1,000 rows; psycopg 3 sends a batch as one pipeline",
    ),
    "pandas-psycopg2": Competitor(
        "pandas + executemany, psycopg2",
        _tool("pandas_executemany.py", "psycopg2", before=_schema),
        _module("pandas", "psycopg2-binary"),
        "INSERT in batches of 1,000 rows",
    ),
    "pandas-to_sql": Competitor(
        "pandas to_sql",
        _tool("pandas_to_sql.py", before=_schema),
        _module("pandas", "sqlalchemy", "psycopg2-binary"),
        "if_exists='append', chunks of 10,000 rows",
    ),
    "csvsql": Competitor("csvsql (csvkit)", _csvsql, _module("csvkit", "agate-sql"), "--insert --no-create"),
    "dlt": Competitor(
        "dlt",
        _tool("dlt_load.py", before=_nothing),
        _module("dlt"),
        "makes tables of its own, from pyarrow's typed batches; files go by COPY (csv)",
    ),
    "pgloader": Competitor("pgloader", _pgloader, _pgloader_version, "into the empty, constrained tables"),
    "duckdb": Competitor(
        "DuckDB's postgres extension",
        _tool("duckdb_postgres.py", before=_nothing),
        _module("duckdb", "duckdb-extension-postgres-scanner"),
        "INSERT ... SELECT FROM read_csv into bare tables, then the hand-tuned script's keys",
    ),
    "adbc": Competitor(
        "ADBC ingest",
        _tool("adbc_ingest.py", before=_nothing),
        _module("adbc-driver-postgresql", "pyarrow"),
        "pyarrow's CSV reader, adbc_ingest into bare tables, then the hand-tuned script's keys",
    ),
    "pgsluice-clean": Competitor("pgsluice load, the good rows alone", _pgsluice_clean, _pgsluice_version, ""),
    "hand-clean": Competitor(
        "hand-tuned SQL script, the good rows alone", _hand, _psql_version, "stops at the first bad row"
    ),
}
