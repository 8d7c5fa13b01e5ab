"""What is said of columns that stay text."""

from __future__ import annotations

from pgsluice.inference.columns.words import CODES
from pgsluice.inference.draft import DraftColumn
from pgsluice.inference.keys.naming import words_of
from pgsluice.inference.reading.store import Store


def check_texts(store: Store, column: DraftColumn) -> None:
    """Notes why a column is text."""
    digits = store.row(
        f"SELECT bool_and(regexp_full_match({column.text}, '[0-9]+')) FILTER ({column.text} <> '') AS digits,"
        f" bool_or(regexp_matches({column.text}, '^0[0-9]')) AS zeros FROM {column.table.store}"
    )
    bounds = (
        f"{column.shortest} to {column.longest} bytes"
        if column.shortest < column.longest
        else f"{column.longest} bytes"
    )
    if digits["digits"] and digits["zeros"]:
        column.evidence = "digits with zeros in front: a code"
    elif digits["digits"] and frozenset(words_of(column.field)) & CODES:
        column.evidence = "digits that are no number"
    elif digits["digits"]:
        column.evidence = "long strings of digits: a code"
    else:
        column.evidence = bounds
