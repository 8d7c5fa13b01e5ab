"""Every rule of records, by hand."""

from __future__ import annotations

import time

import pytest

from pgsluice.model import Dialect
from pgsluice.source.records import rules
from pgsluice.source.records.rules import CleanSpan, Record
from pgsluice.source.records.spans import scan
from pgsluice.source.records.walker import Walker

COMMA = Dialect()


def read(data: bytes, fields: int | None = 2, *, at_end: bool = True, dialect: Dialect = COMMA) -> list[Record]:
    names = [f"c{i}" for i in range(fields or 0)]
    return list(scan(data, dialect, fields=fields, column_names=names, first_line=1, at_end=at_end))


def values(data: bytes, fields: int | None = 2) -> list[list[bytes]]:
    return [[value for value, _ in r.fields] for r in read(data, fields)]


def faults(data: bytes, fields: int = 2) -> list[tuple[int, str, bytes]]:
    """(line, message, bytes) of the faulty records."""
    return [(r.line, r.fault[1], data[r.start : r.end]) for r in read(data, fields) if r.fault]


def test_lf_and_crlf_may_alternate() -> None:
    assert values(b"a,b\r\nc,d\ne,f\r\n") == [[b"a", b"b"], [b"c", b"d"], [b"e", b"f"]]
    assert faults(b"a,b\r\nc,d\ne,f\r\n") == []


def test_a_last_record_needs_no_newline() -> None:
    assert values(b"a,b\nc,d") == [[b"a", b"b"], [b"c", b"d"]]
    assert values(b"a,b\nc,") == [[b"a", b"b"], [b"c", b""]]
    assert values(b'a,"b"') == [[b"a", b"b"]]


def test_newlines_within_quotes_are_data() -> None:
    data = b'"a\r\nb\rc\nd",x\ny,z\n'
    assert values(data) == [[b"a\r\nb\rc\nd", b"x"], [b"y", b"z"]]
    assert [r.line for r in read(data)] == [1, 4]


def test_doubled_quotes_and_quotedness() -> None:
    (record,) = read(b'"a""b","""",,"",""""""\n', 5)
    assert record.fields == ((b'a"b', True), (b'"', True), (b"", False), (b"", True), (b'""', True))


def test_a_quote_inside_an_unquoted_field_is_data() -> None:
    (record,) = read(b'5" disk, "x"\n')
    assert record.fields == ((b'5" disk', False), (b' "x"', False))
    assert record.rewrite
    assert record.fault is None


def test_a_stray_quote_beside_a_quoted_field() -> None:
    (record,) = read(b'5" disk,"x"\n')
    assert record.fields == ((b'5" disk', False), (b"x", True))
    assert record.rewrite


@pytest.mark.parametrize("text", [b'"a"b,c', b'"a" ,c', b'x,"a""b"c'])
def test_text_after_a_closing_quote(text: bytes) -> None:
    data = b"1,2\n" + text + b"\n3,4\n"
    assert faults(data) == [(2, "text after a closing quote", text)]
    assert values(data)[2] == [b"3", b"4"]


def test_an_unterminated_quote_costs_one_line() -> None:
    data = b'1,2\n3,"4\r\n5,6\n7,8\n'
    assert faults(data) == [(2, "unterminated CSV quoted field", b'3,"4')]
    assert [r.line for r in read(data)] == [1, 2, 3, 4]


def test_a_missing_quote_that_meets_the_next_one_costs_one_line() -> None:
    data = b'"1","a\n"2","b"\n"3","c"\n'
    assert faults(data) == [(1, "text after a closing quote", b'"1","a')]
    assert values(data)[1:] == [[b"2", b"b"], [b"3", b"c"]]


@pytest.mark.parametrize(("text", "raw"), [(b"a\rb,c\n", b"a\rb,c"), (b"a,b\r", b"a,b\r"), (b"a,b\r\r\n", b"a,b\r")])
def test_a_lone_carriage_return(text: bytes, raw: bytes) -> None:
    assert faults(text) == [(1, "unquoted carriage return found in data", raw)]


def test_a_lone_carriage_return_behind_a_quote() -> None:
    assert faults(b'a,"b"\rc\nd,e\n') == [(1, "unquoted carriage return found in data", b'a,"b"\rc')]


def test_numbers_of_fields() -> None:
    assert faults(b"a\nb,c\nd,e,f\ng,h,\n") == [
        (1, 'missing data for column "c1"', b"a"),
        (3, "extra data after last expected column", b"d,e,f"),
        (4, "extra data after last expected column", b"g,h,"),
    ]


def test_a_record_with_too_many_fields_is_faulty_as_a_whole() -> None:
    data = b'a,"b\nb",c\nd,e\n'
    assert faults(data) == [(1, "extra data after last expected column", b'a,"b\nb",c')]
    assert read(data)[1].line == 3


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        (b"\xff", "0xff"),
        (b"\xe9x", "0xe9 0x78 0x2c"),
        (b"\xc3(", "0xc3 0x28"),
        (b"\xed\xa0\x80", "0xed 0xa0 0x80"),
        (b"\xf5\x80\x80\x80", "0xf5 0x80 0x80 0x80"),
        (b"\xf4\x90\x80\x80", "0xf4 0x90 0x80 0x80"),
        (b"\x80", "0x80"),
        (b"\0", "0x00"),
        (b"\0\xff", "0x00"),
        (b"\xc0\x80", "0xc0 0x80"),
    ],
)
def test_encoding(octets: bytes, shown: str) -> None:
    data = b"\xc3\xa9,b\nx" + octets + b",y\nc,d\n"
    bad = read(data)[1]
    assert bad.fault == ("22021", f'invalid byte sequence for encoding "UTF8": {shown}')
    assert [r.fault is None for r in read(data)] == [True, False, True]


def test_blank_lines_are_no_records() -> None:
    data = b"\na,b\n\r\n\nc,d\n\n"
    assert [(r.line, r.fault) for r in read(data)] == [(2, None), (5, None)]


def test_in_a_file_of_one_column_every_line_is_a_record() -> None:
    data = b'a\n\nb\r\n\r\n""\n'
    assert [r.fields for r in read(data, 1)] == [
        ((b"a", False),),
        ((b"", False),),
        ((b"b", False),),
        ((b"", False),),
        ((b"", True),),
    ]


@pytest.mark.parametrize("tail", [b"c", b"c,d", b'"c', b'"c"', b'"c",', b'c,"d"\r', b'c,"d""', b'"c"x'])
def test_an_incomplete_record_waits(tail: bytes) -> None:
    assert [r.next for r in read(b"a,b\n" + tail, at_end=False)] == [4]


def test_other_characters() -> None:
    dialect = Dialect(delimiter="^", quote="'")
    (record,) = read(b"a^'b''c^'\n", dialect=dialect)
    assert record.fields == ((b"a", False), (b"b'c^", True))
    dialect = Dialect(delimiter="]", quote="-")
    (record,) = read(b'a"]-b--]-\n', dialect=dialect)
    assert record.fields == ((b'a"', False), (b"b-]", True))


def test_a_record_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MAX_RECORD_BYTES", 16)
    data = b'a,"' + b"b\n" * 10 + b'"\nc,d\n'
    assert faults(data)[0] == (1, "unterminated CSV quoted field", b'a,"b')
    with pytest.raises(rules.LineTooLong) as caught:
        read(b"a,b\n" + b"x" * 20 + b"\n")
    assert caught.value.line == 2


def test_clean_lines_come_as_spans() -> None:
    data = b"a,b\n" * 50 + b"a\n" + b'"a",b\n' * 50
    found = list(Walker(data, COMMA, 2, ("x", "y"), True).spans(1))
    assert [(type(s), s.line) for s in found] == [(CleanSpan, 1), (Record, 51), (CleanSpan, 52)]
    assert [s.count for s in found if isinstance(s, CleanSpan)] == [50, 50]


def test_no_quadratic_time() -> None:
    """Unclosed quotes far from the end, many of them: time in proportion to the length.

    Processor time is measured, because other processes may take the clock's.
    """
    hopeless = [
        b'x,"y\n' + b"1,2\n" * 200_000,
        b'x,"y\n' * 50_000,
        b'"""\n' * 100_000,
        b'x,"' + b'""' * 200_000,
        b'"a""\n' * 100_000,
        b'x,"\n' + b'"",""\n' * 100_000,
    ]
    for data in hopeless:
        begin = time.process_time()
        for _ in scan(data, COMMA, fields=2):
            pass
        assert time.process_time() - begin < 10
