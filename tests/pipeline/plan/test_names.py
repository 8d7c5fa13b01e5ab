"""Names match without case, blanks, dashes, underscores and accents where that is unique; an exact match wins."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

import pgsluice
from pgsluice.errors import MappingError
from pgsluice.names import Names

COLUMNS = ["id", "customer_id", "first_name", "Größe", "e_mail", "E-Mail 2"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("customer_id", ["customer_id"]),
        ("customerId", ["customer_id"]),
        ("Customer-ID", ["customer_id"]),
        (" CUSTOMER  ID ", ["customer_id"]),
        ("FIRSTNAME", ["first_name"]),
        ("grosse", []),
        ("grösse", []),
        ("GRÖßE", ["Größe"]),
        ("große", ["Größe"]),
        ("gro\u0308ße", ["Größe"]),
        ("email2", ["E-Mail 2"]),
        ("", []),
        ("nothing", []),
    ],
)
def test_find(name: str, found: list[str]) -> None:
    assert Names(COLUMNS).find(name) == found


def test_an_exact_match_wins_and_an_ambiguous_one_is_told() -> None:
    names = Names(["User", "user", "u_user"])
    assert names.find("User") == ["User"]
    assert names.find("USER") == ["User", "user"]
    assert names.find("u-user") == ["u_user"]
    assert names.find("U user") == ["u_user"]
    assert Names(["cafe", "café"]).find("CAFÉ") == ["café"]


def test_a_name_that_postgresql_has_cut() -> None:
    long = "How satisfied are you with the overall quality of the service we provided to you?"
    stored = long.encode()[:63].decode()
    assert Names([stored, "id"]).find(long) == [stored]
    assert Names(["ü" * 31]).find("ü" * 40) == ["ü" * 31]


@pytest.mark.parametrize(
    ("name", "near"), [("frist_name", "first_name"), ("custmer_id", "customer_id"), ("zzz", ""), ("e-mial", "e_mail")]
)
def test_nearest(name: str, near: str) -> None:
    assert Names(COLUMNS).nearest(name) == near


def test_camel_case_files_and_columns(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE customer_info (customer_id int PRIMARY KEY, first_name text, last_order_at date)")
    (tmp_path / "customerInfo.csv").write_text("customerId,firstName,lastOrderAt\n1,Ann,2024-05-01\n")
    assert pgsluice.load(tmp_path, database_url=db).status == "published"
    assert conn.execute("SELECT customer_id, first_name FROM customer_info").fetchall() == [(1, "Ann")]


def test_an_exact_table_wins(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute('CREATE TABLE "User" (id int); CREATE TABLE "user" (id int)')
    (tmp_path / "User.csv").write_text("id\n1\n")
    (tmp_path / "user_1.csv").write_text("id\n2\n3\n")
    pgsluice.load(tmp_path, database_url=db)
    assert conn.execute('SELECT (SELECT count(*) FROM "User"), (SELECT count(*) FROM "user")').fetchone() == (1, 2)


def test_a_copy_of_a_download_finds_its_table(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE customers (id int)")
    (tmp_path / "customers (1).csv").write_text("id\n1\n")
    (tmp_path / "customers[2].csv").write_text("id\n2\n")
    assert pgsluice.load(tmp_path, database_url=db).tables[0].loaded == 2


def test_everything_that_does_not_fit_is_told_at_once(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE customers (id int, first_name text); CREATE TABLE orders (id int, total numeric)")
    (tmp_path / "customers.csv").write_text("id,frist_name,zzz\n1,a,b\n")
    (tmp_path / "ordrs.csv").write_text("id,total\n1,2\n")
    (tmp_path / "orders.csv").write_text("id,totl\n1,2\n")
    with pytest.raises(MappingError) as caught:
        pgsluice.load(tmp_path, database_url=db)
    assert caught.value.message == "3 files do not fit the tables"
    text = "\n".join(caught.value.details)
    assert "'frist_name' (nearest: first_name), 'zzz'" in text
    assert "--column frist_name=first_name --column zzz=" in text
    assert "--table orders=ordrs.csv" in text
    assert "--column totl=total" in text
    # What the messages say works when it is copied.
    result = pgsluice.load(
        tmp_path,
        database_url=db,
        columns=[("frist_name", "first_name"), ("zzz", ""), ("totl", "total")],
        tables=[("orders", "ordrs.csv")],
    )
    assert result.status == "published"


def test_everything_is_told_though_a_schema_file_was_skipped(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE orders (id int, total numeric)")
    (tmp_path / "schema.sql").write_text("CREATE TABLE orders (id int)")
    (tmp_path / "log.csv").write_text("id\n1\n")
    (tmp_path / "orders.csv").write_text("id,totl\n1,2\n")
    with pytest.raises(MappingError) as caught:
        pgsluice.load(tmp_path, database_url=db, schema=tmp_path / "schema.sql")
    assert caught.value.line.startswith("2 files do not fit the tables. Tables that were there before stay as they are")
    assert [detail.split(":")[0] for detail in caught.value.details] == [
        str(tmp_path / "log.csv"),
        str(tmp_path / "orders.csv"),
    ]


def test_a_field_with_a_line_break_is_named_as_messages_print_it(
    db: str, conn: psycopg.Connection, tmp_path: Path
) -> None:
    conn.execute("CREATE TABLE contacts (id int, phone text)")
    (tmp_path / "contacts.csv").write_text('id,"Phone\n(mobile)"\n1,x\n')
    result = pgsluice.load(tmp_path, database_url=db, columns=[("Phone (mobile)", "phone")])
    assert result.status == "published"
    assert conn.execute("SELECT phone FROM contacts").fetchall() == [("x",)]


def test_the_glob_of_a_message_means_the_file_alone(db: str, conn: psycopg.Connection, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE users (id int)")
    (tmp_path / "usrs [x]*.csv").write_text("id\n1\n")
    with pytest.raises(MappingError) as caught:
        pgsluice.load(tmp_path, database_url=db)
    assert "--table 'users=usrs [[]x][*].csv'" in caught.value.remedy
    assert pgsluice.load(tmp_path, database_url=db, tables=[("users", "usrs [[]x][*].csv")]).tables[0].loaded == 1
