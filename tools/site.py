"""Hooks of MkDocs for `make docs`: the menu, the links that leave docs/, and a check of what became of a page.

The pages are plain Markdown that code hosts show. The menu of the site comes from the lists of links in
docs/README.md. Files beside docs/ are not part of the site: CHANGELOG.md and CONTRIBUTING.md become pages, links to
others become text.
"""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path

from markdown_it import MarkdownIt
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))
from links import START, slug

PROJECT = Path(__file__).resolve().parents[1]
BESIDE = ("CHANGELOG.md", "CONTRIBUTING.md")
"""Files at the top of the project that are pages of the site."""

log = logging.getLogger("mkdocs.hooks.site")
_ITEM = re.compile(r"^- \[([^\]]+)\]\(([^)#]+\.md)\)", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(((?:\.\./)+[^)\s]+)\)")
_BLOCKS = ("li", "tr", "pre", "h2", "h3")


def menu(start: str) -> list[dict[str, object]]:
    """The menu of the site: a room for each heading of the start page, with the pages that its list names."""
    rooms: list[dict[str, object]] = [{"Start": "README.md"}]
    for section in re.split(r"^## ", start, flags=re.MULTILINE)[1:]:
        name, _, text = section.partition("\n")
        items = [{title.replace("`", ""): path.removeprefix("../")} for title, path in _ITEM.findall(text)]
        if items:
            rooms.append({name: items})
    return rooms


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Puts the menu in, and the anchors of headings that code hosts make."""
    config.nav = menu((PROJECT / START).read_text(encoding="utf-8"))
    config.mdx_configs["toc"]["slugify"] = lambda heading, _: slug(heading)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are beside docs/."""
    for name in BESIDE:
        text = (PROJECT / name).read_text(encoding="utf-8").replace("](docs/", "](")
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns links that leave docs/ into links to pages of the site, or into text."""
    here = Path(config.docs_dir) / page.file.src_uri

    def link(found: re.Match[str]) -> str:
        path, _, anchor = found[2].partition("#")
        target = (here.parent / path).resolve()
        if target.is_relative_to(config.docs_dir):
            return found[0]
        name = target.relative_to(PROJECT).as_posix()
        if name not in BESIDE:
            return found[1]
        return f"[{found[1]}]({'../' * page.file.src_uri.count('/')}{name}{'#' * bool(anchor)}{anchor})"

    return _LINK.sub(link, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Warns, which fails the build, if the site reads the Markdown otherwise than a code host does."""
    expected = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(page.markdown or "")
    for tag in _BLOCKS:
        # Mermaid diagrams are a <pre> as well.
        counts = [len(re.findall(rf"<{tag}[ >]", text)) for text in (expected, html)]
        if counts[0] != counts[1]:
            log.warning("%s: %d <%s> on a code host, %d in the site", page.file.src_uri, counts[0], tag, counts[1])
    return html
