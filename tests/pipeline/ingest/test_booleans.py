"""What DuckDB reads as a boolean travels as one: PostgreSQL must read the same text the same way."""

from __future__ import annotations

import itertools
import string

import duckdb
import psycopg
import pyarrow as pa

WORDS = ("true", "false", "yes", "no", "on", "off", "t", "f", "y", "n", "1", "0", "null", "unknown")


def _texts() -> list[str]:
    """All short texts, and the words in every case, cut short and with something around them."""
    texts = {"".join(p) for n in (1, 2) for p in itertools.product(string.printable, repeat=n)}
    for word in WORDS:
        texts |= {"".join(p) for p in itertools.product(*((c, c.upper()) for c in word))}
        for part in (word[:n] for n in range(1, len(word) + 1)):
            texts |= {part, f" {part}", f"{part} ", f"\t{part}", f"{part}\n", f"+{part}", f"-{part}", f"0{part}"}
            texts |= {f"{part}.0", f"{part}e0", part.title()}
    return sorted(texts)


def test_a_boolean_of_duckdb_is_one_of_postgresql(conn: psycopg.Connection) -> None:
    given = pa.table({"c": _texts()})
    taken = duckdb.from_arrow(given).query("t", "SELECT c, try_cast(c AS BOOLEAN) FROM t").fetchall()
    taken = [(text, value) for text, value in taken if value is not None]
    assert {"t", "TRUE", "1", "Yes", "f", "false", "0", "n"} <= {text for text, _ in taken}
    for text, value in taken:
        row = conn.execute("SELECT CASE WHEN pg_input_is_valid(%s, 'boolean') THEN %s::boolean END", (text, text))
        assert row.fetchone() == (value,), repr(text)
