"""The examples of docs/reference/python.md run as they are written."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "python.md"


def test_examples_run(
    db: str,
    conn: psycopg.Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "schema.sql").write_text(
        "CREATE TABLE customers (id int PRIMARY KEY); CREATE TABLE orders (id int PRIMARY KEY, customer_id int"
        " NOT NULL REFERENCES customers, day date);"
    )
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "customers.csv").write_text("id\n1\n2\n")
    (tmp_path / "data" / "orders.csv").write_text(
        "id,customer_id,day\n1,1,2026-01-31\n2,9,2026-01-31\n3,1,2026-02-31\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", db)
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 4
    said = []
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), {"__name__": "example"})
        said.append(capsys.readouterr().out)
    assert said[0].startswith("published\n")
    assert "orders.csv 3 foreign_key" in said[0]
    assert "'count_all': [1, 1]" in said[1]
    assert "orders 64 64 3" in said[2]
    assert said[3] == "published\n"
