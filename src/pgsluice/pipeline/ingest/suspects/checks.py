"""CHECKs of a simple form, evaluated on the client for a whole block.

An answer of this module decides nothing: a row that breaks a CHECK here is held out of the frozen COPY, and PostgreSQL
judges the row later. A form that is not understood is left to PostgreSQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pgsluice.model import Constraint

if TYPE_CHECKING:
    import pyarrow as pa

    Columns = Mapping[str, pa.Array]
    Term = Callable[[Columns], Any]


class NotUnderstood(Exception):
    """The condition has a form that this module does not evaluate."""


_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^']|'')*')|(?P<number>\d+(?:\.\d+)?)|(?P<name>"(?:[^"]|"")+"|[A-Za-z_]\w*)"""
    r"""|(?P<sign>::|<=|>=|<>|[-()\[\],<>=]))"""
)

_KEYWORDS = frozenset({"and", "or", "not", "is", "null", "any", "array", "true", "false"})

_COMPARISONS = {
    "=": "equal",
    "<>": "not_equal",
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
}

_TEXTS = frozenset({"text", "varchar", "character varying"})
_NUMBERS = frozenset({"integer", "bigint", "smallint", "numeric", "double precision"})


def broken_by(check: Constraint, bases: Mapping[str, str]) -> Callable[[Columns], Any]:
    """A function that tells which rows of a block break a CHECK, as a numpy array of booleans.

    :param bases: the base types of the columns that blocks have, by column name.
    :raises NotUnderstood: the CHECK has another form than comparisons of columns with constants, joined by AND and OR.
    """
    term = _Parser(check.expression, bases).whole()

    def broken(columns: Columns) -> Any:
        import pyarrow.compute as pc

        # NULL is no breach.
        holds = pc.fill_null(term(columns), True)
        return pc.invert(holds).to_numpy(zero_copy_only=False)

    return broken


class _Parser:
    """Reads a condition as ``pg_get_expr()`` writes it."""

    def __init__(self, text: str, bases: Mapping[str, str]) -> None:
        self._bases = bases
        self._tokens: list[tuple[str, str]] = []
        at = 0
        text = text.strip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise NotUnderstood
            kind = str(found.lastgroup)
            word = found[kind]
            if kind == "name" and word.lower() in _KEYWORDS:
                kind, word = "sign", word.lower()
            self._tokens.append((kind, word))
            at = found.end()
        self._at = 0

    def whole(self) -> Term:
        """The condition.

        :raises NotUnderstood: it has another form.
        """
        term = self._condition()
        if self._at != len(self._tokens):
            raise NotUnderstood
        return term

    def _sign(self) -> str:
        """The next token if it is a sign or a keyword; '' otherwise."""
        kind, word = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        return word if kind == "sign" else ""

    def _took(self, *signs: str) -> bool:
        """Takes these signs if all of them come next."""
        if tuple(self._tokens[self._at : self._at + len(signs)]) != tuple(("sign", s) for s in signs):
            return False
        self._at += len(signs)
        return True

    def _need(self, *signs: str) -> None:
        if not self._took(*signs):
            raise NotUnderstood

    def _condition(self) -> Term:
        """Conditions joined by AND or by OR; PostgreSQL writes parentheses around each of them."""
        import pyarrow.compute as pc

        term = self._single()
        for sign, join in (("and", pc.and_kleene), ("or", pc.or_kleene)):
            while self._took(sign):
                term = _both(join, term, self._single())
        return term

    def _single(self) -> Term:
        import pyarrow.compute as pc

        start = self._at
        if self._took("not"):
            inverted = self._single()
            return lambda columns: pc.invert(inverted(columns))
        if self._took("("):
            try:
                term = self._condition()
                self._need(")")
                return term
            except NotUnderstood:
                # A parenthesis around a value: (price)::numeric.
                self._at = start
        return self._comparison()

    def _comparison(self) -> Term:
        import pyarrow.compute as pc

        column = self._column()
        name, base = column
        if self._took("is"):
            negated = self._took("not")
            self._need("null")
            return lambda columns: (pc.is_valid if negated else pc.is_null)(columns[name])
        sign = self._sign()
        if sign not in _COMPARISONS:
            raise NotUnderstood
        self._at += 1
        textual = base in _TEXTS or base == "bpchar"
        # The order of texts is a matter of their collation; blanks at the end of a char count for nothing.
        if base == "bpchar" or (textual and sign not in {"=", "<>"}):
            raise NotUnderstood
        if sign == "=" and self._took("any", "("):
            values = self._array(textual)
            self._need(")")
            return _among(name, values)
        compare = getattr(pc, _COMPARISONS[sign])
        value = self._constant(textual)
        return lambda columns: compare(columns[name], _scalar(value))

    def _column(self) -> tuple[str, str]:
        """A column, in parentheses or not, and casts of it that change no value."""
        if self._took("("):
            column = self._column()
            self._need(")")
        else:
            kind, word = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
            if kind != "name":
                raise NotUnderstood
            self._at += 1
            name = word[1:-1].replace('""', '"') if word.startswith('"') else word
            if name not in self._bases:
                raise NotUnderstood
            column = (name, self._bases[name])
        while self._took("::"):
            wanted = self._type()
            texts = column[1] in _TEXTS and wanted == "text"
            numbers = column[1] in {"int2", "int4", "int8", "numeric"} and wanted in {"integer", "bigint", "numeric"}
            if not (texts or numbers):
                raise NotUnderstood
        return column

    def _array(self, textual: bool) -> list[str | Decimal]:
        if self._took("("):
            values = self._array(textual)
            self._need(")")
        else:
            self._need("array", "[")
            values = [self._constant(textual)]
            while self._took(","):
                values.append(self._constant(textual))
            self._need("]")
        while self._took("::"):
            self._type()
            self._need("[", "]")
        return values

    def _constant(self, textual: bool) -> str | Decimal:
        if self._took("("):
            value = self._constant(textual)
            self._need(")")
        else:
            minus = self._took("-")
            kind, word = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
            if kind not in {"text", "number"} or (textual and (minus or kind != "text")):
                raise NotUnderstood
            self._at += 1
            text = word[1:-1].replace("''", "'") if kind == "text" else word
            value = text if textual else _number("-" + text if minus else text)
        while self._took("::"):
            if self._type() not in (_TEXTS if textual else _NUMBERS):
                raise NotUnderstood
        return value

    def _type(self) -> str:
        """The name of a type, without a modifier."""
        words = []
        while self._at < len(self._tokens) and self._tokens[self._at][0] == "name":
            words.append(self._tokens[self._at][1].lower())
            self._at += 1
        if not words:
            raise NotUnderstood
        return " ".join(words)


def _number(text: str) -> Decimal:
    if not re.fullmatch(r"-?\d+(\.\d+)?", text):
        raise NotUnderstood
    return Decimal(text)


def _both(join: Callable[[Any, Any], Any], left: Term, right: Term) -> Term:
    return lambda columns: join(left(columns), right(columns))


def _among(name: str, values: list[str | Decimal]) -> Term:
    def term(columns: Columns) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        column = columns[name]
        known = pa.array([_plain(v) for v in values]).cast(column.type)
        # NULL among the values is no case of this parser, so only a NULL of the column is unknown.
        return pc.if_else(pc.is_valid(column), pc.is_in(column, value_set=known), pa.scalar(None, pa.bool_()))

    return term


def _scalar(value: str | Decimal) -> Any:
    import pyarrow as pa

    return pa.scalar(_plain(value))


def _plain(value: str | Decimal) -> Any:
    """A whole number as an int, which Arrow compares with every type of number."""
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value
