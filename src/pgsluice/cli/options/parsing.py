"""Functions that parse the values of options."""

from __future__ import annotations

from pgsluice.errors import CallError


def pairs(options: list[str] | None, option: str = "--table", what: str = "GLOB") -> list[tuple[str, str]]:
    """``TABLE=GLOB`` and ``TABLE=KEY`` options as pairs. GLOB and KEY may contain equals signs.

    :param option: the name of the option, for the message of an error.
    :param what: GLOB or KEY.
    :raises CallError: a value is not a pair.
    """
    pairs = [given.partition("=") for given in options or ()]
    for table, sign, rest in pairs:
        if not (table and sign and rest):
            example = "orders=ord_*.csv" if what == "GLOB" else "orders=orders_number_key"
            raise CallError(f"{option} {table}{sign}{rest} is not TABLE={what}", f"Write it as {option} '{example}'")
    return [(table, rest) for table, _, rest in pairs]


def field_names(options: list[str] | None) -> list[tuple[str, list[str]]]:
    """``[TABLE=]NAMES`` options as (table, names) pairs; the table is '' if it is not given."""
    pairs = [given.rpartition("=") for given in options or ()]
    return [(table, [name.strip() for name in names.split(",")]) for table, _, names in pairs]


def fields(options: list[str] | None) -> list[tuple[str, str]]:
    """``FIELD=COLUMN`` options as pairs. FIELD may contain equals signs.

    :raises CallError: a value is not a pair.
    """
    pairs = [given.rpartition("=") for given in options or ()]
    for field, sign, column in pairs:
        if not sign:
            raise CallError(
                f"--column {field}{sign}{column} is not FIELD=COLUMN", "Write it as --column 'cust_no=customer_id'"
            )
    return [(field, column) for field, _, column in pairs]
