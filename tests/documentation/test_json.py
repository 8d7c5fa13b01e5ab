"""The JSON Schema of ``--json`` is what the classes say, and every command prints what the schema says."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from command import Ended, call
from generators import generator_of

TABLES = """\
CREATE TABLE customers (id integer PRIMARY KEY, born date, mail text UNIQUE);
CREATE TABLE orders (id integer PRIMARY KEY, customer integer NOT NULL REFERENCES customers, total numeric(8, 2));
"""
SETTINGS = """\
[load]
schema = "schema.sql"
paths = ["data"]
max_rejects = "all"
[rules.cheap]
table = "orders"
check = "total < 100"
severity = "warn"
"""
DERIVED = "-- materialized: table\nSELECT customer, sum(total) AS total FROM orders GROUP BY customer\n"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    return generator_of("generate_json")


def test_schema_and_page_are_what_the_generator_makes(generator: ModuleType) -> None:
    for path, text in ((generator.SCHEMA, generator.schema_text()), (generator.PAGE, generator.page())):
        assert path.read_text(encoding="utf-8") == text, "stale: run python docs/generate_json.py"


class Checked:
    """Calls commands and compares what they print with the schema.

    :param generator: makes the schema, here without room for members that it does not describe.
    """

    def __init__(self, generator: ModuleType, folder: Path, url: str) -> None:
        self._schema = generator.schema(strict=True)
        Draft202012Validator.check_schema(self._schema)
        self._folder = folder
        self._url: str | None = url
        self.left = set(generator.COMMANDS)

    def __call__(self, name: str, *arguments: str | Path, code: int = 0, database: bool = True) -> Any:
        ended: Ended = call(*arguments, cwd=self._folder, url=self._url if database else None)
        assert ended.code == code, ended
        printed = json.loads(ended.out)
        self.errors(name, printed)
        self.left.discard(name)
        return printed

    def errors(self, name: str, printed: object) -> None:
        validator = Draft202012Validator({**self._schema, "$ref": f"#/$defs/{name}"})
        found = [
            f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(printed)
        ]
        assert not found, (name, found[:5])


def test_each_command_prints_what_the_schema_says(generator: ModuleType, db: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "found").mkdir()
    (tmp_path / "schema.sql").write_text(TABLES)
    (tmp_path / "pgsluice.toml").write_text(SETTINGS)
    (tmp_path / "totals.sql").write_text(DERIVED)
    (data / "customers.csv").write_text("id,born,mail\n1,13.01.2020,a\n2,14.01.2020,a\nx,15.01.2020,b\n")
    (data / "orders.csv").write_text('title\n\nid,customer,total\n1,1,5\n2,2,6\n3,1,700\n4,1,"1,234"\n')
    (data / "notes.txt").write_text("no table\n")
    checked = Checked(generator, tmp_path, db)
    checked("plan", "plan", "--json")
    checked("init", "init", "data", "-o", "found/schema.sql", "--json", database=False)
    checked("init_diff", "init", "data", "--diff", "--schema", "schema.sql", "--json")
    checked("doctor", "doctor", "data", "--json")
    vetoed = checked("load", "load", "--max-rejects", "0", "--json", code=1)
    assert vetoed["status"] == "vetoed"
    loaded = checked("load", "load", "--json")
    assert loaded["rejects"]["count"] == 4, loaded
    rejects = checked("rejects", "rejects", "--format", "json")
    assert len(rejects["rows"]) == 4
    checked("runs", "runs", "--json")
    checked("report", "report", "--json")
    checked("verify", "verify", "--json")
    checked("rules_list", "rules", "list", "--json", database=False)
    checked("rules_test", "rules", "test", "--json")
    checked("config_show", "config", "show", "--json")
    checked("derive", "derive", "totals.sql", "--json")
    (tmp_path / "rejects.csv").write_text(call("rejects", "--format", "csv", cwd=tmp_path, url=db).out)
    checked("replay", "replay", "2", "rejects.csv", "--max-rejects", "all", "--json")
    checked("purge", "rejects", "--purge", "--older-than", "0h", "--format", "json")
    checked("error", "load", "nowhere", "--json", code=2)
    # Resuming prints what a load prints; tests/acceptance/test_resume.py interrupts one.
    assert checked.left == {"resume"}

    for spoil in ({"more": 1}, {"run_id": "1"}, {"status": "new"}):
        with pytest.raises(AssertionError):
            checked.errors("load", loaded | spoil)
    del loaded["rejects"]
    with pytest.raises(AssertionError, match="'rejects' is a required property"):
        checked.errors("load", loaded)
