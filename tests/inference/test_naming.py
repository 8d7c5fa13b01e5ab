"""Names fit in any style and language."""

from __future__ import annotations

import pytest

from pgsluice.inference.keys.naming import bare_words, own_fit, reference_fit, refers_to_self, says_measure, words_of
from pgsluice.inference.reading.grouping import snake


@pytest.mark.parametrize(
    ("column", "table"),
    [
        ("customer_id", "customers"),
        ("CustomerID", "Customer"),
        ("kundennr", "kunden"),
        ("KundenNummer", "Kunde"),
        ("cust_id", "customer"),
        ("fk_customer", "customers"),
        ("id_cliente", "clientes"),
        ("idcliente", "clientes"),
        ("dept_no", "department"),
        ("o_custkey", "customer"),
        ("category", "categories"),
        ("billing_address_id", "addresses"),
        ("Bestell-Nr", "Bestellung"),
        ("order_item_id", "order_items"),
    ],
)
def test_fits(column: str, table: str) -> None:
    assert reference_fit(column, table, "id", "other", ("o" if column.startswith("o_") else "", "")) >= 0.62


@pytest.mark.parametrize(
    ("column", "table"),
    [("status", "customers"), ("quantity", "orders"), ("order_id", "customers"), ("name", "orders"), ("id", "orders")],
)
def test_does_not_fit(column: str, table: str) -> None:
    assert reference_fit(column, table, "id", "other") < 0.42


def test_the_whole_name_fits_best() -> None:
    assert reference_fit("order_id", "orders", "id", "x") > reference_fit("order_id", "order_items", "id", "x")
    assert reference_fit("order_item_id", "order_items", "id", "x") > reference_fit("order_item_id", "items", "id", "x")
    assert own_fit("invoice_id", "invoice") > own_fit("invoice_id", "invoice_line")


def test_words() -> None:
    assert words_of("SupportRepId") == ("support", "rep", "id")
    assert words_of("größeMM") == ("groesse", "mm")
    assert bare_words("kundennr") == (("kunden",), True)
    assert bare_words("notes") == (("notes",), False)
    assert refers_to_self("ReportsTo")
    assert says_measure("stock_quantity")
    assert not says_measure("status_id")


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("InvoiceLine", "invoice_line"),
        ("CustomerID", "customer_id"),
        ("order no", "order_no"),
        ("2024", "_2024"),
        ("Straße (neu)", "straße_neu"),
        ("", ""),
    ],
)
def test_names_of_columns(name: str, plain: str) -> None:
    assert snake(name) == plain
