"""What is loaded: the files of a workload and its schema, taken apart the way an expert would run it."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
ROOT = HERE.parent
EXAMPLE = ROOT / "examples" / "ecommerce"


@dataclass(frozen=True)
class Workload:
    """Files and schema. ``schema`` is the whole of it, as it stands in production; ``tables``, ``indexes``
    and ``foreign_keys`` are the same in the order in which a hand-tuned script creates them.
    """

    name: str
    title: str
    folder: Path
    order: tuple[str, ...]
    tables: str
    indexes: str
    foreign_keys: str
    schema: str
    competitors: tuple[str, ...]
    rejects: int = 0
    reference: Path | None = None
    """Where some rows are bad: the folder with the good ones only, which say what must be in the tables."""

    def files(self, table: str, folder: Path | None = None) -> list[Path]:
        """The table's files: ``table.csv`` or ``table_NN.csv``."""
        folder = folder or self.folder
        single = folder / f"{table}.csv"
        return [single] if single.exists() else sorted(folder.glob(f"{table}_[0-9]*.csv"))

    @property
    def bytes(self) -> int:
        return sum(f.stat().st_size for t in self.order for f in self.files(t))


class Unavailable(Exception):
    """The workload or competitor cannot be had on this machine; the text says why."""


FAST = ("pgsluice", "pgsluice-schema", "copy", "hand", "floor")
ROWWISE = ("pandas-psycopg3", "pandas-psycopg2", "pandas-to_sql", "csvsql", "dlt")
BULK = ("pgloader", "duckdb", "adbc")


def make(spec: str, work: Path, bench_bin: Path) -> Workload:
    """The workload that ``spec`` names (``ecommerce60``, ``tpch0.1``, ``wide``), its files made unless there.

    :param bench_bin: where the programs of the benchmark's environment are.
    :raises Unavailable: it cannot be made here.
    :raises ValueError: there is no such workload.
    """
    name = spec.rstrip("0123456789.:")
    if name not in MAKERS:
        raise ValueError(f"there is no workload {spec!r}; there are {', '.join(MAKERS)}, each with a size behind")
    maker, default = MAKERS[name]
    size = float(spec[len(name) :].lstrip(":") or default)
    folder = work / "data" / f"{name}{size:g}"
    return maker(size, folder, bench_bin)


def _once(folder: Path, write: Callable[[Path], None]) -> None:
    """Runs ``write`` unless ``folder`` is complete already."""
    if folder.exists():
        return
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    write(fresh)
    fresh.rename(folder)


def _parts(name: str) -> tuple[str, str, str]:
    base = HERE / "sql" / name
    return tuple((base / f"{part}.sql").read_text() for part in ("tables", "indexes", "foreign_keys"))  # type: ignore[return-value]


# --------------------------------------------------------------------------- e-commerce


def _counts(size: float) -> tuple[int, int, int]:
    """Customers, products and orders. 1 is the example itself; from there on orders grow with the size."""
    if size == 1:
        return 10_000, 495, 50_000
    return max(1, int(size * 10_000 / 3)), max(1, int(size * 250 / 3)), int(size * 50_000)


def ecommerce(size: float, folder: Path, bench_bin: Path) -> Workload:
    customers, products, orders = _counts(size)

    def write(to: Path) -> None:
        counts = ["--customers", str(customers), "--products", str(products), "--orders", str(orders)]
        subprocess.run([sys.executable, str(EXAMPLE / "generate.py"), str(to), *counts], check=True)

    _once(folder, write)
    tables, indexes, keys = _parts("ecommerce")
    rows = customers + products + orders
    others = {True: FAST + BULK + ROWWISE, False: FAST + BULK}[size <= 2]
    if size > 100:
        others = ("pgsluice", "pgsluice-schema", "hand")
    return Workload(
        f"ecommerce{size:g}",
        f"E-commerce {size:g}x: {rows:,} rows in three tables, two foreign keys",
        folder,
        ("customers", "products", "orders"),
        tables,
        indexes,
        keys,
        (EXAMPLE / "sql" / "create_schema.sql").read_text(),
        others,
    )


# --------------------------------------------------------------------------- dirty rows


def dirty(size: float, folder: Path, bench_bin: Path) -> Workload:
    """E-commerce with one bad row in a hundred added, of every kind of reject."""
    return _with_bad_rows("dirty", "1 % bad rows added, of every kind of reject", size, folder, bench_bin, 100)


def fewbad(size: float, folder: Path, bench_bin: Path) -> Workload:
    """E-commerce with three bad rows added, one for each table."""
    return _with_bad_rows("fewbad", "one bad row added to each table", size, folder, bench_bin, None)


def _with_bad_rows(name: str, title: str, size: float, folder: Path, bench_bin: Path, every: int | None) -> Workload:
    """E-commerce with bad rows added.

    The good rows are those of the clean set, byte by byte: what must be in the tables afterwards is known.

    :param every: one bad row for so many rows; None: one for each table.
    """
    clean = ecommerce(size, folder.with_name(f"ecommerce{size:g}"), bench_bin)
    counts = _counts(size)

    def write(to: Path) -> None:
        random = Random("dirty")
        bad = {
            "customers": _spread(random, counts[0], every, _bad_customers(counts[0])),
            "products": _spread(random, counts[1], every, _bad_products(counts[1])),
            "orders": _spread(random, counts[2], every, _bad_orders(counts)),
        }
        for table, rows in bad.items():
            _mix(clean.files(table)[0], to / f"{table}.csv", rows)
        (to / "rejects").write_text(str(sum(len(rows) for rows in bad.values())))

    _once(folder, write)
    return Workload(
        f"{name}{size:g}",
        f"E-commerce {size:g}x with {title}",
        folder,
        clean.order,
        clean.tables,
        clean.indexes,
        clean.foreign_keys,
        clean.schema,
        ("pgsluice", "pgsluice-clean", "hand-clean"),
        rejects=int((folder / "rejects").read_text()),
        reference=clean.folder,
    )


def _spread(random: Random, count: int, every: int | None, bad: Iterator[bytes]) -> dict[int, bytes]:
    """Bad rows, one for so many rows, or one in all, by the number of the row behind which they stand.

    All stand in the second half, so that a repeated key repeats one that came before.
    """
    places = sorted(random.sample(range(count // 2, count), max(1, count // every if every else 1)))
    return {place: next(bad) for place in places}


def _mix(source: Path, target: Path, bad: dict[int, bytes]) -> None:
    number = -1  # the header is no row
    quotes = 0
    with source.open("rb") as lines, target.open("wb") as out:
        for line in lines:
            out.write(line)
            quotes += line.count(b'"')
            if quotes % 2 == 0:
                if number in bad:
                    out.write(bad[number])
                number += 1


def _bad_customers(count: int) -> Iterator[bytes]:
    """Their numbers lie behind those of the good ones, the orders' numbers rest on that."""
    number = count
    while True:
        for text in (
            "{n},Too,Young,young{n}@example.com,7,Paris,2023-01-01,",  # CHECK
            "{n},,Empty,empty{n}@example.com,30,Paris,2023-01-01,",  # NOT NULL
            "{n},No,Day,day{n}@example.com,30,Paris,2023-02-30,",  # type
            "{old},Same,Number,number{n}@example.com,30,Paris,2023-01-01,",  # PRIMARY KEY
            "{n},Same,Mail,customer{old}@example.com,30,Paris,2023-01-01,",  # UNIQUE
            "{n},Too,Few,few{n}@example.com",  # structure
            "{n},Bad,Byte \udcff,byte{n}@example.com,30,Paris,2023-01-01,",  # structure: no UTF-8
        ):
            number += 1
            line = text.format(n=number, old=1 + number % (count // 2))
            yield (line + "\n").encode(errors="surrogateescape")


def _bad_products(count: int) -> Iterator[bytes]:
    number = count
    while True:
        for text in ("{n},Cheap,,Toys,-1.00,1", "{n},Word,,Toys,free,1", "{n},,,Toys,1.00,1", "1,Again,,Toys,1.00,1"):
            number += 1
            yield (text.format(n=number) + "\n").encode()


def _bad_orders(counts: tuple[int, int, int]) -> Iterator[bytes]:
    customers, _, orders = counts
    number = orders
    while True:
        for text in (
            "{n},1,1,0,1.00,0.00,2023-01-01 10:00:00+00,new",  # CHECK
            "{n},1,1,1,1.00,1.00,2023-01-01 10:00:00+00,lost",  # CHECK
            "{n},1,1,1,,1.00,2023-01-01 10:00:00+00,new",  # NOT NULL
            "{n},1,1,one,1.00,1.00,2023-01-01 10:00:00+00,new",  # type
            "{n},1,1,1,1.00,1.00,2023-13-01 10:00:00+00,new",  # type
            "{n},1,1,1,99999999999.00,1.00,2023-01-01 10:00:00+00,new",  # type: out of range
            "{old},1,1,1,1.00,1.00,2023-01-01 10:00:00+00,new",  # PRIMARY KEY
            "{n},{nobody},1,1,1.00,1.00,2023-01-01 10:00:00+00,new",  # FOREIGN KEY: there is no such parent
            "{n},{refused},1,1,1.00,1.00,2023-01-01 10:00:00+00,new",  # FOREIGN KEY: the parent was rejected
            "{n},1,1,1,1.00,1.00,2023-01-01 10:00:00+00,new,more",  # structure
        ):
            number += 1
            line = text.format(n=number, old=1 + number % (orders // 2), nobody=2_000_000_000, refused=customers + 1)
            yield (line + "\n").encode()


# --------------------------------------------------------------------------- TPC-H


def tpch(size: float, folder: Path, bench_bin: Path) -> Workload:
    program = shutil.which("tpchgen-cli", path=str(bench_bin)) or shutil.which("tpchgen-cli")

    def write(to: Path) -> None:
        if program is None:
            raise Unavailable("tpchgen-cli is not installed")
        subprocess.run([program, "csv", "-s", f"{size:g}", "-o", str(to)], check=True, stdout=subprocess.DEVNULL)

    _once(folder, write)
    tables, indexes, keys = _parts("tpch")
    return Workload(
        f"tpch{size:g}",
        f"TPC-H scale {size:g}: eight tables, keys and foreign keys",
        folder,
        ("region", "nation", "supplier", "customer", "part", "partsupp", "orders", "lineitem"),
        tables,
        indexes,
        keys,
        tables + indexes + keys,
        FAST + BULK,
    )


# --------------------------------------------------------------------------- shapes


def wide(size: float, folder: Path, bench_bin: Path) -> Workload:
    """One table of 200 columns of seven types."""
    kinds = ("integer", "bigint", "numeric(12,2)", "double precision", "date", "timestamptz", "text", "boolean")
    columns = [f"c{i:03} {kinds[i % len(kinds)]}" for i in range(199)]
    rows = int(size * 100_000)

    def value(random: Random, kind: str) -> str:
        if random.random() < 0.1:
            return ""
        day = f"{random.randint(1990, 2029)}-{random.randint(1, 12):02}-{random.randint(1, 28):02}"
        return {
            "integer": str(random.randrange(10**6)),
            "bigint": str(random.randrange(10**12)),
            "numeric(12,2)": f"{random.randrange(10**7)}.{random.randrange(100):02}",
            "double precision": repr(random.random()),
            "date": day,
            "timestamptz": f"{day} {random.randrange(24):02}:00:00+00",
            "text": random.choice(("plain", '"with, comma"', "naïve", "a somewhat longer text")),
            "boolean": random.choice("tf"),
        }[kind]

    def write(to: Path) -> None:
        random = Random("wide")
        tails = [",".join(value(random, kinds[i % len(kinds)]) for i in range(199)) for _ in range(1000)]
        with (to / "wide.csv").open("w") as out:
            out.write(",".join(["id", *(c.split()[0] for c in columns)]) + "\n")
            out.writelines(f"{n},{random.choice(tails)}\n" for n in range(rows))

    _once(folder, write)
    tables = "CREATE TABLE wide (\n    id integer NOT NULL,\n    " + ",\n    ".join(columns) + "\n);\n"
    indexes = (
        "ALTER TABLE wide ADD CONSTRAINT wide_pkey PRIMARY KEY (id);\n"
        "CREATE INDEX wide_c000_idx ON wide (c000);\nCREATE INDEX wide_c004_idx ON wide (c004);\n"
    )
    title = f"Wide: {rows:,} rows of 200 columns, three indexes"
    return Workload(f"wide{size:g}", title, folder, ("wide",), tables, indexes, "", tables + indexes, FAST + BULK)


def longtext(size: float, folder: Path, bench_bin: Path) -> Workload:
    """One table whose rows carry about 8 kB of text each, with quotes and line breaks in it."""
    rows = int(size * 25_000)

    def write(to: Path) -> None:
        random = Random("long text")
        words = ["".join(random.choices("abcdefghijklmnopqrstuvwxyzäöü", k=random.randint(2, 10))) for _ in range(3000)]
        words += ['"so to say"', "first,\nsecond,"] * 60
        with (to / "longtext.csv").open("w", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(("id", "title", "body"))
            for n in range(rows):
                writer.writerow((n, f"Text {n}", " ".join(random.choices(words, k=1200))))

    _once(folder, write)
    tables = "CREATE TABLE longtext (\n    id integer NOT NULL,\n    title text NOT NULL,\n    body text NOT NULL\n);\n"
    indexes = (
        "ALTER TABLE longtext ADD CONSTRAINT longtext_pkey PRIMARY KEY (id);\n"
        "ALTER TABLE longtext ADD CONSTRAINT longtext_title_key UNIQUE (title);\n"
    )
    title = f"Long text: {rows:,} rows of 8 kB, quotes and line breaks inside"
    return Workload(
        f"longtext{size:g}", title, folder, ("longtext",), tables, indexes, "", tables + indexes, FAST + BULK
    )


def manyfiles(size: float, folder: Path, bench_bin: Path) -> Workload:
    """Six tables in a chain of foreign keys, each of them in twenty small files."""
    names = tuple(f"{word}s" for word in ("region", "shop", "shelf", "box", "item", "sale"))
    per_file = int(size * 2_000)

    def write(to: Path) -> None:
        random = Random("many files")
        for level, name in enumerate(names):
            for part in range(20):
                with (to / f"{name}_{part + 1:02}.csv").open("w") as out:
                    out.write("id,parent_id,label,price,day\n")
                    for n in range(part * per_file, (part + 1) * per_file):
                        parent = random.randrange(20 * per_file) if level else ""
                        out.write(f"{n},{parent},{name} no. {n},{n % 1000}.50,2024-0{1 + n % 9}-11\n")

    _once(folder, write)
    tables = indexes = keys = ""
    for above, name in zip(("", *names), names, strict=False):
        tables += (
            f"CREATE TABLE {name} (\n    id integer NOT NULL,\n    parent_id integer,\n    label text NOT NULL,\n"
            f"    price numeric(10, 2) NOT NULL,\n    day date NOT NULL,\n"
            f"    CONSTRAINT {name}_price_check CHECK (price >= 0)\n);\n"
        )
        indexes += (
            f"ALTER TABLE {name} ADD CONSTRAINT {name}_pkey PRIMARY KEY (id);\n"
            f"CREATE INDEX {name}_parent_idx ON {name} (parent_id);\n"
        )
        if above:
            keys += (
                f"ALTER TABLE {name} ADD CONSTRAINT {name}_parent_fkey FOREIGN KEY (parent_id)"
                f" REFERENCES {above} (id);\n"
            )
    return Workload(
        f"manyfiles{size:g}",
        f"Many files: six tables of 20 files each, {per_file:,} rows a file, five foreign keys",
        folder,
        names,
        tables,
        indexes,
        keys,
        tables + indexes + keys,
        FAST + BULK,
    )


MAKERS: dict[str, tuple[Callable[[float, Path, Path], Workload], str]] = {
    "ecommerce": (ecommerce, "1"),
    "tpch": (tpch, "1"),
    "wide": (wide, "1"),
    "longtext": (longtext, "1"),
    "manyfiles": (manyfiles, "1"),
    "dirty": (dirty, "60"),
    "fewbad": (fewbad, "60"),
}
