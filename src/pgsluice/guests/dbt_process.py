"""The process that runs dbt: ``python -P -m pgsluice.guests.dbt_process``.

Its first line of standard input is a JSON object that says what to build. It writes JSON objects, one on each line, to
standard output: what begins, and at the end the result. When standard input ends before, the process that started it
is gone, and the build is cancelled.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

OK = frozenset({"success", "pass", "warn", "no-op", "reused"})
"""Statuses of dbt that are no failure."""

_NAME = "pgsluice"
"""The name of the profile and the target that are made for a run."""

_SECONDS_TO_CANCEL = 5

Say = Callable[[dict[str, Any]], None]


class NotBuilt(Exception):
    """The project cannot be built as a whole."""


def main() -> None:
    """Builds the project that standard input names."""
    asked = json.loads(sys.stdin.readline())
    # dbt prints to standard output.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    lock = threading.Lock()

    def say(message: dict[str, Any]) -> None:
        with lock:
            out.write(json.dumps(message) + "\n")
            out.flush()

    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        ended = build(asked, say)
    except NotBuilt as error:
        ended = {"ok": False, "message": str(error)}
    except KeyboardInterrupt:
        os._exit(130)
    say(ended)
    # Threads of dbt's telemetry and of its connections may linger.
    os._exit(0)


def _end_with_parent() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_SECONDS_TO_CANCEL)
    os._exit(130)


def build(asked: Mapping[str, Any], say: Say) -> dict[str, Any]:
    """Builds a project.

    :param asked: see :func:`pgsluice.guests.dbt.build`.
    :param say: receives what begins.
    :returns: the result.
    :raises NotBuilt: the project cannot be read, leads to another database, or would replace tables of runs.
    """
    from dbt.cli.main import dbtRunner

    arguments = ["--project-dir", asked["project"], "--vars", json.dumps({"pgsluice_run": asked["run"]})]
    arguments += _profile_arguments(asked)
    parsed = dbtRunner().invoke(["parse", *arguments])
    if not parsed.success:
        raise NotBuilt(_words(parsed.exception) or "dbt cannot read the project")
    manifest: Any = parsed.result
    _refuse_tables_of_runs(manifest, asked["tables"])
    _refuse_other_database(dbtRunner(manifest=manifest), asked, arguments)

    def tell(event: Any) -> None:
        if event.info.name == "LogStartLine":
            say({"begins": f"{event.data.description} ({event.data.index} of {event.data.total})"})

    built = dbtRunner(manifest=manifest, callbacks=[tell]).invoke(["build", *arguments])
    results = getattr(built.result, "results", ())
    return {
        "ok": bool(built.success),
        "name": manifest.metadata.project_name or "",
        "message": _words(built.exception),
        "nodes": [_node(result) for result in results],
    }


def _node(result: Any) -> dict[str, Any]:
    status = str(getattr(result.status, "value", result.status))
    return {
        "name": result.node.name,
        "kind": str(getattr(result.node.resource_type, "value", result.node.resource_type)),
        "status": status,
        "ok": status in OK,
        "seconds": float(result.execution_time or 0.0),
        "failures": result.failures,
        # dbt's message for a model that was built is PostgreSQL's answer.
        "message": "" if status in OK - {"warn"} else " ".join((result.message or "").split()),
    }


def _words(error: BaseException | None) -> str:
    return "" if error is None else " ".join(str(error).split())


def _profile_arguments(asked: Mapping[str, Any]) -> list[str]:
    """Options that name the profile: that of the project if there is one, else a profile for the database of the load.

    dbt looks for ``profiles.yml`` in ``DBT_PROFILES_DIR``, else in the folder of the project, else in ``~/.dbt``.
    """
    import yaml

    project = _read(Path(asked["project"], "dbt_project.yml"), yaml)
    wanted = os.environ.get("DBT_PROFILE") or str(project.get("profile") or "")
    named = os.environ.get("DBT_PROFILES_DIR")
    folders = [Path(named)] if named else [Path(asked["project"]), Path.home() / ".dbt"]
    found = next((folder for folder in folders if (folder / "profiles.yml").is_file()), None)
    # A name that is an expression of dbt is for dbt to read.
    if found is not None and ("{{" in wanted or wanted in _read(found / "profiles.yml", yaml)):
        return ["--profiles-dir", str(found)]
    output = {
        "type": "postgres",
        "host": "{{ env_var('PGHOST') }}",
        "port": "{{ env_var('PGPORT') | as_number }}",
        "user": "{{ env_var('PGUSER') }}",
        "password": f"{{{{ env_var('{asked['password']}') }}}}",
        "dbname": "{{ env_var('PGDATABASE') }}",
        "schema": f"dbt_{project.get('name') or 'models'}",
        "threads": 4,
    }
    made = {_NAME: {"target": _NAME, "outputs": {_NAME: output}}}
    Path(asked["folder"], "profiles.yml").write_text(yaml.safe_dump(made))
    return ["--profiles-dir", asked["folder"], "--profile", _NAME, "--target", _NAME]


def _read(path: Path, yaml: Any) -> dict[str, Any]:
    """A file of dbt; {} if it is no mapping, which dbt will say.

    :raises NotBuilt: the file cannot be read.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise NotBuilt(f"{path} cannot be read: {_words(error)}") from error
    return content if isinstance(content, dict) else {}


def _refuse_tables_of_runs(manifest: Any, tables: list[list[str]]) -> None:
    """:raises NotBuilt: a model of the project would take the place of a table that a run has loaded or derived."""
    kept = {tuple(table) for table in tables}
    for node in manifest.nodes.values():
        if node.resource_type not in ("model", "seed", "snapshot") or node.config.materialized == "ephemeral":
            continue
        where = f"{node.resource_type} {node.name} of the project"
        if (node.schema, node.alias) in kept:
            raise NotBuilt(
                f"{where} would replace the table {node.schema}.{node.alias}, which a run has loaded."
                " Give the model another schema or alias"
            )
        if node.schema == "pgsluice":
            raise NotBuilt(f"{where} would stand in the schema of the ledger, pgsluice. Give the model another schema")


def _refuse_other_database(runner: Any, asked: Mapping[str, Any], arguments: list[str]) -> None:
    """:raises NotBuilt: the profile of the project leads to another database, or to none."""
    classid, objid = asked["lock"]
    question = (
        "select count(*) as locks from pg_catalog.pg_locks where locktype = 'advisory' and objsubid = 2"
        f" and classid = {int(classid)} and objid = {int(objid)} and database ="
        " (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())"
    )
    answer = runner.invoke(["show", "--inline", question, "--output", "json", "--limit", "1", *arguments])
    if not answer.success or not answer.result.results:
        raise NotBuilt(_words(answer.exception) or "dbt cannot ask the database")
    result = answer.result.results[0]
    if result.agate_table is None:
        raise NotBuilt(" ".join((result.message or "dbt cannot ask the database").split()))
    if not result.agate_table.rows[0][0]:
        raise NotBuilt(
            f"the profile of the project leads to another database than the load, which is {asked['database']}. Let the"
            " profile read it: host \"{{ env_var('PGHOST') }}\", and so PGPORT, PGUSER, PGDATABASE, and password"
            f" \"{{{{ env_var('{asked['password']}') }}}}\""
        )


if __name__ == "__main__":
    main()
