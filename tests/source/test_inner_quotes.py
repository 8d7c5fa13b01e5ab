"""Quotes inside unquoted fields: data, unless they enclose a delimiter as a quoted field does."""

from __future__ import annotations

import pytest

from pgsluice.model import Dialect
from pgsluice.source.records.inner_quotes import enclosed_delimiters
from pgsluice.source.records.spans import scan


@pytest.mark.parametrize(
    "raw",
    [
        b'1,5.00,5" pipe,y',
        b'1,5" x 3",x,y',
        b'1,5" pipe,6" tube,y',
        b'1,5",6",y',
        b'1,5",6" tube,y',
        b'1,5" pipe,"Chair, low",y',
        b'1,5" pipe,"Chair, low","a, b"',
        b'1,say "hi",x,y',
        b'1,a""b,c""d,y',
        b'1,O"Brien,x,y',
        b'1,"a ""b, c"" d",5" x,y',
        b'1,a"b,c,d',
    ],
)
def test_quotes_that_are_data(raw: bytes) -> None:
    assert enclosed_delimiters(raw, b",", b'"') == 0
    (record,) = scan(raw + b"\n", Dialect(), fields=4)
    assert record.fault is None


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'1,$78.07"Table, Round",x', 'missing data for column "d"'),
        (b'1,$78.07" Table, Round",x', 'missing data for column "d"'),
        (b'1,x"a, b"y,z', 'missing data for column "d"'),
        (b'1,2,3"a, b"', 'missing data for column "d"'),
        (b'$78.07"Table, Round",x,y', 'missing data for column "d"'),
        (b'1,x"a, b, c"', 'missing data for column "c"'),
        (b'1,x"a ""b"", c",z', 'missing data for column "d"'),
        (b'1,5" pipe,7",x', 'missing data for column "d"'),
        (b'"a",x"b, c","d"', 'missing data for column "d"'),
    ],
)
def test_quotes_that_enclose_a_delimiter(raw: bytes, message: str) -> None:
    for dialect, text in ((Dialect(), raw), (Dialect("||"), raw.replace(b",", b"||"))):
        (record,) = scan(text + b"\n", dialect, fields=4, column_names=("a", "b", "c", "d"))
        assert record.fault is not None
        assert record.fault.message == message


def test_time_is_linear() -> None:
    for text in (b'x"', b'x""', b'x""y', b'x"y,"', b'x" y,', b'x",y'):
        enclosed_delimiters(text * 300_000, b",", b'"')
