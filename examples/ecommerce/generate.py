"""Write the CSV files of the example shop: the same bytes on every machine, at every call.

    python generate.py [FOLDER] [--customers N] [--products N] [--orders N] [--seed N]

Standard library only. All rows are valid under ``sql/create_schema.sql``, but the texts are not easy on a
reader: letters beyond ASCII, commas, doubled quotes, and line breaks inside of values.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random

FIRST = "Anna Björn Chloé Dmitri Emre Françoise Håkon Íñigo José Kateřina Łukasz Márta Noël Oğuz Søren Νίκος 美咲"
LAST = "Müller O'Brien García-López Šimůnek Özdemir D'Angelo Núñez Weiß Þórsdóttir Иванова 佐藤 Smith Dubois"
CITIES = "Köln|São Paulo|Kraków|Zürich|Malmö|Łódź|Αθήνα|München|Paris|Washington, D.C.|İzmir|Århus|東京|Québec"
NOTES = (
    'Said "call me after six", twice',
    "Deliver to the back door,\nnot to the shop",
    "Speaks only Ελληνικά",
    'Two addresses:\n1. home\n2. "the office"',
    "Prefers e-mail; no phone, no post",
)
CATEGORIES = ("Books", "Clothing", "Electronics", "Garden", "Home & Kitchen", "Sports", "Toys")
ADJECTIVES = ("Compact", "Crème", "Folding", "Solar", 'The "Original"', "Wireless", "Wooden")
NOUNS = ("bag", "café set", "chair", "clock", "jacket, lined", "lamp", 'screen 15"', "shelf", "tent")
STATUSES = ("delivered",) * 12 + ("shipped", "shipped", "paid", "new", "returned")
DAYS = [(date(2022, 1, 1) + timedelta(days=n)).isoformat() for n in range(3 * 365)]


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write one file: UTF-8, comma, quotes where needed, ``\\n`` after each record."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def customers(random: Random, count: int) -> Iterator[Sequence[object]]:
    """Names in many scripts, an age or none, now and then a note of several lines."""
    firsts, lasts, cities = FIRST.split(), LAST.split(), CITIES.split("|")
    for number in range(1, count + 1):
        first, last = random.choice(firsts), random.choice(lasts)
        if random.random() < 0.1:
            last += ", PhD"
        age = "" if random.random() < 0.05 else random.randint(18, 95)
        notes = random.choice(NOTES) if random.random() < 0.15 else ""
        email = f"customer{number}@example.com"
        yield number, first, last, email, age, random.choice(cities), random.choice(DAYS), notes


def products(random: Random, prices: Sequence[int]) -> Iterator[Sequence[object]]:
    """One product for each price, which is in cents."""
    for number, cents in enumerate(prices, 1):
        name = f"{random.choice(ADJECTIVES)} {random.choice(NOUNS)} {number}"
        category = random.choice(CATEGORIES)
        description = f'{category}: "{name}",\nmade to last' if random.random() < 0.5 else ""
        yield number, name, description, category, money(cents), random.randrange(1000)


def orders(random: Random, count: int, customer_count: int, prices: Sequence[int]) -> Iterator[Sequence[object]]:
    """Orders of existing customers for existing products, at the product's price.

    Millions of them are asked for: one draw of random bits and a few divisions per row.
    """
    draw = random.getrandbits
    product_count, day_count, status_count = len(prices), len(DAYS), len(STATUSES)
    texts = [money(cents) for cents in prices]
    clock = [f"{hour:02}:{minute:02}" for hour in range(24) for minute in range(60)]
    for number in range(1, count + 1):
        bits, customer = divmod(draw(96), customer_count)
        bits, product = divmod(bits, product_count)
        bits, day = divmod(bits, day_count)
        bits, minute = divmod(bits, 1440)
        bits, status = divmod(bits, status_count)
        quantity = bits % 5 + 1
        yield (
            number,
            customer + 1,
            product + 1,
            quantity,
            texts[product],
            money(quantity * prices[product]),
            f"{DAYS[day]} {clock[minute]}:00+00",
            STATUSES[status],
        )


def money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the example's CSV files, always the same.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent / "data")
    parser.add_argument("--customers", type=int, default=10_000, metavar="N")
    parser.add_argument("--products", type=int, default=495, metavar="N")
    parser.add_argument("--orders", type=int, default=50_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    args = parser.parse_args()
    if args.orders < 0 or args.customers < 1 or args.products < 1:
        parser.error("there must be at least one customer and one product")

    folder: Path = args.folder
    folder.mkdir(parents=True, exist_ok=True)
    # A stream of numbers for each file: more customers do not change the products.
    seed = args.seed
    price_draw = Random(f"prices {seed}")
    prices = [price_draw.randint(99, 49_999) for _ in range(args.products)]
    write(
        folder / "customers.csv",
        ("customer_id", "first_name", "last_name", "email", "age", "city", "registration_date", "notes"),
        customers(Random(f"customers {seed}"), args.customers),
    )
    write(
        folder / "products.csv",
        ("product_id", "name", "description", "category", "price", "stock_quantity"),
        products(Random(f"products {seed}"), prices),
    )
    write(
        folder / "orders.csv",
        (
            "order_id",
            "customer_id",
            "product_id",
            "quantity",
            "unit_price",
            "total_amount",
            "order_date",
            "status",
        ),
        orders(Random(f"orders {seed}"), args.orders, args.customers, prices),
    )
    print(f"{folder}: {args.customers} customers, {args.products} products, {args.orders} orders")


if __name__ == "__main__":
    main()
