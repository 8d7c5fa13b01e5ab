"""The messages of the troubleshooting page are those of the code and of PostgreSQL."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pgsluice
from pgsluice.model import RejectKind

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "how-to" / "troubleshooting.md"
REASONS = "## Reasons of rejects"
LETTERS = 7
"""A template with fewer letters of its own would fit everything."""


def rows(text: str) -> list[tuple[str, str]]:
    """The messages of tables, each with the second cell."""
    return re.findall(r"^\| `([^|]+)` \| ([^|]+) \|", text, re.MULTILINE)


def templates(source: Path) -> Iterator[re.Pattern[str]]:
    """The texts of the code with ``.*`` for what they put in."""
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            parts = _parts(node)
            if sum(map(len, re.findall(r"\w+", "".join(p for p in parts if p != ".*")))) >= LETTERS:
                yield re.compile("".join(part if part == ".*" else re.escape(part) for part in parts))


def _parts(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.JoinedStr):
        return [str(v.value) if isinstance(v, ast.Constant) else ".*" for v in node.values]
    return []


@pytest.fixture(scope="module")
def patterns() -> list[re.Pattern[str]]:
    return list(templates(PROJECT / "src" / "pgsluice"))


def test_each_message_is_one_of_the_code(patterns: list[re.Pattern[str]]) -> None:
    messages = [message for message, _ in rows(PAGE.read_text(encoding="utf-8").partition(REASONS)[0])]
    assert len(messages) > 40
    unknown = [message for message in messages if not any(p.fullmatch(message) for p in patterns)]
    assert unknown == []


def test_another_message_is_noticed(patterns: list[re.Pattern[str]]) -> None:
    for message in ("…: the file has shrunk since it was planned (…)", "there is no scheme …", "…"):
        assert not any(p.fullmatch(message) for p in patterns), message


TABLES = """\
CREATE TABLE parents (id integer PRIMARY KEY);
CREATE TABLE children (
    id integer PRIMARY KEY,
    parent integer REFERENCES parents,
    price numeric(6, 2),
    active boolean,
    born date,
    name varchar(5) NOT NULL,
    size integer CHECK (size < 100)
);
"""
CHILDREN = """\
id,parent,price,active,born,name,size
1,1,1,t,2020-01-31,a,1
x,1,1,t,2020-01-31,a,1
2,1,1 €,t,2020-01-31,a,1
3,1,1,ja,2020-01-31,a,1
4,1,1,t,2020-31-01,a,1
5,1,1,t,2020-01-31,abcdef,1
6,1,123456,t,2020-01-31,a,1
7,1,1,t,2020-01-31,,1
1,1,1,t,2020-01-31,a,1
8,9,1,t,2020-01-31,a,1
9,1,1,t,2020-01-31,a,100
10,1,1,t,2020-01-31,a
11,1,1,t,2020-01-31,a,1,1
"""


def test_each_reason_is_one_of_postgresql(db: str, tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text(TABLES)
    (tmp_path / "parents.csv").write_text("id\n1\n")
    (tmp_path / "children.csv").write_text(CHILDREN)
    result = pgsluice.load(tmp_path, schema=tmp_path / "schema.sql", database_url=db)
    rejects = list(pgsluice.reject_rows(result.run_id, database_url=db))
    reasons = rows(PAGE.read_text(encoding="utf-8").partition(REASONS)[2])
    assert len(reasons) == len(rejects) == CHILDREN.count("\n") - 2
    for reason, kinds in reasons:
        pattern = ".*".join(re.escape(part) for part in reason.split("…"))
        found = {reject.kind for reject in rejects if re.fullmatch(pattern, reject.message)}
        assert found, reason
        assert found <= set(re.findall(r"`(\w+)`", kinds)) <= set(RejectKind), reason
