"""Writes ``src/pgsluice/languages.json``: the names of months and weekdays of some languages.

Run it after a new release of Babel, which the extra ``dev`` brings::

    python tools/languages.py
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from babel import Locale
from babel.localedata import locale_identifiers

FILE = Path(__file__).parents[1] / "src/pgsluice/languages.json"

LANGUAGES = [
    "de",
    "es",
    "fr",
    "it",
    "pt",
    "nl",
    "pl",
    "ru",
    "sv",
    "da",
    "nb",
    "fi",
    "cs",
    "tr",
    "hu",
    "ro",
    "el",
    "uk",
    "bg",
    "hr",
    "sk",
    "sl",
    "sr",
    "sr_Latn",
    "mk",
    "lt",
    "lv",
    "et",
    "ca",
    "gl",
    "is",
    "id",
    "af",
    "sq",
]
"""In this order, roughly that of their frequency in files. English is PostgreSQL's own."""

ENGLISH = {
    word: i + 1
    for i, word in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
}
ENGLISH["sept"] = 9

SOURCE = "Unicode CLDR, through Babel. Copyright 1991-2025 Unicode, Inc. Unicode License v3: https://www.unicode.org/license.txt"


def plain(word: str) -> str:
    """The word without accents."""
    parts = unicodedata.normalize("NFD", word.replace("ı", "i"))
    return unicodedata.normalize("NFC", "".join(c for c in parts if not unicodedata.combining(c)))


def spelled(words: Iterable[str]) -> set[str]:
    """The words in lower case, without points, with and without accents."""
    bare = {re.sub("^(?:de |d['\u2019])", "", word.lower()).strip(". ").replace("\u0307", "") for word in words}
    return {form for word in bare for form in (word, plain(word)) if form and not any(c.isdigit() for c in form)}


def shortened(months: Mapping[int, set[str]]) -> dict[int, set[str]]:
    """The first three and four letters of the names, where they begin no name of another month.

    PostgreSQL reads the English abbreviations. None of them gets another meaning: ``mar`` is not the Finnish November.
    """
    found: dict[int, set[str]] = {}
    for number, words in months.items():
        others = {word for other, several in months.items() if other != number for word in several}
        begins = {word[:length] for word in words for length in (3, 4) if len(word) > length}
        found[number] = {
            begin
            for begin in begins
            if ENGLISH.get(begin, number) == number and not any(word.startswith(begin) for word in others)
        }
    return found


def names_of(language: str) -> dict[str, object]:
    """The names that the regions of a language use. A word that names two months is left out."""
    regions = [n for n in locale_identifiers() if n == language or n.startswith(f"{language}_")]
    if language == "sr":
        regions = [name for name in regions if "Latn" not in name]
    locales = [Locale.parse(name) for name in [language, *regions]]
    months: dict[int, set[str]] = defaultdict(set)
    days: set[str] = set()
    for locale in locales:
        for context in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                for number, word in locale.months[context][width].items():
                    months[number] |= spelled([word])
                days |= spelled(locale.days[context][width].values())
    for number, words in shortened(months).items():
        months[number] |= words
    # A Swiss abbreviation of the French juin begins juillet, too.
    twice = {
        word
        for number, words in months.items()
        for word in words
        if any(other.startswith(word) for m, several in months.items() if m != number for other in several)
    }
    return {
        "name": Locale.parse(language).english_name,
        "months": [sorted(months[n] - twice) for n in range(1, 13)],
        "days": sorted(days),
    }


def main() -> None:
    """Writes the file, a language a line."""
    rows = [
        f"  {json.dumps(language.replace('_', '-'))}: {json.dumps(names_of(language), ensure_ascii=False)}"
        for language in LANGUAGES
    ]
    body = ",\n".join(rows)
    FILE.write_text(f'{{\n "source": {json.dumps(SOURCE)},\n "languages": {{\n{body}\n }}\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
