"""Random incremental derived tables: random queries over random tables, and loads that change the tables.

    python tests/postgres/derived_cases.py [--cases N] [--seed N] [--url ADDRESS]

After each load each derived table must hold what its query returns.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

import pgsluice
from pgsluice.errors import DatabaseError

Connection = psycopg.Connection[Any]

SCHEMA = """
CREATE TABLE fact (
    id int PRIMARY KEY, one int, two int, word text, day date, at timestamptz, amount numeric(12, 2), pieces int,
    code int UNIQUE, CHECK (pieces < 90));
CREATE TABLE one (id int PRIMARY KEY, city text, two int, size int);
CREATE TABLE two (id int PRIMARY KEY, name varchar(10), since date);
CREATE TABLE log (word text, pieces int);
"""

COLUMNS = {
    "fact": ("id", "one", "two", "word", "day", "at", "amount", "pieces"),
    "one": ("id", "city", "two", "size"),
    "two": ("id", "name", "since"),
    "log": ("word", "pieces"),
}

MODES = ("upsert", "upsert", "upsert", "insert-missing", "replace", "append")

_FROM = (
    "fact AS f",
    "fact AS f JOIN one AS o ON o.id = f.one",
    "fact AS f LEFT JOIN one AS o ON o.id = f.one",
    "fact AS f LEFT JOIN one AS o ON o.id = f.one AND o.size > 2",
    "fact AS f JOIN one AS o ON o.id = f.one JOIN two AS t ON t.id = f.two",
    "fact AS f LEFT JOIN one AS o ON o.id = f.one LEFT JOIN two AS t ON t.id = o.two",
    "fact AS f LEFT JOIN one AS o ON o.id = f.one LEFT JOIN two AS t ON t.id = coalesce(o.two, f.two)",
    "fact AS f LEFT JOIN one AS o ON o.id = f.one JOIN two AS t ON t.id = coalesce(o.two, 3)",
    "one AS o LEFT JOIN fact AS f ON f.one = o.id AND f.pieces > 3",
    "one AS o LEFT JOIN fact AS f USING (two)",
    "fact AS f LEFT JOIN two AS t ON t.id = f.two LEFT JOIN one AS o USING (two)",
    "fact AS f JOIN one AS o USING (two)",
    "fact AS f, one AS o",
    "two AS t, fact AS f LEFT JOIN one AS o ON o.id = f.one",
    "fact AS f LEFT JOIN fact AS g ON g.id = f.one",
    "fact AS f JOIN fact AS g ON g.one = f.two",
    "one AS o RIGHT JOIN fact AS f ON o.id = f.one",
    "log AS l",
    "log AS l LEFT JOIN fact AS f ON f.word = l.word",
    "two AS t CROSS JOIN one AS o",
)
_KEYS = {
    "f": ("f.word", "f.day", "f.two", "coalesce(f.one, -1)", "f.at::date", "date_trunc('month', f.at)", "f.pieces % 5"),
    "g": ("g.word", "g.two"),
    "o": ("o.city", "o.size", "coalesce(o.city, 'none')", "o.two", "o.id"),
    "t": ("t.name", "t.since", "extract(year FROM t.since)", "upper(t.name)"),
    "l": ("l.word", "l.pieces"),
}
_VALUES = {
    "f": ("sum(f.amount)", "count(f.id)", "max(f.at)", "count(DISTINCT f.word)", "array_agg(f.id ORDER BY f.id)"),
    "g": ("sum(g.amount)", "min(g.day)"),
    "o": ("count(o.city)", "max(o.size)", "sum(o.size) FILTER (WHERE o.size > 1)"),
    "t": ("min(t.since)", "string_agg(t.name, ',' ORDER BY t.name)"),
    "l": ("sum(l.pieces)", "count(*)"),
}
_WHERE = {
    "f": ("f.pieces > 5", "f.word <> 'a'", "f.one IS NOT NULL"),
    "g": ("g.pieces < 50",),
    "o": ("o.city IS NOT NULL", "coalesce(o.size, 9) > 3", "o.id IS NULL OR o.size < 8"),
    "t": ("t.name IS NULL OR t.since > '2024-02-01'",),
    "l": ("l.pieces > 10",),
}


def definition(dice: random.Random, name: str) -> str:
    """The text of a random definition."""
    source = dice.choice(_FROM)
    aliases = [a for a in "fgotl" if f" AS {a}" in source]
    keys = dice.sample(sorted({k for a in aliases for k in _KEYS[a]}), k=dice.choice((1, 1, 1, 2)))
    names = [f"key{i}" for i in range(len(keys))]
    where = [w for a in aliases for w in _WHERE[a] if dice.random() < 0.2]
    condition = f" WHERE {' AND '.join(f'({w})' for w in where)}" if where else ""
    chosen = ", ".join(f"{key} AS {word}" for key, word in zip(keys, names, strict=True))
    header = f"-- incremental by: {', '.join(names)}\n"
    kind = dice.random()
    if kind < 0.75:
        values = dice.sample([v for a in aliases for v in _VALUES[a]], k=2)
        having = dice.choice(("", "", f" HAVING count(*) > {dice.randrange(1, 3)}"))
        unique = f"-- unique index: {', '.join(names)}\n" if dice.random() < 0.7 else ""
        text = f"SELECT {chosen}, {values[0]} AS a, {values[1]} AS b FROM {source}{condition}"
        return f"{header}{unique}{text} GROUP BY {', '.join(keys)}{having}\n"
    if kind < 0.85:
        return f"{header}SELECT DISTINCT {chosen} FROM {source}{condition}\n"
    if kind < 0.95:
        return f"{header}SELECT {chosen}, {aliases[0]}.* FROM {source}{condition}\n"
    window = f"sum(count(*)) OVER (ORDER BY {keys[0]})"
    return f"{header}SELECT {chosen}, {window} AS a FROM {source}{condition} GROUP BY {', '.join(keys)}\n"


def _row(dice: random.Random, table: str, key: int) -> dict[str, str]:
    null = lambda text: "" if dice.random() < 0.15 else str(text)  # noqa: E731
    day = f"2024-0{dice.randrange(1, 5)}-{dice.randrange(1, 29):02}"
    values = {
        "id": str(key),
        "one": null(dice.randrange(1, 14)),
        "two": null(dice.randrange(1, 8)),
        "word": null(dice.choice("abcdefgh")),
        "day": null(day),
        "at": null(f"{day} 2{dice.randrange(4)}:30:00+00"),
        "amount": null(f"{dice.randrange(1000)}.{dice.randrange(100):02}"),
        "pieces": str(dice.randrange(100 if dice.random() < 0.02 else 90)),
        "city": null(dice.choice(("Bonn", "Rome", "Oslo"))),
        "size": null(dice.randrange(10)),
        "name": null(dice.choice(("x", "y", "Z"))),
        "since": null(day),
    }
    return {c: values[c] for c in COLUMNS[table]}


@dataclass
class Case:
    """One random case in a database of its own."""

    seed: int
    url: str
    folder: Path
    actions: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    _stale: set[str] = field(default_factory=set)
    """Derived tables whose tables another session has changed, and that no run has written since."""

    def run(self, loads: int = 6, definitions: int = 5) -> list[str]:
        """Loads some times; returns what is wrong."""
        dice = random.Random(self.seed)
        derive = self.folder / "derive"
        derive.mkdir(parents=True)
        for i in range(definitions):
            (derive / f"d{i}.sql").write_text(definition(dice, f"d{i}"))
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute(SCHEMA.encode())
            if dice.random() < 0.2:
                conn.execute("ALTER TABLE fact ADD FOREIGN KEY (one) REFERENCES one ON DELETE SET NULL")
            self._write(dice, "0", {"fact": range(1, 161), "one": range(1, 14), "two": range(1, 8), "log": range(20)})
            self._load("0", "append")
            wrong = self._differences(conn, "0")
            for number in range(1, loads + 1):
                wrong += self._step(dice, conn, str(number))
        return wrong

    def _step(self, dice: random.Random, conn: Connection, number: str) -> list[str]:
        mode = dice.choice(MODES)
        first = 1000 * int(number)
        fresh = mode == "append"

        def keys(known: int, most: int) -> range:
            start = first if fresh else dice.randrange(1, known)
            return range(start, start + dice.randrange(1, most))

        tables = {"fact": keys(170, 60 if dice.random() < 0.2 else 9), "one": keys(15, 4), "two": keys(9, 3)}
        chosen = {t: k for t, k in tables.items() if dice.random() < 0.6} or {"fact": tables["fact"]}
        options: dict[str, Any] = {}
        if mode == "upsert" and dice.random() < 0.4:
            options["delete_missing"] = True
            chosen = {t: range(1, 161 - dice.randrange(20)) if t == "fact" else range(1, 14) for t in chosen}
        if mode in ("append", "upsert") and dice.random() < 0.3 and "delete_missing" not in options:
            chosen["log"] = range(dice.randrange(1, 5))
            options["mode"] = [mode, "log=append"]
        self._write(dice, number, chosen)
        if dice.random() < 0.1:
            conn.execute(dice.choice(("UPDATE one SET size = 7 WHERE id = 3", "DELETE FROM two WHERE id = 2")))
            conn.execute("SELECT pg_stat_force_next_flush()")
            self._stale = {path.stem for path in (self.folder / "derive").glob("*.sql")}
        self._load(number, options.pop("mode", mode), **options)
        return self._differences(conn, f"{number} ({mode}, {options}, {sorted(chosen)})")

    def _write(self, dice: random.Random, number: str, tables: dict[str, range]) -> None:
        folder = self.folder / number
        folder.mkdir()
        for table, keys in tables.items():
            rows = [",".join(_row(dice, table, key).values()) for key in keys]
            (folder / f"{table}.csv").write_text("\n".join([",".join(COLUMNS[table]), *rows, ""]))

    def _load(self, number: str, mode: Any, **options: Any) -> None:
        try:
            result = self._result(number, mode, **options)
        except DatabaseError as error:
            if "cannot be deleted" in str(error) or "refer" in str(error):
                return  # A missing row that others reference cannot be deleted.
            raise
        assert result.status in ("published", "skipped"), result.reason
        for derived in result.derived:
            self.actions[derived.action] += 1
            if derived.action != "kept":
                self._stale.discard(derived.name)
            if derived.action == "refreshed":
                self.reasons[derived.note] += 1

    def _result(self, number: str, mode: Any, **options: Any) -> pgsluice.RunResult:
        return pgsluice.load(
            self.folder / number,
            database_url=self.url,
            data_dir=str(self.folder),
            derive=[self.folder / "derive"],
            max_rejects="all",
            mode=mode,
            **options,
        )

    def _differences(self, conn: Connection, when: str) -> list[str]:
        wrong = []
        for path in sorted((self.folder / "derive").glob("*.sql")):
            if path.stem in self._stale:
                continue
            query = "\n".join(x for x in path.read_text().splitlines() if not x.startswith("--"))
            for first, second in ((f"({query})", f"TABLE {path.stem}"), (f"TABLE {path.stem}", f"({query})")):
                rows = conn.execute(f"({first} EXCEPT ALL {second}) LIMIT 3".encode()).fetchall()
                if rows:
                    wrong.append(f"seed {self.seed}, load {when}: {query}: {rows}")
            row = conn.execute(
                "SELECT rows FROM pgsluice.derived WHERE table_name = %s ORDER BY made DESC LIMIT 1", (path.stem,)
            ).fetchone()
            if row != conn.execute(f"SELECT count(*) FROM {path.stem}".encode()).fetchone():
                wrong.append(f"seed {self.seed}, load {when}: {query}: the ledger counts {row} rows")
        return wrong


def main() -> int:
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 20))
    parser.add_argument("--url", required=True)
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    actions: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    bad = 0
    for number in range(given.cases):
        with psycopg.connect(given.url, autocommit=True) as admin:
            admin.execute("DROP DATABASE IF EXISTS derived_cases WITH (FORCE)")
            admin.execute("CREATE DATABASE derived_cases")
        with tempfile.TemporaryDirectory() as folder:
            url = given.url.replace("/postgres?", "/derived_cases?")
            case = Case(given.seed + number, url, Path(folder) / "case")
            for line in case.run():
                bad += 1
                print("WRONG", line, flush=True)
        actions += case.actions
        reasons += case.reasons
        if number % 20 == 19:
            print(f"{number + 1} cases, {bad} wrong, {dict(actions)}", flush=True)
    for reason, count in reasons.most_common():
        print(f"{count:6} {reason}")
    print(f"{given.cases} cases, {bad} wrong, {dict(actions)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
