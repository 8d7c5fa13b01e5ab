"""Renders the page, by Jinja2 and matplotlib, which the extra ``report`` installs."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pgsluice.errors import CallError
from pgsluice.model import RunReport
from pgsluice.report.files.histogram import BINS, histogram
from pgsluice.report.files.view import Bounds, view_of
from pgsluice.report.parts import clean, number, seconds, size

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_BYTES = 1_000_000
"""The size of the page is less. Mail programs and CI systems take such files, and a phone opens them at once."""


def render(report: RunReport, address: str = "") -> bytes:
    """Renders the report of a run as an HTML page in UTF-8.

    Everything that comes from data is escaped. A page that would be too large shows less, and says so.

    :param address: the options that name the database, for the commands that the page proposes.
    :raises CallError: the extra is not installed.
    """
    environment = _environment()
    from pgsluice.report.files.plots import history_plots

    plots = history_plots(report.history)
    template = environment.get_template("page.html")
    bounds = Bounds()
    while True:
        view = view_of(report, bounds)
        page = template.render(view=view, report=report, plots=plots, address=address).encode()
        if len(page) < MOST_BYTES or bounds == bounds.smaller():
            return page
        bounds = bounds.smaller()


def _environment() -> Environment:
    """:raises CallError: Jinja2 or matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401 (plots.py draws with it)
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise CallError(
            f"the report needs {error.name or 'a package'}, which is not installed", "pip install 'pgsluice[report]'"
        ) from error
    environment = Environment(
        loader=PackageLoader("pgsluice.report.files"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "seconds": seconds,
        "size": size,
        "clean": clean,
        "percent": _percent,
        "figure": _figure,
        "quoted": shlex.quote,
    }
    environment.globals |= {"histogram": histogram, "bins": BINS}
    return environment


def _percent(share: float) -> str:
    """``0.123`` as ``12.3 %``; what is not nothing is never ``0 %``, and what is not all never ``100 %``."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.3g} %"


def _figure(value: float) -> str:
    """A mean or an estimate with at most six digits, ``1,234.5``."""
    return f"{value:,.0f}" if abs(value) >= 100_000 else f"{value:,.6g}"
