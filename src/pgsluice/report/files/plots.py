"""The plots of the history, drawn by matplotlib as SVG that stands in the page."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pgsluice.model import RunSummary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# matplotlib writes colours as values. These stand for colours of the page, which has two schemes.
_TEXT, _BAR, _BAD = "#010203", "#040506", "#070809"
_COLOURS = {_TEXT: "var(--muted)", _BAR: "var(--bar)", _BAD: "var(--bad)"}

_UNDONE = frozenset({"vetoed", "failed", "interrupted"})


def history_plots(history: Sequence[RunSummary]) -> tuple[str, ...]:
    """Plots of rows, rejects and seconds by run; () if there are fewer than two runs.

    :param history: oldest first.
    """
    if len(history) < 2:
        return ()
    rows = [run.loaded for run in history]
    rejects = [run.rejected + run.replayed for run in history]
    seconds = [run.seconds or 0.0 for run in history]
    return (
        _plot("rows", "Rows loaded", history, rows),
        _plot("rejects", "Rejects", history, rejects),
        _plot("seconds", "Seconds", history, seconds),
    )


def _plot(name: str, title: str, history: Sequence[RunSummary], values: Sequence[float]) -> str:
    """One plot with a bar for each run."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # Texts stay texts, and the identifiers are the same every time.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "pgsluice", "font.size": 9}):
        figure = Figure(figsize=(4.2, 1.9), layout="constrained")
        axes = figure.subplots()
        axes.bar(range(len(values)), values, color=[_BAD if r.status in _UNDONE else _BAR for r in history])
        _style(axes, title, history)
        figure.patch.set_visible(False)
        written = io.StringIO()
        FigureCanvasSVG(figure).print_svg(written, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    text = f"{title} of {len(history)} runs, from run {history[0].run_id} to run {history[-1].run_id}"
    return _for_page(written.getvalue(), name, text)


def _style(axes: Axes, title: str, history: Sequence[RunSummary]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_title(title, color=_TEXT, fontsize=10)
    axes.set_facecolor("none")
    axes.tick_params(colors=_TEXT, length=2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(_TEXT)
    step = max(1, -(-len(history) // 8))
    places = range(0, len(history), step)
    axes.set_xticks(list(places), [str(history[place].run_id) for place in places])
    axes.set_xlabel("run", color=_TEXT)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=title != "Seconds"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def _for_page(svg: str, name: str, text: str) -> str:
    """The SVG element with the colours of the page and identifiers that no other element has.

    :param svg: a document of matplotlib's, in which nothing comes from data but numbers.
    :param text: what the plot shows, for people who do not see it.
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    for colour, variable in _COLOURS.items():
        svg = svg.replace(colour, variable)
    return svg.replace("<svg", f'<svg role="img" aria-label="{text}"', 1)
