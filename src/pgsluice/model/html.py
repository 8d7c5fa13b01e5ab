"""Results as HTML, for notebooks. Every text is escaped: it may come from a file or from its name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice

MOST_ROWS = 100
"""A table of more rows is cut, and its last line says how many are left out."""


def html_text(value: object) -> str:
    """The value as HTML text. Numbers have separators; characters that cannot be seen are written as escapes."""
    if isinstance(value, int):
        return f"{value:,}"
    text = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in str(value))
    return escape(text).replace("\n", "<br>")


def html_table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with a title. Numbers are aligned to the right."""
    parts = [f"<table><caption>{html_text(title)}</caption><thead><tr>"]
    parts += [f"<th>{html_text(name)}</th>" for name in header]
    parts.append("</tr></thead><tbody>")
    rest = iter(rows)
    for row in islice(rest, MOST_ROWS):
        cells = ((' style="text-align: right"' if isinstance(v, int) else "", html_text(v)) for v in row)
        parts.append("<tr>" + "".join(f"<td{style}>{text}</td>" for style, text in cells) + "</tr>")
    if more := sum(1 for _ in rest):
        parts.append(f'<tr><td colspan="{len(header)}">and {more:,} more</td></tr>')
    parts.append("</tbody></table>")
    return "".join(parts)
