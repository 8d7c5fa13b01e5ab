"""What pgsluice says of a rejected row: one type from the parser to the report."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class RejectKind(enum.StrEnum):
    """Why a row is rejected. The values are those of CSV reports, JSON and the ledger."""

    STRUCTURE = "structure"
    """The record cannot be split into the expected fields, or holds bytes that its encoding does not have."""
    VALUE = "value"
    """The input function of a column's type refuses the text."""
    NOT_NULL = "not_null"
    CHECK = "check"
    RULE = "rule"
    """A row rule of the user, which PostgreSQL does not know."""
    UNIQUE = "unique"
    """An earlier row of the files or of the table has the key."""
    FOREIGN_KEY = "foreign_key"
    """The parent row exists neither in the database nor in the files."""
    PARENT = "parent"
    """The parent row is in the files and was rejected itself."""
    EXCLUSION = "exclusion"
    TRIGGER = "trigger"
    """A trigger or a rule raised an error, or kept the row out without a word."""
    POLICY = "policy"
    """A policy of row level security refuses the row."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why one row is rejected: the kind, what it is about, and PostgreSQL's words.

    ``column`` and ``constraint`` are empty where the reason names none. ``sqlstate`` is the error code that
    PostgreSQL gives or would give (manual, appendix A); it is empty for a row that a trigger kept out in silence.
    """

    kind: str
    column: str = ""
    constraint: str = ""
    sqlstate: str = ""
    message: str = ""
    detail: str = ""
    """What PostgreSQL says in addition: its DETAIL, for example the key, its HINT, the place within a JSON text."""
