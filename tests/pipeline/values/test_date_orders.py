"""Numeric dates are never read by luck: an option, the session or the values of the column decide the order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

import pgsluice
from command import call
from pgsluice.errors import MappingError
from pgsluice.model import ColumnFormat, Dialect
from pgsluice.source.typed.date_orders import may_have_numeric_dates


def write(folder: Path, name: str, lines: Sequence[str]) -> Path:
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def logs(conn: psycopg.Connection) -> psycopg.Connection:
    conn.execute("CREATE TABLE log (id int, day date, seen timestamptz)")
    return conn


def days(conn: psycopg.Connection) -> list[str]:
    return [row[0] for row in conn.execute("SELECT day::text FROM log WHERE day IS NOT NULL ORDER BY id")]


def load(folder: Path, db: str, **options: object) -> pgsluice.RunResult:
    return pgsluice.load(folder, database_url=db, data_dir=str(folder), **options)


@pytest.mark.parametrize(
    ("values", "order", "why", "stored"),
    [
        (["03/04/2020", "31/12/2020"], "DMY", "line 3 has '31/12/2020'", ["2020-04-03", "2020-12-31"]),
        (["03/04/2020", "12/31/2020"], "MDY", "line 3 has '12/31/2020'", ["2020-03-04", "2020-12-31"]),
        (["03.04.2020", "05.06.2020"], "DMY", "points, as in 31.12.2020", ["2020-04-03", "2020-06-05"]),
        (["03.04.2020", "05.13.2020"], "MDY", "line 3 has '05.13.2020'", ["2020-03-04", "2020-05-13"]),
        (["99-01-02", "20-03-04"], "YMD", "line 2 has '99-01-02'", ["1999-01-02", "2020-03-04"]),
        (["02/02/2020", "2020-03-04"], "DMY", "one reading only", ["2020-02-02", "2020-03-04"]),
    ],
)
def test_the_values_of_the_column_decide(
    db: str, logs: psycopg.Connection, tmp_path: Path, values: list[str], order: str, why: str, stored: list[str]
) -> None:
    lines = [f"{i},{value}," for i, value in enumerate(values)]
    folder = write(tmp_path, "log.csv", ["id,day,seen", *lines])
    decided = (ColumnFormat("day", date=order, why=why),)
    plan = pgsluice.plan(folder, database_url=db)
    assert plan.tables[0].files[0].file.dialect.formats == decided
    result = load(folder, db)
    assert result.tables[0].files[0].formats == decided
    assert days(logs) == stored


@pytest.mark.parametrize("values", [["03/04/2020", "2020-01-02"], ["03-04-2020"], ["03/04/2020", "05.06.2020"]])
def test_a_column_without_a_decision_is_an_error(
    db: str, logs: psycopg.Connection, tmp_path: Path, values: list[str]
) -> None:
    folder = write(tmp_path, "log.csv", ["id,day,seen", *(f"{i},,{v} 10:30" for i, v in enumerate(values))])
    for function in (pgsluice.plan, pgsluice.load):
        with pytest.raises(MappingError) as caught:
            function(folder, database_url=db, data_dir=str(folder))
        assert f"line 2 has '{values[0]} 10:30', which is 2020-04-03 (day first) or 2020-03-04 (month first)" in str(
            caught.value
        )
        assert "--date-format log.seen=DMY or --date-format log.seen=MDY" in str(caught.value)
    assert logs.execute("SELECT count(*) FROM log").fetchone() == (0,)


def test_two_readings_with_a_year_of_two_digits(db: str, logs: psycopg.Connection, tmp_path: Path) -> None:
    folder = write(tmp_path, "log.csv", ["id,day,seen", "1,20/12/25,"])
    with pytest.raises(MappingError, match=r"2025-12-20 \(day first\) or 2020-12-25 \(year first\)"):
        load(folder, db)


def test_values_that_contradict_each_other_are_an_error(db: str, logs: psycopg.Connection, tmp_path: Path) -> None:
    folder = write(tmp_path, "log.csv", ["id,day,seen", "1,31/12/2020,", "2,,", "3,12/31/2020,"])
    with pytest.raises(MappingError, match=r"line 2 has '31/12/2020'.*line 4 has '12/31/2020'"):
        load(folder, db)
    result = load(folder, db, date_format=["log.day=DMY"], max_rejects=1)
    assert (days(logs), result.rejects.count) == (["2020-12-31"], 1)


def test_a_numeric_date_at_the_end_of_a_large_file_decides_it(
    db: str, logs: psycopg.Connection, tmp_path: Path
) -> None:
    """The beginning shows ISO dates only, so the reader meets the first numeric date while it sends blocks."""
    lines = [f"{i},2020-01-02,2020-01-02 10:11:12" for i in range(60_000)]
    folder = write(tmp_path, "log.csv", ["id,day,seen", *lines, "60000,03/04/2020,", "60001,25/04/2020,"])
    result = load(folder, db)
    assert days(logs)[-2:] == ["2020-04-03", "2020-04-25"]
    assert result.tables[0].files[0].formats[0].why == "line 60003 has '25/04/2020'"
    logs.execute("TRUNCATE log")
    write(tmp_path, "log.csv", ["id,day,seen", *lines, "60000,03/04/2020,"])
    with pytest.raises(MappingError, match="line 60002 has '03/04/2020'"):
        load(folder, db)
    assert days(logs) == []


def test_every_file_decides_for_itself(db: str, logs: psycopg.Connection, tmp_path: Path) -> None:
    write(tmp_path, "log_1.csv", ["id,day,seen", "1,03/04/2020,", "2,31/12/2020,"])
    write(tmp_path, "log_2.csv", ["id,day,seen", "3,03/04/2020,", "4,12/31/2020,"])
    load(tmp_path, db)
    assert days(logs) == ["2020-04-03", "2020-12-31", "2020-03-04", "2020-12-31"]
    write(tmp_path, "log_3.csv", ["id,day,seen", "5,03/04/2020,"])
    write(tmp_path, "log_4.csv", ["id,day,seen", "6,03/04/2020,"])
    with pytest.raises(MappingError, match="2 files have dates whose order is not certain") as caught:
        load(tmp_path, db)
    assert "log_3.csv" in str(caught.value)
    assert "log_4.csv" in str(caught.value)


def test_a_date_style_of_the_user_decides(db: str, logs: psycopg.Connection, tmp_path: Path) -> None:
    folder = write(tmp_path, "log.csv", ["id,day,seen", "1,03/04/2020,"])
    load(folder, f"{db}&options=-c%20datestyle%3DISO,DMY")
    assert days(logs) == ["2020-04-03"]
    logs.execute(f"ALTER DATABASE {logs.info.dbname} SET datestyle = 'ISO, MDY'")
    load(folder, db, again=True)
    assert sorted(days(logs)) == ["2020-03-04", "2020-04-03"]


def test_a_replay_reads_dates_in_the_order_of_its_run(db: str, logs: psycopg.Connection, tmp_path: Path) -> None:
    folder = write(tmp_path, "log.csv", ["id,day,seen", "1,31/12/2020,", "x2,03/04/2020,"])
    first = load(folder, db, max_rejects="all")
    report = Path(first.rejects.path or "")
    report.write_text(report.read_text().replace('"x2,', '"2,'))
    pgsluice.replay(first.run_id, report, database_url=db, data_dir=str(tmp_path))
    assert days(logs) == ["2020-12-31", "2020-04-03"]


def test_the_command_prints_the_order(db: str, logs: psycopg.Connection, tmp_path: Path) -> None:
    folder = write(tmp_path, "log.csv", ["id,day,seen", "1,31/12/2020,"])
    for command in ("plan", "load"):
        done = call(command, folder, cwd=tmp_path, url=db)
        assert done.code == 0, done
        assert f"Dates of log.day: day first (DMY) in {folder}/log.csv: line 2 has '31/12/2020'." in done.out


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("1,03/04/2020\n", True),
        ("x,1.2.20\n", True),
        ('"3-4-2020"', True),
        ("3 4 2020", True),
        ("1,2020-01-02 10:11:12.5", False),
        ("2020-01-02-03", False),
        ("1,2,3\n4,5,6\n", False),
        ("12.5,-13.5,12:30:45.5\n", False),
        ("1,3/4/2", True),
        ("10:30:00,1.5,2.5", False),
        *(("0" * (1 << 20) + "," * n + "03/04/2020", True) for n in range(1, 64, 9)),
        *(("0" * ((1 << 20) - n) + ",03/04/2020", True) for n in range(16)),
        *(("2" * ((1 << 20) - n) + "-01-02-03", False) for n in range(16)),
    ],
)
def test_a_quick_look_finds_numeric_dates(data: str, expected: bool) -> None:
    for pad in range(4):
        assert may_have_numeric_dates(("\n" * pad + data).encode(), Dialect()) is expected


@pytest.mark.parametrize(
    ("at", "day", "warnings"),
    [
        (
            "2020-01-31T10:00:00+05:00",
            "01.02.69",
            [
                "ev.at: line 3 has '2020-01-31T10:00:00+05:00', whose time zone is dropped, because the column is of"
                " type timestamp(3) without time zone",
                "ev.day: line 3 has '01.02.69', which is 2069-02-01",
            ],
        ),
        ("2020-01-31 10:00:00.25 -0330", "01.02.70", ["ev.at: line 3 has '2020-01-31 10:00:00.25 -0330'"]),
        ("2020-01-31T10:00:00Z", "01.02.2045", []),
        ("2020-01-31 10:00:00+00", "2045-02-01", []),
        ("2020-01-31", "13.02.10", []),
    ],
)
def test_what_postgresql_reads_otherwise_is_told(
    db: str, conn: psycopg.Connection, tmp_path: Path, at: str, day: str, warnings: list[str]
) -> None:
    conn.execute("CREATE TABLE ev (id int, at timestamp(3), zoned timestamptz, day date)")
    folder = write(tmp_path, "ev.csv", ["id,at,zoned,day", "1,2020-01-31 10:00:00,,", f"2,{at},{at},{day}"])
    told = (
        pgsluice.plan(folder, database_url=db).tables[0].files[0].file.findings.warnings,
        load(folder, db).tables[0].files[0].warnings,
    )
    for some in told:
        assert len(some) == len(warnings), some
        assert all(text.startswith(start) for text, start in zip(some, warnings, strict=True)), some
