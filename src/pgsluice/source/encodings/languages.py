"""Alphabets: whether the letters that a reading finds are those of a language.

The bytes of a French file are letters in cp1250 too, but of no language: č stands beside ę, ŕ and ű. A reading whose
letters belong to a language is more than plausible where every other reading has letters of none.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

_CYRILLIC = "абвгдежзийклмнопрстуфхцчшщьюя"

_ALPHABETS = tuple(
    frozenset(letters)
    for letters in (
        "äöüß",  # German
        "àâæçéèêëîïôœùûüÿ",  # French
        "áéíñóúüªº",  # Spanish
        "áâãàçéêíóôõúüªº",  # Portuguese
        "àèéìíîòóùªº",  # Italian
        "àçéèíïóòúü·",  # Catalan
        "áéëèêïíóöüú",  # Dutch
        "åäöé",  # Swedish
        "æøåéóòôê",  # Danish, Norwegian
        "åäöšž",  # Finnish
        "áéíóúýðþæö",  # Icelandic
        "áâêîôûŵŷïö",  # Welsh
        "ąćęłńóśźż",  # Polish
        "áčďéěíňóřšťúůýž",  # Czech
        "áäčďéíĺľňóôŕšťúýž",  # Slovak
        "áéíóöőúüű",  # Hungarian
        "čćđšž",  # Croatian, Slovene, Serbian
        "çë",  # Albanian
        "çğıİöşüâîû",  # Turkish
        "ąčęėįšųūž",  # Lithuanian
        "āčēģīķļņšūž",  # Latvian
        "äöõüšž",  # Estonian
        "ċġħżàèìòù",  # Maltese
        _CYRILLIC + "ёыъэ",  # Russian, Bulgarian
        _CYRILLIC + "ґєії",  # Ukrainian
        _CYRILLIC + "ёыэіў",  # Belarusian
        "абвгдђежзијклљмнњопрстћуфхцчџшѓќѕ",  # Serbian, Macedonian
        _CYRILLIC + "ёыъэәғқңөұүһі",  # Kazakh
        "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ",  # Greek
        "אבגדהוזחטיךכלםמןנסעףפץצקרשת",  # Hebrew
    )
)

_ROMANIAN = frozenset("ăâîșțşţ")
"""An alphabet that decides nothing: ISO 8859-16 has ș where cp1250 has ş."""

_VOWELS = frozenset("аеёиоуыэюяєіїўәөұүαεηιουωάέήίόύώϊϋΐΰ")
"""The vowels of Cyrillic and Greek."""

_LONG = 5
"""From how many letters on a word has a vowel."""

_PUNCTUATION = frozenset("'’‘‚“”„«»‹›–—…·°´`&/-.\u00a0")
"""Characters beside letters that may touch a word."""

_LEAST = 20
"""How many characters there must be in a text that its letters may decide."""

_LISTED = frozenset({"LATIN", "CYRILLIC", "GREEK", "HEBREW"})
"""The scripts of the alphabets."""

_MOST_STRANGE = 0.03
"""The share of characters that do not belong to the language: names from other languages."""

_CLEARLY_STRANGE = 0.1
"""The share from which on a reading is none of a language."""

_CLEARLY = 5
"""How many such characters there must be at least."""


def of_a_language(text: str) -> bool:
    """Whether the letters of a text that are not ASCII are those of one language, and there are many."""
    strange, count = _strange(text, _ALPHABETS)
    return count >= _LEAST and strange <= _MOST_STRANGE * count


def of_no_language(text: str) -> bool:
    """Whether many characters of a text belong to no word, or to another language than the rest, whatever the language
    may be.
    """
    strange, count = _strange(text, (*_ALPHABETS, _ROMANIAN))
    return strange >= max(_CLEARLY, _CLEARLY_STRANGE * count)


def _strange(text: str, alphabets: Sequence[frozenset[str]]) -> tuple[int, int]:
    """How many characters of a text, of those that are not ASCII, do not fit the language that most of them fit; and
    how many there are. Letters of scripts whose alphabets are not listed fit.
    """
    letters: Counter[str] = Counter()
    strange = 0
    for word in text.split():
        if _is_no_word(word):
            strange += sum(not character.isascii() for character in word)
            continue
        for place, character in enumerate(word):
            if character.isascii():
                continue
            if _script(character):
                letters[_small(character)] += 1
            elif character not in _PUNCTUATION and any(map(_script, word[max(0, place - 1) : place + 2])):
                strange += 1
    count = sum(letters.values())
    others = sum(n for letter, n in letters.items() if _script(letter) not in _LISTED)
    fitting = others + max(sum(n for letter, n in letters.items() if letter in alphabet) for alphabet in alphabets)
    return strange + count - fitting, strange + count


def _is_no_word(word: str) -> bool:
    """Whether a word cannot be one: it has letters of two scripts, a capital behind a small letter, or no vowel.

    So are words of one script that are read in another.
    """
    if word.isascii():
        return False
    if any(b.isupper() and not b.isascii() and a.islower() for a, b in pairwise(word)):
        return True
    scripts = set(map(_script, word)) - {""}
    if len(scripts) > 1:
        return True
    return scripts in ({"CYRILLIC"}, {"GREEK"}) and len(word) >= _LONG and not _VOWELS & set(word.lower())


def _small(letter: str) -> str:
    """The small letter; a capital that becomes two characters stays."""
    small = letter.lower()
    return small if len(small) == 1 else letter


@lru_cache(maxsize=1 << 12)
def _script(character: str) -> str:
    """The script of a letter; '' for other characters."""
    if unicodedata.category(character) not in ("Lu", "Ll", "Lo", "Lt"):
        return ""
    return unicodedata.name(character, "?").split(" ")[0]
