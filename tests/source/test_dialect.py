"""Sniffing, and the user's word against it."""

from __future__ import annotations

import pytest

from pgsluice.model import Dialect, DialectOptions
from pgsluice.source.dialect import SAMPLE_BYTES, detected

NONE = DialectOptions()


def sniff(sample: bytes, path: str, options: DialectOptions) -> Dialect:
    return detected(sample, path, options)[0]


@pytest.mark.parametrize(
    ("sample", "path", "delimiter"),
    [
        (b"a,b\n1,2\n", "x.csv", ","),
        (b"a;b\n1,5;2,5\n3,5;4,5\n", "x.csv", ";"),
        (b"a\tb\n1\t2\n", "x.csv", "\t"),
        (b"a|b|c\n1|2|3,4\n", "x.csv", "|"),
        (b"a\nb, c\nd\n", "x.csv", ","),
        (b"a,b\tc\n1,2\t3\n", "x.tsv", "\t"),
        (b"a,b\n1,2\n", "x.TSV.gz", ","),
        (b"a\n1,5\n", "x.tsv", "\t"),
        (b'a,b\n"1;2;3","x\ny;z"\n', "x.csv", ","),
        (b"id;name\n1;a,b,c\n2;d\n3;e,f\n", "x.csv", ";"),
        (b"a,b;c\n1,2\n3,4;5\n6,7\n8,9\n", "x.csv", ","),
        (b"a,b\n1,2\n" * 3 + b"1\n", "x.csv", ","),
        (b"a;b", "x.csv", ";"),
        (b"", "x.csv", ","),
    ],
)
def test_delimiter(sample: bytes, path: str, delimiter: str) -> None:
    assert sniff(sample, path, NONE).delimiter == delimiter


def test_a_long_sample_may_end_within_a_record() -> None:
    sample = (b"a;b\n" + b'1,2,3;"x\ny"\n' * SAMPLE_BYTES)[:SAMPLE_BYTES]
    assert sniff(sample, "x.csv", NONE).delimiter == ";"


@pytest.mark.parametrize(
    ("sample", "quote"),
    [
        (b"'a','b'\n'1','2'\n'3','x, y'\n", "'"),
        (b"a,b\n1,'x, y'\n2,'z'\n3,\n", "'"),
        (b"a,b\n1,'x'\n2,it's\n", '"'),
        (b"a,b\n1,'tis\n2,'twas\n", '"'),
        (b"a,b\n1,'x'\n2,\"y\"\n", '"'),
        (b"a,b\n1,'x'\n", '"'),
        (b"a,b\n1,O'Brien\n2,D'Arcy\n", '"'),
    ],
)
def test_quote(sample: bytes, quote: str) -> None:
    assert sniff(sample, "x.csv", NONE).quote == quote


def test_the_user_decides() -> None:
    options = DialectOptions(delimiter="\t", quote="'", null=("NA",))
    dialect = sniff(b"a,b\n", "x.csv", options)
    assert (dialect.delimiter, dialect.quote, dialect.null) == (
        "\t",
        "'",
        ("NA",),
    )
    assert dialect.header


@pytest.mark.parametrize(
    ("first", "delimiter"),
    [
        (b"sep=;\r\n", ";"),
        (b"SEP=|\n", "|"),
        (b'"sep=,"\n', ","),
        ("sep=§\n".encode(), "§"),
        (b"sep=\t\n", "\t"),
    ],
)
def test_the_line_that_excel_reads(first: bytes, delimiter: str) -> None:
    dialect = sniff(first + b"a,b;c\n1,2;3\n", "x.csv", NONE)
    assert (dialect.delimiter, dialect.skip_lines) == (delimiter, 1)
    assert sniff(first + b"a,b;c\n", "x.csv", DialectOptions(delimiter="+", skip_lines=0)).skip_lines == 1
    assert sniff(first + b"\na,b;c\n", "x.csv", DialectOptions(skip_lines=2)).skip_lines == 2


def test_no_such_line() -> None:
    for sample in (b"sep=;;\n1;2\n", b"sep=a;b\n1;2\n", b"a;b\nsep=;\n"):
        assert sniff(sample, "x.csv", NONE).skip_lines == 0
