"""The reason of a reject in a short sentence, with what PostgreSQL says in addition."""

from __future__ import annotations

import re

from pgsluice.model import Reject, RejectKind
from pgsluice.text import pluralize

_VALUE_LENGTH = 80
"""Characters of a value that a sentence repeats."""

_QUOTED = re.compile("'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")


def reason_of(reject: Reject, condition: str = "") -> str:
    """The reason of a reject.

    :param condition: what the values must fulfil, as in :class:`~pgsluice.model.RejectGroup`.
    """
    if reject.kind in (RejectKind.CHECK, RejectKind.RULE) and condition:
        who = "the CHECK" if reject.kind == RejectKind.CHECK else "the rule"
        values = [f"{m.column} is {_value(reject.raw[m.start : m.stop])}" for m in reject.marks if m.column]
        said = f"{', '.join(values)}, but {who}" if values else who
        return f"{said} requires {_bare(condition)}"
    if reject.kind == RejectKind.NOT_NULL:
        return f"{reject.column} is NULL, and the column is NOT NULL"
    if reject.kind == RejectKind.PARENT:
        return f"{reject.detail or reject.message} {_parent(reject)}".strip()
    if reject.kind in (RejectKind.UNIQUE, RejectKind.FOREIGN_KEY) and reject.detail:
        where = ""
        if reject.kind == RejectKind.UNIQUE and reject.parent_file:
            where = f" The other record: {reject.parent_file}:{reject.parent_line}"
        return f"{reject.detail}{where}"
    text = f"{reject.message}: {reject.detail}" if reject.detail else reject.message
    return f"{text} ({condition})" if condition else text


def _parent(reject: Reject) -> str:
    return f"Its parent was rejected: {reject.parent_file}:{reject.parent_line}" if reject.parent_file else ""


def _value(text: str) -> str:
    if len(text) <= _VALUE_LENGTH:
        return text or "an empty field"
    return f"{text[:_VALUE_LENGTH]}… ({pluralize(len(text), 'character')})"


def _bare(condition: str) -> str:
    """The condition without the parentheses around it: PostgreSQL writes ``((a > 0) AND (b > 0))``."""
    bare = _QUOTED.sub(lambda found: "x" * len(found[0]), condition)
    if not bare.startswith("("):
        return condition
    depth = 0
    for i, c in enumerate(bare):
        depth += (c == "(") - (c == ")")
        if not depth:
            return condition[1:-1] if i == len(bare) - 1 else condition
    return condition
