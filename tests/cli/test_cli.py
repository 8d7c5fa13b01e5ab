"""The command line: options reach the API, exceptions become exit codes. No database is needed."""

from __future__ import annotations

import csv
import importlib
import io
import json
import logging
import subprocess
import sys
import time
import types
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pgsluice import cli
from pgsluice.cli import logs
from pgsluice.cli.commands import PLACES
from pgsluice.errors import AccountingError, CallError, ConnectError, MappingError, SluiceError
from pgsluice.model import (
    Check,
    FileResult,
    Listener,
    Plan,
    Progress,
    Reject,
    RejectGroup,
    RejectsResult,
    RunResult,
    RunSummary,
    TableResult,
    Target,
    VerifyResult,
)
from pgsluice.postgres.embedded import server
from pgsluice.version import __version__

FILE = FileResult("d/a.csv", "ff", 9, 3, 2, 1)
TABLE = TableResult("a", 3, 2, 1, False, (FILE,))
GROUP = RejectGroup("a", "value", "n", "", "22P02", 1, "d/a.csv:2: bad")
REJECTS = RejectsResult(1, "r/5.csv", (GROUP,))
REJECT = Reject(5, "a", "d/a.csv", 2, "value", "n", "", "22P02", "bad", 'x,"y\n"\n')


def result(status: str = "published", rejects: RejectsResult = REJECTS) -> RunResult:
    return RunResult(5, status, 0.5, (TABLE,), rejects)


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


Call = Callable[..., Ended]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Stands in for pgsluice.api: what a test sets on it is what the commands import."""
    fake = types.ModuleType("pgsluice.api")
    monkeypatch.setitem(sys.modules, "pgsluice.api", fake)
    # `from pgsluice import api` looks at the package's attribute first.
    monkeypatch.setattr(importlib.import_module("pgsluice"), "api", fake, raising=False)
    return fake


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["pgsluice", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return Ended(int(ended.value.code or 0), out, err)

    return call


def recording(value: object) -> tuple[Callable[..., object], dict[str, Any]]:
    """A function that returns ``value``, and the dictionary in which it leaves its last call."""
    seen: dict[str, Any] = {}

    def function(*args: object, **kwargs: object) -> object:
        seen.clear()
        seen.update(kwargs, args=args)
        return value

    return function, seen


def raising(error: BaseException) -> Callable[..., object]:
    def function(*args: object, **kwargs: object) -> object:
        raise error

    return function


# --------------------------------------------------------------------------- load


def test_load_hands_its_options_on(api: Any, call: Call) -> None:
    api.load, seen = recording(result())
    call(
        *("load", "d", "e.csv", "--schema", "s.sql", "--table", "a=x=1/*.csv", "--table", "b=b*"),
        *(
            "--column",
            "c=d=e",
            "--column",
            "=",
            "--database-url",
            "postgresql:///x",
            "--data-dir",
            "dd",
            "--into",
            "shop",
        ),
        *("--max-rejects", "1%", "--max-rejects", "a=all", "--delimiter", "\\t", "--quote", "'"),
        *("--encoding", "latin-1", "--null", "NULL", "--null", "", "--dry-run", "--again", "--no-wait"),
        *("--null-only", "-", "--empty-as-null", "--no-header", "--columns", "a=b=x, y", "--columns", "z"),
        *("--skip", "*.bak", "--recursive", "--max-bytes", "5kB"),
        *(
            "--mode",
            "upsert",
            "--mode",
            "b=replace",
            "--key",
            "a=x,y",
            "--delete-missing",
            "--lock-timeout",
            "0.5",
            "--resumable",
            "--settle",
            "30",
        ),
    )
    seen.pop("listen")
    assert seen == {
        "args": ("d", "e.csv"),
        "config": None,
        "schema": "s.sql",
        "tables": [("a", "x=1/*.csv"), ("b", "b*")],
        "columns": [("c=d", "e"), ("", "")],
        "database_url": "postgresql:///x",
        "data_dir": "dd",
        "into": "shop",
        "max_rejects": ["1%", "a=all"],
        "delimiter": "\\t",
        "quote": "'",
        "encoding": ["latin-1"],
        "null": ["NULL", ""],
        "null_only": ["-"],
        "empty_as_null": True,
        "header": False,
        "names": [("a=b", ["x", "y"]), ("", ["z"])],
        "skip": ["*.bak"],
        "recursive": True,
        "max_bytes": 5000,
        "mode": ["upsert", "b=replace"],
        "key": [("a", "x,y")],
        "delete_missing": True,
        "lock_timeout": 0.5,
        "resumable": True,
        "settle": 30.0,
        "dry_run": True,
        "again": True,
        "no_wait": True,
    }


def test_load_defaults(api: Any, call: Call) -> None:
    api.load, seen = recording(result())
    assert call("load", "d").code == 0
    # Options that were not given are not handed on: the API has the same defaults.
    assert {name for name in seen if seen[name]} <= {"args", "listen"}
    assert not seen.keys() & {"tables", "max_rejects"}
    assert all(seen.get(name) is None for name in ("schema", "database_url", "data_dir", "into", "delimiter"))


def test_load_tells_progress_on_stderr_and_the_summary_on_stdout(api: Any, call: Call) -> None:
    def load(*paths: str, listen: Callable[[Progress], None], **options: object) -> RunResult:
        listen(Progress("stage", "a", done=9, total=9, rows=3))
        return result()

    api.load = load
    ended = call("load", "d")
    assert ended.err.startswith("a: 3 rows, 9 B read in")
    assert ended.out.startswith("Run 5 published")
    assert ended.out.endswith("Next: pgsluice rejects 5\n")
    assert call("load", "d", "--quiet").err == ""


def test_quiet_says_nothing_unless_rows_were_rejected(api: Any, call: Call) -> None:
    api.load, _ = recording(result(rejects=RejectsResult(0, None)))
    assert call("load", "d", "--quiet") == Ended(0, "", "")
    api.load, _ = recording(result())
    assert "rejected" in call("load", "d", "--quiet").out


def test_json_is_one_object_and_nothing_else(api: Any, call: Call) -> None:
    api.load, _ = recording(result("vetoed"))
    ended = call("load", "d", "--json")
    assert (ended.code, ended.err) == (1, "")
    assert json.loads(ended.out) == {
        "version": __version__,
        "run_id": 5,
        "status": "vetoed",
        "seconds": 0.5,
        "tables": [
            {
                "table": "a",
                "read": 3,
                "loaded": 2,
                "rejected": 1,
                "skipped": False,
                "files": [
                    {
                        "path": "d/a.csv",
                        "sha256": "ff",
                        "bytes": 9,
                        "read": 3,
                        "loaded": 2,
                        "rejected": 1,
                        "skipped": False,
                        "staged_before": False,
                        "formats": [],
                        "lacks": [],
                        "notes": [],
                        "passed_over": [],
                        "evidence": [],
                        "warnings": [],
                        "blank_lines": 0,
                    }
                ],
                "way": "",
                "mode": "append",
                "inserted": 0,
                "updated": 0,
                "unchanged": 0,
                "deleted": 0,
            }
        ],
        "rejects": {
            "count": 1,
            "path": "r/5.csv",
            "groups": [
                {
                    "table": "a",
                    "kind": "value",
                    "column": "n",
                    "constraint": "",
                    "sqlstate": "22P02",
                    "count": 1,
                    "example": "d/a.csv:2: bad",
                    "consequences": 0,
                    "consequence_tables": [],
                    "grandchildren": False,
                    "first": None,
                    "condition": "",
                    "help": [],
                }
            ],
            "replayed": 0,
            "remedies": [],
            "replay": None,
            "purged": 0,
        },
        "profile": [],
        "reason": "",
        "replay_of": None,
        "ignored": [],
        "drift": [],
        "config": "",
        "rules": [],
        "derived": [],
        "guests": [],
        "target": None,
    }


@pytest.mark.parametrize(("status", "code"), [("published", 0), ("skipped", 0), ("dry_run", 0), ("vetoed", 1)])
def test_exit_code_of_a_run(api: Any, call: Call, status: str, code: int) -> None:
    api.load, _ = recording(result(status))
    assert call("load", "d").code == code


# --------------------------------------------------------------------------- exit codes


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (CallError("no such limit: x", "Give a number"), 2, "pgsluice: no such limit: x. Give a number\n"),
        (MappingError("no table for\n a.csv"), 2, "pgsluice: no table for a.csv\n"),
        (AccountingError("books"), 2, "pgsluice: books\n"),
        (ConnectError("no server", "Start it"), 3, "pgsluice: no server. Start it\n"),
        (MappingError("no column \x1b[2J"), 2, "pgsluice: no column \\x1b[2J\n"),
        (OSError(28, "No space left on device", "f"), 2, None),
        (psycopg.OperationalError("gone\nDETAIL: x"), 3, "pgsluice: the database refuses: gone DETAIL: x\n"),
        (KeyboardInterrupt(), 130, "pgsluice: interrupted; nothing was published\n"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_errors_are_one_line(
    api: Any, call: Call, error: BaseException, code: int, line: str | None, options: tuple[str, ...]
) -> None:
    api.load = raising(error)
    ended = call("load", "d", *options)
    assert ended.code == code
    assert ended.err.count("\n") == 1
    assert line is None or ended.err == line
    if not options:
        assert ended.out == ""
        return
    assert ended.out.count("\n") == 1
    told = json.loads(ended.out)["error"]
    assert (told["type"], told["exit_code"]) == (type(error).__name__, code)
    assert told["message"]
    assert told["remedy"] == getattr(error, "remedy", "")


def test_defects_are_told_from_vetoes(api: Any, call: Call) -> None:
    api.load = raising(ZeroDivisionError("x"))
    ended = call("load", "d")
    assert ended.code == 70
    assert "Traceback" in ended.err
    assert ended.err.endswith("pgsluice: this is a defect of pgsluice: ZeroDivisionError: x\n")


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_ctrl_c_between_commit_and_summary_does_not_deny_it(api: Any, call: Call, options: tuple[str, ...]) -> None:
    def load(*_: Any, listen: Listener, **__: Any) -> RunResult:
        listen(Progress("publish", step="commit"))
        listen(Progress("wait", step="the tables are in use"))
        raise KeyboardInterrupt

    api.load = load
    ended = call("load", "d", *options)
    assert ended.code == 130
    assert ended.err.endswith("pgsluice: interrupted while it was publishing; pgsluice runs says whether it was\n")


def test_ctrl_c_says_that_nothing_was_published_when_that_is_certain(api: Any, call: Call) -> None:
    def load(*_: Any, listen: Listener, **__: Any) -> RunResult:
        listen(Progress("publish", step="commit"))
        listen(Progress("rollback"))
        raise KeyboardInterrupt

    api.load = load
    assert call("load", "d").err.endswith("pgsluice: interrupted; nothing was published\n")


def test_what_one_command_said_is_nothing_to_the_next(api: Any, call: Call) -> None:
    def load(*_: Any, listen: Listener, **__: Any) -> RunResult:
        listen(Progress("publish", step="commit"))
        raise KeyboardInterrupt

    api.load = load
    call("load", "d")
    api.load = raising(KeyboardInterrupt())
    assert call("load", "d").err == "pgsluice: interrupted; nothing was published\n"


def test_ctrl_c_after_publishing_does_not_deny_it(api: Any, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    api.load, _ = recording(result())
    monkeypatch.setattr("pgsluice.report.parts.write", raising(KeyboardInterrupt()))
    assert call("load", "d") == Ended(130, "", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("load",),
        ("load", "d", "--no-such-option"),
        ("load", "d", "--schema"),
        ("loud", "d"),
        ("runs", "--limit", "0"),
        ("rejects", "x"),
        ("rejects", "--format", "xml"),
        ("server", "start", "--version", "x"),
    ],
)
def test_usage_errors(call: Call, arguments: tuple[str, ...]) -> None:
    ended = call(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("option", ["orders", "orders=", "=x.csv"])
def test_table_wants_a_pair(api: Any, call: Call, option: str) -> None:
    api.load, _ = recording(result())
    ended = call("load", "d", "--table", option)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(("status", "code"), [("published", 0), ("vetoed", 1)])
def test_closed_pipe_is_quiet_and_keeps_the_exit_code(status: str, code: int) -> None:
    program = f"""
import sys, types
from pgsluice import cli
from pgsluice.model import RejectsResult, RunResult
api = types.ModuleType("pgsluice.api")
api.load = lambda *paths, **options: RunResult(1, "{status}", 1, (), RejectsResult(0, None))
sys.modules["pgsluice.api"] = api
sys.stdin.read()
cli.main()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program, "load", "d"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stdin.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == code


# --------------------------------------------------------------------------- the other commands


def test_plan(api: Any, call: Call) -> None:
    api.plan, seen = recording(Plan(Target("shop", "db1", 5432, "loader", "16.2", "public"), ()))
    assert call("plan", "d", "--into", "x").out.startswith("0 files into 0 tables of shop")
    assert (seen["args"], seen["into"]) == (("d",), "x")
    assert json.loads(call("plan", "d", "--json").out)["target"]["database"] == "shop"


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_verify(api: Any, call: Call, ok: bool, code: int) -> None:
    api.verify, seen = recording(VerifyResult(ok, (Check("rows", "a", ok, "3 rows"),)))
    ended = call("verify", "--sql", "q.sql")
    assert ended.code == code
    assert "3 rows" in ended.out
    assert seen["sql"] == "q.sql"
    assert json.loads(call("verify", "--json").out)["ok"] is ok


def test_runs(api: Any, call: Call) -> None:
    api.runs, seen = recording((RunSummary(5, "vetoed", "today", 1.0, 1, 3, 2, 1, ""),))
    assert "vetoed" in call("runs").out
    assert seen["limit"] == 20
    assert json.loads(call("runs", "--json", "--limit", "3").out)["runs"][0]["run_id"] == 5
    assert seen["limit"] == 3


@pytest.fixture
def three_rejects(api: Any) -> dict[str, Any]:
    api.rejects, seen = recording((5, RejectsResult(3, "r/5.csv", (GROUP,))))
    api.reject_rows = lambda run_id, **options: iter([REJECT] * 3)
    return seen


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ((), ""),
        (("--data-dir", "my data"), " --data-dir 'my data'"),
        (("--database-url", "postgresql://me:secret@h/d", "--data-dir", "x"), " --database-url ..."),
    ],
)
def test_the_next_command_names_the_same_database(
    call: Call, api: Any, three_rejects: dict[str, Any], options: tuple[str, ...], shown: str
) -> None:
    api.load, _ = recording(result("published"))
    assert call("load", "d", *options).out.endswith(f"Next: pgsluice rejects 5{shown}\n")
    api.rejects, _ = recording((5, RejectsResult(3, "r/5.csv", (GROUP,), replay=4)))
    out = call("rejects", "5", *options).out
    assert f"Next: pgsluice rejects 5{shown} --format csv --fields > rejects.csv" in out
    assert out.endswith(f"pgsluice replay 4 rejects.csv{shown}\n")


def test_rejects_of_a_run_that_was_not_published_are_not_for_replay(call: Call, three_rejects: dict[str, Any]) -> None:
    out = call("rejects", "5").out
    assert "replay" not in out
    assert out.endswith("correct the files themselves and load them again.\n")


def test_rejects_table(call: Call, three_rejects: dict[str, Any]) -> None:
    ended = call("rejects", "5", "--limit", "1")
    assert ended.out.startswith("Run 5: 3 rejects.")
    assert "The first 1:" in ended.out
    assert three_rejects["args"] == (5,)
    call("rejects")
    assert three_rejects["args"] == (None,)


def test_rejects_csv(call: Call, three_rejects: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(call("rejects", "--format", "csv").out)))
    assert len(rows) == 3
    assert rows[0]["raw"] == REJECT.raw
    assert list(rows[0])[:5] == ["run", "reject_no", "table", "file", "line"]
    assert list(rows[0].values())[-2:] == ["", REJECT.raw]


@pytest.mark.parametrize(("options", "count"), [((), 3), (("--limit", "2"), 2), (("--limit", "0"), 0)])
def test_rejects_json(call: Call, three_rejects: dict[str, Any], options: tuple[str, ...], count: int) -> None:
    found = json.loads(call("rejects", "--format", "json", *options).out)
    assert (found["run_id"], found["count"], len(found["rows"])) == (5, 3, count)
    assert all(row["raw"] == REJECT.raw for row in found["rows"])


def test_server_commands(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = recording("postgresql:///x")
    monkeypatch.setattr(server, "start", start)
    assert call("server", "start", "--version", "16", "--data-dir", "d").out == "postgresql:///x\n"
    assert started["args"] == ("d", 16)

    monkeypatch.setattr(server, "stop", lambda data_dir: True)
    assert call("server", "stop").out == "Stopped.\n"
    monkeypatch.setattr(server, "stop", lambda data_dir: False)
    assert call("server", "stop").out == "It was not running.\n"

    for status, line in [
        (server.ServerStatus(True, 7, 18, "postgresql:///x", "d"), "Running: PostgreSQL 18, process 7"),
        (server.ServerStatus(False, None, 18, None, "d"), "Not running: PostgreSQL 18 in d"),
        (server.ServerStatus(False, None, None, None, "d"), "There is no server in d"),
    ]:
        monkeypatch.setattr(server, "status", lambda data_dir, found=status: found)
        assert call("server", "status").out.startswith(line)


def test_server_psql_hands_arguments_on(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    execv, seen = recording(None)
    monkeypatch.setattr("os.execv", execv)
    monkeypatch.setattr(server, "psql_command", lambda data_dir: ["/bin/psql", "uri"])
    call("server", "psql", "--", "-c", "select 1", "--csv")
    assert seen["args"] == ("/bin/psql", ["/bin/psql", "uri", "-c", "select 1", "--csv"])


def test_server_error_is_one_line(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "psql_command", raising(SluiceError("not running", "Start it")))
    assert call("server", "psql") == Ended(2, "", "pgsluice: not running. Start it\n")


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        ("--version", "typer inspect pgsluice.cli.app pgsluice.report.parts"),
        ("--help", "pgsluice.cli.load pgsluice.cli.logs pgsluice.cli.options pgsluice.report.parts"),
        ("load --help", "pgsluice.model pgsluice.options pgsluice.cli.init pgsluice.cli.upkeep"),
    ],
)
def test_help_and_version_import_no_more_than_they_need(arguments: str, unwanted: str) -> None:
    code = (
        "import sys\n"
        "from pgsluice import cli\n"
        f"sys.argv = ['pgsluice', *{arguments.split()}]\n"
        "try: cli.main()\n"
        "except SystemExit as ended: assert not ended.code\n"
        f"needless = {{'rich', 'psycopg', 'duckdb', 'pyarrow', 'numpy', *{unwanted.split()}}} & set(sys.modules)\n"
        "assert not needless, needless"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_no_command_imports_pandas() -> None:
    """Arrow would, to convert a list, and that takes longer than a small load."""
    code = (
        "import os, sys\n"
        "import pgsluice.cli as cli\n"
        "cli.main = lambda: None\n"
        "def ended(code):\n"
        "    import pyarrow\n"
        "    assert pyarrow.repeat(1, 2) == pyarrow.array([1, 1])\n"
        "    print([name for name in sys.modules if name.startswith('pandas')], flush=True)\n"
        "os._exit = ended\n"
        "cli.run()"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_list_of_commands_says_what_each_command_says_first() -> None:
    built = {name: place.build(name) for name, place in PLACES.items()}
    assert {name: command.help.partition("\n\n")[0] for name, command in built.items()} == {
        name: place.summary for name, place in PLACES.items()
    }


def test_version_beside_other_words(call: Call) -> None:
    assert call("--version") == call("--version", "load") == Ended(0, f"pgsluice {__version__}\n", "")


# --------------------------------------------------------------------------- the log


def load_with_events(*_: Any, listen: Listener, **__: Any) -> RunResult:
    listen(Progress("plan"))
    listen(Progress("stage", "a", done=0, total=9))
    listen(Progress("stage", "a", done=4, total=9, rows=1))
    listen(Progress("stage", "a", done=9, total=9, rows=3))
    listen(Progress("build", "a", "index a_pkey"))
    listen(Progress("rollback"))
    logging.getLogger("pgsluice.pipeline.run").debug("a detail")
    logging.getLogger("pgsluice.pipeline.run").warning("a warning")
    return result()


LOG = [
    "INFO pgsluice.cli.logs: plan",
    "INFO pgsluice.cli.logs: stage a",
    "INFO pgsluice.cli.logs: stage a: 3 rows, 9 of 9 bytes read",
    "INFO pgsluice.cli.logs: build a: index a_pkey",
    "INFO pgsluice.cli.logs: rollback",
    "DEBUG pgsluice.pipeline.run: a detail",
    "WARNING pgsluice.pipeline.run: a warning",
    "INFO pgsluice.cli.logs: run 5 published after 0.500 s: 3 rows read, 2 loaded, 1 rejected",
]


def logged(text: str) -> list[str]:
    """The lines of a log without their times, which are checked."""
    lines = []
    for line in text.splitlines():
        time, rest = line.split(" ", 1)
        assert datetime.fromisoformat(time).tzinfo is not None
        lines.append(rest)
    return lines


@pytest.mark.parametrize(
    ("options", "levels"),
    [
        ((), {"INFO", "WARNING"}),
        (("--log-level", "debug"), {"DEBUG", "INFO", "WARNING"}),
        (("--log-level", "warning"), {"WARNING"}),
        (("--log-level", "error"), set()),
    ],
)
def test_log_file_holds_each_step_once(
    api: Any, call: Call, tmp_path: Path, options: tuple[str, ...], levels: set[str]
) -> None:
    api.load = load_with_events
    without, log = call("load", "d"), tmp_path / "a.log"
    with_log = call("load", "d", "--log-file", str(log), *options)
    assert (with_log.code, with_log.out) == (without.code, without.out)
    assert len(with_log.err.splitlines()) == len(without.err.splitlines()), "the progress is shown all the same"
    expected = [line for line in LOG if line.split()[0] in levels]
    assert logged(log.read_text()) == expected
    call("load", "d", "--quiet", "--log-file", str(log), *options)
    assert logged(log.read_text()) == expected * 2, "lines are appended, once for each call"


def test_log_goes_to_standard_error(api: Any, call: Call) -> None:
    api.load = load_with_events
    ended = call("load", "d", "--json", "--log-level", "debug")
    assert logged(ended.err) == LOG
    assert json.loads(ended.out)["run_id"] == 5


def test_without_a_log_nothing_is_written(api: Any, call: Call) -> None:
    api.load = load_with_events
    assert "warning" not in call("load", "d").err
    assert call("load", "d", "--json").err == ""


@pytest.mark.parametrize(
    "arguments", [("load", "d"), ("plan", "d"), ("resume", "5"), ("replay", "5", "f.csv")], ids=lambda a: a[0]
)
def test_log_of_a_command_that_fails(api: Any, call: Call, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    log = tmp_path / "a.log"
    setattr(api, arguments[0], raising(MappingError("no table for\n a.csv", "Name it")))
    assert call(*arguments, "--log-file", str(log)).code == 2
    assert logged(log.read_text()) == ["ERROR pgsluice.cli.logs: MappingError: no table for a.csv. Name it"]
    log.unlink()
    setattr(api, arguments[0], raising(KeyboardInterrupt()))
    assert call(*arguments, "--log-file", str(log)).code == 130
    assert logged(log.read_text()) == ["ERROR pgsluice.cli.logs: interrupted"]
    missing = str(tmp_path / "no" / "a.log")
    assert call(*arguments, "--log-file", missing) == Ended(
        2,
        "",
        f"pgsluice: the log file {missing} cannot be opened: No such file or directory."
        " Give --log-file a path that can be written\n",
    )


def test_lines_of_a_log_have_the_run_and_a_heartbeat(
    api: Any, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object, listen: Any, **__: object) -> RunResult:
        listen(Progress("begin", step="Loading", total=9, tables=1, run_id=26))
        listen(Progress("stage", "a", done=3, total=9, rows=2))
        time.sleep(0.3)
        return result("published")

    monkeypatch.setattr(logs.Heartbeat.__init__, "__defaults__", (0.05,))
    api.load = load
    assert call("load", "d", "--log-file", str(tmp_path / "a.log")).code == 0
    lines = logged((tmp_path / "a.log").read_text())
    assert lines[:2] == [
        "INFO pgsluice.cli.logs: run 26: begin: Loading",
        "INFO pgsluice.cli.logs: run 26: stage a",
    ]
    assert "INFO pgsluice.cli.logs: run 26: still stage a, 0 s, 2 rows, 3 of 9 bytes read" in lines
    assert call("load", "d", "--log-file", str(tmp_path / "b.log"), "--log-format", "json").code == 0
    found = [json.loads(line) for line in (tmp_path / "b.log").read_text().splitlines()]
    assert {line["run"] for line in found} == {26}
    assert found[0]["message"] == "begin: Loading"
    assert set(found[0]) == {"time", "level", "logger", "run", "message"}


def test_log_level_has_to_be_a_level(api: Any, call: Call) -> None:
    assert call("load", "d", "--log-level", "loud").code == 2


def test_log_of_a_veto_is_a_warning(api: Any, call: Call) -> None:
    api.load, _ = recording(replace(result("vetoed"), reason="1 of 3 rows"))
    ended = call("load", "d", "--json", "--log-level", "warning")
    assert logged(ended.err) == [
        "WARNING pgsluice.cli.logs: run 5 vetoed after 0.500 s: 3 rows read, 2 loaded, 1 rejected: 1 of 3 rows"
    ]


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("postgresql://me:se@cr:et@h:5432/d?x=1", "postgresql://me:***@h:5432/d?x=1"),
        ("host=h password=secret dbname=d", "host=h password=*** dbname=d"),
        ("sslpassword = 'a \\' secret' x", "sslpassword = *** x"),
        ("postgresql://h/d?password=secret&x=1", "postgresql://h/d?password=***&x=1"),
        ("PGPASSWORD=secret", "PGPASSWORD=***"),
        ("postgresql://me@h/d", "postgresql://me@h/d"),
        ("a\nb\x1b[2J", "a\\nb\\x1b[2J"),
    ],
)
def test_log_holds_no_secrets_and_no_control_characters(api: Any, call: Call, said: str, written: str) -> None:
    def load(*_: Any, **__: Any) -> RunResult:
        logging.getLogger("pgsluice.x").warning("%s", said)
        return result()

    api.load = load
    ended = call("load", "d", "--json", "--log-level", "warning")
    assert logged(ended.err) == [f"WARNING pgsluice.x: {written}"]
