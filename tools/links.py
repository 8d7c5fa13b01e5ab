"""Checks the links of the project's Markdown files: files, headings, and the list of pages in docs/README.md.

No network is used: links to other sites are not followed. Headings get the anchors that code hosts give them::

    make links
    python tools/links.py [FOLDER]                     # exit code 1 if a link leads nowhere
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

PROJECT = Path(__file__).resolve().parents[1]
START = Path("docs/README.md")
"""The start page. The site takes its menu from the lists of links in it, so each page must be there."""

_OTHER_SITE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_HTML_LINK = re.compile(r"""(?:href|src|srcset)="([^"]+)\"""")
_HTML_ANCHOR = re.compile(r"""\b(?:id|name)="([^"]+)\"""")
Link = tuple[int, str]
"""The line of a link, from 1, and its address."""


def pages(project: Path) -> list[Path]:
    """The Markdown files of the project: those at the top, and those of docs/ and examples/."""
    found = [*project.glob("*.md"), *(project / "docs").rglob("*.md"), *(project / "examples").rglob("*.md")]
    return sorted(found)


def parse(text: str) -> tuple[list[Link], set[str]]:
    """The links of a page, and the anchors of its headings and of its HTML."""
    links: list[Link] = []
    anchors: set[str] = set()
    line = 1
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for index, token in enumerate(tokens):
        line = token.map[0] + 1 if token.map else line
        if token.type == "heading_open":
            anchors.add(_free(slug(_plain(tokens[index + 1])), anchors))
        for part in (token, *(token.children or ())):
            links += [(line, address) for address in _addresses(part)]
            if part.type in ("html_block", "html_inline"):
                anchors |= set(_HTML_ANCHOR.findall(part.content))
    return links, anchors


def _addresses(token: Token) -> list[str]:
    if token.type in ("html_block", "html_inline"):
        return _HTML_LINK.findall(token.content)
    return [str(value) for name in ("href", "src") if (value := token.attrGet(name)) is not None]


def _plain(heading: Token) -> str:
    return "".join(part.content for part in heading.children or () if part.type in ("text", "code_inline"))


def slug(heading: str) -> str:
    """The anchor that a code host makes of a heading: lower case, words joined by dashes, no punctuation."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _free(anchor: str, taken: set[str]) -> str:
    names = (anchor if number == 0 else f"{anchor}-{number}" for number in range(len(taken) + 1))
    return next(name for name in names if name not in taken)


def complaints(project: Path) -> Iterator[str]:
    """A line for each link that leads nowhere, and for each page that the start page does not name."""
    parsed = {page: parse(page.read_text(encoding="utf-8")) for page in pages(project)}
    for page, (links, _) in parsed.items():
        for line, address in links:
            if not _OTHER_SITE.match(address) and (complaint := _wrong(page, address, parsed)) is not None:
                yield f"{page.relative_to(project)}:{line}: {address}: {complaint}"
    start = project / START
    named = {(start.parent / unquote(address.partition("#")[0])).resolve() for _, address in parsed[start][0]}
    for page in parsed:
        if page.is_relative_to(start.parent) and page != start and page not in named:
            yield f"{page.relative_to(project)}:1: {START} does not name this page"


def _wrong(page: Path, address: str, parsed: dict[Path, tuple[list[Link], set[str]]]) -> str | None:
    path, _, anchor = unquote(address).partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return "no such file"
    if anchor and target in parsed and anchor not in parsed[target][1]:
        near = ", ".join(f"#{name}" for name in sorted(parsed[target][1]) if anchor.split("-")[0] in name)
        return f"no such heading in {target.name}" + (f"; there is {near}" if near else "")
    return None


def main() -> int:
    found = list(complaints(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else PROJECT))
    print("\n".join(found) or "All links lead somewhere.")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
