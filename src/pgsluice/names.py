"""Names: which table a file name means, and which column the name of a field means.

Names match without case, blanks, dashes and underscores where that is unique, and without accents where that is unique.
An exact match wins: ``User.csv`` feeds the table ``"User"`` although a table ``user`` exists.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

_NAME_BYTES = 63
"""Bytes of a name that PostgreSQL keeps (NAMEDATALEN - 1, manual, "Identifiers and Key Words")."""

_SHORT = 200
"""Characters of a name that is kept with what it means."""

_KEPT = 5_000
"""How many names are kept."""

_NEAR = 70.0
"""The similarity from 0 to 100 from which a name is worth proposing."""

_MISSPELT = 85.0
"""The similarity from which a new name may be a known name that is misspelt."""


class Names:
    """Names of tables or columns, to find the one that another name means."""

    def __init__(self, candidates: Iterable[str]) -> None:
        self._candidates = list(candidates)
        self._by_form: list[dict[str, list[str]]] = []
        self._found: dict[str, list[str]] = {}

    def find(self, name: str) -> list[str]:
        """The candidates that a name means: one if the match is unique, several if it is not, none if none fits."""
        # The search for a header asks the same cells in each reading of a file.
        found = self._found.get(name)
        if found is None:
            found = self._find(name)
            if len(name) <= _SHORT and len(self._found) < _KEPT:
                self._found[name] = found
        return found

    def _find(self, name: str) -> list[str]:
        for place, form in enumerate(_FORMS):
            if len(self._by_form) == place:
                grouped: dict[str, list[str]] = {}
                for candidate in self._candidates:
                    grouped.setdefault(form(candidate), []).append(candidate)
                self._by_form.append(grouped)
            wanted = form(name)
            if wanted and (found := self._by_form[place].get(wanted)):
                return found
        return []

    def nearest(self, name: str) -> str:
        """The candidate that is most similar to a name; '' if no candidate is similar."""
        # The import takes some milliseconds, and only errors need it.
        from rapidfuzz import fuzz, process

        best = process.extractOne(name, self._candidates, scorer=fuzz.WRatio, processor=_plain, score_cutoff=_NEAR)
        return "" if best is None else str(best[0])


def may_be_misspelt(name: str, meant: str) -> bool:
    """Whether a name is so similar to another that it may be the same, misspelt. ``email2`` is not ``email``."""
    from rapidfuzz import fuzz

    mine, other = _plain(name), _plain(meant)
    return re.sub(r"\D", "", mine) == re.sub(r"\D", "", other) and fuzz.ratio(mine, other) >= _MISSPELT


def column_name(field: str) -> str:
    """The name of a new column for a field: in lower case, with underscores for blanks and dashes. The field means the
    column, because names match without these differences.
    """
    return _cut(_folded(field))


def _exact(name: str) -> str:
    return name


def _cut(name: str) -> str:
    """The name as PostgreSQL stores it: cut to 63 bytes, at the boundary of a character."""
    return name.encode()[:_NAME_BYTES].decode(errors="ignore")


def _folded(name: str) -> str:
    """Lower case, composed characters, no outer blanks, one underscore for each run of dashes and blanks."""
    return re.sub(r"[-\s]+", "_", unicodedata.normalize("NFKC", name).strip().lower())


def _squeezed(name: str) -> str:
    """As :func:`_folded`, without underscores: ``customerId`` and ``customer_id`` are the same."""
    return _cut(_folded(name)).replace("_", "") or _folded(name)


def _plain(name: str) -> str:
    """As :func:`_squeezed`, without accents."""
    decomposed = unicodedata.normalize("NFKD", _squeezed(name))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


_FORMS: tuple[Callable[[str], str], ...] = (_exact, _cut, _folded, _squeezed, _plain)
