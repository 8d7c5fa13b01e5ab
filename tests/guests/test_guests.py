"""Guests: what pgsluice does around them, without dbt."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from xml.etree import ElementTree

import psycopg
import pytest

import pgsluice
from command import Ended, call
from pgsluice.errors import CallError, FileError
from pgsluice.guests import after, dbt
from pgsluice.ledger import quality
from pgsluice.model import GuestNode, GuestResult
from pgsluice.report.files.junit import as_junit

Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def folder(conn: Connection, tmp_path: Path) -> Path:
    conn.execute("CREATE TABLE n (id int PRIMARY KEY, v int)")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "n.csv").write_text("id,v\n1,2\n")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "dbt_project.yml").write_text("name: shop\n")
    return tmp_path


@pytest.fixture
def no_dbt(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(package: str) -> None:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(dbt, "distribution", lacking)


@pytest.fixture
def late(no_dbt: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """dbt disappears between the check before the run and the end of the run."""
    monkeypatch.setattr("pgsluice.api.loading.check_guests", lambda guests: None)


def load(folder: Path, db: str, *more: str) -> Ended:
    return call("load", "in", "--then", "dbt:models", "--data-dir", folder, *more, cwd=folder, url=db)


@pytest.mark.usefixtures("no_dbt")
def test_a_missing_extra_is_named_before_anything_is_loaded(folder: Path, db: str, conn: Connection) -> None:
    load(folder, db).complaint(2, "--then dbt needs dbt-core, which is not installed", "pip install 'pgsluice[dbt]'")
    assert conn.execute("SELECT count(*) FROM n").fetchone() == (0,)


@pytest.mark.parametrize(
    ("then", "words"),
    [
        ("models", "names no program that pgsluice knows"),
        ("airflow:models", "names no program"),
        ("dbt:", "names no program"),
        ("dbt:in", "in is no dbt project: it has no dbt_project.yml"),
    ],
)
def test_wrong_calls(
    folder: Path, db: str, conn: Connection, then: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbt, "distribution", lambda package: None)
    call("load", "in", "--then", then, cwd=folder, url=db).complaint(2, words)
    with pytest.raises((CallError, FileError), match=words):
        pgsluice.load(folder / "in", database_url=db, then=[then.replace("dbt:in", f"dbt:{folder}/in")])
    assert conn.execute("SELECT count(*) FROM n").fetchone() == (0,)


@pytest.mark.usefixtures("late")
def test_a_guest_that_fails_leaves_the_rows_and_has_an_exit_code(folder: Path, db: str, conn: Connection) -> None:
    said = load(folder, db)
    assert said.code == 5
    assert "Run 1 published" in said.out
    assert "failed after 0" in said.out
    assert "--then dbt needs dbt-core, which is not installed. pip install 'pgsluice[dbt]'" in said.out
    assert "The rows are published all the same." in said.out
    assert conn.execute("SELECT * FROM n").fetchall() == [(1, 2)]
    assert conn.execute("SELECT status FROM pgsluice.run").fetchall() == [("published",)]
    # Given again, the command loads nothing and does what is left to do.
    again = load(folder, db, "--json")
    [guest] = again.json["guests"]
    assert (again.code, again.json["status"], guest["ok"], guest["built_for"]) == (5, "skipped", False, 1)
    assert guest["project"] == str(folder / "models")
    assert load(folder, db, "--quiet").out != ""
    assert conn.execute("SELECT run_id, guest_no, kind, ok FROM pgsluice.guest_result ORDER BY 2").fetchall() == [
        (1, number, "project", False) for number in (1, 2, 3)
    ]


@pytest.mark.usefixtures("late")
def test_no_guest_runs_after_a_veto_or_a_dry_run(folder: Path, db: str) -> None:
    (folder / "in" / "n.csv").write_text("id,v\n1,x\n")
    vetoed = load(folder, db, "--json")
    assert (vetoed.code, vetoed.json["guests"]) == (1, [])
    dry = load(folder, db, "--json", "--dry-run", "--max-rejects", "all")
    assert (dry.code, dry.json["guests"]) == (0, [])


@pytest.mark.usefixtures("late")
def test_a_replay_and_a_resumed_run_have_the_guests_of_their_run(folder: Path, db: str) -> None:
    (folder / "in" / "n.csv").write_text("id,v\n1,x\n2,2\n")
    assert load(folder, db, "--max-rejects", "all").code == 5
    written = call("rejects", "1", "--format", "csv", cwd=folder, url=db).out
    (folder / "corrected.csv").write_text(written.replace('"1,x"', '"1,1"'))
    said = call("replay", "1", "corrected.csv", cwd=folder, url=db)
    assert (said.code, "Run 2 published" in said.out, "needs dbt-core" in said.out) == (5, True, True)


def test_the_file_of_settings_names_guests(folder: Path, db: str, no_dbt: None) -> None:
    (folder / "in" / "pgsluice.toml").write_text('[load]\npaths = ["."]\nthen = "dbt:../models"\n')
    call("load", "in", cwd=folder, url=db).complaint(2, "dbt needs dbt-core")
    (folder / "in" / "pgsluice.toml").write_text('[load]\npaths = ["."]\nthen = ["dbt:nowhere"]\n')
    call("load", "in", cwd=folder, url=db).complaint(2, "dbt needs dbt-core")
    assert call("plan", "in", cwd=folder, url=db).code == 0


RESULT = GuestResult(
    "dbt", "/p", "shop\x1b", 1, False, 2.5, "", (
        GuestNode("revenue", "model", "success", True, 1.0),
        GuestNode("unique_id", "test", "fail", False, 0.5, 3, "Got 3 results <b>"),
        GuestNode("later", "model", "skipped", False, 0.0),
    ),
)  # fmt: skip


def test_results_in_ledger_report_and_junit(folder: Path, db: str, conn: Connection) -> None:
    run = pgsluice.load(folder / "in", database_url=db, data_dir=str(folder))
    earlier = replace(RESULT, ok=False, nodes=())
    quality.record_guests(conn, run.run_id, [earlier])
    quality.record_guests(conn, run.run_id, [RESULT])
    report = pgsluice.run_report(database_url=db)
    assert report.guests == (RESULT,)
    root = ElementTree.fromstring(as_junit(report))
    cases = {
        c.get("name"): [part.tag for part in c] for c in root.iter("testcase") if c.get("classname") == "pgsluice.dbt"
    }
    assert cases == {
        "shop\\x1b": ["failure"],
        "model revenue": [],
        "test unique_id": ["failure"],
        "model later": ["skipped"],
    }
    page = folder / "page.html"
    assert call("report", "-o", page, cwd=folder, url=db).code == 0
    text = page.read_text()
    for part in (
        "dbt shop\\x1b failed after the publish.",
        "After the publish",
        "✗ failed",
        "unique_id",
        "Got 3 results &lt;b&gt;",
        "✗ fail<",
        'href="#guests"',
    ):
        assert part in text


def test_a_ledger_that_lacks_a_character(server: str, folder: Path) -> None:
    name = "latin_guests"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        try:
            uri = server.replace("/postgres?", f"/{name}?")
            with psycopg.connect(uri, autocommit=True, client_encoding="UTF8") as conn:
                conn.execute("CREATE TABLE n (id int PRIMARY KEY, v int)")
                run = pgsluice.load(folder / "in", database_url=uri, data_dir=str(folder))
                after._record(conn, run.run_id, [replace(RESULT, message="→ no")])
                assert conn.execute("SELECT message FROM pgsluice.guest_result WHERE place = 0").fetchone() == (
                    "\\u2192 no",
                )
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
