"""Progress: one line for each step that is over, none for other steps, nothing when quiet."""

from __future__ import annotations

import io
import itertools
import re

import pytest

from pgsluice.model import Progress
from pgsluice.report.parts import columns_of
from pgsluice.report.progress import Follower

LOAD = [
    Progress("plan"),
    Progress("stage", "customers", done=500, total=1000, rows=5),
    Progress("stage", "customers", done=1000, total=1000, rows=9),
    Progress("stage", "customers", done=1000, total=1000, rows=10),
    Progress("stage", "orders", done=100, total=2000, rows=1),
    Progress("stage", "orders", done=2000, total=2000, rows=1234),
    Progress("judge", "orders"),
    Progress("build", "orders", "index orders_pkey", done=0, total=2),
    Progress("build", "orders", "index orders_pkey", done=1, total=2),
    Progress("build", "orders", "index orders_date_idx", done=1, total=2),
    Progress("publish"),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def follow(
    events: list[Progress], stream: io.StringIO | None = None, *, quiet: bool = False, verbose: bool = True
) -> str:
    stream = stream or io.StringIO()
    ticks = itertools.count()
    with Follower(quiet=quiet, verbose=verbose, stream=stream, clock=lambda: float(next(ticks))) as follower:
        for event in events:
            follower(event)
    return stream.getvalue()


def test_one_line_for_each_table() -> None:
    assert follow(LOAD, verbose=False).splitlines() == [
        "customers: 10 rows, 1.0 kB read in 1.00 s",
        "orders: 1,234 rows, 2.0 kB read in 1.00 s; checks 1.00 s, keys and indexes 2.00 s",
        "publishing, 1.00 s",
    ]


def test_tables_that_are_finished_together() -> None:
    events = [
        Progress("stage", "a", done=2, total=2, rows=1),
        Progress("stage", "b", done=2, total=2, rows=1),
        Progress("build", "a", "foreign key f"),
        Progress("publish", "b", "insert"),
        Progress("wait", step="waiting for pid 7"),
    ]
    assert follow(events, verbose=False).splitlines() == [
        "a: 1 row, 2 B read in 1.00 s",
        "b: 1 row, 2 B read in 1.00 s",
        "a: keys and indexes 1.00 s",
        "waiting for pid 7",
        "b: insert 2.00 s",
    ]


def test_a_table_that_is_read_again_has_one_line() -> None:
    read = Progress("stage", "a", done=2, total=2, rows=1)
    again = Progress("plan", "a", "starting again: an index cannot be built")
    lines = follow([read, Progress("build", "a", "index i"), again, read], verbose=False).splitlines()
    assert lines == ["a: starting again: an index cannot be built", "a: 1 row, 2 B read in 1.00 s"]


def test_one_line_for_each_table_and_step() -> None:
    lines = [line.rsplit(" ", 2)[0] for line in follow(LOAD).splitlines()]
    assert lines == [
        "customers: 10 rows, 1.0 kB read in",
        "orders: 1,234 rows, 2.0 kB read in",
        "checking orders,",
        "building orders: index orders_pkey,",
        "building orders: index orders_date_idx,",
        "publishing,",
    ]


def test_brief_steps_leave_no_line() -> None:
    stream = io.StringIO()
    now = 0.0
    with Follower(verbose=True, stream=stream, clock=lambda: now) as follower:
        follower(Progress("build", "a", "index brief"))
        now = 0.1
        follower(Progress("build", "a", "index long"))
        now = 0.4
        follower(Progress("stage", "b", done=1, total=1, rows=1))
    assert stream.getvalue().splitlines() == [
        "building a: index long, 0.30 s",
        "b: 1 row, 1 B read in 0.00 s",
    ], "a table leaves its line however brief its reading was"


@pytest.mark.parametrize("width", [30, 80, 160])
def test_the_last_line_tells_of_the_whole_run(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from pgsluice.report.bars import Bars

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    now = 0.0
    with Follower(stream=Terminal(), clock=lambda: now) as follower:
        bars = follower._bars
        assert isinstance(bars, Bars)
        follower(Progress("begin", step="Loading", total=400_000_000, tables=4, run_id=1))
        follower(Progress("stage", "a", done=60_000_000, total=60_000_000, rows=5))
        now = 10.0
        follower(Progress("stage", "b", done=40_000_000, total=100_000_000, rows=5))
        with bars.console.capture() as live:
            bars.console.print(*bars.get_renderables())
    lines = re.sub(r"\x1b\[[\d;]*m", "", live.get()).splitlines()
    assert max(map(len, lines)) < width
    if width > 30:
        assert "  table 2 of 4, 25% of 400.0 MB, 0:00:10, about 0:00:30 left" in lines
        assert any(" 40%   40.0/100.0 MB  5 rows" in line for line in lines)


def test_many_blocks_are_no_lines() -> None:
    blocks = [Progress("stage", "orders", done=i, total=1000, rows=i) for i in range(1001)]
    assert follow(blocks).count("\n") == 1


def test_tables_read_side_by_side_end_each_for_itself() -> None:
    out = follow(
        [
            Progress("stage", "a", done=1, total=2, rows=1),
            Progress("stage", "b", done=1, total=2, rows=1),
            Progress("build", "a", "index"),
            Progress("stage", "b", done=2, total=2, rows=7),
        ]
    )
    assert [line.split(":")[0] for line in out.splitlines()] == ["a", "building a", "b"]
    assert "b: 7 rows" in out


def test_a_step_is_over_when_another_table_is_read() -> None:
    stream = io.StringIO()
    ticks = itertools.count()
    with Follower(verbose=True, stream=stream, clock=lambda: float(next(ticks))) as follower:
        follower(Progress("build", "products", "index products_price_idx"))
        follower(Progress("stage", "orders", done=0, total=2))
        assert stream.getvalue() == "building products: index products_price_idx, 1.00 s\n"
        follower(Progress("stage", "orders", done=2, total=2, rows=7))
        follower(Progress("build", "customers", "index customers_pkey"))
        follower(Progress("judge", "orders", "unique keys"))
        assert stream.getvalue().endswith("building customers: index customers_pkey, 1.00 s\n")


@pytest.mark.parametrize(
    "reason",
    [
        Progress("wait", step="the connection was lost; trying again in 1 s"),
        Progress("plan", "orders", "starting again: index orders_pkey cannot be built"),
    ],
)
def test_a_second_attempt_is_shown_like_the_first(reason: Progress) -> None:
    cut_short = [Progress("stage", "orders", done=1, total=2, rows=3), Progress("build", "orders", "index orders_pkey")]
    for failed in cut_short:
        read = [
            Progress("stage", "customers", done=9, total=9, rows=9),
            Progress("build", "customers", "index customers_pkey"),
        ]
        lines = follow([Progress("plan"), *read, failed, reason, Progress("plan"), *read]).splitlines()
        assert [line.rsplit(" ", 2)[0] for line in lines] == [
            "customers: 9 rows, 9 B read in",
            "building customers: index customers_pkey,",
            ": ".join(word for word in (reason.table, reason.step) if word).rsplit(" ", 2)[0],
            "customers: 9 rows, 9 B read in",
            "building customers: index customers_pkey,",
        ], "a step that failed is not told as over"


def test_a_table_that_is_read_again_says_why() -> None:
    again = "copied again from its first row: a row is refused"
    events = [
        Progress("stage", "orders", done=1, total=2, rows=5),
        Progress("stage", "orders", again),
        Progress("stage", "orders", done=2, total=2, rows=7),
    ]
    assert follow(events) == f"orders: {again}\norders: 7 rows, 2 B read in 1.00 s\n"


LONG = "warehouse.order_line_items_of_the_quarter_archive"


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_live_line_fits_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from pgsluice.report.bars import Bars

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    for name, reading in [(LONG, True), (f"building {LONG}: index {LONG}_idx", False), ("東京" * 40, True)]:
        bars = Bars(Terminal())
        bars.show(bars.add(name, reading=reading), 5_800_000_000, 10_000_000_000, 69_000_000)
        with bars.console.capture() as live:
            bars.console.print(*bars.get_renderables())
        lines = re.sub(r"\x1b\[[\d;]*m", "", live.get()).splitlines()
        assert len(lines) == 1
        assert columns_of(lines[0]) < width
        assert name[:2] in lines[0]
        assert name[-2:] in lines[0]
        assert not reading or " 5.8/10.0 GB" in lines[0]
        assert not reading or width < 60 or "69,000,000 rows" in lines[0]


def test_a_step_that_is_tried_again_is_told_again() -> None:
    build = Progress("build", "orders", "foreign key f")
    out = follow([build, Progress("judge", "orders", "foreign keys"), build, Progress("publish")])
    assert out.count("building orders: foreign key f, 1.00 s\n") == 2


def test_waiting_is_said_at_once() -> None:
    stream = io.StringIO()
    with Follower(stream=stream) as follower:
        follower(Progress("wait", "orders", "waiting for run 7"))
        assert stream.getvalue() == "orders: waiting for run 7\n"
        follower(Progress("wait", "orders", "waiting for run 7"))
    assert stream.getvalue().count("\n") == 1


def test_what_an_error_cut_short_did_not_end() -> None:
    stream = io.StringIO()

    def fail() -> None:
        with Follower(stream=stream) as follower:
            follower(Progress("stage", "orders", done=1, total=2, rows=1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert stream.getvalue() == ""


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_quiet(stream: io.StringIO) -> None:
    assert follow(LOAD, stream, quiet=True) == ""


def test_a_reader_who_leaves_does_not_break_the_load() -> None:
    class Closed(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    follow(LOAD, Closed())


def test_terminal_shows_bars_and_the_same_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    out = follow([*LOAD, Progress("stage", "[red]evil\x1b[0m[/red]", done=1, total=1)], Terminal())
    for line in follow(LOAD).splitlines():
        assert line.rsplit(" ", 2)[0] in out
    assert "━" in out
    assert "[red]evil\\x1b[0m[/red]" in out


def test_dumb_terminals_get_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert follow(LOAD, Terminal()) == follow(LOAD)


def test_lines_and_the_thread_of_the_live_lines_do_not_disturb_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    pyte = pytest.importorskip("pyte")

    from pgsluice.report.bars import Bars

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    out = Terminal()
    with Follower(stream=out) as follower:
        assert isinstance(follower._bars, Bars)
        thread = follower._bars.live._refresh_thread
        assert thread is not None
        thread.refresh_per_second = 5000
        follower(Progress("begin", step="Loading", total=100, tables=3, run_id=1))
        for i in range(100):
            follower(Progress("stage", f"t{i}", done=0, total=50))
            follower(Progress("stage", f"t{i}", done=50, total=50, rows=i))
    screen = pyte.Screen(80, 200)
    pyte.Stream(screen).feed(out.getvalue().replace("\n", "\r\n"))
    lines = [line.split(":")[0].rstrip() for line in screen.display if line.strip()]
    assert lines == ["Loading", *(f"t{i}" for i in range(100))]
