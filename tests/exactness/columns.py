"""The columns into which the texts go, and the databases: the settings under which they are read."""

from __future__ import annotations

from dataclasses import dataclass

from exactness import values as v
from exactness.values import Generator


@dataclass(frozen=True, slots=True)
class Case:
    """A table ``(id bigint, v <definition>)`` and the values for its column ``v``."""

    name: str
    definition: str
    """The type of ``v`` with what may follow it, and further columns after a comma."""
    make: Generator
    own: tuple[str, ...] = ()
    weight: int = 1
    """How many values it gets in proportion to the others: more where a rule lets values travel in binary."""
    when: bool = False
    """It is about days and hours, and so about the settings."""
    needs: str = ""
    """An extension that the server must have."""


@dataclass(frozen=True, slots=True)
class Database:
    """Settings made with ALTER DATABASE, under which the oracle and pgsluice both connect."""

    name: str
    settings: tuple[tuple[str, str], ...] = ()
    every_case: bool = False
    encoding: str = "UTF8"


# What the user has set is in force as it is; pgsluice guards the server's defaults for numeric dates and for money.
_SET = (("lc_monetary", "C"),)

DATABASES: tuple[Database, ...] = (
    Database("plain", (*_SET, ("TimeZone", "UTC"), ("DateStyle", "ISO, MDY")), every_case=True),
    Database(
        "kolkata", (*_SET, ("TimeZone", "Asia/Kolkata"), ("DateStyle", "ISO, DMY"), ("IntervalStyle", "sql_standard"))
    ),
    Database(
        "new_york", (*_SET, ("TimeZone", "America/New_York"), ("DateStyle", "SQL, MDY"), ("IntervalStyle", "iso_8601"))
    ),
    Database(
        "german", (*_SET, ("TimeZone", "UTC"), ("DateStyle", "German, DMY"), ("IntervalStyle", "postgres_verbose"))
    ),
    Database("postgres", (*_SET, ("TimeZone", "America/New_York"), ("DateStyle", "Postgres, YMD"))),
    Database(
        "posix_zone", (*_SET, ("TimeZone", "<UTC>-2"), ("DateStyle", "ISO, YMD"), ("timezone_abbreviations", "India"))
    ),
    Database(
        "options",
        (
            *_SET,
            ("bytea_output", "escape"),
            ("extra_float_digits", "-3"),
            ("xmloption", "document"),
            ("array_nulls", "off"),
            ("standard_conforming_strings", "off"),
            # Without a DateStyle of the user, numeric dates of random texts have no order.
            ("DateStyle", "ISO, MDY"),
        ),
        every_case=True,
    ),
    Database("latin1", (*_SET, ("DateStyle", "ISO, MDY")), every_case=True, encoding="LATIN1"),
)

TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'Happy', ' ', '', 'it''s', 'a"b', 'a,b', '{c}', '{v}', 'äö', '\\N',
    'NULL', '1');
CREATE TYPE many AS ENUM ('label 0');
CREATE TYPE pair AS (n integer, t varchar(5));
CREATE TYPE nested AS (p pair, a integer[]);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN lower_text AS text CHECK (VALUE = lower(VALUE));
CREATE DOMAIN folded AS varchar(12) COLLATE "C" CHECK (VALUE ~ '^[a-z0-9 ]*$');
CREATE DOMAIN present AS varchar(5) NOT NULL;
CREATE DOMAIN price AS numeric(8,2) CHECK (VALUE >= 0);
CREATE DOMAIN low_price AS price CHECK (VALUE < 1000);
CREATE DOMAIN early AS date CHECK (VALUE < '2020-01-01');
CREATE DOMAIN mood_set AS mood[] CHECK (cardinality(VALUE) < 3);
CREATE DOMAIN glad AS mood CHECK (VALUE <> 'sad');
CREATE DOMAIN fraction AS double precision CHECK (1 / VALUE < 100);
CREATE DOMAIN whole AS jsonb CHECK (jsonb_typeof(VALUE) = 'object');
CREATE DOMAIN defaulted AS smallint DEFAULT 7;
CREATE DOMAIN short_char AS char(4);
CREATE TYPE float_range AS RANGE (subtype = double precision);
""".replace("'label 0'", ", ".join(f"'label {i}'" for i in range(250)))

_BOOLEANS = v.chosen(
    *("t", "true", "f", "false", "yes", "no", "on", "off", "1", "0", "y", "n", "tr", "of", "o"),
    *("TRUE", "False", "YES", "ON"),
)
_MOODS = v.chosen(
    "sad",
    "ok",
    "happy",
    "Happy",
    " ",
    "",
    "it's",
    'a"b',
    "a,b",
    "{c}",
    "{v}",
    "äö",
    "\\N",
    "NULL",
    "1",
    "SAD",
    "ok ",
    "o",
    "2",
)


def _case(
    name: str,
    make: Generator,
    own: tuple[str, ...] = (),
    weight: int = 1,
    *,
    when: bool = False,
    needs: str = "",
    definition: str = "",
) -> Case:
    return Case(name, definition or name, make, own, weight, when, needs)


_DATED = (*v.DAYS, *(f"{d} {t}" for d, t in zip(v.DAYS, v.TIMES, strict=False)), *(f"2024-03-10 {t}" for t in v.TIMES))
_ZONED = (
    *_DATED,
    *(f"2024-07-01 12:34:56{z}" for z in v.ZONES),
    *(f"2024-03-10 02:30{z}" for z in v.ZONES),
    *("2024-11-03 01:30", "2024-03-10 02:30:00", "1883-11-18 12:00", "1945-10-15 00:00"),
)
_CLOCKS = (*v.TIMES, *(f"12:34:56{z}" for z in v.ZONES))

CASES: tuple[Case, ...] = (
    _case("smallint", v.integers(16), weight=3),
    _case("integer", v.integers(32), weight=3),
    _case("bigint", v.integers(64), weight=3),
    _case("numeric", v.decimals(12, 4), v.NUMERICS, 4),
    _case("numeric(10,2)", v.decimals(8, 2), v.NUMERICS, 4),
    _case("numeric(38,10)", v.decimals(28, 10), v.NUMERICS, 2),
    _case("numeric(18)", v.decimals(18, 0), v.NUMERICS, 2),
    _case("numeric(4,4)", v.decimals(0, 4), v.NUMERICS, 2),
    _case("numeric(5,-2)", v.decimals(7, 0), v.NUMERICS, 2),
    _case("numeric(3,5)", v.decimals(0, 6), v.NUMERICS, 2),
    _case("numeric(60,20)", v.decimals(40, 20), v.NUMERICS),
    _case("numeric(38,38)", v.decimals(0, 38), v.NUMERICS),
    _case("real", v.floats(24), v.FLOATS, 4),
    _case("double precision", v.floats(53), v.FLOATS, 4),
    _case("money", v.moneys, v.MONEYS),
    _case("boolean", _BOOLEANS),
    _case("text", v.texts(8), weight=2),
    _case("varchar", v.texts(8)),
    _case("varchar(3)", v.texts(3), weight=2),
    _case("varchar(20)", v.texts(20), weight=2),
    _case("char", v.texts(1)),
    _case("char(5)", v.texts(5), weight=2),
    _case("bpchar", v.texts(5)),
    _case('"char"', v.texts(1), v.OTHERS),
    _case("name", v.texts(62), v.OTHERS),
    _case("bytea", v.hexes, v.BINARIES, 2),
    _case("date", v.dates, v.DAYS, 3, when=True),
    _case("time", v.times, v.TIMES, 2, when=True),
    _case("time(3)", v.times, v.TIMES, when=True),
    _case("timetz", v.zoned_times, _CLOCKS, when=True),
    _case("timetz(0)", v.zoned_times, _CLOCKS, when=True),
    _case("timestamp", v.timestamps, _DATED, 3, when=True),
    _case("timestamp(0)", v.timestamps, _DATED, 2, when=True),
    _case("timestamp(3)", v.timestamps, _DATED, when=True),
    _case("timestamptz", v.zoned_timestamps, _ZONED, 3, when=True),
    _case("timestamptz(2)", v.zoned_timestamps, _ZONED, when=True),
    _case("interval", v.intervals, v.INTERVALS, when=True),
    _case("interval(2)", v.intervals, v.INTERVALS, when=True),
    _case("interval day to second(3)", v.intervals, v.INTERVALS, when=True),
    _case("interval year to month", v.intervals, v.INTERVALS, when=True),
    _case("uuid", v.uuids, v.IDS, 2),
    _case("json", v.jsons, v.JSONS, 2),
    _case("jsonb", v.jsons, v.JSONS, 2),
    _case("xml", v.xmls, v.XMLS),
    _case("mood", _MOODS),
    _case("many", v.chosen("label 1", "label 249", "label 250", "label  1", "label")),
    _case("integer[]", v.arrays_of(v.small()), v.ARRAYS),
    _case("text[]", v.arrays_of(v.texts(3)), v.ARRAYS),
    _case("varchar(3)[]", v.arrays_of(v.texts(3)), v.ARRAYS),
    _case("numeric(6,2)[]", v.arrays_of(v.decimals(4, 2)), v.ARRAYS),
    _case("timestamptz[]", v.arrays_of(v.zoned_timestamps), v.ARRAYS, when=True),
    _case("mood[]", v.arrays_of(_MOODS), v.ARRAYS),
    _case("pair", v.rows_of(v.small(), v.texts(5)), v.COMPOSITES),
    _case("pair[]", v.arrays_of(v.rows_of(v.small(), v.texts(3))), v.ARRAYS),
    _case("nested", v.rows_of(v.rows_of(v.small(), v.texts(3)), v.arrays_of(v.small())), v.COMPOSITES),
    _case("int4range", v.ranges_of(v.small()), v.RANGES),
    _case("int8range", v.ranges_of(v.integers(64)), v.RANGES),
    _case("numrange", v.ranges_of(v.decimals(2, 2)), v.RANGES),
    _case("daterange", v.ranges_of(v.dates), v.RANGES, when=True),
    _case("tsrange", v.ranges_of(v.timestamps), v.RANGES, when=True),
    _case("tstzrange", v.ranges_of(v.zoned_timestamps), v.RANGES, when=True),
    _case("float_range", v.ranges_of(v.floats(53)), v.RANGES),
    _case("int4multirange", v.multiranges_of(v.small()), v.RANGES),
    _case("nummultirange", v.multiranges_of(v.decimals(2, 1)), v.RANGES),
    _case("datemultirange", v.multiranges_of(v.dates), v.RANGES, when=True),
    _case("inet", v.nets, v.NETS),
    _case("cidr", v.nets, v.NETS),
    _case("macaddr", v.macs(6), v.MACS),
    _case("macaddr8", v.macs(8), v.MACS),
    _case("bit(5)", v.bits(5), v.BITS),
    _case("bit varying(5)", v.bits(5), v.BITS),
    _case("varbit", v.bits(40), v.BITS),
    _case("point", v.points("(#,#)"), v.GEOMETRY),
    _case("line", v.points("{#,#,#}"), v.GEOMETRY),
    _case("lseg", v.points("[(#,#),(#,#)]"), v.GEOMETRY),
    _case("box", v.points("(#,#),(#,#)"), v.GEOMETRY),
    _case("path", v.points("[(#,#),(#,#)]"), v.GEOMETRY),
    _case("polygon", v.points("((#,#),(#,#),(#,#))"), v.GEOMETRY),
    _case("circle", v.points("<(#,#),#>"), v.GEOMETRY),
    _case("tsvector", v.searches, v.SEARCH),
    _case("tsquery", v.searches, v.SEARCH),
    _case("oid", v.integers(33)),
    _case("xid8", v.integers(65)),
    _case("pg_lsn", v.chosen("0/0", "16/B374D848", "ffffffff/0", "1/123456789"), v.OTHERS),
    _case("tid", v.chosen("(0,1)", "(4294967295,65535)", "(1,2)"), v.OTHERS),
    _case("jsonpath", v.chosen("$.a", "lax $[*]", "$ ? (@.x > 1)", "strict $.a.b", '$."é"'), v.OTHERS),
    _case("int2vector", v.chosen("1 2 3", "", "1 32768", "-1 0"), v.OTHERS),
    _case("pg_snapshot", v.chosen("10:20:10,14,15", "1:1:", "2:1:"), v.OTHERS),
    _case("regtype", v.chosen("integer", "int4", "mood", "no_such", "23", "-", "numeric(1,2)", "pg_catalog.text")),
    _case("regclass", v.chosen("pg_class", "pg_catalog.pg_type", "no_such", "1259", "-", "a.b.c.d", '"')),
    _case("positive", v.small(-20, 2000), weight=2),
    _case("lower_text", v.texts(5)),
    _case("folded", v.chosen("abc", "abc ", "0 a", "Abc", "abcdefghijkl", "abcdefghijklm", "abcdefghijkl  ", "é", "")),
    _case("present", v.texts(5)),
    _case("price", v.decimals(6, 2), v.NUMERICS),
    _case("low_price", v.decimals(3, 2), v.NUMERICS),
    _case("early", v.dates, v.DAYS, when=True),
    _case("mood_set", v.arrays_of(_MOODS), v.ARRAYS),
    _case("glad", _MOODS),
    _case("fraction", v.floats(53), v.FLOATS),
    _case("whole", v.jsons, v.JSONS),
    _case("defaulted", v.integers(16)),
    _case("short_char", v.texts(4)),
    _case("positive[]", v.arrays_of(v.small(-1, 100)), v.ARRAYS),
    _case("vector(3)", v.lists, v.OTHERS, needs="vector"),
    _case("citext", v.texts(6), needs="citext"),
    _case("hstore", v.chosen("a=>1", '"a b"=>NULL', "a=>1, b=>2", "", "a"), v.OTHERS, needs="hstore"),
    # What surrounds the type.
    _case("integer that is not null", v.integers(32), definition="integer NOT NULL"),
    _case("text that is not null", v.texts(5), definition="text NOT NULL"),
    _case("numeric that is not null", v.decimals(5, 2), v.NUMERICS, definition="numeric NOT NULL"),
    _case("with a default", v.integers(32), definition="integer DEFAULT 42"),
    _case("beside a default", v.texts(4), definition="text, d integer DEFAULT 7, e text NOT NULL DEFAULT 'x'"),
    _case("always identity", v.integers(32), definition="integer GENERATED ALWAYS AS IDENTITY"),
    _case("identity by default", v.integers(64), definition="bigint GENERATED BY DEFAULT AS IDENTITY"),
    _case("generates a sum", v.integers(32), definition="integer, g integer GENERATED ALWAYS AS (v + 1000000) STORED"),
    _case("generates a text", v.texts(6), definition="text, g varchar(6) GENERATED ALWAYS AS (upper(v) || '') STORED"),
    _case("generates a ratio", v.small(-3, 3), definition="numeric(6,2), g numeric GENERATED ALWAYS AS (1 / v) STORED"),
    _case('text in "C"', v.texts(6), definition='text COLLATE "C"'),
    _case("varchar in POSIX", v.texts(6), definition='varchar(6) COLLATE "POSIX"'),
    _case("char in ucs_basic", v.texts(4), definition='char(4) COLLATE "ucs_basic"'),
    _case("checked", v.integers(32), definition="integer CHECK (v % 7 <> 0)"),
    _case("checked text", v.texts(5), definition="varchar(5) CHECK (v <> '' AND v !~ '[A-F]')"),
)  # fmt: skip

BIG = frozenset(
    {"text", "varchar(20)", "char(5)", "bytea", "json", "jsonb", "numeric", "integer", "xml", "text[]", "tsvector"}
)
"""The cases that get the values of a megabyte."""
