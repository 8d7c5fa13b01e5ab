"""Guards texts against spreadsheet programs, which execute a cell that begins like a formula, and undoes the guard.

A guarded text has an apostrophe in front. A text that begins with an apostrophe gets another one, so that removing the
apostrophe gives every text back exactly. Source of the list of characters: OWASP, "CSV Injection".
"""

from __future__ import annotations

GUARDED_RAW = "guarded_raw"
"""The column of a guarded report that stands in the place of ``raw``. A replay knows a guarded report by this name."""

_BEGINS_FORMULA = frozenset("=+-@\t\r\n＝＋－＠")
_GUARD = "'"


def guard(text: str) -> str:
    """Returns the text with an apostrophe in front, if a spreadsheet program might take the text for a formula."""
    return _GUARD + text if _may_begin_formula(text) else text


def undo_guard(text: str) -> str:
    """Returns the text that :func:`guard` got.

    A spreadsheet program may have removed the apostrophe already; the text is then returned unchanged.
    """
    return text[1:] if text.startswith(_GUARD) and _may_begin_formula(text[1:]) else text


def _may_begin_formula(text: str) -> bool:
    return text[:1] in _BEGINS_FORMULA or text[:1] == _GUARD
