"""The primary key of each table: the most referenced unique column, a surrogate key, or several columns together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from pgsluice.inference.columns.words import CODES, UNIQUE
from pgsluice.inference.draft import DraftColumn, DraftKey, DraftReference, DraftTable
from pgsluice.inference.keys.distinct import are_unique, duplicates, may_be_key
from pgsluice.inference.keys.naming import (
    bare_words,
    is_generic,
    says_key,
    says_measure,
    table_fit,
    table_words,
    word_fit,
    words_of,
)
from pgsluice.inference.keys.references import Naming
from pgsluice.inference.reading.store import Store
from pgsluice.model import Certainty

_SURE = 2.0
"""The score from which a unique column is the primary key without a look at several columns."""

_POSSIBLE = 0.95
_MOST_COLUMNS = 4
_MOST_CANDIDATES = 8
_SHOWN = 3

_DISCRIMINATORS = frozenset(
    [
        "line",
        "lineno",
        "linenumber",
        "position",
        "pos",
        "posnr",
        "seq",
        "sequence",
        "sequential",
        "item",
        "nr",
        "no",
        "number",
        "zeile",
        "ligne",
        "linea",
        "index",
        "idx",
        "rank",
        "step",
        "version",
        "installment",
        "part",
        "day",
        "date",
        "month",
        "year",
        "tag",
        "datum",
        "fecha",
    ]
)
"""Words for what numbers the rows within something."""

By = Mapping[DraftColumn, Sequence[DraftReference]]


def choose_primary_key(store: Store, table: DraftTable, naming: Naming, children: By, parents: By) -> None:
    """Chooses the primary key of a table.

    :param children: the references to each column.
    :param parents: the references of each column.
    """
    single = _best_single(table, naming, children, parents)
    linked = single is not None and any(
        r.parent is not table and r.name_score > naming.own(single[0]) for r in parents.get(single[0], ())
    )
    junction = _junction(store, table, parents) if linked or single is None or single[1] < _SURE else None
    if single is not None and single[1] >= _SURE and junction is None:
        table.primary_key = _single_key(single[0], naming, children)
        return
    broken = _broken_key(store, table, naming) if junction is None else None
    several = junction or broken or _best_several(store, table, parents)
    if several is not None:
        table.primary_key = several
    elif single is not None and single[1] >= _POSSIBLE:
        table.primary_key = _single_key(single[0], naming, children)


def _single_key(column: DraftColumn, naming: Naming, children: By) -> DraftKey:
    why = []
    if not column.table.rows:
        return DraftKey((column,), Certainty.CERTAIN, "by its name; there are no rows")
    why.append(f"{column.distinct:,} rows, all different")
    if count := len({r.table for r in children.get(column, ()) if r.table is not column.table}):
        why.append(f"referenced by {count} {'table' if count == 1 else 'tables'}")
    if _is_surrogate(column):
        why.append("numbers without gaps")
    return DraftKey((column,), Certainty.CERTAIN, ", ".join(why))


def _is_surrogate(column: DraftColumn) -> bool:
    """Whether the values are consecutive numbers."""
    if column.kind != "integer" or column.least is None or column.greatest is None:
        return False
    return column.least in (0, 1) and column.greatest - column.least + 1 == column.filled


def _best_single(table: DraftTable, naming: Naming, children: By, parents: By) -> tuple[DraftColumn, float] | None:
    """The best unique column, with its score."""
    scored = []
    for column in table.columns:
        own = naming.own(column)
        if not may_be_key(column) or not ((column.unique and column.not_null) or (not table.rows and own >= 0.8)):
            continue
        score = 2.2 * own + 0.7 * (column.number == 0)
        score += 2.0 * min(1.0, sum(r.score for r in children.get(column, ())))
        score += 0.5 * _is_surrogate(column) + 0.3 * (column.kind in ("integer", "uuid"))
        score += 0.3 * (says_key(column.field) or bool(set(words_of(column.field)) & UNIQUE))
        if column.kind in ("date", "timestamp"):
            score -= 2.0
        if column.phrases or column.longest > 64:
            score -= 0.8
        if column.kind == "integer" and says_measure(column.field):
            score -= 1.5
        if is_generic(column.field) and own < 0.8:
            score -= 0.5
        if len(table.columns) == 1:
            score += 1.0
        if any(r.parent is not table and r.name_score >= 0.7 for r in parents.get(column, ())) and own < 0.8:
            # A table that extends another has its key in front.
            score -= 0.8 if column.number else 0.0
        if table.rows == 1:
            # One row proves nothing; the name must say it.
            score -= 1.0
        scored.append((score, -column.number, column))
    if not scored:
        return None
    score, _, column = max(scored, key=lambda s: s[:2])
    return column, score


def _junction(store: Store, table: DraftTable, parents: By) -> DraftKey | None:
    """The columns that a table of pairs references others with, if they come first or are all of its columns."""
    linking = [c for c in table.columns if any(r.name_score >= 0.7 for r in parents.get(c, ())) and c.not_null]
    others = [c for c in table.columns if c not in linking]
    if not 2 <= len(linking) <= _MOST_COLUMNS:
        return None
    tables = {max(parents[c], key=lambda r: r.score).parent for c in linking}
    if len(tables) < 2 or any(says_key(c.field) and c.unique for c in others):
        return None
    names = [word for t in tables for word in table_words(t.name)]
    named = all(any(word_fit(word, name) >= 0.85 for name in names) for word in table_words(table.name))
    if not (not others or named or (len(others) <= 2 and [c.number for c in linking] == list(range(len(linking))))):
        return None
    if not are_unique(store, linking):
        return None
    return DraftKey(
        tuple(linking), Certainty.CERTAIN, f"{table.rows:,} rows, all different together; the table links others"
    )


def _best_several(store: Store, table: DraftTable, parents: By) -> DraftKey | None:
    """The best two to four columns that are unique together."""
    if table.rows < 2:
        return None
    weights = {c: _weight(c, parents) for c in table.columns if may_be_key(c) and c.not_null}
    able = sorted((c for c in weights if weights[c] > 0), key=lambda c: -weights[c])[:_MOST_CANDIDATES]
    for size in range(2, min(_MOST_COLUMNS, len(able)) + 1):
        fitting = []
        for columns in combinations(sorted(able, key=lambda c: c.number), size):
            if any(column.unique for column in columns):
                continue
            product = 1
            for column in columns:
                product *= max(1, column.distinct)
            if product * 1.1 < table.rows:
                continue
            if table.columns[0] not in columns and _refers(table.columns[0], parents):
                # A table that begins with a reference numbers its rows within it.
                continue
            in_front = 0.2 * (columns == tuple(table.columns[:size]))
            fitting.append((sum(weights[c] for c in columns) / size + in_front, columns))
        for weight, columns in sorted(fitting, key=lambda f: -f[0]):
            if weight >= 0.75 and are_unique(store, columns):
                return DraftKey(columns, Certainty.CERTAIN, f"{table.rows:,} rows, all different together")
    return None


def _refers(column: DraftColumn, parents: By) -> bool:
    return any(r.name_score >= 0.7 for r in parents.get(column, ()))


def _weight(column: DraftColumn, parents: By) -> float:
    """How likely a column is a part of a key."""
    words = set(words_of(column.field))
    bare, key = bare_words(column.field)
    if column.phrases or column.longest > 64:
        return 0.0
    weight = 0.0
    if _refers(column, parents):
        weight = 1.0
    elif words & _DISCRIMINATORS or set(bare) & _DISCRIMINATORS:
        weight = 0.95
    elif key:
        weight = 0.85
    elif (
        (column.kind == "text" and not is_generic(column.field))
        or column.kind in ("date", "timestamp")
        or (column.kind == "integer" and not says_measure(column.field))
    ):
        weight = 0.5
    if not weight:
        return 0.0
    # Keys stand in front.
    return weight + 0.1 * (column.number == 0) - 0.03 * min(column.number, 8)


def _broken_key(store: Store, table: DraftTable, naming: Naming) -> DraftKey | None:
    """A key by its name that a few rows break."""
    for column in table.columns:
        nearly = column.exact and column.filled and column.distinct >= 0.97 * column.filled and not column.unique
        if nearly and naming.own(column) >= 0.8 and may_be_key(column) and column.missing == 0:
            found = duplicates(store, (column,), _SHOWN)
            count = column.filled - column.distinct
            why = f"by its name; {count:,} of {table.rows:,} rows have a value that another row has"
            return DraftKey((column,), Certainty.LIKELY, why, store.places(table, found))
    return None


def _names_row(column: DraftColumn) -> bool:
    """Whether a column holds the names of the rows: ``name`` or ``product_name`` of products."""
    words = words_of(column.field)
    if not words or words[-1] not in ("name", "title", "bezeichnung", "nombre", "nome", "nom"):
        return False
    return len(words) == 1 or table_fit(words[:-1], table_words(column.table.name)) >= 0.8


def choose_unique_keys(table: DraftTable, naming: Naming, referenced: Sequence[DraftColumn]) -> None:
    """Notes the unique columns beside the primary key."""
    primary = table.primary_key.columns if table.primary_key is not None else ()
    for column in table.columns:
        if (column,) == primary or not may_be_key(column) or not column.unique:
            continue
        words = set(words_of(column.field))
        why = f"{column.filled:,} values, all different"
        if column in referenced:
            table.unique_keys.append(DraftKey((column,), Certainty.CERTAIN, f"{why}, referenced"))
        elif column.filled < 10 or column.kind in ("date", "timestamp") or says_measure(column.field):
            continue
        elif (words & UNIQUE and not words & CODES) or (naming.own(column) >= 0.8 and column.not_null):
            table.unique_keys.append(DraftKey((column,), Certainty.CERTAIN, why))
        elif column.longest <= 100 and _names_row(column):
            table.unique_keys.append(DraftKey((column,), Certainty.LIKELY, why))
