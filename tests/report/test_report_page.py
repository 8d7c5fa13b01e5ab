"""The page of a report: well-formed, escaped, small, readable in both schemes, and written for its owner only."""

from __future__ import annotations

import itertools
import re
import stat
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import html5lib
import psycopg
import pytest
from page_cases import EVIL, huge, load_evil

import pgsluice
from command import call
from pgsluice.errors import CallError
from pgsluice.ledger.reports import record_notes
from pgsluice.model import ColumnProfile, RunReport, TableName
from pgsluice.report.files import as_junit, render
from pgsluice.report.files.histogram import BINS, histogram
from pgsluice.report.files.page import MOST_BYTES

Connection = psycopg.Connection[tuple[object, ...]]
Element = Any


def parsed(page: bytes) -> Element:
    """The document. A page that is not well-formed HTML 5 is an error."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(page, transport_encoding="utf-8")


def check(root: Element) -> None:
    """What holds for every page: nothing runs or loads, and screen readers find their way."""
    elements = [e for e in root.iter() if isinstance(e.tag, str)]
    names = {e.tag for e in elements}
    assert not names & {"script", "img", "iframe", "object", "embed", "form", "base"}
    assert not [a for e in elements for a in e.attrib if str(a).startswith("on")]
    assert root.get("lang") == "en"
    assert root.find(".//title").text
    assert len(root.findall(".//main")) == len(root.findall(".//h1")) == 1
    ids = [e.get("id") for e in elements if e.get("id")]
    assert len(ids) == len(set(ids))
    for link in root.iter("a"):
        assert link.get("href").removeprefix("#") in ids
    levels = [int(e.tag[1]) for e in elements if re.fullmatch("h[1-6]", e.tag)]
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
    for table in root.iter("table"):
        assert table.find("caption") is not None
        assert {th.get("scope") for th in table.iter("th")} <= {"row", "col"}
    for region in root.findall(".//*[@role='region']"):
        assert region.get("aria-label")
        assert region.get("tabindex") == "0"
    for image in root.findall(".//*[@role='img']"):
        assert image.get("aria-label")
    for details in root.iter("details"):
        assert details[0].tag == "summary"


def texts(root: Element) -> str:
    body = root.find("body")
    return " ".join("".join(body.itertext()).split())


@pytest.fixture
def evil(conn: Connection, db: str, tmp_path: Path) -> RunReport:
    return load_evil(conn, db, tmp_path)


def test_a_page_of_a_real_run_is_escaped_and_complete(evil: RunReport) -> None:
    page = render(evil, " --data-dir '<i>'")
    root = parsed(page)
    check(root)
    said = texts(root)
    assert EVIL in said
    assert "alert(1)>.csv:201" in said
    assert r"\x1b[31m" in said
    assert b"\x1b" not in page
    assert "pgsluice replay 2 rejects.csv --data-dir '<i>'" in said
    assert "✓ The books balance." in said
    assert "! warning" in said
    assert "parent → parents (id)" in said
    assert "totals" in said
    assert len(page) < 200_000
    plots = root.findall(".//div[@class='plots']//{*}svg") or root.findall(".//div[@class='plots']//svg")
    assert len(plots) == 3


def test_what_the_ledger_keeps_of_a_run(evil: RunReport) -> None:
    assert [(t.table, t.mode, len(t.keys)) for t in evil.notes.tables] == [
        ("parents", "upsert", 0),
        ("children", "upsert", 1),
    ]
    assert {"plan", "derive", "rules", "profile"} <= {p.phase for p in evil.notes.phases}
    assert [(f.read, f.loaded, f.rejected) for f in evil.files] == [(201, 199, 2), (151, 149, 2)]
    assert evil.balances
    assert sum(len(g.example) > 0 for g in evil.rejects.groups) == len(evil.rejects.groups) == 4
    assert len(evil.samples) == 4
    assert {r.name: (r.ok, r.count) for r in evil.rules} == {
        f"warn {EVIL}": (False, 20),
        "holds": (True, 0),
        f"set {EVIL}": (False, 199),
    }
    assert len(evil.warnings) == 20
    assert [run.run_id for run in evil.history] == [1, 2]


def test_a_vetoed_run_says_so(db: str, conn: Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY)")
    (tmp_path / "t.csv").write_text("id\n1\nx\n")
    result = pgsluice.load(tmp_path / "t.csv", database_url=db, data_dir=str(tmp_path))
    report = pgsluice.run_report(result.run_id, database_url=db)
    root = parsed(render(report))
    check(root)
    said = texts(root)
    assert "✗ Vetoed Nothing was published: 1 of 2 rows was rejected" in said.replace("were", "was")
    assert "Correct the files and load them again" in said
    assert "pgsluice replay" not in said
    failed = ElementTree.fromstring(as_junit(report)).findall(".//testcase[failure]")
    assert [case.get("classname") for case in failed] == ["pgsluice.run"]


def test_a_database_that_lacks_a_character_of_a_remedy(server: str, tmp_path: Path) -> None:
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute("CREATE DATABASE report_latin1 ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
        uri = server.replace("/postgres?", "/report_latin1?")
        try:
            with psycopg.connect(uri, autocommit=True) as conn:
                conn.execute("CREATE TABLE t (id int PRIMARY KEY)")
                (tmp_path / "t.csv").write_text("id\n1\n")
                pgsluice.load(tmp_path / "t.csv", database_url=uri, data_dir=str(tmp_path))
                notes = pgsluice.run_report(database_url=uri).notes
                record_notes(conn, 1, replace(notes, remedies=("--strip €, 日本",)))
            report = pgsluice.run_report(database_url=uri)
            assert report.notes.tables == notes.tables != ()
            assert report.rejects.remedies == ("--strip €, 日本",)
        finally:
            admin.execute("DROP DATABASE report_latin1 WITH (FORCE)")


def test_a_huge_run_makes_a_small_page_that_says_what_is_missing() -> None:
    page = render(huge())
    assert 100_000 < len(page) < MOST_BYTES
    root = parsed(page)
    check(root)
    said = texts(root)
    for what in ("files", "tables", "groups", "rules", "columns of other tables", "phases"):
        assert re.search(rf"[0-9,]+ more {what} are not shown", said), what


def test_colours_have_contrast() -> None:
    css = resources.files("pgsluice.report.files").joinpath("templates/style.css").read_text()
    schemes = [dict(re.findall(r"--(\w+):#([0-9a-f]{6})", block)) for block in re.findall(r":root\{([^}]*)\}", css)]
    assert len(schemes) == 3
    for scheme in schemes:
        for colour in ("text", "muted", "link", "good", "bad", "warn"):
            for ground in ("page", "panel"):
                assert contrast(scheme[colour], scheme[ground]) >= 4.5, (colour, ground, scheme)
        assert contrast(scheme["bar"], scheme["page"]) >= 3
        assert contrast(scheme["line"], scheme["page"]) >= 3


def contrast(one: str, other: str) -> float:
    """The contrast of two colours (WCAG 2.2, "relative luminance")."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("missing", ["jinja2", "matplotlib"])
def test_a_missing_package_is_named(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(CallError, match=missing) as error:
        render(huge())
    assert error.value.remedy == "pip install 'pgsluice[report]'"


def profile(low: str, high: str, **more: Any) -> ColumnProfile:
    return ColumnProfile(TableName("public", "t"), 1, "c", "?", 100, 0, True, 10.0, low, high, **more)


def test_histograms() -> None:
    even = histogram(profile("0", "160", bounds=tuple(str(n) for n in range(0, 161, 10))))
    assert even == (1.0,) * BINS
    # Half of the values lie in the first tenth.
    skewed = histogram(profile("2024-01-01", "2024-01-17", bounds=("2024-01-01", "2024-01-02", "2024-01-17")))
    assert skewed[0] == 1.0
    assert all(0.05 < height < 0.08 for height in skewed[1:])
    frequent = histogram(profile("1", "3", frequent=(("1", 0.5), ("3", 0.25), ("2", 0.25))))
    assert (frequent[0], frequent[8], frequent[-1], sum(frequent)) == (1.0, 0.5, 0.5, 2.0)
    for none in (
        profile("a", "b"),
        profile("1", "1"),
        profile("-infinity", "2024-01-01"),
        profile("1", "99", frequent=(("1", 0.1),)),
    ):
        assert histogram(none) == ()


# --------------------------------------------------------------------------- the command


@pytest.fixture
def loaded(db: str, conn: Connection, tmp_path: Path) -> Path:
    conn.execute("CREATE TABLE t (id int PRIMARY KEY)")
    (tmp_path / "t.csv").write_text("id\n1\n2\n")
    pgsluice.load(tmp_path / "t.csv", database_url=db, data_dir=str(tmp_path / ".pgsluice"))
    return tmp_path


def test_the_command_writes_a_private_page(db: str, loaded: Path) -> None:
    page = loaded / ".pgsluice" / "reports" / "run-1.html"
    for _ in range(2):  # the second replaces the first
        said = call("report", cwd=loaded, url=db)
        assert (said.code, said.out) == (0, f"Report of run 1: {page.resolve().as_uri()}\n")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert stat.S_IMODE(page.parent.stat().st_mode) == 0o700
    assert [file.name for file in page.parent.iterdir()] == ["run-1.html"]
    check(parsed(page.read_bytes()))


def test_files_of_the_user_are_written_where_they_are(db: str, loaded: Path) -> None:
    (loaded / "kept").write_text("old")
    (loaded / "link").symlink_to("kept")
    said = call("report", "1", "-o", "link", "--junit", "junit.xml", cwd=loaded, url=db)
    assert said.code == 0, said
    assert (loaded / "link").is_symlink()
    assert (loaded / "kept").read_bytes().startswith(b"<!DOCTYPE html>")
    cases = ElementTree.parse(loaded / "junit.xml").findall(".//testcase")
    assert [(c.get("classname"), c.get("name"), len(c)) for c in cases] == [
        ("pgsluice.run", "run 1 published", 0),
        ("pgsluice.balance", "t: read = loaded + rejected", 0),
    ]
    assert not (loaded / ".pgsluice" / "reports").exists()
    folder = call("report", "-o", ".", cwd=loaded, url=db)
    folder.complaint(2, "the system refuses")


def test_json_has_everything(db: str, loaded: Path) -> None:
    said = call("report", "--json", cwd=loaded, url=db)
    assert said.json["status"] == "published"
    assert said.json["files"][0]["loaded"] == 2
    assert said.json["notes"]["tables"][0]["way"] == "in place"
    assert not (loaded / ".pgsluice" / "reports").exists()


def test_runs_that_do_not_exist(db: str, loaded: Path, tmp_path: Path) -> None:
    call("report", "7", cwd=loaded, url=db).complaint(2, "there is no run 7", "pgsluice runs")


def test_a_database_without_runs(db: str, tmp_path: Path) -> None:
    call("report", cwd=tmp_path, url=db).complaint(2, "there is no run yet")
