"""The benchmark's files: the dirty rows are rejected, for every reason that the schema has, and the others loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

import pgsluice

PROJECT = Path(__file__).parents[2]
REASONS = {
    ("customers", "check", "customers_age_check"),
    ("customers", "not_null", "first_name"),
    ("customers", "value", "registration_date"),
    ("customers", "unique", "customers_pkey"),
    ("customers", "unique", "customers_email_key"),
    ("customers", "structure", ""),
    ("products", "check", "products_price_check"),
    ("products", "value", "price"),
    ("products", "not_null", "name"),
    ("products", "unique", "products_pkey"),
    ("orders", "check", "orders_quantity_check"),
    ("orders", "check", "orders_status_check"),
    ("orders", "not_null", "unit_price"),
    ("orders", "value", "quantity"),
    ("orders", "value", "order_date"),
    ("orders", "value", "unit_price"),
    ("orders", "unique", "orders_pkey"),
    ("orders", "foreign_key", "orders_customer_id_fkey"),
    ("orders", "parent", "orders_customer_id_fkey"),
    ("orders", "structure", ""),
}


def test_the_dirty_rows_are_rejects_of_every_kind(db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PROJECT))
    from bench.workloads import make

    dirty = make("dirty1", tmp_path, tmp_path)
    schema = tmp_path / "schema.sql"
    schema.write_text(dirty.schema, encoding="utf-8")
    result = pgsluice.load(dirty.folder, schema=schema, database_url=db, max_rejects="all")
    assert {(group.table, group.kind, group.constraint or group.column) for group in result.rejects.groups} == REASONS
    assert result.rejects.count == dirty.rejects == 604
    assert {table.table: table.loaded for table in result.tables} == {
        "customers": 10_000,
        "products": 495,
        "orders": 50_000,
    }
