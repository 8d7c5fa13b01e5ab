"""Keys and foreign keys of small sets, with the traps of real ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pgsluice
from pgsluice.model import Certainty, InferredForeignKey, InferredSchema

Rows = Iterable[Sequence[object]]


def _infer(folder: Path, tables: Mapping[str, tuple[str, Rows]], **options: object) -> InferredSchema:
    folder.mkdir(exist_ok=True)
    for name, (header, rows) in tables.items():
        lines = [header, *(",".join(map(str, row)) for row in rows)]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return pgsluice.infer_schema(folder, **options)  # type: ignore[arg-type]


def _keys(found: InferredSchema) -> dict[str, tuple[str, ...]]:
    certain = [t for t in found.tables if t.primary_key and t.primary_key.certainty == Certainty.CERTAIN]
    return {t.name: t.primary_key.columns for t in certain if t.primary_key}


def _references(found: InferredSchema, certainty: Certainty = Certainty.CERTAIN) -> set[tuple[str, str, str]]:
    return {
        (t.name, ", ".join(f.columns), f"{f.references} ({', '.join(f.referenced_columns)})")
        for t in found.tables
        for f in t.foreign_keys
        if f.certainty == certainty
    }


def _reference(found: InferredSchema, table: str) -> InferredForeignKey:
    return next(t for t in found.tables if t.name == table).foreign_keys[0]


def test_equal_numbers_in_two_tables_and_a_status(tmp_path: Path) -> None:
    # Each of status, quantity and the two references is included in each of the two keys.
    found = _infer(
        tmp_path,
        {
            "customers": ("id,name", ((i, f"name {i}") for i in range(1, 101))),
            "products": ("id,name", ((i, f"thing {i}") for i in range(1, 101))),
            "orders": (
                "id,customer_id,product_id,status,quantity",
                ((i, i % 100 + 1, i * 7 % 100 + 1, i % 5 + 1, i % 9 + 1) for i in range(1, 501)),
            ),
        },
    )
    assert _keys(found) == {"customers": ("id",), "products": ("id",), "orders": ("id",)}
    assert _references(found) == {
        ("orders", "customer_id", "customers (id)"),
        ("orders", "product_id", "products (id)"),
    }
    assert [t.name for t in found.tables][-1] == "orders"


def test_orphans_are_named_and_the_key_is_a_comment(tmp_path: Path) -> None:
    found = _infer(
        tmp_path,
        {
            "kunden": ("kundennr,ort", ((i, "Ulm") for i in range(1, 201))),
            "bestellungen": ("bestellnr,kundennr", ((i, i % 200 + 1 if i != 77 else 999) for i in range(1, 301))),
        },
    )
    assert _references(found) == set()
    reference = _reference(found, "bestellungen")
    assert (reference.certainty, reference.orphans) == (Certainty.LIKELY, 1)
    assert reference.places[0].file.endswith("bestellungen.csv")
    assert (reference.places[0].line, reference.places[0].value) == (78, "999")
    assert "\n-- ALTER TABLE bestellungen ADD CONSTRAINT bestellungen_kundennr_fkey FOREIGN KEY" in found.sql


def test_doubled_rows_break_a_key(tmp_path: Path) -> None:
    found = _infer(tmp_path, {"customers": ("id,name", ((i if i != 50 else 49, "x") for i in range(1, 101)))})
    key = found.tables[0].primary_key
    assert key is not None
    assert key.certainty == Certainty.LIKELY
    assert [(p.line, p.value) for p in key.duplicates] == [(51, "49")]


def test_several_columns(tmp_path: Path) -> None:
    found = _infer(
        tmp_path,
        {
            "orders": ("order_id,day", ((i, "2024-01-01") for i in range(1, 51))),
            "order_lines": ("order_id,line_no,price", ((i // 4 + 1, i % 4 + 1, "9.99") for i in range(200))),
            "deliveries": ("delivery_id,order_id,line_no", ((i, i // 4 + 1, i % 4 + 1) for i in range(120))),
        },
    )
    assert _keys(found)["order_lines"] == ("order_id", "line_no")
    assert ("deliveries", "order_id, line_no", "order_lines (order_id, line_no)") in _references(found)


def test_a_table_of_pairs(tmp_path: Path) -> None:
    found = _infer(
        tmp_path,
        {
            "students": ("id,name", ((i, f"s{i}") for i in range(1, 21))),
            "courses": ("id,title", ((i, f"c{i}") for i in range(1, 41))),
            # course_id alone is unique by chance.
            "student_courses": ("student_id,course_id", ((i % 20 + 1, i) for i in range(1, 41))),
        },
    )
    assert _keys(found)["student_courses"] == ("student_id", "course_id")
    assert len(_references(found)) == 2


def test_references_to_the_same_table_and_two_to_one_table(tmp_path: Path) -> None:
    found = _infer(
        tmp_path,
        {
            "teams": ("team_id,city", ((i, f"c{i}") for i in range(1, 19))),
            "matches": (
                "match_id,home_team_id,away_team_id",
                ((i, i % 18 + 1, (i + 5) % 18 + 1) for i in range(1, 200)),
            ),
            "employees": ("emp_no,manager_id", ((i, i // 3 if i > 2 else "") for i in range(1, 40))),
        },
    )
    assert _references(found) == {
        ("matches", "home_team_id", "teams (team_id)"),
        ("matches", "away_team_id", "teams (team_id)"),
        ("employees", "manager_id", "employees (emp_no)"),
    }


def test_the_referenced_column_is_the_key(tmp_path: Path) -> None:
    hashes = [f"{i * 7919:032x}" for i in range(1, 101)]
    found = _infer(
        tmp_path,
        {
            "customers": ("customer_pk,customer_id,city", ((i, h, "x") for i, h in enumerate(hashes, 1))),
            "orders": ("order_id,customer_id", ((f"{i * 104729:032x}", hashes[i % 100]) for i in range(300))),
        },
    )
    assert _keys(found)["customers"] == ("customer_id",)
    assert [k.columns for t in found.tables for k in t.unique_keys] == [("customer_pk",)]


def test_a_code_that_looks_like_a_number_has_one_type(tmp_path: Path) -> None:
    found = _infer(
        tmp_path,
        {
            "branches": ("branch_code,city", ((f"{i:04}", "x") for i in range(900, 1200))),
            "sales": ("sale_id,branch_code", ((i, i % 100 + 1000) for i in range(1, 300))),
        },
    )
    types = {(t.name, c.name): c.type_sql for t in found.tables for c in t.columns}
    assert types["branches", "branch_code"] == types["sales", "branch_code"] == "text"
    assert _references(found) == {("sales", "branch_code", "branches (branch_code)")}


def test_tables_without_rows_and_with_one_column(tmp_path: Path) -> None:
    found = _infer(
        tmp_path,
        {
            "customers": ("customer_id,name", ()),
            "orders": ("order_id,customer_id", ()),
            "countries": ("code", (("DE",), ("FR",), ("ES",))),
        },
    )
    assert _keys(found) == {"customers": ("customer_id",), "orders": ("order_id",), "countries": ("code",)}
    assert _references(found) == set()
    assert _references(found, Certainty.LIKELY) == {("orders", "customer_id", "customers (customer_id)")}


def test_a_name_beside_a_number_is_no_reference(tmp_path: Path) -> None:
    found = _infer(
        tmp_path,
        {
            "customers": ("customer_id,company_name", ((i, f"Company {i} Ltd") for i in range(1, 101))),
            "orders": ("order_id,customer_id,ship_name", ((i, i, f"Company {i} Ltd") for i in range(1, 91))),
        },
    )
    assert _references(found) == {("orders", "customer_id", "customers (customer_id)")}


def test_files_of_one_table(tmp_path: Path) -> None:
    found = _infer(
        tmp_path,
        {
            "tbl_orders_2023": ("order_id,total", ((i, "1.5") for i in range(10))),
            "tbl_orders_2024": ("order_id,total,note", ((i, "2.5", "x") for i in range(10, 20))),
            "tbl_items": ("item_id", ((i,) for i in range(5))),
            "tbl_shops": ("shop_id", ((i,) for i in range(5))),
        },
    )
    assert {t.name: len(t.files) for t in found.tables} == {"orders": 2, "items": 1, "shops": 1}
    orders = next(t for t in found.tables if t.name == "orders")
    assert (orders.rows, [c.name for c in orders.columns]) == (20, ["order_id", "total", "note"])
