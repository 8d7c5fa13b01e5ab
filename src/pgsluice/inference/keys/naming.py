"""How well the name of a column fits the name of a table, in any style and in several languages.

A name is divided into words; words that say no more than *key* are left out. A column fits a table if the words that
remain end with those of the table: ``billing_address_id`` fits ``addresses``. Words fit if they are the same in the
singular or the plural, if one abbreviates the other, if they are synonyms, or if they are nearly spelled alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from pgsluice.inference.columns.words import MEASURES
from pgsluice.inference.keys.words import (
    AFFIXES,
    BEGINNINGS,
    ENDINGS,
    GENERIC,
    IDS,
    SELF,
    SHORT_ENDINGS,
    SYNONYMS,
)

Words = tuple[str, ...]

_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "o", "ł": "l"})
_NEAR = 85.0
_SAME = 0.95
_ABBREVIATION = 0.85
_CONTRACTION = 0.75
_SYNONYM = 0.75


@lru_cache(maxsize=65536)
def words_of(name: str) -> Words:
    """The words of a name, in lower case and without accents: ``KundenNr2`` is ``kunden``, ``nr``."""
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    plain = unicodedata.normalize("NFC", plain).lower().translate(_UMLAUTS)
    plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    return tuple(word for word in re.findall(r"[^\W\d_]+", plain) if word)


@lru_cache(maxsize=65536)
def bare_words(name: str) -> tuple[Words, bool]:
    """The words of a column without those that mean *key*, and whether there was such a word."""
    words = words_of(name)
    kept = [word for word in words if word not in IDS]
    found = len(kept) < len(words)
    if kept and not found:
        # One word may hold both: kundennr, idcliente.
        last = kept[-1]
        ending = next((e for e in (*ENDINGS, *SHORT_ENDINGS) if last.endswith(e) and len(last) - len(e) >= 3), "")
        beginning = next((b for b in BEGINNINGS if kept[0].startswith(b) and len(kept[0]) - len(b) >= 4), "")
        if ending:
            kept[-1], found = last.removesuffix(ending), True
        elif beginning and len(kept) == 1:
            kept[0] = kept[0].removeprefix(beginning)
            return tuple(kept), False
    return tuple(kept), found


@lru_cache(maxsize=65536)
def table_words(name: str) -> Words:
    """The words of a table that say what its rows are."""
    words = words_of(name)
    return tuple(word for word in words if word not in AFFIXES) or words


def says_key(name: str) -> bool:
    """Whether the name of a column says that the values name something."""
    return bare_words(name)[1]


def says_measure(name: str) -> bool:
    """Whether the name of a column says that its numbers are measured or counted."""
    words = words_of(name)
    return any(word in MEASURES for word in words) and not says_key(name)


def is_generic(name: str) -> bool:
    """Whether the name is one that many tables have."""
    words = words_of(name)
    return bool(words) and words[-1] in GENERIC


def refers_to_self(name: str) -> bool:
    """Whether the name of a column means another row of its own table."""
    words = words_of(name)
    return any(word in SELF for word in words) or "".join(words) in SELF


@lru_cache(maxsize=65536)
def _forms(word: str) -> frozenset[str]:
    """The word and what may be its singular."""
    forms = {word}
    if word.endswith("ies") and len(word) > 4:
        forms.add(word[:-3] + "y")
    for ending in ("en", "es", "er", "s", "n", "e", "a", "i", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            forms.add(word.removesuffix(ending))
    return frozenset(forms)


_GROUPS: dict[str, set[int]] = {}
for _number, _group in enumerate(SYNONYMS):
    for _word in _group.split():
        for _form in _forms(_word):
            _GROUPS.setdefault(_form, set()).add(_number)


@lru_cache(maxsize=65536)
def word_fit(one: str, other: str) -> float:
    """How well two words fit, from 0 to 1."""
    if one == other:
        return 1.0
    if _forms(one) & _forms(other):
        return 0.98
    short, long = sorted((one, other), key=len)
    if len(short) >= 3 and long.startswith(short):
        return _ABBREVIATION
    from rapidfuzz import fuzz

    if len(short) >= 4 and fuzz.ratio(one, other) >= _NEAR:
        return 0.85
    if any(_GROUPS.get(a, set()) & _GROUPS.get(b, set()) for a in _forms(one) for b in _forms(other)):
        return _SYNONYM
    if 3 <= len(short) < len(long) and short[0] == long[0] and _contracts(short, long):
        return _CONTRACTION
    return 0.0


def _contracts(short: str, long: str) -> bool:
    """Whether the letters of a short word stand in a long word in this order, and most are consonants: ``mgr``."""
    letters = iter(long)
    consonants = sum(letter not in "aeiou" for letter in short)
    return consonants * 3 >= len(short) * 2 and all(letter in letters for letter in short)


def table_fit(column: Words, table: Words) -> float:
    """How well the bare words of a column fit the words of a table, from 0 to 1."""
    if not column or not table:
        return 0.0
    best = word_fit("".join(column), "".join(table))
    if best >= _SAME:
        return best
    if len(column) + len(table) > 2:
        # Several words are no abbreviation of each other: pub is not pub_info.
        best = 0.0
    if len(column) >= len(table):
        ends = [word_fit(a, b) for a, b in zip(column[-len(table) :], table, strict=True)]
        if all(ends):
            # Words in front say the role: billing address.
            best = max(best, min(ends) - 0.04 * min(2, len(column) - len(table)))
        starts = [word_fit(a, b) for a, b in zip(column, table, strict=False)]
        if all(starts):
            best = max(best, 0.6 * min(starts))
    elif (head := word_fit(column[-1], table[-1])) > 0:
        # item_id fits order_items.
        best = max(best, (0.8 if len(column) == 1 else 0.7) * head)
    elif all(word_fit(a, b) for a, b in zip(column, table, strict=False)):
        best = max(best, 0.45)
    return best


def own_fit(column: str, table: str, prefix: str = "") -> float:
    """How well a column fits the key of its own table, from 0 to 1.

    :param prefix: a word that all columns of the table begin with.
    """
    words, key = bare_words(column)
    if prefix and len(words_of(column)) > 1 and words_of(column)[0] == prefix:
        shorter = own_fit("_".join(words_of(column)[1:]), table)
        if shorter:
            return shorter
    if not words:
        return 1.0 if words_of(column) else 0.0
    fit = table_fit(words, table_words(table))
    return fit if key else 0.6 * fit


def reference_fit(column: str, parent: str, key: str, child: str, prefixes: Sequence[str] = ("", "")) -> float:
    """How well a column fits the key of another table, from 0 to 1.

    :param parent: the parent table.
    :param key: the column of the parent table.
    :param child: the table of the column.
    :param prefixes: the words that all columns of the child and of the parent begin with.
    """
    mine, theirs = (_without(name, prefix) for name, prefix in zip((column, key), prefixes, strict=True))
    words, said = bare_words(mine)
    fits = table_fit(words, table_words(parent))
    if fits and not said:
        fits *= 0.9
    return max(fits, _same_name(mine, theirs, parent, child))


def _without(name: str, prefix: str) -> str:
    words = words_of(name)
    return "_".join(words[1:]) if prefix and len(words) > 1 and words[0] == prefix else name


def _same_name(column: str, key: str, parent: str, child: str) -> float:
    """How well a column fits by the name of the key alone."""
    mine, theirs = words_of(column), words_of(key)
    bare, _ = bare_words(key)
    if not bare or not mine or is_generic(key):
        # Every table has an id.
        return 0.0
    if mine == theirs:
        return 0.9
    from rapidfuzz import fuzz

    if min(len("".join(mine)), len("".join(theirs))) >= 6 and fuzz.ratio("_".join(mine), "_".join(theirs)) >= 90:
        return 0.85
    # customer_zip_code and geolocation_zip_code, each with the name of its own table.
    short, long = _without_table(mine, child), _without_table(theirs, parent)
    if short == long and (len(short) < len(mine) or len(long) < len(theirs)) and set(short) - IDS - GENERIC:
        return 0.85
    if len(theirs) < len(mine) and mine[-len(theirs) :] == theirs and len(bare) >= 1:
        # A role in front of the name of the key: home_team_id.
        return 0.85
    return 0.0


def _without_table(words: Words, table: str) -> Words:
    named = table_words(table)
    if len(words) > 1 and named and any(word_fit(words[0], word) >= _ABBREVIATION for word in named):
        return words[1:]
    return words


def common_prefix(columns: Sequence[str]) -> str:
    """The first word of all columns of a table, which then says nothing; '' if there is none."""
    firsts = {words_of(name)[0] if words_of(name) else "" for name in columns}
    long = all(len(words_of(name)) > 1 for name in columns)
    return next(iter(firsts)) if len(firsts) == 1 and long and len(columns) >= 2 else ""
