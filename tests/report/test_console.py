"""Reports: what they say, that they fit, and that data cannot harm the terminal."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from pgsluice.model import (
    Check,
    Column,
    Dialect,
    FilePlan,
    FileResult,
    Mark,
    Plan,
    QueryResult,
    Reject,
    RejectGroup,
    RejectsResult,
    RunResult,
    RunSummary,
    SourceFile,
    Strategy,
    Table,
    TableName,
    TablePlan,
    TableResult,
    Target,
    VerifyResult,
)
from pgsluice.report import console, parts
from pgsluice.report.parts import Grid, Line, Part
from pgsluice.report.texts import rejects_text, runs_text
from pgsluice.report.texts.plan_text import plan_parts


def text(report: list[Part]) -> str:
    out = io.StringIO()
    parts.write(report, out)
    return out.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def getvalue(self) -> str:
        """Without the styles that rich writes."""
        return re.sub(r"\x1b\[[\d;]*m", "", super().getvalue())


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    return Terminal()


def table(name: str, read: int = 1000, rejected: int = 0, skipped: bool = False) -> TableResult:
    file = FileResult(f"{name}.csv", "ab", 10, read, read - rejected, rejected, skipped)
    return TableResult(name, read, read - rejected, rejected, skipped, (file,))


def group(count: int, example: str = "a.csv:7: no such customer") -> RejectGroup:
    verdict = "foreign_key", "customer_id", "orders_customer_fk", "23503"
    message = example.removeprefix("a.csv:7: ")
    first = Reject(12, "orders", "a.csv", 7, *verdict, message, "1,99,2020\n")
    return RejectGroup("orders", *verdict, count, example, first=first)


def run(tables: tuple[TableResult, ...], status: str = "published", groups: tuple[RejectGroup, ...] = ()) -> RunResult:
    count = sum(g.count for g in groups)
    return RunResult(12, status, 1.5, tables, RejectsResult(count, "r/12.csv" if count else None, groups))


def test_published_run() -> None:
    assert text(console.run_parts(run((table("customers", 10_000), table("orders", 50_000))))) == (
        "Run 12 published: 60,000 rows loaded into 2 tables in 1.50 s.\n"
        "\n"
        "table        read  loaded  rejected  files\n"
        "---------  ------  ------  --------  -----\n"
        "customers  10,000  10,000         0  1\n"
        "orders     50,000  50,000         0  1\n"
        "---------  ------  ------  --------  -----\n"
        "total      60,000  60,000         0\n"
    )


def test_vetoed_run_shows_groups_largest_first_and_what_to_do() -> None:
    out = text(console.run_parts(run((table("orders", 9, 8),), "vetoed", (group(1, "b"), group(7)))))
    assert "nothing was published" in out
    assert out.index("orders: 7 rows have no parent row (orders_customer_fk)") < out.index(
        "orders: 1 row has no parent"
    )
    assert " --> a.csv:7\n7 | 1,99,2020\\n\n  = no such customer\n" in out
    assert out.splitlines()[-3:] == [
        "All of them as CSV: r/12.csv",
        "Next: pgsluice rejects 12",
        "Correct the files and load again, or allow rejects: --max-rejects N, N% or all.",
    ]


def test_causes_stand_before_their_consequences() -> None:
    waits, cause = replace(group(7), kind="parent"), group(1, "b")
    out = text(console.run_parts(run((table("orders", 9, 8),), "vetoed", (waits, cause))))
    assert out.index("orders: 1 row has no parent row") < out.index("orders: 7 rows have rejected parent rows")


def test_children_are_counted_with_their_cause_and_not_again() -> None:
    waits = replace(group(7), kind="parent", table="flag")
    cause = replace(group(1, "s.csv:8: bad"), consequences=7, consequence_tables=(("flag", 7),), grandchildren=True)
    out = text(console.run_parts(run((table("orders", 9, 8),), "vetoed", (cause, waits))))
    assert (
        "orders: 1 row has no parent row (orders_customer_fk); 7 others are its children and grandchildren (flag 7)\n"
        in out
    )
    assert "rejected parent rows" not in out


def explained(kind: str, raw: str, marked: str, message: str = "", detail: str = "", condition: str = "") -> str:
    """The block of a group of one reject, whose value ``marked`` is marked."""
    start = raw.index(marked)
    marks = (Mark("age", start, start + len(marked)),)
    verdict = kind, "age", "people_age_check", "23514"
    first = Reject(1, "people", "people.csv", 17, *verdict, message, raw, detail=detail, marks=marks)
    found = RejectGroup("people", *verdict, 1, "", first=first, condition=condition, help=("Do this: --that x",))
    return text(rejects_text.block_of(found))


def test_a_reject_is_shown_as_compilers_show_errors() -> None:
    assert explained("check", "1,José,12,x", "12", condition="((age >= 18) AND (note <> '('::text))") == (
        "people: 1 row breaks CHECK people_age_check\n"
        "  --> people.csv:17\n"
        "17 | 1,José,12,x\n"
        "   |        ^^\n"
        "   = age is 12, but the CHECK requires (age >= 18) AND (note <> '('::text)\n"
        "   = help: Do this: --that x\n"
    )
    assert "   = bad: Key (age)=(12). HINT: Perhaps.\n" in explained(
        "value", "12", "12", "bad", "Key (age)=(12). HINT: Perhaps."
    )


def test_carets_stand_below_wide_and_escaped_characters() -> None:
    lines = explained("value", "東京,\x1b,12\n", "12").splitlines()
    assert lines[2] == "17 | 東京,\\x1b,12\\n"
    assert lines[3] == "   |           ^^", "two wide characters take four columns, the escape four"


@pytest.mark.parametrize("width", [40, 80, 160])
@pytest.mark.parametrize("place", [0, 100, 500, 990])
def test_a_long_record_shows_the_marked_part(width: int, place: int) -> None:
    raw = "a" * place + "!!" + "b" * (998 - place)
    pieces = ((raw[:place], False), ("!!", True), (raw[place + 2 :], False))
    (record, _), (carets, _) = parts.excerpt_lines(parts.Excerpt(5, pieces), width)
    assert max(len(record), len(carets)) <= width
    assert record[carets.index("^") :][:2] == "!!"
    assert carets.count("^") == 2


def test_a_caret_stands_where_something_is_missing() -> None:
    first = Reject(1, "t", "t.csv", 2, "structure", "", "", "22P04", "missing data", "1,2", marks=(Mark("", 3, 3),))
    found = RejectGroup("t", "structure", "", "", "22P04", 1, "", first=first)
    assert "2 | 1,2\n  |    ^\n" in text(rejects_text.block_of(found))


@pytest.mark.parametrize("width", [20, 80])
def test_a_reason_is_wrapped_and_never_cut(width: int) -> None:
    reason = "a word 東京 and another, " * 20 + "x" * 100 + " the end"
    lines = parts.wrapped(Line(reason, lead="   = "), width)
    assert max(parts.columns_of(line) for line in lines) <= width
    assert "".join(line.removeprefix("   = ").strip() for line in lines).replace(" ", "") == reason.replace(" ", "")


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        ("published", ["Next: pgsluice rejects 12", "Correct that CSV file further and give it to pgsluice replay 7."]),
        ("vetoed", ["Correct your file further and replay it again, or allow rejects: --max-rejects N, N% or all."]),
        ("dry_run", ["Next: pgsluice rejects 12"]),
    ],
)
def test_a_replay_says_of_what_and_how_to_go_on(status: str, ending: list[str]) -> None:
    lines = text(
        console.run_parts(replace(run((table("orders", 9, 7),), status, (group(7),)), replay_of=7))
    ).splitlines()
    assert lines[1] == "It is a replay of corrected rejects of run 7."
    assert lines[-len(ending) :] == ending


def test_modes_are_counted_and_what_vacuum_owes_is_said() -> None:
    staged = replace(table("a"), way="stage", mode="upsert", inserted=1, updated=2, unchanged=4, deleted=3)
    many = replace(staged, updated=9_998, deleted=2)
    swapped = replace(table("b"), way="new table", mode="replace", inserted=9, deleted=7)
    shown = text(console.run_parts(run((staged, swapped))))
    assert re.search(r"a +1,000 +1 +2 +4 +0 +3 ", shown)
    assert "vacuum" not in shown
    assert "Left to vacuum: a 10,000 old rows." in text(console.run_parts(run((many, swapped))))
    assert "vacuum" not in text(console.run_parts(run((many,), "dry_run")))


def test_skipped_and_dry_run_say_that_nothing_was_written() -> None:
    skipped = text(console.run_parts(run((table("orders", 0, skipped=True),), "skipped")))
    assert skipped.startswith("Nothing to do")
    assert "1 (1 already loaded)" in skipped
    assert "nothing was written" in text(console.run_parts(run((table("orders"),), "dry_run")))


@pytest.mark.parametrize("height", [24, 50])
def test_summary_fits_the_screen(height: int, terminal: Terminal) -> None:
    tables = tuple(table(f"table_{i}", rejected=i == 299) for i in range(300))
    groups = tuple(group(1_000_000 + i, "x" * 5000 + "\n" * 50) for i in range(400))
    parts.write(console.run_parts(run(tables, "vetoed", groups), height), terminal)
    lines = terminal.getvalue().splitlines()
    assert len(lines) < height, "one line is the prompt's"
    assert max(len(line) for line in lines) <= 80
    assert "table_299" in terminal.getvalue()
    assert "more tables" in terminal.getvalue()
    assert "more causes" in terminal.getvalue()
    assert "orders: 1,000,399 rows have no parent row (orders_customer_fk)" in terminal.getvalue()


def test_all_tables_are_in_a_log() -> None:
    out = text(console.run_parts(run(tuple(table(f"table_{i}") for i in range(300)))))
    assert all(f"table_{i} " in out for i in range(300))


def test_control_characters_are_written_as_escapes(terminal: Terminal) -> None:
    evil = "a\x1b]0;owned\x07b\nc\x9b"
    found = group(8, evil)
    found = replace(found, table=evil, constraint=evil, condition=evil, help=(evil,))
    found = replace(found, first=replace(found.first, file=evil, raw=evil, marks=(Mark(evil, 1, 2),)))  # type: ignore[type-var]
    report = console.run_parts(run((table(evil, 9, 8),), "vetoed", (found,)))
    parts.write(report, terminal)
    assert "\x1b]0" not in terminal.getvalue()
    assert "\x9b" not in terminal.getvalue()
    assert text(report).count("]0;owned\\x07b\\nc\\x9b") >= 7


def test_brackets_in_data_are_not_markup(terminal: Terminal) -> None:
    parts.write([Line("[red]x[/red]"), Grid(("[b]",), (("[/b]",),))], terminal)
    assert "[red]x[/red]" in terminal.getvalue()
    assert "[b]" in terminal.getvalue()
    assert "[/b]" in terminal.getvalue()


def test_wide_characters_align() -> None:
    out = parts.plain(Grid(("city", "n"), (("東京", "1"), ("Lodz", "2"), ("Ło\u0301dz", "3")), frozenset({1})))
    assert out == "city  n\n----  -\n東京  1\nLodz  2\nŁo\u0301dz  3\n"


def test_plain_text_does_not_import_rich() -> None:
    code = (
        "import io, sys\n"
        "from pgsluice.report import console, progress, parts\nfrom pgsluice.report.texts import plan_text\n"
        "parts.write([parts.Grid(('a',), (('1',),))], io.StringIO())\n"
        "with progress.Follower(stream=io.StringIO()): pass\n"
        "assert 'rich' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("value", "shown"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (173_000_000, "173.0 MB")])
def test_size(value: int, shown: str) -> None:
    assert parts.size(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.123, "0.12 s"), (75, "1:15 min"), (3725.2, "1:02:05 h")])
def test_seconds(value: float, shown: str) -> None:
    assert parts.seconds(value) == shown


def reject(line: int) -> Reject:
    return Reject(12, "orders", "o.csv", line, "value", "n", "", "22P02", "bad [n]", f"{line},x\n")


def test_rejects_of_a_vetoed_replay_are_to_be_replayed_again() -> None:
    found = RejectsResult(1, "r/12.csv", (group(1),))
    out = text(rejects_text.rejects_parts(12, found, [replace(reject(3), original=7)], 2, " --data-dir d"))
    assert "themselves" not in out
    assert out.endswith("give it to\npgsluice replay 7 --data-dir d again.\n")
    assert "themselves" in text(rejects_text.rejects_parts(12, found, [replace(reject(3), original=12)], 2))


def test_rejects_show_groups_then_the_first_rows() -> None:
    found = RejectsResult(3, "r/12.csv", (group(1), group(2)))
    rows = iter([reject(3), reject(5), reject(9)])
    out = text(rejects_text.rejects_parts(12, found, rows, 2))
    assert out.startswith("Run 12: 3 rejects.\n")
    assert "The first 2:\n" in out
    assert " --> o.csv:5\n5 | 5,x\\n\n  = bad [n]\n" in out
    assert "o.csv:9" not in out
    assert "All of them as CSV: r/12.csv\n" in out
    assert next(rows).line == 9, "no more rows are read than shown"


def test_no_rejects() -> None:
    assert text(rejects_text.rejects_parts(3, RejectsResult(0, None), (), 10)) == "Run 3 has no rejects.\n"
    assert text(rejects_text.rejects_parts(0, RejectsResult(0, None), (), 10)) == "No run has rejects.\n"


def test_rejects_that_were_replayed_are_only_counted() -> None:
    none = RejectsResult(0, "r/12.csv", (), 4)
    assert text(rejects_text.rejects_parts(3, none, (), 10)) == (
        "Run 3 has no further rejects (4 corrected and replayed since).\n"
    )
    some = text(rejects_text.rejects_parts(12, RejectsResult(1, "r/12.csv", (group(1),), 4), [reject(3)], 10))
    assert some.startswith("Run 12: 1 reject (4 corrected and replayed since).\n")
    assert "r/12.csv" not in some, "it holds those that were replayed as well"


def test_runs() -> None:
    assert "No runs yet" in text(runs_text.runs_parts(()))
    row = RunSummary(7, "published", "2026-01-01 10:00", None, 3, 60_495, 60_495, 0, "")
    assert "7  published  2026-01-01 10:00" in text(runs_text.runs_parts((row,)))
    assert "60,495" in text(runs_text.runs_parts((row,)))
    assert "replayed" not in text(runs_text.runs_parts((row,)))


def test_runs_and_their_replays() -> None:
    first = RunSummary(7, "published", "2026-01-01 10:00", None, 3, 9, 4, 3, "", replayed=2)
    second = RunSummary(8, "vetoed", "2026-01-01 11:00", None, 1, 2, 0, 2, "too many", replay_of=7)
    lines = text(runs_text.runs_parts((second, first))).splitlines()
    assert lines[0].split()[5:] == ["read", "loaded", "rejected", "replayed", "detail"]
    assert lines[2].endswith("replay of run 7; too many")
    assert lines[3].split()[-4:] == ["9", "4", "3", "2"]


def test_runs_are_readable_on_a_narrow_terminal(terminal: Terminal) -> None:
    ended = RunSummary(
        26, "interrupted", "2026-11-27T12:43:07+00", 4000.0, 12, 1_700_000, 1_700_000, 1_700_000, "too many " * 20
    )
    parts.write(runs_text.runs_parts((ended, replace(ended, run_id=25, detail="")), 80), terminal)
    lines = terminal.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2].split() == ["26", "interrupted", "11-27", "12:43", "1:06:40", "h", *["1,700,000"] * 3]
    assert lines[5].startswith("Run 26: too many too many")
    assert "".join(lines[5:]).count("too many") == 20, "nothing is cut"
    other = replace(ended, run_id=2, started="2025-01-02T03:04:05+00")
    shown = text(runs_text.runs_parts((ended, other), 80))
    assert "2025-01-02 03:04" in shown
    assert "2026-11-27 12:43" in shown


def test_verify_puts_failures_first() -> None:
    checks = (
        Check("rows", "orders", True, "50,000 rows"),
        Check("foreign_key", "orders_fk", False, "2 orphans"),
    )
    out = text(console.verify_parts(VerifyResult(False, checks)))
    assert out.index("2 orphans") < out.index("50,000 rows")
    assert out.endswith("1 of 2 checks failed.\n")


def test_verify_folds_what_postgresql_guarantees() -> None:
    checks = (
        Check("not_null", "t.id", True, "0 NULLs", guaranteed=True),
        Check("foreign_key", "t(id) -> p(id)", True, "0 orphans", guaranteed=True),
        Check("foreign_key", "t(x) -> p(id)", True, "0 orphans; not validated"),
        Check("rows", "t", True, "50,000 rows"),
    )
    out = text(console.verify_parts(VerifyResult(True, checks)))
    assert out.index("50,000 rows") < out.index("not validated")
    assert "t.id" not in out
    assert "No orphans in 1 foreign key and no NULLs in 1 column that PostgreSQL guards (2 checks; --verbose" in out
    assert out.endswith("Verified: 4 checks, all hold.\n")
    out = text(console.verify_parts(VerifyResult(True, checks), verbose=True))
    assert "t.id" in out
    assert "--verbose" not in out


def test_verify_prints_queries_with_numbers_to_the_right() -> None:
    query = QueryResult("Top customers", ("name", "revenue"), (("Ann", "10.50"), ("Bo", "9.00")))
    out = text(console.verify_parts(VerifyResult(True, (Check("rows", "t", True, ""),), (query,))))
    assert "Top customers\nname  revenue\n----  -------\nAnn     10.50\nBo       9.00\n" in out
    assert out.endswith("Verified: 1 check, all hold.\n")


def column(name: str) -> Column:
    return Column(name, 1, "text", "text", "pg_catalog", -1, "b", False, False, "", "")


def plan() -> Plan:
    target = Table(
        1,
        TableName("shop", "orders"),
        "r",
        True,
        (column("id"), column("customer_id"), column("note")),
        (),
        (),
        (),
    )
    dialect = Dialect(delimiter="\t", encoding="latin-1", null=("NULL", ""))
    files = tuple(
        FilePlan(
            SourceFile(f"d/orders_{i}.csv", 2_000_000, ("orders",), dialect, ("id", "Customer ID")),
            ("id", "customer_id"),
        )
        for i in (1, 2)
    )
    why = "the table is empty"
    table_plan = TablePlan(target, files, ("orders.customer_id -> customers",), Strategy.IN_PLACE, why)
    return Plan(Target("shop", "db1", 5432, "loader", "16.2", "public"), (table_plan,), cycles=(("a", "b"),))


def test_plan_says_everything_before_anything_is_written() -> None:
    out = text(plan_parts(plan()))
    assert "2 files into 1 table of shop on db1:5432 as loader (PostgreSQL 16.2, schema public)" in out
    assert "orders.customer_id -> customers" in out
    assert "in place  the table is empty" in out
    assert "4.0 MB" in out
    assert "Foreign keys in a cycle: a -> b -> a" in out
    assert "d/orders_1.csv  shop.orders  tab        double  latin-1   yes     empty, 'NULL', unquoted" in out
    assert out.count("shop.orders: id, Customer ID -> customer_id\n") == 1, "files that match alike, once"
    assert "  not in the files: note\n" in out


def test_plan_on_a_terminal_stays_within_its_width(terminal: Terminal) -> None:
    parts.write(plan_parts(plan()), terminal)
    assert max(len(line) for line in terminal.getvalue().splitlines()) <= 80
