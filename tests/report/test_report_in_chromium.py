"""The page of a report in a real browser: headless Chromium, if one is installed (Debian: apt-get install chromium)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from page_cases import huge, load_evil

from pgsluice.report.files import render

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (Debian: apt-get install chromium)")

PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        # Chromium has no sandbox for root.
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        yield launched
        launched.close()


def opened(browser: Any, path: Path, size: dict[str, int], scheme: str = "light") -> tuple[Any, list[str]]:
    """The page in a window of that size, and what its console said or what it wanted to load."""
    page = browser.new_context(viewport=size, color_scheme=scheme).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: said.append(request.url) if request.url != path.as_uri() else None)
    page.goto(path.as_uri())
    return page, said


def test_a_page_of_a_real_run(
    browser: Any, conn: psycopg.Connection[tuple[object, ...]], db: str, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(render(load_evil(conn, db, tmp_path)))
    grounds = set()
    for scheme in ("light", "dark"):
        page, said = opened(browser, path, DESKTOP, scheme)
        assert page.locator("h1").is_visible()
        assert page.locator(".plots svg").count() == 3
        assert all(box["height"] > 100 for box in (plot.bounding_box() for plot in page.locator(".plots svg").all()))
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert said == []
    assert grounds == {"rgb(255, 255, 255)", "rgb(13, 17, 23)"}

    # Without a mouse: the first Tab leads past the sections, and Enter opens what is closed.
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    closed = page.locator("details:not([open]) > summary").first
    closed.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open")

    # On a phone the tables scroll and the page does not.
    page, said = opened(browser, path, PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert said == []

    # What a screen reader hears.
    heard = page.locator("body").aria_snapshot()
    for part in ("- banner", "- main", "- navigation", "- contentinfo", 'heading "Rejects" [level=2]', "rowheader"):
        assert part in heard, part

    # On paper the closed parts are open.
    page.emulate_media(media="print")
    history = page.get_by_role("table").filter(has_text="Runs up to this run")
    assert history.bounding_box()["height"] > 40


def test_a_huge_page_stays_usable(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(render(huge()))
    page, said = opened(browser, path, PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert said == []
