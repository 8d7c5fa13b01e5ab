"""Files that change at a random moment of a load: the tables hold all of the planned content, or what they held before.

A case loads three files into two tables and changes a file at one moment: when the load reports progress, or when it
reads the next bytes of a file. Blocks and reads are small, so that there are many such moments within a file.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest

import pgsluice
from conftest import fresh_database
from pgsluice.errors import FileError
from pgsluice.model import RunResult, SourceFile
from pgsluice.pipeline.plan import strategy
from pgsluice.source import disk, identity, streams
from pgsluice.source.blocks import BlockReader
from pgsluice.source.streams import DecodedStream

Connection = psycopg.Connection[tuple[Any, ...]]
Content = list[tuple[Any, ...]]

SCHEMA = """
CREATE TABLE parent (id int PRIMARY KEY, name text NOT NULL, n int CHECK (n >= 0));
CREATE TABLE child (id int PRIMARY KEY, parent_id int NOT NULL REFERENCES parent, amount numeric(8,2));
"""
HELD = """
INSERT INTO parent SELECT n, 'held', 1 FROM generate_series({first}, {first} + 199) AS n;
INSERT INTO child SELECT n, {first} + n % 200, 1 FROM generate_series({first}, {first} + 299) AS n;
"""
READ_BYTES, HASHED_BYTES = 2048, 256
"""How many bytes are read at a time, and how many first bytes of a file its identity covers."""

MATCHED, OTHERS = 100, 100_000
"""The first id of held rows that the files have too, and of rows that the files do not have."""


@dataclass(frozen=True)
class Way:
    """A mode on tables that hold rows from the id ``held`` on (None: no rows)."""

    held: int | None
    options: dict[str, Any]
    swap: bool = False


WAYS = {
    "append to empty tables": Way(None, {"mode": "append"}),
    "append": Way(OTHERS, {"mode": "append"}),
    "insert-missing": Way(MATCHED, {"mode": "insert-missing"}),
    "upsert": Way(MATCHED, {"mode": "upsert"}),
    "upsert --delete-missing": Way(OTHERS, {"mode": "upsert", "delete_missing": True}),
    "replace": Way(MATCHED, {"mode": "replace"}),
    "swap": Way(MATCHED, {"mode": "replace"}, swap=True),
    "resumable": Way(OTHERS, {"mode": "upsert", "delete_missing": True, "resumable": True}),
}


# --------------------------------------------------------------------------- files


def records() -> dict[str, bytes]:
    """The files. A few rows are rejected, so that the report reads their records again."""
    parents = "".join(f"{n},name {n},{n % 9}\n" for n in range(400)) + "401,negative,-1\n402,none,x\n"
    low, high = ("".join(f"{n},{n % 400},{n}.25\n" for n in range(*ends)) for ends in ((0, 400), (400, 900)))
    return {
        "parent.csv": f"id,name,n\n{parents}".encode(),
        "child_1.csv": f"id,parent_id,amount\n{low}7,7,7\n".encode(),
        "child_2.csv.gz": gzip.compress(f"id,parent_id,amount\n{high}901,5000,1\n".encode(), 1, mtime=0),
    }


def rewritten(path: Path, change: Callable[[bytes], bytes]) -> bytes:
    """The file's bytes with a change of the text in them."""
    data = path.read_bytes()
    return gzip.compress(change(gzip.decompress(data)), 1) if path.suffix == ".gz" else change(data)


def reordered(text: bytes) -> bytes:
    return b"".join(b",".join(line.split(b",")[::-1]) + b"\n" for line in text.splitlines())


def truncate(path: Path, r: random.Random) -> None:
    os.truncate(path, r.choice([0, path.stat().st_size // 2, path.stat().st_size - 1]))


def append(path: Path, r: random.Random) -> None:
    with path.open("ab") as file:
        file.write(gzip.compress(b"9999,9,9\n") if path.suffix == ".gz" else b"9999,9,9\n")


def overwrite(path: Path, r: random.Random) -> None:
    """Another digit, or another byte of a packed file, at any place; mtime may be set back."""
    status = path.stat()
    data = path.read_bytes()
    place = r.choice([i for i, byte in enumerate(data) if path.suffix == ".gz" or byte in b"0123456789"])
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"1" if data[place : place + 1] != b"1" else b"2")
    if r.random() < 0.5:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def write_again(path: Path, r: random.Random) -> None:
    """An upload that starts again, and is as far as some bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: r.randrange(len(data))])


def rename_over(path: Path, r: random.Random) -> None:
    other = path.with_name("new")
    other.write_bytes(rewritten(path, lambda text: text.replace(b"9", b"8")))
    os.replace(other, path)


def other_columns(path: Path, r: random.Random) -> None:
    path.write_bytes(rewritten(path, reordered))


def other_delimiter(path: Path, r: random.Random) -> None:
    path.write_bytes(rewritten(path, lambda text: text.replace(b",", b";")))


def vanish(path: Path, r: random.Random) -> None:
    path.unlink()


CHANGES = [truncate, append, overwrite, write_again, rename_over, other_columns, other_delimiter, vanish]


# --------------------------------------------------------------------------- cases


@dataclass
class Moments:
    """Counts the moments of a load from its plan on, and acts at one of them."""

    at: int = -1
    act: Callable[[], None] = lambda: None
    count: int = 0
    planned: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def listen(self, _: object) -> None:
        # The first report follows the discovery of all files.
        self.planned = True
        self.moment()

    def moment(self) -> None:
        with self._lock:
            if self.planned:
                if self.count == self.at:
                    self.act()
                self.count += 1


@contextlib.contextmanager
def small_steps(moments: Moments, swap: bool) -> Iterator[None]:
    """Small blocks and reads; each read is a moment."""
    init, take = BlockReader.__init__, DecodedStream._take

    def small(self: BlockReader, file: SourceFile, columns: tuple[str, ...]) -> None:
        init(self, file, columns, READ_BYTES)

    def observed(self: DecodedStream, size: int) -> bytes:
        moments.moment()
        data = take(self, size)
        moments.moment()
        return data

    with contextlib.ExitStack() as patches:
        for target, name, value in (
            (BlockReader, "__init__", small),
            (DecodedStream, "_take", observed),
            (streams, "CHUNK_BYTES", READ_BYTES),
            (disk, "HEAD_BYTES", HASHED_BYTES),
            (identity, "HEAD_BYTES", HASHED_BYTES),
            (identity, "TAIL_BYTES", HASHED_BYTES),
            (strategy, "SWAP_BYTES", 0 if swap else strategy.SWAP_BYTES),
        ):
            patches.enter_context(mock.patch.object(target, name, value))
        yield


class Bench:
    """A database, a folder and a mode to run cases in."""

    def __init__(self, uri: str, folder: Path, way: Way) -> None:
        self._uri = uri
        self._folder = folder
        self._way = way
        self._conn: Connection = psycopg.connect(uri, autocommit=True)
        self._conn.execute(SCHEMA)
        self.before = self._renew()
        moments = Moments()
        self.result = self._load(moments)
        assert self.result.status == "published"
        assert self.result.rejects.count >= 4
        self.planned = self._content()
        assert self.planned != self.before
        self._moments = moments.count

    def close(self) -> None:
        self._conn.close()

    def case(self, r: random.Random, change: Callable[[Path, random.Random], None]) -> bool:
        """Runs a case; returns whether the load published in spite of the change."""
        assert self._renew() == self.before
        path = self._folder / r.choice(list(records()))
        moments = Moments(r.randrange(self._moments), lambda: change(path, r))
        what = f"{change.__name__} of {path.name} at moment {moments.at} of {self._moments}"
        try:
            result = self._load(moments)
        except FileError:
            assert self._content() == self.before, what
            return False
        assert result.status == "published", what
        assert self._content() == self.planned, what
        assert result.rejects.count == self.result.rejects.count, what
        return True

    def _load(self, moments: Moments) -> RunResult:
        paths = [self._folder / name for name in records()]
        with small_steps(moments, self._way.swap):
            return pgsluice.load(
                *paths,
                database_url=self._uri,
                data_dir=str(self._folder / "reports"),
                max_rejects="all",
                again=True,
                listen=moments.listen,
                **self._way.options,
            )

    def _renew(self) -> Content:
        self._conn.execute("TRUNCATE parent, child")
        if self._way.held is not None:
            self._conn.execute(HELD.format(first=self._way.held))
        for name, data in records().items():
            (self._folder / name).write_bytes(data)
        return self._content()

    def _content(self) -> Content:
        rows = self._conn.execute(
            "SELECT 'parent', p::text FROM parent AS p UNION ALL SELECT 'child', c::text FROM child AS c"
        )
        return sorted(rows.fetchall())


def run_cases(server: str, folder: Path, way: Way, seed: int, cases: Sequence[int]) -> None:
    with fresh_database(server) as uri:
        bench = Bench(uri, folder, way)
        try:
            outcomes = [bench.case(random.Random(f"{way} {seed} {n}"), CHANGES[n % len(CHANGES)]) for n in cases]
        finally:
            bench.close()
    # A load that has read its files publishes, whatever becomes of them; before that it must not.
    assert len(cases) < len(CHANGES) or False in outcomes
    assert len(cases) < 20 or True in outcomes


@pytest.mark.parametrize(("number", "way"), list(enumerate(WAYS.values())), ids=WAYS)
def test_one_change(server: str, tmp_path: Path, number: int, way: Way) -> None:
    """A change for each mode, another for the next mode."""
    assert len(WAYS) == len(CHANGES)
    run_cases(server, tmp_path, way, 1, [number])


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_some_changes(server: str, tmp_path: Path, way: Way) -> None:
    run_cases(server, tmp_path, way, 1, range(len(CHANGES)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_many_changes(server: str, tmp_path: Path, way: Way, seed: int) -> None:
    run_cases(server, tmp_path, way, seed, range(60))
