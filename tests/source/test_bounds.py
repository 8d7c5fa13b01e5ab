"""Bounds: whatever the file, time is proportional to its bytes and memory stays below 400 MB.

Each file is read in a process of its own, which reports its CPU time and its peak memory.
"""

from __future__ import annotations

import csv
import gzip
import random
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from csv_oracle import parse
from nasty_files import GENERATORS

from pgsluice.errors import CallError, FileError
from pgsluice.model import Dialect, DialectOptions
from pgsluice.options import parse_size
from pgsluice.source.blocks import BlockReader
from pgsluice.source.discover import discover
from pgsluice.source.records import field_walker, rules
from pgsluice.source.records.spans import scan

SCRIPT = str(Path(__file__).with_name("nasty_files.py"))
MIB = 1 << 20


class Usage(NamedTuple):
    """What reading a file took."""

    seconds: float
    megabytes: int
    records: int
    faults: int
    error: str


def usage(folder: Path, name: str, size: int, *options: str) -> Usage:
    subprocess.run([sys.executable, SCRIPT, name, str(size), str(folder), *options], check=True)
    read = subprocess.run(
        [sys.executable, SCRIPT, name, str(size), str(folder), *options, "--read"],
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, megabytes, records, faults, error = read.stdout.rstrip("\n").split("\t")
    return Usage(float(seconds), int(megabytes), int(records), int(faults), error)


def check_bounds(folder: Path, name: str, size: int, *options: str) -> None:
    small, large = usage(folder, name, size, *options), usage(folder, name, 4 * size, *options)
    assert large.seconds <= 8 * small.seconds + 1, (small, large)
    assert large.megabytes < 400, large


QUICK = ["quoted fields across lines", "quoted fields across lines, then text", "delimiters behind a header"]


@pytest.mark.parametrize("name", QUICK)
def test_bounds(tmp_path: Path, name: str) -> None:
    check_bounds(tmp_path, name, MIB // 16)


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--gzip",)], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", GENERATORS)
def test_bounds_of_large_files(tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    check_bounds(tmp_path, name, 16 * MIB, *options)


def test_what_walks_remember_changes_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(5)
    for _ in range(1500):
        limit = dice.choice([8, 16, 40, MIB])
        monkeypatch.setattr(field_walker, "_UNMARKED_FIELDS", dice.choice([0, 1, 2]))
        monkeypatch.setattr(rules, "MAX_RECORD_BYTES", limit)
        texts = dice.choice([[b'"', b",", b"\n", b"a", b"\r"], [b'a","\n', b'x"y\n', b'"",', b',"\n', b'"']])
        data = b"".join(dice.choices(texts, k=dice.choice([10, 30, 60])))
        fields = dice.choice([1, 2, 3])
        try:
            expected = parse(data, fields=fields, header=False, limit=limit)
        except OverflowError:
            with pytest.raises(rules.LineTooLong):
                list(scan(data, Dialect(), fields=fields))
            continue
        found = list(scan(data, Dialect(), fields=fields))
        assert [(r.line, r.start, r.end, r.next) for r in found] == [
            (e.line, e.start, e.end, e.next) for e in expected
        ], data
        for record, want in zip(found, expected, strict=True):
            assert bool(record.fault) == bool(want.fault)
            assert record.fault is None or record.fault.message.startswith(want.fault)
            assert want.fault or record.fields == want.fields


@pytest.mark.parametrize("quote", ["", '"'])
def test_header_with_too_many_fields(tmp_path: Path, quote: str) -> None:
    path = tmp_path / "x.csv"
    for count, delimiter in ((1600, ","), (1600, ";"), (1601, ","), (100_000, ","), (100_000, ";")):
        names = [f"{quote}c{i}{quote}" for i in range(count)]
        path.write_text(delimiter.join(names) + "\n" + delimiter.join(["1"] * count) + "\n")
        if count <= 1600:
            (file,) = discover([str(path)], DialectOptions()).files
            assert len(file.header) == count
            assert [b.rows for b in BlockReader(file, file.header)] == [1]
        else:
            with pytest.raises(FileError, match=r"header .line 1. cannot be read: more than 1,600 fields"):
                discover([str(path)], DialectOptions())


def test_no_earlier_file_changes_how_a_long_header_is_read(tmp_path: Path) -> None:
    """The limit of Python's csv module belongs to the process, and other readers raise it."""
    path = tmp_path / "x.csv"
    path.write_text(";".join(f"c{i}" for i in range(100_000)) + "\n" + ";".join("1" * 100_000) + "\n")
    before = csv.field_size_limit()
    try:
        for limit in (1 << 17, 1 << 30):
            csv.field_size_limit(limit)
            with pytest.raises(FileError, match="more than 1,600 fields"):
                discover([str(path)], DialectOptions())
    finally:
        csv.field_size_limit(before)


def test_record_with_too_many_fields_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,b\n1,2\n" + b"," * 100_000 + b"\n3,4\n" + b'"",' * 100_000 + b"1\n5,6\n")
    (file,) = discover([str(path)], DialectOptions()).files
    (block,) = BlockReader(file, file.header)
    assert (block.rows, block.count) == (3, 5)
    assert [(f.line, f.verdict.message) for f in block.faults] == [
        (3, "extra data after last expected column"),
        (5, "extra data after last expected column"),
    ]


def test_many_records_whose_quotes_do_not_pair_end_the_run(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    for count, fails in ((100_001, False), (100_002, True)):
        # The last quote opens a field that never ends, so the last record is one of them.
        path.write_bytes(b"a,b\n1,2\n" + b'1,"x\n' * count)
        (file,) = discover([str(path)], DialectOptions(quote='"')).files
        if fails or count > 100_000:
            with pytest.raises(FileError, match="more than 100,000 records in a row do not pair, from line 3 on"):
                list(BlockReader(file, file.header))
    path.write_bytes(b"a,b\n" + (b'1,"x\n' * 60_000 + b"1,2\n" + b'1,"x\n') * 2)
    (file,) = discover([str(path)], DialectOptions(quote='"')).files
    assert sum(b.count for b in BlockReader(file, file.header)) > 100_000


def test_max_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    data = b"a,b\n" + b"1,2\n" * 2_000_000
    path.write_bytes(gzip.compress(data))
    (file,) = discover([str(path)], DialectOptions(), max_bytes=len(data)).files
    assert sum(b.rows for b in BlockReader(file, file.header)) == 2_000_000
    (file,) = discover([str(path)], DialectOptions(), max_bytes=len(data) - 1).files
    with pytest.raises(FileError, match="unpacks to more than 8,000,003 bytes"):
        list(BlockReader(file, file.header))
    with pytest.raises(FileError, match="unpacks to more than"):
        discover([str(path)], DialectOptions(), max_bytes=1000)
    plain = tmp_path / "y.csv"
    plain.write_bytes(data)
    (file,) = discover([str(plain)], DialectOptions(), max_bytes=1000).files
    assert sum(b.rows for b in BlockReader(file, file.header)) == 2_000_000


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (None, None),
        (1, 1),
        ("1", 1),
        ("64k", 64_000),
        ("5 MB", 5_000_000),
        ("10GB", 10**10),
        ("10G", 10**10),
        ("1kB", 1000),
        ("2GiB", 2 << 30),
    ],
)
def test_sizes(text: str | int | None, size: int | None) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", 0, -1, "-1", "1.5GB", "10gb", "1 0", "GB", "1e3", "10 XB", True, "٣"])
def test_no_sizes(text: str | int) -> None:
    with pytest.raises(CallError, match="is not a size"):
        parse_size(text)
