"""Words that several rooms put into what they say."""

from __future__ import annotations


def pluralize(value: int, noun: str) -> str:
    """``1 row``, ``2,000 rows``."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"
