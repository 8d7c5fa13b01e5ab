"""Wording that several messages share."""

from __future__ import annotations


def pluralize(value: int, noun: str) -> str:
    """Returns a number with its noun: ``1 row``, ``2,000 rows``.

    :param noun: in the singular; the plural must be formed with ``s``.
    """
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"
