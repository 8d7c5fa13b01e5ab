"""Texts for columns: hard ones made by hand, and as many as one likes from a seeded generator.

A generator makes texts near the edge between what a type takes and what it refuses: half of them are
well-formed in the type's own terms, and what is done to a text by :func:`spoil` moves the others a little.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from random import Random

Value = str | bytes | None
"""A field: a text, NULL, or bytes that are no text."""
Generator = Callable[[Random], str]

BLANKS = (" ", "  ", "\t", "\n", "\r", "\r\n", "\v", "\f", "\u00a0", "\u2003", "\u200b", "\ufeff")
_INSERTS = "0123456789012345 .,:;-_+eExX\\\"'{}[]()/TZtz\n\r\t%$#@&|<>=*~^`?!aAfFnNiI\u0660\u0665é😀\u0301"

# --------------------------------------------------------------------------- by hand

_A_MEGABYTE = ("a" * 1_000_000, "9" * 131_073, "é" * 500_000)

BYTES: tuple[bytes, ...] = (
    b"\x00", b"a\x00b", b"1\x00", b"\xff", b"caf\xe9", b"\xed\xa0\x80", b"\xed\xb0\x80\xed\xa0\x80", b"\xc0\x80",
    b"\xe0\x80\xaf", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x82", b"\x80",
)  # fmt: skip

ANYWHERE: tuple[str, ...] = (
    "", " ", "  ", "\t", "\n", "\r\n", "\\N", "\\n", "\\.", "a\n\\.\nb", "\\", "\\\\", "NULL", "null", "Null", "\\x",
    "-", "+", ".", ",", ";", "'", '"', '""', "''", '"a"', 'a"b', "a,b", "a\nb", "a\rb", "a\r\nb", "'a'", "--", "/*",
    "$$", "{c}", "{v}", "{}", "{0}", "%s", "%(a)s", "0", "1", "-1", "-0", "+0", "+1", "00", "01", "007", "-007",
    "0.0", ".5", "5.", "-.5", "1.5", "2.5", "0.5", "-0.5", "1.49999999", "1e0", "1e5", "1E5", "1e-5", "1e+5", "1e400",
    "1e-400", "1e", "e1", "0x1F", "0X1f", "0o17", "0b101", "-0x10", "0x", "1_000", "1__000", "_1", "1_", "1,000",
    "1,000.50", "1.000,50", "1 000", "$1.00", "€1", "1%", "NaN", "nan", "-NaN", "+nan", "NAN", "Infinity",
    "-Infinity", "+Infinity", "inf", "-inf", "INF", "infinit", "infinityy", "1.#INF", "true", "false", "TRUE", "True",
    "tRue", "t", "f", "T", "F", "yes", "no", "on", "off", "of", "o", "y", "n", "ye", "tru", "truee", " true ", "2",
    "epoch", "today", "tomorrow", "yesterday", "allballs", "32767", "32768", "-32768", "-32769", "2147483647",
    "2147483648", "-2147483648", "-2147483649", "4294967295", "4294967296", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "99999999999999999999999999999999999999",
    "100000000000000000000000000000000000000", "9" * 400, "0" * 3000 + "1", "0." + "0" * 400 + "1", "1" + "0" * 400,
    "é", "e\u0301", "😀", "👨‍👩‍👧", "a\u0300\u0301\u0302b", "\U0010ffff", "\ufffe", "\uffff", "\ufeff", "\u2028",
    "\u0085", "\u0007", "\u001a", "\u007f", "𝔘𝔫𝔦", "ß", "İ", "ı", "\u0661\u0662", "１２", "−1", "½", "abc", "ABC",
    "a  ", "  a", "abcd", "abcde", "abcde ", "abcdef", "éééé", "ééééé", "éééééé", "abc" + " " * 100,
)  # fmt: skip

DAYS: tuple[str, ...] = (
    "2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "2024-02-30", "2024-04-31", "2024-00-10", "2024-13-01",
    "2024-01-00", "2024-01-32", "0000-01-01", "0001-01-01", "0001-01-01 BC", "0001-12-31 BC", "4713-01-01 BC",
    "4714-11-24 BC", "4714-11-23 BC", "4712-01-01 BC", "9999-12-31", "10000-01-01", "99999-01-01", "294276-12-31",
    "294277-01-01", "5874897-12-31", "5874898-01-01", "1582-10-10", "1752-09-05", "24-01-02", "69-01-01", "70-01-01",
    "99-12-31", "1-2-3", "2024-1-2", "2024-01-2", "02024-01-02", "20240102", "240102", "2024.01.02", "2024/01/02",
    "2024 01 02", "2024 Jan 2", "Jan 2 2024", "2 Jan 2024", "January 2, 2024", "2-Jan-2024", "Jan-2-2024",
    "01/02/2024", "13/02/2024", "02/13/2024", "1/2/24", "01.02.2024", "31.12.2024", "12.31.2024", "J2451187", "J0",
    "J2147483647", "2024-060", "2024.366", "2023.366", "2024-W01-1", "2024-01", "2024", "-2024-01-01", "+2024-01-01",
    "2024-01-02T", "2024-01-02 AD", "2024-01-02BC", "Tue 2024-01-02", "Mon Jan 01 2024", "infinity", "-infinity",
    "inf", "epoch", "today", "tomorrow", "yesterday", "2024-01-02 infinity", "２０２４-01-02", "2024–01–02",
    "May 5 2024", "5 5 5", "12 12 2012", "1999-01-08 ", " 1999-01-08", "1999-Jan-08", "19990108", "2038-01-19",
    "1970-01-01", "1969-12-31", "2000-01-01",
)  # fmt: skip

TIMES: tuple[str, ...] = (
    "00:00", "00:00:00", "23:59:59", "23:59:60", "23:59:61", "24:00", "24:00:00", "24:00:00.000001", "24:00:01",
    "25:00", "12:60", "12:00:60", "12:00:60.5", "12:00:59.9999995", "12:00:59.9999994", "23:59:59.9999999",
    "23:59:59.9999995", "12:34:56.1234567", "12:34:56.12345650", "12:34:56.0000005", "12:34:56.0000015", "12:34:56.",
    "12:34:56.1", "12:34:56,5", "1:2:3", "1:2", "01:02:3", "0123", "012345", "040506.789", "4pm", "04:05 PM",
    "04:05 AM", "12:00 AM", "12:00 PM", "13:00 PM", "00:00 AM", "T040506", "T04:05:06", "allballs", "04:05:06-08",
    "04:05:06+08:30", "04:05:06 PST", "04:05:06z", "04:05-8:00", "2003-04-12 04:05:06 America/New_York",
    "04:05:06.789-8", "24:00:00+05:30", "23:59:60.999999", "-1:00", "12:34:56.999999", "12:34:56.9999999", "12",
    "12:", ":12", "123:45", "12:345", "12:34:567", "12:34 ",
)  # fmt: skip

ZONES: tuple[str, ...] = (
    "Z", "z", " Z", "+00", "-00", "+0", "+00:00", "+0000", "+00:00:00", "+01", "-01", "+05:30", "+0530", "+5:30",
    "-08", "-8", "+14", "+15", "+15:59:59", "+16", "-15:59", "-16", "+05:30:15", "+24", "+99", " UTC", "UTC", " GMT",
    " utc", " EST", " EDT", " PST", " IST", " America/New_York", " america/new_york", " Asia/Kolkata",
    " Europe/Berlin", " Etc/GMT+5", " UTC+3", " GMT-4", " EST5EDT", " CET", " MSK", " Nowhere/Land", " zulu",
    " +05:30", " -03", "+05 30", " local", " BST", " LMT", " Asia/Kathmandu",
)  # fmt: skip

INTERVALS: tuple[str, ...] = (
    "1 day", "1 days", "1 mon", "1 month", "1 year", "1 y", "1y", "1 yr 2 mons 3 days 4:05:06", "1-2", "-1-2",
    "1-2 3 4:05:06", "-1-2 +3 -4:05:06", "P1Y2M3DT4H5M6S", "P1Y-2M", "PT0.5S", "P0.5Y", "P1W", "P0001-02-03T04:05:06",
    "PT", "P", "P-1D", "-P1D", "1.5 days", "1.5 months", "0.5 year", "1.0000005 s", "1.5 hours ago", "@ 1 day",
    "@ 1 day ago", "1 day ago", "00:00:00.0000005", "1:2", "1:2:3", "-1:2:3", "+1:2:3", "1 2:3", "178000000 years",
    "178956970 years 7 mons", "178956970 years 8 mons", "-178956970 years -8 mons", "-178956970 years -9 mons",
    "2147483647 days", "2147483648 days", "-2147483648 days", "2562047788:00:54.775807", "2562047788:00:54.775808",
    "-2562047788:00:54.775808", "9223372036854775807 us", "9223372036854775807 usec", "1 century", "1 millennium",
    "1 decade", "1 dec", "1 c", "1 mil", "1 week", "1 w", "1 d", "1 h", "1 hr", "1 min", "1 m", "1 s", "1 sec",
    "1 ms", "1 msec", "1 us", "1", "1.5", "-1", "-1.5", "1e3 s", "infinity", "-infinity", "2 days 3", "3 4",
    "1 day 1 day", "1 month 1 month", "12:00 pm", "1 day 24:00", "24:00", "25:61", "0", "1 fortnight", "1 day -1 h",
    "1 tz", "- 1 day", "-1 day 01:00", "1 00:00:01", "1 year 13 months", "0.1 ms", "1.999999999 us",
)  # fmt: skip

FLOATS: tuple[str, ...] = (
    "3.4028235e38", "3.4028236e38", "3.40282346638528859812e38", "3.40282357e38", "1.17549435e-38", "1e-45",
    "1.4e-45", "7e-46", "1.7976931348623157e308", "1.7976931348623159e308", "2.2250738585072014e-308", "4.9e-324",
    "2.4e-324", "2.5e-324", "9007199254740993", "9007199254740992", "9007199254740991", "16777217", "16777216",
    "16777219", "16777217.0000000000001", "16777216.9999999999999", "0.1", "0.2", "0.3", "0.30000000000000004",
    "123456789012345678901234", "1.7976931348623158e308", "340282346638528859811704183484516925440", "0x1p3",
    "0x1.8p1", "0x1.fffffep127", "1.0e", "1d5", "1f", "0.1e1", "1e05", "1e0005", "1e-0", "-0.0", "-0e0", "+0", "00.5",
    "1..5", "5.e3", ".e3", "1.e", "infinity ", " infinity", "NaN(1)", "nan()", "8388608.5", "8388609.5",
    "0.00000000000000000000001", "179769313486231580793728971405301e276",
)  # fmt: skip

NUMERICS: tuple[str, ...] = (
    "0.005", "0.015", "0.025", "-0.005", "-0.015", "0.004999999999", "1.005", "1.995", "99999999.994", "99999999.995",
    "99999999.99", "-99999999.99", "99999999.999", "100000000", "12345.67", "12345", "12350", "12449.9", "12450",
    "1250", "1150", "50", "49.999", "150", "-50", "9999999", "10000000", "9949.99", "9950", "0.00009999",
    "0.000099999", "0.000995", "0.0005", "0.00999", "0.009995", "0.0099949", "0.00001", "0.000005", "0.99999",
    "0.999995", "1.00", "1.50", "1.5", "1.500", "-1.50", "-0.00", "0.00", "00.00", "000012.50", "+12.5", "12.", ".12",
    "12.5e1", "12.5E-1", "1.25e0", "1e-2", "1e-3", "1e131071", "1e131072", "1e-16383", "1e-16384", "-1e-16384",
    "1e16384", "1234567890123456789012345678.0123456789", "9999999999999999999999999999.9999999999",
    "9999999999999999999999999999.99999999995", "99999999999999999999999999999999999999.5", "0x1F", "0o777", "0b11",
    "0xFFFFFFFFFFFFFFFFFFFF", "1_000.000_5", "1_000", "0x_1F", "1.", "1.e2", "NaN", "-NaN", "inf", "-inf", "+inf",
    "1 .5", "1. 5", "1e 5", "- 1", "1\u0660", "1e2147483647", "1e2147483648", "1e-2147483649",
)  # fmt: skip

JSONS: tuple[str, ...] = (
    "{}", "[]", "null", "true", '"a"', "1", "-0", "1e5", "01", "1.", ".5", "+1", "NaN", "Infinity", "1e400",
    "0.1e-400", "[1,2]", "[1,]", '{"a":1}', '{"a":1,"a":2}', '{"b":1,"a":2}', "{'a':1}", "{a:1}", '{"a":}',
    '{"a":1,}', ' { "a" : [ 1 , 2 ] } ', '"\\u0000"', '"\\u0041"', '"\\ud83d\\ude00"', '"\\ud83d"', '"\\ude00"',
    '"\\ud83d\\u0041"', '"\\x"', '"\t"', '"\\t"', '"a\nb"', '"\\/"', '"é"', "[" * 40 + "]" * 40,
    "[" * 2000 + "]" * 2000, "1 2", "nul", "tru", "True", "NULL", "//", '{"a":1} x', "\ufeff{}", "\u00a0{}", '"',
    '"\\', '{"\\u0000":1}', '"\\u00"', '{"a":{"b":{"c":[1,2,{"d":null}]}}}',
    "12345678901234567890123456789012345678901234567890", "1.0", "1.00", "1E+2", "-", "[1 2]", "[,]", "{,}",
    '{"a" 1}', '{1:2}', "",
)  # fmt: skip

XMLS: tuple[str, ...] = (
    "<a/>", "<a></a>", "<a>", "</a>", "<a><b/></a>", "a", "", "<a/><b/>", "<a b='1'/>", "<a b=1/>", "&amp;", "&nbsp;",
    "<!-- x -->", "<!-- -- -->", "<?xml version='1.0'?><a/>", "<?xml version='2.0'?><a/>",
    "<?xml version='1.0' encoding='latin1'?><a>é</a>", " <?xml version='1.0'?><a/>", "<!DOCTYPE a><a/>",
    "<![CDATA[x]]>", "<a:b/>", "<é/>", "<a>\u0007</a>", "<1/>", "<a/> x",
    "<?xml version='1.0' standalone='yes'?><a/>",
)  # fmt: skip

ARRAYS: tuple[str, ...] = (
    "{}", "{1}", "{1,2}", "{1,NULL}", "{null}", '{"NULL"}', "{1,2", "1,2}", "{1,,2}", "{,}", "{1,2,}", "{ 1 , 2 }",
    "{{1,2},{3,4}}", "{{1,2},{3}}", "{{1},2}", "[2:3]={1,2}", "[2:2]={1,2}", "[1:2][1:1]={{1},{2}}", "[3:2]={}",
    "[0:-1]={1}", "{{}}", "{{},{}}", '{"a","b"}', '{"a b"}', '{a b}', '{a"b}', '{"a\\"b"}', "{a\\,b}", '{"a}', "{a}}",
    "{a}{b}", "{a} ", " {a}", "{\\}", "{\"\"}", "{'a'}", "{{{{{{{1}}}}}}}", "{{{{{{1}}}}}}", "{1;2}", "[1]={1}",
    "[-2147483648:2147483647]={1}", "[2147483647:2147483647]={1}", "[2147483647:2147483648]={1,2}", "{1.5}",
    "{99999999999}", "{1 2}", "{\n1\n}", "{1}x", '{"1"}', '{abc,"é😀"}', "{abcd}", "{abcdef}", "{t,f}",
)  # fmt: skip

RANGES: tuple[str, ...] = (
    "empty", "EMPTY", " empty ", "[1,2]", "[1,2)", "(1,2]", "(1,2)", "(1,1)", "[1,1)", "[1,1]", "[2,1]", "[,]", "(,)",
    "[,5]", "(5,)", "[1,2", "1,2)", "[1;2]", "[1]", "[1,2,3]", "[ 1 , 2 ]", '["1","2"]', "[a,b]", "[1.5,2.5]",
    "[2147483647,2147483647]", "[1,2147483647]", "(2147483647,)", "[-inf,inf]", "[infinity,infinity]",
    "[2024-01-01,2024-02-01)", "(2024-01-01,2024-01-02)", "[2024-01-01,2024-01-01]",
    '["2024-01-01 00:00","2024-01-02 12:00:00+02"]', "[9223372036854775807,9223372036854775807]", "[1.10,2.20]",
    "[5874897-12-31,5874897-12-31]", "[infinity,]", "[-infinity,infinity]", "[NaN,NaN]", "[1,NaN]", "[NaN,1]",
    "(,2024-01-01 10:00)", '[\\1,2]', '["",2]', "{}", "{[1,2]}", "{[1,2),[2,3)}", "{[5,6),[1,2)}", "{empty}",
    "{[1,2),empty}", "{,}", "{[1,2),}", "{[1,2) [3,4)}", "{[1,2]", "[1,2]}", " { [1,2] , [7,9] } ", "{(,)}",
    "{[1.5,2.5]}", "{[2024-01-01,2024-02-01),[2024-01-15,2024-03-01)}", "{{[1,2]}}", "{[2,1]}",
)  # fmt: skip

COMPOSITES: tuple[str, ...] = (
    "(1,a)", "(,)", "(1,)", "(,a)", '(1,"a,b")', '(1,"a""b")', '(1,"a\\"b")', "(1)", "(1,a,b)", "1,a", "(1,a", "1,a)",
    "( 1 ,a)", "(1, a )", "(x,a)", '("1",a)', "()", "(1,NULL)", "(2147483648,a)", "(1,abcdef)", '(1,"")', "(1,a) ",
    " (1,a)", "(1,a)x", "(1,(2,3))", '(1,"\\\\")', "(1.5,a)", "(1,é😀)",
)  # fmt: skip

NETS: tuple[str, ...] = (
    "192.168.0.1", "192.168.0.1/24", "192.168.0.0/24", "192.168.0.1/32", "192.168.0.1/33", "192.168.0", "192.168",
    "192", "10/8", "10.1/16", "256.0.0.1", "1.2.3.4.5", "01.02.03.04", "::", "::1", "::1/128", "::1/129",
    "2001:db8::/32", "2001:db8::1/32", "2001:DB8::1", "::ffff:1.2.3.4", "::ffff:1.2.3.4/96", "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7", "1::2::3", "fe80::1%eth0", "192.168.0.1/", "192.168.0.1/-1", "192.168.0.1/024", "0x7f.0.0.1",
    "0x7f000001", " 192.168.0.1", "192.168.0.1 ", "::g", "0.0.0.0/0", "255.255.255.255", "1.2.3.4/0", "",
)  # fmt: skip

MACS: tuple[str, ...] = (
    "08:00:2b:01:02:03", "08-00-2b-01-02-03", "08002b:010203", "08002b-010203", "0800.2b01.0203", "0800-2b01-0203",
    "08002b010203", "8:0:2b:1:2:3", "08:00:2B:01:02:03", "08:00:2b:01:02", "08:00:2b:01:02:03:04:05",
    "08002b0102030405", "08:00:2b:01:02:0g", " 08:00:2b:01:02:03 ", "100:00:00:00:00:00", "08:00-2b:01:02:03",
    "08002b01:02030405", "08:00:2b:01:02:03x",
)  # fmt: skip

BITS: tuple[str, ...] = (
    "0", "1", "10101", "101010", "1010", "B10101", "b10101", "X1F", "x1f", "XG", "x", "b", "", " 10101", "10101 ",
    "10102", "'10101'", "B'101'", "1" * 300, "x" + "f" * 80, "00000", "11111", "X5", "x15",
)  # fmt: skip

GEOMETRY: tuple[str, ...] = (
    "(1,2)", "1,2", " ( 1 , 2 ) ", "(1,2", "1 2", "(1,2,3)", "((1,2))", "(1e400,2)", "(NaN,1)", "(inf,-inf)",
    "(1.5,-0)", "((1,2),(3,4))", "[(1,2),(3,4)]", "1,2,3,4", "{1,2,3}", "{0,0,3}", "<(1,2),3>", "<(1,2),-1>",
    "((1,2),3)", "1,2,3", "((1,2),(3,4),(5,6))", "[1,2,3,4]", "()", "((1,2),(1,2))", "{1,0,NaN}", "(0x10,1)",
    "(1e-400,0)",
)  # fmt: skip

SEARCH: tuple[str, ...] = (
    "a", "a b", "a fat cat", "a:1 b:2", "a:1A,2B", "a:0", "a:16384", "a:99999", "'a b'", "'a''b'", "a\\ b", "b a a",
    "a:1,1,1", "a:x", ":1", "a:", "'a", "a'", "A a", "é ß", "a" * 2047, "a" * 2048, "a & b", "a | b", "!a", "a <-> b",
    "a <3> b", "a & ", "( a", "a)", "a:*", "a:AB", "a:*A", "a <16385> b", "a & b | c & !d", "''", "\\",
    "a b:1 c:2,3D", "  a   b  ",
)  # fmt: skip

IDS: tuple[str, ...] = (
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
    "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "a0eebc999c0b4ef8bb6d6bb9bd380a11",
    "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11", "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111",
    "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00000000-0000-0000-0000-000000000000",
    " a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 ",
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "a-0eebc999c0b4ef8bb6d6bb9bd380a11", "a0eebc99--9c0b-4ef8-bb6d-6bb9bd380a11",
)  # fmt: skip

BINARIES: tuple[str, ...] = (
    "\\x", "\\xde", "\\xDEADbeef", "\\xd", "\\xzz", "\\x d e", "\\xde ad", "\\xde\nad", "\\x\tde", "\\Xde", "x00",
    "\\000", "\\001\\377", "\\400", "\\12", "\\\\", "\\a", "abc", "é", "\\x00", "\\x00ff00", " \\xde", "\\xde ",
    "\\x'de'", "a\\\\b", "\\x0x10",
)  # fmt: skip

MONEYS: tuple[str, ...] = (
    "$1", "$1.00", "$1,000.00", "1,000", "1,00", "($1.00)", "(1)", "-$1", "$-1", "1.005", "1.015", "1.995", "0.005",
    "-0.005", "92233720368547758.07", "92233720368547758.08", "-92233720368547758.08", "-92233720368547758.09",
    "92233720368547758.074", "92233720368547758.075", "1.5.5", "$", "1$", "€1", "+1", "+$1", "1-", "$ 1", " $1 ",
    "1e5", "1_000", "100000000000000000", "$1 000", "1.", ".5", ".", "()", "(1", "1)",
)  # fmt: skip

OTHERS: tuple[str, ...] = (
    "16/B374D848", "0/0", "FFFFFFFF/FFFFFFFF", "100000000/0", "16/", "/1", "(0,1)", "(4294967295,65535)",
    "(4294967296,1)", "(1,65536)", "$.a", "strict $.a[*]", "$.a ? (@ > 1)", "$.", "lax $", "@", "$.a.size()", "1 2 3",
    "1 2 99999", "10:20:10,14,15", "10:20:", "[1,2,3]", "[1,2]", "[1,2,3,4]", "[]", "[1,NaN,3]", "[1,inf,3]",
    "[1,2,1e40]", "[ 1, 2 ,3 ]", "{1,2,3}", "\\101", "\\0", "\\377", "\\400", "ab", "x" * 63, "x" * 64, "é" * 32,
    "a=>1", '"a"=>"b", "c"=>NULL', "a=>", "=>a", "a=>1,a=>2", '"a b"=>"c"',
)  # fmt: skip

# --------------------------------------------------------------------------- by chance


def spoil(r: Random, text: str) -> str:
    """The text with one thing done to it."""
    k = r.randrange(22)
    i = r.randrange(len(text) + 1)
    if k == 0:
        return r.choice(BLANKS) + text
    if k == 1:
        return text + r.choice(BLANKS)
    if k == 2:
        return r.choice(BLANKS) + text + r.choice(BLANKS)
    if k == 3:
        return r.choice(("+", "-", "--", "- ", "+-")) + text
    if k == 4:
        return "0" * r.choice((1, 1, 2, 5, 40)) + text
    if k == 5:
        return r.choice((str.upper, str.lower, str.title, str.swapcase))(text)
    if k <= 9:
        return text[:i] + r.choice(_INSERTS) + text[i:]
    if k <= 12:
        return text[:i] + text[i + 1 :]
    if k <= 14:
        return text[:i] + r.choice("0123456789") + text[i + 1 :]
    if k == 15:
        return text[:i] + "_" + text[i:]
    if k == 16:
        return text + r.choice(("e0", "e1", "E2", "e-1", ".", ".0", ".00", "0", "000", "x", " x", "%", " BC", " AD"))
    if k == 17:
        return text[:i]
    if k == 18:
        return text[i:] + text[:i]
    if k == 19:
        j = r.randrange(len(text) + 1)
        return text + text[min(i, j) : max(i, j)]
    if k == 20:
        return text[:i] + r.choice(BLANKS) + text[i:]
    return r.choice(("'", '"', "(", "[", "{", "$")) + text + r.choice(("'", '"', ")", "]", "}", ""))


def integers(bits: int) -> Generator:
    edge = 1 << (bits - 1)

    def make(r: Random) -> str:
        k = r.randrange(12)
        if k == 0:
            return str(r.choice((edge, -edge, edge - 1, -edge - 1)) + r.randint(-3, 3))
        if k == 1:
            return r.choice(("0x", "0X", "0o", "0b", "-0x", "+0b")) + r.choice(
                (f"{r.getrandbits(bits):x}", f"{r.getrandbits(bits):o}", f"{r.getrandbits(bits):b}")
            )
        if k == 2:
            return f"{r.getrandbits(r.randint(1, bits)):_}"
        if k == 3:
            return f"{r.getrandbits(r.randint(1, bits)):,}"
        if k == 4:
            return f"{r.getrandbits(bits - 1)}.{r.choice(('0', '5', '49', '00', ''))}"
        n = r.getrandbits(r.randint(1, bits))
        return str(n - edge if r.random() < 0.5 else n)

    return make


def decimals(whole: int, scale: int) -> Generator:
    """Decimals around so many digits before the point and so many behind it."""

    def make(r: Random) -> str:
        sign = r.choice(("", "", "", "-", "-", "+"))
        k = r.randrange(14)
        n = r.randint(0, whole + 1)
        left = str(r.randrange(10**n)) if n else r.choice(("0", ""))
        if r.random() < 0.05:
            left = left.zfill(r.randint(1, whole + 3))
        d = r.choice((scale, scale, scale, r.randint(0, scale + 3), scale + 1))
        right = f"{r.randrange(10**d):0{d}}" if d else ""
        if k == 0:
            right = right[:scale].ljust(scale, "9") + r.choice(
                ("5", "49", "4999999", "50", "500", "51", "5" + "0" * 30 + "1")
            )
        elif k == 1:
            return f"{sign}{left}.{right}{r.choice('eE')}{r.choice(('', '+', '-'))}{r.randrange(whole + scale + 3)}"
        elif k == 2:
            left = "9" * (whole + r.randint(-1, 1))
            right = "9" * (scale + r.randint(0, 2))
        elif k == 3:
            right = right + "0" * r.randint(1, 5)
        elif k == 4:
            return f"{sign}{r.randrange(10 ** (whole or 1)):,}.{right}"
        return f"{sign}{left}.{right}" if right or r.random() < 0.03 else f"{sign}{left or '0'}"

    return make


def floats(mantissa: int) -> Generator:
    def make(r: Random) -> str:
        k = r.randrange(10)
        sign = r.choice(("", "", "-"))
        if k <= 2:  # half way between two neighbours, exactly and a little beside it
            m = 2 * (r.getrandbits(mantissa - 1) | 1 << (mantissa - 1)) + 1
            e = r.randint(-mantissa - 8, 12)
            exact = format(Decimal(m) * (Decimal(2) ** e), "f")
            if r.random() < 0.5 and "." in exact:
                exact = exact[: r.randint(10, 30)]
            elif r.random() < 0.5:
                exact += ("" if "." in exact else ".") + "0" * r.randint(0, 8) + "1"
            return sign + exact
        if k == 3:
            return f"{sign}{r.random() * 10:.{r.randint(0, 20)}f}e{r.randint(-330, 310)}"
        if k == 4:
            return repr(r.uniform(-1, 1) * 10.0 ** r.randint(-50, 50))
        if k == 5:
            return f"{sign}{r.getrandbits(80)}"
        if k == 6:
            return f"{sign}0.{'0' * r.randint(0, 30)}{r.getrandbits(60)}"
        digits = r.randint(1, 26)
        text = str(r.randrange(10**digits))
        point = r.randint(0, len(text))
        return sign + text[:point] + ("." if point < len(text) else "") + text[point:]

    return make


_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEF0123456789 .,;-_'\"\\\n\täöüßéñç€\u0301\u0308漢字かな😀𝔘\u200d\u00a0"


def texts(longest: int) -> Generator:
    def make(r: Random) -> str:
        n = r.choice((longest, longest, longest + 1, longest - 1, r.randint(0, longest + 3)))
        text = "".join(r.choices(_LETTERS, k=max(n, 0)))
        if r.random() < 0.2:
            text = text[: max(0, longest - 1)].rstrip() + " " * r.randint(1, 8)
        return text

    return make


def chosen(*options: str) -> Generator:
    def make(r: Random) -> str:
        return r.choice(options)

    return make


def dates(r: Random) -> str:
    k = r.randrange(16)
    if k <= 8:
        year = r.choice((r.randint(1, 9999), r.randint(1900, 2100), r.randint(1970, 2040)))
        return f"{year:04}-{r.randint(1, 12):02}-{r.randint(1, 31 if r.random() < 0.3 else 28):02}"
    y, m, d = r.randint(0, 10500), r.randint(0, 13), r.randint(0, 32)
    if k == 9:
        return f"{y:04}-{m:02}-{d:02}{r.choice(('', ' BC', ' AD', ' bc', 'BC'))}"
    if k == 10:
        return f"{m:02}/{d:02}/{y % 100 if r.random() < 0.5 else y}"
    if k == 11:
        return f"{d}.{m}.{y}"
    if k == 12:
        return f"{y}{m:02}{d:02}"
    if k == 13:
        return f"{d} {r.choice(('Jan', 'feb', 'MARCH', 'Sept', 'Dec', 'Foo'))} {y}"
    if k == 14:
        return f"{y}-{m}-{d}"
    return f"{r.randint(10000, 300000)}-{m:02}-{d:02}"


def times(r: Random) -> str:
    k = r.randrange(12)
    h, m, s = r.randint(0, 23), r.randint(0, 59), r.randint(0, 59)
    if k == 0:
        h, m, s = r.choice((23, 24, 25)), r.choice((0, 59, 60)), r.choice((0, 59, 60, 61))
    text = f"{h:02}:{m:02}"
    if k == 1:
        return f"{h % 13}:{m:02}{r.choice((' am', ' PM', 'pm', ' AM'))}"
    if k == 2:
        return text
    text += f":{s:02}"
    if k == 3:
        return (
            text
            + "."
            + r.choice(
                ("9999994", "9999995", "9999999", "0000005", "1234565", "4999995", "5", "999999", "499999999", "500000")
            )
        )
    if k <= 8:
        d = r.randint(0, 9)
        return text + (f".{r.randrange(10**d):0{d}}" if d else "")
    if k == 9:
        return f"{h}:{m}:{s}"
    if k == 10:
        return f"{h:02}{m:02}{s:02}"
    return text


def zoned_times(r: Random) -> str:
    return times(r) + (r.choice(ZONES) if r.random() < 0.8 else "")


def timestamps(r: Random) -> str:
    if r.random() < 0.06:
        return dates(r)
    return dates(r) + r.choice((" ", " ", " ", "T", "T", "t", "  ", "", "_", " T")) + times(r)


def zoned_timestamps(r: Random) -> str:
    k = r.random()
    text = timestamps(r)
    if k < 0.3:
        return text + r.choice(("+00", "+00", "+00:00", "Z"))
    return text + (r.choice(ZONES) if k < 0.8 else "")


def intervals(r: Random) -> str:
    k = r.randrange(8)
    n = r.choice((r.randint(-100, 100), r.randint(-(10**6), 10**6), r.randint(-(2**33), 2**33)))
    if k == 0:
        seconds = f"{r.random() * 90:.{r.randint(0, 9)}f}"
        return f"P{n}Y{r.randint(-20, 20)}M{r.randint(-40, 40)}DT{r.randint(-30, 30)}H{seconds}S"
    if k == 1:
        return f"{n}-{r.randint(0, 13)} {r.randint(-50, 50)} {times(r)}"
    if k == 2:
        return (
            f"{r.choice(('', '-', '+'))}{r.randint(0, 200)}:{r.randint(0, 61):02}:{r.random() * 61:.{r.randint(0, 9)}f}"
        )
    unit = (
        "year",
        "years",
        "mon",
        "mons",
        "month",
        "week",
        "day",
        "days",
        "d",
        "h",
        "hours",
        "min",
        "m",
        "s",
        "sec",
        "ms",
        "us",
        "century",
        "decade",
        "foo",
    )
    parts = []
    for _ in range(r.randint(1, 4)):
        amount = str(r.randint(-500, 500)) if r.random() < 0.7 else f"{r.uniform(-50, 50):.{r.randint(0, 8)}f}"
        parts.append(f"{amount} {r.choice(unit)}")
    return " ".join(parts) + r.choice(("", "", "", " ago", " " + times(r)))


def uuids(r: Random) -> str:
    h = f"{r.getrandbits(128):032x}"
    k = r.randrange(8)
    if k == 0:
        return h
    if k == 1:
        return "{" + h + "}"
    text = f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
    return text.upper() if k == 2 else "{" + text + "}" if k == 3 else text


def hexes(r: Random) -> str:
    n = r.randint(0, 20)
    k = r.randrange(6)
    if k == 0:
        return "".join(f"\\{r.randrange(256):03o}" if r.random() < 0.6 else r.choice("abc \\'é") for _ in range(n))
    text = r.randbytes(n).hex()
    if k == 1:
        i = r.randrange(len(text) + 1)
        text = text[:i] + r.choice((" ", "\n", "\t", "  ")) + text[i:]
    return "\\x" + (text.upper() if k == 2 else text)


def _json(r: Random, depth: int) -> object:
    k = r.randrange(10)
    if depth and k <= 2:
        return [_json(r, depth - 1) for _ in range(r.randint(0, 4))]
    if depth and k <= 5:
        return {texts(3)(r): _json(r, depth - 1) for _ in range(r.randint(0, 4))}
    return (
        None,
        True,
        False,
        r.randint(-(10**20), 10**20),
        r.uniform(-1e3, 1e3),
        texts(5)(r),
        "\u0000" if r.random() < 0.05 else "x",
    )[k % 7]


def jsons(r: Random) -> str:
    return json.dumps(_json(r, 3), ensure_ascii=r.random() < 0.5, indent=r.choice((None, None, 1)))


def xmls(r: Random) -> str:
    name = r.choice(("a", "b", "é", "x:y", "1", "a-b"))
    inner = r.choice(("", "text", "&lt;", "&foo;", "<c/>", "<c>", "]]>", "<!--x-->", "é"))
    attribute = r.choice(('"v"', "v", "'<'"))
    end = r.choice((name, name, "z"))
    return r.choice(("", "", "<?xml version='1.0'?>")) + f"<{name} k={attribute}>{inner}</{end}>"


def _element(text: str, r: Random) -> str:
    k = r.randrange(12)
    if k == 0:
        return "NULL"
    if k <= 3 or any(c in text for c in '{}",\\ \n\t') or not text:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if k != 4 else text
    return text


def arrays_of(item: Generator) -> Generator:
    def make(r: Random) -> str:
        rows = [
            "{" + ",".join(_element(item(r), r) for _ in range(r.choice((0, 1, 2, 2, 2)))) + "}"
            for _ in range(r.choice((1, 1, 1, 2)))
        ]
        text = rows[0] if len(rows) == 1 else "{" + ",".join(rows) + "}"
        if r.random() < 0.05:
            text = f"[{r.randint(-3, 3)}:{r.randint(-3, 5)}]=" + text
        return text

    return make


def rows_of(*items: Generator) -> Generator:
    def make(r: Random) -> str:
        fields = []
        for item in items:
            text = item(r)
            quoted = '"' + text.replace("\\", "\\\\").replace('"', '""') + '"'
            fields.append(
                "" if r.random() < 0.1 else quoted if r.random() < 0.5 or any(c in text for c in ',()"\\') else text
            )
        return "(" + ",".join(fields) + ")"

    return make


def ranges_of(item: Generator) -> Generator:
    def make(r: Random) -> str:
        low, high = item(r), item(r)
        if r.random() < 0.6 and low > high:
            low, high = high, low
        quote = '"' if r.random() < 0.2 or any(c in low + high for c in '"\\,()[] \n') else ""
        ends = [
            ("" if r.random() < 0.08 else quote + e.replace("\\", "\\\\").replace('"', '\\"') + quote)
            for e in (low, high)
        ]
        return r.choice("[[(") + ",".join(ends) + r.choice("])")

    return make


def multiranges_of(item: Generator) -> Generator:
    single = ranges_of(item)

    def make(r: Random) -> str:
        return "{" + r.choice((",", ", ")).join(single(r) for _ in range(r.randint(0, 3))) + "}"

    return make


def small(low: int = -50, high: int = 50) -> Generator:
    def make(r: Random) -> str:
        return str(r.randint(low, high))

    return make


def nets(r: Random) -> str:
    k = r.randrange(6)
    if k <= 2:
        text = ".".join(
            str(r.randint(0, 256 if r.random() < 0.05 else 255)) for _ in range(r.choice((4, 4, 4, 4, 3, 2, 5)))
        )
        return text + (f"/{r.randint(0, 33)}" if r.random() < 0.5 else "")
    groups = [f"{r.getrandbits(16):x}" for _ in range(r.choice((8, 8, 7, 9)))]
    if r.random() < 0.5:
        i = r.randrange(len(groups))
        groups[i : i + r.randint(1, 4)] = [""] if 0 < i < 6 else ["", ""]
    return ":".join(groups) + (f"/{r.randint(0, 129)}" if r.random() < 0.4 else "")


def macs(octets: int) -> Generator:
    def make(r: Random) -> str:
        pairs = [f"{r.randrange(256):02x}" for _ in range(octets + (r.random() < 0.05))]
        return r.choice((":", ":", "-", "")).join(pairs)

    return make


def bits(length: int) -> Generator:
    def make(r: Random) -> str:
        n = r.choice((length, length, length, length - 1, length + 1, r.randint(0, length * 2)))
        text = "".join(r.choice("01") for _ in range(n))
        return r.choice(("", "", "", "B", "b")) + text if r.random() < 0.9 else f"{r.choice('xX')}{r.getrandbits(12):x}"

    return make


def _number(r: Random) -> str:
    return (
        r.choice(("0", "-0", "1.5", "1e3", "NaN", "inf", "-Infinity", "1e-400"))
        if r.random() < 0.1
        else f"{r.uniform(-99, 99):.{r.randint(0, 17)}f}"
    )


def points(pattern: str) -> Generator:
    """Numbers in the places of ``#``."""

    def make(r: Random) -> str:
        return "".join(_number(r) if c == "#" else c for c in pattern)

    return make


def searches(r: Random) -> str:
    words = []
    for _ in range(r.randint(0, 5)):
        word = r.choice(("a", "b", "cat", "Dog", "'x y'", "é", "a\\'b", "it''s", "''"))
        if r.random() < 0.4:
            word += ":" + ",".join(
                f"{r.randint(0, 17000)}{r.choice(('', 'A', 'b', 'D', '*'))}" for _ in range(r.randint(1, 3))
            )
        words.append(word)
    return r.choice((" ", "  ", " & ", " | ", " <-> ", " & !")).join(words)


def moneys(r: Random) -> str:
    n = r.randrange(10 ** r.randint(1, 19))
    text = r.choice((f"{n:,}", str(n)))
    if r.random() < 0.7:
        text += f".{r.randrange(10 ** (d := r.randint(1, 4))):0{d}}"
    return r.choice(("", "", "$", "-", "-$", "$-", "(")) + text + r.choice(("", "", "", ")"))


def lists(r: Random) -> str:
    return "[" + r.choice((",", ", ")).join(_number(r) for _ in range(r.choice((3, 3, 3, 2, 4)))) + "]"


# --------------------------------------------------------------------------- a column's values


def by_hand(own: tuple[str, ...], big: bool) -> list[Value]:
    """The hand-made values for a column: its type's own, everybody's, NULL and bytes."""
    out: list[Value] = [None, *own, *ANYWHERE, *BYTES]
    out += [" " + text + " " for text in own]
    if big:
        out += _A_MEGABYTE
    return out


def by_chance(make: Generator, own: tuple[str, ...], r: Random) -> Iterator[Value]:
    """Endless values for a column."""
    while True:
        k = r.random()
        if k < 0.8:
            yield make(r)
        elif k < 0.94:
            yield spoil(r, make(r))
        elif k < 0.965:
            yield spoil(r, r.choice(own) if own else make(r))
        elif k < 0.985:
            yield spoil(r, spoil(r, make(r)))
        elif k < 0.995:
            yield spoil(r, r.choice(ANYWHERE))
        else:
            yield None
