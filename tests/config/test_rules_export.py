"""Rules as tests of dbt. That dbt reads them is tested in tests/guests/test_dbt.py."""

from __future__ import annotations

from pathlib import Path

import yaml

from command import call

RULES = """
[rules."known city"]
table = "orders"
column = "city"
accepted_values = ["Bonn", "Rome"]
severity = "warn"
[rules.customer]
table = "sales.orders"
column = ["customer", "city"]
not_null = true
[rules.parent]
table = "items"
column = "order_id"
relationships = "orders.id"
[rules.one]
table = "orders"
column = "id"
unique = true
[rules.pair]
table = "orders"
column = ["id", "city"]
unique = true
[rules.total]
table = "orders"
check = "total >= 0 AND note <> '{{ x }}'"
severity = "warn"
[rules.none]
query = "SELECT id FROM orders WHERE total > 1000"
[rules.many]
table = "orders"
row_count = true
minimum = 3
[rules.stable]
table = "orders"
drift = "rows"
"""


def export(folder: Path) -> dict[str, str]:
    (folder / "pgsluice.toml").write_text(RULES)
    said = call("rules", "export", "--dbt", "--output", "project", cwd=folder)
    assert (said.code, said.out) == (0, "Wrote 5 files into project.\n")
    assert said.err == "pgsluice: rule 'stable' is left out: dbt has nothing for drift\n"
    project = folder / "project"
    return {str(p.relative_to(project)): p.read_text() for p in project.rglob("*") if p.is_file()}


def test_generic_rules_are_tests_of_their_names_and_others_are_files(tmp_path: Path) -> None:
    files = export(tmp_path)
    public, sales = yaml.safe_load(files.pop("models/pgsluice_rules.yml"))["sources"]
    assert (public["name"], public["schema"], sales["name"], sales["schema"]) == (
        "pgsluice",
        "public",
        "pgsluice_sales",
        "sales",
    )
    found = {t["name"]: {c["name"]: c["data_tests"] for c in t["columns"]} for t in public["tables"]}
    assert found == {
        "orders": {
            "city": [
                {
                    "accepted_values": {
                        "name": "known_city",
                        "arguments": {"values": ["Bonn", "Rome"]},
                        "config": {"severity": "warn"},
                    }
                }
            ],
            "id": [{"unique": {"name": "one"}}],
        },
        "items": {
            "order_id": [
                {
                    "relationships": {
                        "name": "parent",
                        "arguments": {"to": "source('pgsluice', 'orders')", "field": "id"},
                    }
                }
            ]
        },
    }
    [orders] = sales["tables"]
    assert [(c["name"], c["data_tests"]) for c in orders["columns"]] == [
        ("customer", [{"not_null": {"name": "customer_customer"}}]),
        ("city", [{"not_null": {"name": "customer_city"}}]),
    ]
    assert files["tests/pgsluice_total.sql"].splitlines() == [
        "-- total",
        "{{ config(severity='warn') }}",
        "select * from {{ source('pgsluice', 'orders') }} as \"orders\" where (",
        "{% raw %}total >= 0 AND note <> '{{ x }}'{% endraw %}",
        ") is false",
    ]
    assert files["tests/pgsluice_none.sql"] == "-- none\nSELECT id FROM orders WHERE total > 1000\n"
    assert files["tests/pgsluice_many.sql"] == (
        '-- many\nselect * from (\nSELECT count(*) FROM "orders"\n) as found (value) where (value >= 3) is not true\n'
    )
    assert 'GROUP BY "id", "city"' in files["tests/pgsluice_pair.sql"]


def test_the_properties_file_alone_names_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "pgsluice.toml").write_text(RULES)
    said = call("rules", "export", "--dbt", cwd=tmp_path)
    assert yaml.safe_load(said.out)["version"] == 2
    assert "4 rules cannot stand in a properties file. Add --output FOLDER" in said.err
