"""Wording that several messages share."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"(postgres\w*(?:\+\w+)?://)(?:.*@)?\S*", re.IGNORECASE | re.DOTALL)
"""The address of a database. Up to the last @, because a password may contain blanks and @."""


def without_addresses(text: str) -> str:
    """Returns the text with dots in place of an address of a database, which may contain a password."""
    return _ADDRESS.sub(r"\1...", text) if "://" in text else text


def pluralize(value: int, noun: str) -> str:
    """Returns a number with its noun: ``1 row``, ``2,000 rows``.

    :param noun: in the singular; the plural must be formed with ``s``.
    """
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"
