"""Names of months and days in some languages, those of Unicode CLDR. ``tools/languages.py`` writes them into
``languages.json``. English is left out, because PostgreSQL reads it by itself.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Language:
    """The names of a language."""

    code: str
    """The code of the language, as in ISO 639."""
    name: str
    """Its English name."""
    months: tuple[tuple[str, ...], ...]
    """The names of each month in lower case, with their abbreviations."""
    days: tuple[str, ...]
    """The names of the days of a week, with their abbreviations."""

    def month_of(self, word: str) -> int:
        """The number of the month of a word, from 1; 0 if there is none."""
        return next((i + 1 for i, words in enumerate(self.months) if word.lower() in words), 0)


@functools.cache
def languages() -> Mapping[str, Language]:
    """The languages by their codes, the most frequent first."""
    stored = json.loads(Path(__file__).with_name("languages.json").read_text(encoding="utf-8"))["languages"]
    return {
        code: Language(code, row["name"], tuple(tuple(words) for words in row["months"]), tuple(row["days"]))
        for code, row in stored.items()
    }


def find_language(text: str) -> Language | None:
    """The language of a code, with or without a region: ``de``, ``de-AT``, ``pt_BR``; None if it is not known."""
    code = text.replace("_", "-").lower()
    by_code = {known.lower(): language for known, language in languages().items()}
    return by_code.get(code) or by_code.get(code.partition("-")[0])
