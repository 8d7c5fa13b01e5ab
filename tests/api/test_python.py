"""What Python users have beside the functions: names to complete, a session, tables of rejects, pictures of results."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import inspect
import io
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

import pgsluice
from pgsluice import api, errors
from pgsluice.model import (
    FileResult,
    Plan,
    Progress,
    Reject,
    RejectGroup,
    RejectsResult,
    RunResult,
    TableResult,
    Target,
)


@pytest.fixture
def numbers(conn: psycopg.Connection, tmp_path: Path) -> Path:
    conn.execute("CREATE TABLE n (id int PRIMARY KEY, v int)")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "n.csv").write_text("id,v\n1,2\n2,x\n3,4\n4,y\n")
    return folder


# --------------------------------------------------------------------------- names


def test_dir_shows_the_api_before_anything_is_imported() -> None:
    code = (
        "import sys, pgsluice\n"
        "names = dir(pgsluice)\n"
        "heavy = {'rich', 'psycopg', 'duckdb', 'pyarrow', 'pgsluice.model', 'pgsluice.api'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert all(getattr(pgsluice, name) is not None for name in names)\n"
        "print(*names)"
    )
    names = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert {"load", "plan", "Session", "SluiceError", "__version__"} <= set(names)
    assert sorted(names) == sorted(dir(pgsluice))


def test_a_small_clean_load_imports_no_more_than_it_needs(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    (tmp_path / "t.csv").write_text("id,v\n1,a\n2,b\n")
    code = (
        "import sys\n"
        "from pgsluice import load\n"
        "assert load('t.csv', database_url=sys.argv[1]).status == 'published'\n"
        "unwanted = {'duckdb', 'pyarrow', 'rich', 'sqlglot', 'rapidfuzz', 'pgsluice.model.inference',\n"
        "    'pgsluice.api.inspecting', 'pgsluice.inference', 'pgsluice.checkup', 'pgsluice.verification',\n"
        "    'pgsluice.pipeline.rejects.report', 'pgsluice.postgres.derived.build', 'pgsluice.config.merge'}\n"
        "assert not unwanted & set(sys.modules), unwanted & set(sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code, db], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_module_has_every_function_and_every_error() -> None:
    functions = {name for name in dir(api) if inspect.isfunction(value := getattr(api, name)) or inspect.isclass(value)}
    kinds = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, pgsluice.SluiceError) and value.__name__ == name
    }
    assert set(pgsluice.__all__) == functions | kinds
    assert pgsluice.CallError is errors.CallError


# --------------------------------------------------------------------------- the session

ADDRESS = ("database_url", "data_dir")


@pytest.mark.parametrize("name", sorted({n for n in dir(pgsluice) if inspect.isfunction(getattr(pgsluice, n))}))
def test_session_has_each_function_with_its_parameters(name: str) -> None:
    function = getattr(pgsluice, name)
    parameters = inspect.signature(function, eval_str=True).parameters
    if "database_url" not in parameters:
        assert not hasattr(pgsluice.Session, name), "a session is for functions that need a database"
        return
    method = inspect.signature(getattr(pgsluice.Session, name), eval_str=True).parameters
    expected = {k: p for k, p in parameters.items() if k not in ADDRESS}
    found = {k: p for k, p in method.items() if k != "self"}
    assert list(found) == list(expected)
    assert found == expected


def test_session_names_the_database_once(db: str, numbers: Path) -> None:
    session = pgsluice.Session(db)
    assert session.plan(numbers).tables[0].table.name.name == "n"
    vetoed = session.load(numbers)
    assert vetoed.status == "vetoed"
    result = session.load(numbers, max_rejects=2)
    assert [r.run_id for r in session.runs()] == [result.run_id, vetoed.run_id]
    assert session.rejects()[0] == result.run_id
    assert [r.line for r in session.reject_rows(result.run_id)] == [3, 5]
    assert session.run_report().run_id == result.run_id
    (corrected := numbers.parent / "r.csv").write_text(f'run,reject_no,raw\n{result.run_id},1,"2,2"\n')
    assert session.replay(result.run_id, corrected).status == "published"
    assert session.verify().ok
    assert session.doctor().findings
    assert session.check_rules(rules=[{"name": "r", "table": "n", "check": "v > 0"}])[0].ok
    assert session.purge_rejects("1d").rejects == 0


def test_session_shows_no_address() -> None:
    session = pgsluice.Session("postgresql://me:secret@h/d", data_dir="x")
    assert repr(session) == "Session(..., data_dir='x')"
    assert repr(pgsluice.Session()) == "Session()"


@pytest.mark.parametrize("address", ["data", "mysql://h/d"])
def test_session_with_no_address_of_postgresql(address: str, tmp_path: Path) -> None:
    with pytest.raises(pgsluice.CallError, match="--database-url"):
        pgsluice.Session(address).runs()


# --------------------------------------------------------------------------- rejects as tables


def test_rejects_as_a_table(db: str, numbers: Path) -> None:
    result = pgsluice.load(numbers, database_url=db, max_rejects="all")
    expected = [dataclasses.asdict(r) for r in pgsluice.reject_rows(result.run_id, database_url=db)]
    assert [r.pop("marks") for r in expected] == [()] * len(expected)
    table = result.rejects.to_arrow()
    assert table.to_pylist() == expected
    assert table.column_names == [f.name for f in dataclasses.fields(Reject) if f.name != "marks"]
    assert [r.raw for r in result.rejects.rows()] == ["2,x", "4,y"]
    assert pgsluice.run_report(database_url=db).rejects.to_arrow().num_rows == 2
    assert pgsluice.rejects(database_url=db, table="n")[1].to_arrow().equals(table)
    # What was replayed since is open no longer.
    (corrected := numbers.parent / "r.csv").write_text(f'run,reject_no,raw\n{result.run_id},1,"2,2"\n')
    replayed = pgsluice.replay(result.run_id, corrected, database_url=db)
    assert replayed.rejects.to_arrow().num_rows == 0
    assert result.rejects.to_arrow().to_pylist() == expected[1:]


def test_rejects_as_a_data_frame(db: str, numbers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = pgsluice.load(numbers, database_url=db)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match="pip install pandas"):
        result.rejects.to_pandas()
    monkeypatch.undo()
    pytest.importorskip("pandas")
    assert result.rejects.to_pandas()["raw"].tolist() == ["2,x", "4,y"]


def test_rejects_of_a_dry_run(db: str, numbers: Path) -> None:
    result = pgsluice.load(numbers, database_url=db, max_rejects="all", dry_run=True)
    assert result.rejects.to_arrow()["line"].to_pylist() == [3, 5]


def test_no_rejects_at_all(db: str) -> None:
    run_id, none = pgsluice.rejects(database_url=db)
    assert (run_id, none.to_arrow().num_rows) == (0, 0)


def test_source_of_rejects_is_in_no_copy_and_in_no_json(db: str, numbers: Path) -> None:
    result = pgsluice.load(numbers, database_url=db)
    assert db not in json.dumps(dataclasses.asdict(result)) + repr(result)
    for made in (pickle.loads(pickle.dumps(result)), copy.deepcopy(result), dataclasses.replace(result.rejects)):
        rejects = getattr(made, "rejects", made)
        assert rejects == result.rejects
        with pytest.raises(LookupError, match=r"pgsluice\.reject_rows"):
            rejects.to_arrow()


def test_a_table_of_many_rejects_is_made_in_portions() -> None:
    one = Reject(1, "t", "f", 2, "value", "a", "", "22P02", "m", "x", 1, 1, 1)
    found = RejectsResult(25_001, None)
    found.set_source(lambda: (dataclasses.replace(one, reject_no=n) for n in range(25_001)))
    table = found.to_arrow()
    assert table.column("reject_no").to_pylist() == list(range(25_001))
    assert table.column("parent_line").null_count == 25_001


# --------------------------------------------------------------------------- progress


def test_progress_is_shown_and_heard(db: str, numbers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[Progress] = []
    pgsluice.load(numbers, database_url=db, max_rejects="all", progress=True, listen=heard.append)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "n: 4 rows" in shown.err
    assert {"plan", "stage", "publish"} <= {e.phase for e in heard}
    pgsluice.load(numbers, database_url=db, max_rejects="all", again=True)
    assert capsys.readouterr().err == ""


def test_progress_is_a_bar_on_a_terminal(db: str, numbers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    pgsluice.load(numbers, database_url=db, max_rejects="all", progress=True)
    assert "\x1b[" in screen.getvalue()


# --------------------------------------------------------------------------- async


def test_loads_in_threads_of_an_event_loop(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    for name in ("a", "b"):
        conn.execute(f"CREATE TABLE {name} (id int)")
        (tmp_path / f"{name}.csv").write_text("id\n1\n2\n")
    session = pgsluice.Session(db)

    async def both() -> list[RunResult]:
        loads = (asyncio.to_thread(session.load, tmp_path / f"{name}.csv", progress=True) for name in ("a", "b"))
        return await asyncio.gather(*loads)

    assert [r.status for r in asyncio.run(both())] == ["published"] * 2


# --------------------------------------------------------------------------- notebooks

EVIL = "<script>alert(1)</script>&\x1b[2J\u202e"


def evil_result(count: int) -> RunResult:
    file = FileResult(EVIL, "0" * 64, 1, 2, 1, 1)
    table = TableResult(EVIL, 1234567, 1, 1, False, (file,), mode=EVIL)
    group = RejectGroup(EVIL, "value", EVIL, "", "22P02", 1, EVIL)
    return RunResult(1, "vetoed", 0.5, (table,) * count, RejectsResult(1, None, (group,)), reason=EVIL)


def evil_plan() -> Plan:
    return Plan(Target(EVIL, EVIL, 5432, EVIL, EVIL, EVIL), ())


@pytest.mark.parametrize("make", [lambda: evil_result(1), evil_plan, lambda: evil_result(1).rejects])
def test_html_escapes_what_files_say(make: Callable[[], Any]) -> None:
    html = make()._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;\\x1b[2J\\u202e" in html


def test_html_of_a_result(db: str, numbers: Path) -> None:
    result = pgsluice.load(numbers, database_url=db)
    html = result._repr_html_()
    assert f"Run {result.run_id}: vetoed" in html
    assert result.reason in html
    assert "invalid input syntax for type integer" in html
    assert "n.csv" in pgsluice.plan(numbers, database_url=db)._repr_html_()


def test_html_cuts_long_tables() -> None:
    html = evil_result(103)._repr_html_()
    assert html.count("1,234,567") == 100
    assert "and 3 more" in html
