"""What the catalog says of the columns of a table, as the search for a dialect can use it."""

from __future__ import annotations

from pgsluice.model import Column, FieldOptions, Table
from pgsluice.source.dialect_search.expectations import Expectations, ExpectedColumn, TextClass

_CLASSES = {
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "citext", "xml"), TextClass.TEXT),
    **dict.fromkeys(("int2", "int4", "int8", "oid"), TextClass.INTEGER),
    **dict.fromkeys(("numeric", "float4", "float8", "money"), TextClass.NUMBER),
    **dict.fromkeys(("date", "timestamp", "timestamptz"), TextClass.DATE),
    **dict.fromkeys(("time", "timetz", "interval"), TextClass.TIME),
    "bool": TextClass.BOOLEAN,
    "uuid": TextClass.UUID,
    **dict.fromkeys(("json", "jsonb"), TextClass.NESTED),
}


def expectations(table: Table, options: FieldOptions) -> Expectations:
    """What is known of the fields of the files that feed a table: the names and types of its columns, and the names
    that ``--column`` gives to fields.
    """
    name = table.name
    prefixes = (f"{name.schema}.{name.name}.", f"{name.name}.")
    aliases = []
    for field, column in options.columns:
        # FIELD, TABLE.FIELD or SCHEMA.TABLE.FIELD; a field's own name may contain a dot.
        aliases += [(field.removeprefix(p), column) for p in prefixes if field.startswith(p)]
        aliases.append((field, column))
    rules = [rule for rule in options.rules if name.called(rule.table)]
    aliases += [(rule.field, rule.column) for rule in rules if rule.field is not None]
    filled = {rule.column for rule in rules if rule.field is None}
    columns = tuple(_expected(c, required=c.required and c.name not in filled) for c in table.columns)
    return Expectations(str(name), columns, tuple(aliases))


def _expected(column: Column, *, required: bool) -> ExpectedColumn:
    kind = _CLASSES.get(column.base, TextClass.OTHER)
    if column.labels:
        kind = TextClass.OTHER
    elif column.base.startswith("_") or column.kind in ("c", "r", "m") or column.base.endswith(("range", "multirange")):
        kind = TextClass.NESTED
    return ExpectedColumn(column.name, kind, required, not (column.generated or column.holds_run), column.labels)
