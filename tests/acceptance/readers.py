"""Clients that read while a load replaces the tables: what the test and the benchmark of readers share."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

# Each generation of the data has its number in every row, so that a mixture shows itself in any of them.
SCHEMA = """
CREATE TABLE parent (id int PRIMARY KEY, generation int NOT NULL, name text NOT NULL);
CREATE TABLE child (
    id int PRIMARY KEY, parent_id int NOT NULL REFERENCES parent, generation int NOT NULL, amount numeric NOT NULL);
CREATE INDEX ON child (parent_id);
CREATE TABLE apart (id int PRIMARY KEY, generation int NOT NULL);
"""


def write(folder: Path, generation: int, children: int) -> Path:
    """Files of one generation: its keys are other ones than those of its neighbours, in part."""
    folder.mkdir(parents=True)
    parents = max(children // 100, 1)
    first = 1 + generation * parents // 2
    with (folder / "parent.csv").open("w") as out:
        out.write("id,generation,name\n")
        out.writelines(f"{n},{generation},p{n}\n" for n in range(first, first + parents))
    begin = 1 + generation * children // 2
    with (folder / "child.csv").open("w") as out:
        out.write("id,parent_id,generation,amount\n")
        out.writelines(f"{n},{first + n % parents},{generation},{n % 97}.5\n" for n in range(begin, begin + children))
    with (folder / "apart.csv").open("w") as out:
        out.write("id,generation\n")
        out.writelines(f"{n},{generation}\n" for n in range(1, max(children // 50, 2)))
    return folder


@dataclass
class Reader:
    """Reads in a loop, one snapshot each time, until it is left; a context manager.

    A look is short: it takes rows by index from all tables, so that what it waits for is a lock and not
    its own work. Each hundredth look reads everything.
    """

    uri: str
    looks: int = 0
    longest: float = 0.0
    generations: set[int] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(60)
        if self._thread.is_alive():
            self.wrong.append("the reader hangs")

    def _read(self) -> None:
        try:
            with psycopg.connect(self.uri, application_name="reader") as conn:
                conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                while not self._stop.is_set():
                    self._look(conn, whole=self.looks % 100 == 0)
                    self.looks += 1
        except Exception as error:
            self.wrong.append(f"{type(error).__name__}: {error}")

    def _look(self, conn: psycopg.Connection[tuple[object, ...]], *, whole: bool) -> None:
        seen: set[int] = set()
        with conn.transaction():
            limit = "" if whole else " ORDER BY id LIMIT 20"
            # Pauses between the tables give the load a chance to get in between.
            for table in ("apart", "child", "parent"):
                query = f"SELECT generation, count(*) FROM (SELECT * FROM {table}{limit}) AS x GROUP BY 1"
                seen |= {int(str(g)) for g, _ in self._asked(conn, query, timed=not whole)}
                time.sleep(0.001)
            orphans = (
                "SELECT count(*) FROM (SELECT * FROM child ORDER BY id DESC LIMIT 50) AS c"
                " WHERE NOT EXISTS (SELECT FROM parent AS p WHERE p.id = c.parent_id)"
            )
            if self._asked(conn, orphans, timed=not whole) != [(0,)]:
                self.wrong.append("children without a parent")
        if len(seen) != 1:
            self.wrong.append(f"a mixture of generations: {seen}")
        self.generations |= seen

    def _asked(
        self, conn: psycopg.Connection[tuple[object, ...]], query: str, *, timed: bool
    ) -> list[tuple[object, ...]]:
        began = time.perf_counter()
        rows = conn.execute(query).fetchall()  # type: ignore[arg-type]
        if timed:
            self.longest = max(self.longest, time.perf_counter() - began)
        return rows
