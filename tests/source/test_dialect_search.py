"""The search for the dialect of a file: by the file alone, and with what is known of its table."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.dialects.generate import CASES, Annotated, make
from bench.dialects.measure import CLASSES, right

from pgsluice.model import BLANKS, Dialect, DialectOptions, Findings, Format, LineEnds
from pgsluice.source.dialect import detected
from pgsluice.source.dialect_search.detect import detect_with_table
from pgsluice.source.dialect_search.expectations import Expectations, ExpectedColumn, TextClass
from pgsluice.source.dialect_search.quick import plain_to_see
from pgsluice.source.dialect_search.sample import sample_of
from pgsluice.source.discover import discover

NONE = DialectOptions()


def table(**columns: str) -> Expectations:
    """A table ``t``; ``id="integer!"`` is a required column."""
    return Expectations(
        "t",
        tuple(ExpectedColumn(name, TextClass(kind.rstrip("!")), kind.endswith("!")) for name, kind in columns.items()),
    )


STATIONS = table(id="integer!", operator="text!", town="text!", price="number")
TEXTS = table(id="text", qty="text", note="text")


def found(text: str, expected: Expectations, options: DialectOptions = NONE) -> tuple[Dialect, Findings, list[str]]:
    """The dialect, the findings, and the names of a header that is passed over."""
    sample = sample_of(text.encode(), True)
    dialect, findings, names = detect_with_table(sample, Dialect(), options, expected, tab=False)
    return dialect, findings, list(names)


@pytest.mark.parametrize(
    ("data", "delimiter"),
    [
        (b"word\nred\ngreen\n", ","),
        (b"line\nthe quick brown fox\njumps over the lazy\ndog, and so on\n", ","),
        (b"when\n2024-01-01 10:00:00\n2024-01-02 11:30:00\n", ","),
        (b"amount\n1.50\n2.75\n", ","),
        (b"1,5;2\n3,5;4\n", ";"),
        (b"10:30;Ann\n11:45;Bo\n", ";"),
        (b"Smith, John;12\nLee, Ann;13\n", ";"),
        (b"2024-01-01 10:00,5\n2024-01-02 11:00,6\n", ","),
        (b"http://a.b/c,1\nhttp://a.b/d,2\n", ","),
        (b"id name\n1 x\n2 y\n", " "),
        (b"id#name\n1#x, y\n2#z\n", "#"),
        (b"a\x01b\n1\x012\n3\x014\n", "\x01"),
        (b"a||b||c\n1||||3\n4||5||6\n", "||"),
        (b"a|~|b\n1|~|2\n3|~|4\n", "|~|"),
        (b"a;;b;c\n1;;2;3\n4;;5;6\n", ";"),
        (b"name  age  city\nAnn   31   Lund\nBo    7    Rome\n", BLANKS),
        (b"sep=|\na|b,c\n1|2,3\n", "|"),
    ],
)
def test_delimiters(data: bytes, delimiter: str) -> None:
    assert detected(data, "x.csv", NONE)[0].delimiter == delimiter


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("with_table", [False, True])
def test_annotated_files(case: str, with_table: bool) -> None:
    """Of the annotated files at most one of twenty is read otherwise, and with a table none without a question."""
    wrong = []
    for number in range(20):
        file = make(4000 + number, case)
        dialect, findings = _read(file, with_table)
        good = right(file, (dialect.delimiter.replace(BLANKS, " "), dialect.quote, dialect.escape))
        if not good and findings.sure:
            wrong.append(file.name)
    assert len(wrong) <= (4 if case == "no quote" else 1), wrong


def _read(file: Annotated, with_table: bool) -> tuple[Dialect, Findings]:
    if not with_table:
        return detected(file.data, "x.csv", NONE)
    expected = Expectations("t", tuple(ExpectedColumn(name, CLASSES[sql]) for name, sql in file.columns))
    dialect, findings, _ = detect_with_table(sample_of(file.data, True), Dialect(), NONE, expected, tab=False)
    if file.header_line and not dialect.comment:
        assert (dialect.header, dialect.skip_lines) == (True, file.header_line - 1), file.name
    return dialect, findings


def test_title_lines() -> None:
    dialect, findings, _ = found("Report 2024,,\n,,\nid,qty,note\n1,2,first\nTotal,5,\n", TEXTS)
    assert (dialect.skip_lines, dialect.header, dialect.skip_footer) == (2, True, 0)
    assert findings.header == "header on line 3: 3 of 3 fields are columns of t"
    assert [(p.what, p.line, p.lines, p.text) for p in findings.passed_over] == [("title", 1, 2, "Report 2024,,")]
    assert "--skip-footer 1" in findings.warnings[0]


def test_a_header_in_other_letters() -> None:
    dialect, findings, _ = found("Extract\nSTATION-x;y\nId;Opérator;TOWN;Price\n1;a;b;1,5\n", STATIONS)
    assert (dialect.delimiter, dialect.skip_lines) == (";", 2)
    assert findings.header.startswith("header on line 3: 4 of 4")


@pytest.mark.parametrize(
    ("below", "lines"),
    [
        ("(2 rows affected)\n", 1),
        ("\n(2 rows)\n", 1),
        ("Total: 2 records\n", 1),
        ("Total;;;3.783\n", 1),
        ("\nSource: survey\nof the year; 2024\n", 2),
        (";;;\n;;;\n", 2),
        ("End of report\n", 1),
        ("19;Kust;Vi", 0),
        ("19", 0),
        ("19;Total;Visby;1\n", 0),
    ],
)
def test_footers(below: str, lines: int) -> None:
    text = "id;operator;town;price\n17;Norden Fuels;Lund;1.879\n18;Sol & Co;Ystad;1.904\n"
    dialect, findings, _ = found(text + below, STATIONS)
    assert dialect.skip_footer == lines
    assert [p.lines for p in findings.passed_over if p.what == "footer"] == [lines] * bool(lines)


def test_a_row_of_units() -> None:
    dialect, findings, names = found("id;operator;town;price\n(no.);(name);(name);(EUR)\n1;a;b;1\n", STATIONS)
    assert (dialect.skip_lines, dialect.header, names) == (2, False, ["id", "operator", "town", "price"])
    assert ("units", 2) in [(p.what, p.line) for p in findings.passed_over]
    _, asked, names = found("id;qty;note\n(no.);(pieces);(text)\n1;2;x\n", TEXTS)
    assert not names
    assert "--skip-lines 2 --no-header --columns id,qty,note" in asked.warnings[0]


def test_comments() -> None:
    text = "## made by 1.2\nid;operator;town;price\n1;a;b;1\n## end of block\n2;#1 Fuels;b;1\n"
    dialect, findings, _ = found(text, STATIONS)
    assert (dialect.comment, dialect.skip_lines) == ("#", 0)
    assert [(p.what, p.lines) for p in findings.passed_over] == [("comment", 2)]
    # Texts may begin like a comment.
    dialect, findings, _ = found("id;qty;note\n1;2;x\n# end\n2;3;y\n", TEXTS)
    assert dialect.comment == ""
    assert "--comment '#'" in findings.warnings[0]


@pytest.mark.parametrize(
    ("text", "header", "trailing"),
    [
        ("id|qty|note|\n1|2|x|\n", True, 1),
        ("id|qty|note\n1|2|x|\n3|4||\n", True, 1),
        ("id|qty|note\n1|2|\n3|4|\n", True, 0),
        ("id|qty|note|||\n1|2|x|||\n3|4||||\n", True, 3),
        ("id|qty|note\n1|2|x||\n3|4|||\n", True, 2),
        ("id|qty|note|||\n1|2|x||y|\n3|4||||\n", True, 1),
    ],
)
def test_trailing_delimiters(text: str, header: bool, trailing: int) -> None:
    dialect, _, _ = found(text, TEXTS)
    assert (dialect.delimiter, dialect.header, dialect.trailing_delimiters) == ("|", header, trailing)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("0|NORTH|x|cold|\n1|SOUTH|y||\n", False),
        ("10|N|0|1.5|\n11|S|1|2.5|\n", True),
        ("17;Norden;Lund;1.8\n", True),
        ("0;a;b;\n1;c;d;\n", True),
        ("2023;a;b;\n2024;c;d;\n", False),
        ("5;a;b;\n3;c;d;\n", False),
        ("name;Nameland;x;\n1;c;d;\n", False),
    ],
)
def test_no_header(text: str, data: bool) -> None:
    dialect, findings, _ = found(text, STATIONS)
    assert dialect.header is not data
    assert any("no header" in evidence for evidence in findings.evidence) is data


def test_years_are_no_data() -> None:
    dialect, _, _ = found("Area,2023,2024\nNorth,10,20\n", table(region="text", first="integer", second="integer"))
    assert dialect.header


def test_quotes_that_are_data() -> None:
    text = 'id\tqty\tnote\n1\tWilson"s\tx\n2\t"Both" ends\tx\n3\t6" pipe\tx\n4\t"starts\tx\n5\tlast\ty\n'
    dialect, findings, _ = found(text, TEXTS)
    assert dialect.quote == ""
    assert any("quote" in evidence for evidence in findings.evidence)
    # A single broken record is a reject, and its quote is not stored.
    assert found('id,qty,note\n1,"x,y\n2,a,b\n', TEXTS)[0].quote == '"'


def test_a_field_that_swallows_lines_is_asked_about() -> None:
    text = 'id\tqty\tnote\n1\t"Heroes"\tx\n2\t"Half\tx\n3\tMiddle\ty\n4\tother half"\tx\n'
    _, findings, _ = found(text, TEXTS)
    assert not findings.sure
    assert [candidate.option for candidate in findings.candidates] == ["--quote '\"'", "--quote none"]
    fields = [candidate.fields[1] for candidate in findings.candidates]
    assert fields == [
        "Half\tx\n3\tMiddle\ty\n4\tother half",
        '"Half',
    ]
    for quote in ('"', ""):
        assert found(text, TEXTS, DialectOptions(quote=quote))[1].sure


def test_escapes_and_the_text_format() -> None:
    dialect, _, _ = found('id,qty,note\n1,"a \\"b\\" c","C:\\\\x"\n2,\\N,x\n', TEXTS)
    assert (dialect.quote, dialect.escape, dialect.null) == ('"', "\\", ("", "\\N"))
    dialect, _, _ = found("id|qty|note\n1|left \\| right|x\n2|a|b\n", TEXTS)
    assert (dialect.delimiter, dialect.escape) == ("|", "\\")
    dialect, _, _ = found('1\t"all"\tx\\ty\n2\t\\N\t\n', TEXTS)
    assert (dialect.format, dialect.header, dialect.null) == (Format.TEXT, False, ("\\N",))
    # With a header it may as well be a file without escapes.
    assert found("id\tqty\tnote\n1\t\\N\tx\n", TEXTS)[0].format is Format.CSV


def test_blanks_behind_delimiters() -> None:
    dialect, _, _ = found('id, qty, note\n1, "Smith, J", "Paris"\n2, Lee, Rome\n', TEXTS)
    assert (dialect.delimiter, dialect.skip_initial_blanks) == (",", True)
    assert not found("id,qty,note\n1,2, x\n2,3,y\n", TEXTS)[0].skip_initial_blanks


def test_cr() -> None:
    dialect, _, _ = found("id,qty,note\r1,2,x\r", TEXTS)
    assert dialect.line_ends is LineEnds.ANY


def test_what_the_user_fixed_stays() -> None:
    text = "title\nid;qty;note\n1;2;x\n(1 row)\n"
    fixed = Dialect(delimiter=",", quote="'", skip_lines=0, comment="%")
    options = DialectOptions(
        delimiter=",", quote="'", escape="", skip_lines=0, skip_footer=0, comment="%", trailing_delimiter=False
    )
    sample = sample_of(text.encode(), True)
    dialect, _, _ = detect_with_table(sample, fixed, options, TEXTS, tab=False)
    assert (dialect.delimiter, dialect.quote, dialect.escape, dialect.comment) == (",", "'", "", "%")
    assert (dialect.skip_lines, dialect.skip_footer, dialect.trailing_delimiters) == (0, 0, 0)


def test_clear_files_need_no_search(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for data, clear in (
        (b'id,name\n1,"Chair, oak"\n2,"a;b"\n', True),
        (b"id;price\n1;1,5\n", True),
        (b"id,name,\n1,a,\n", False),
        (b"id,name\n1, a\n", False),
        (b"id,name\n1,a\nTotal,3\n", False),
        (b"id,name\n1,a\n\n(1 row)\n", False),
        (b"# x\nid,name\n1,a\n", False),
        (b"id,name\n1,'a'\n", False),
        (b'id,name\n1,"a\nb,c"\n', False),
        (b"id,name\n(no),(text)\n1,a\n", False),
    ):
        path.write_bytes(data)
        (file,) = discover([str(path)], NONE).files
        assert file.findings.clear is clear, data


@pytest.mark.parametrize("text", ["id,qty,note\n[1],[kg],\n1,2,x\n", "id,qty,note\n1,2,x\n,,\n,,\n"])
def test_units_and_lines_of_delimiters_are_not_plain_to_see(text: str) -> None:
    assert plain_to_see(text.replace("[kg]", "7").replace("[1]", "7").replace("\n,,", "").encode(), True, None)
    assert plain_to_see(text.encode(), True, None) is None
    _, findings, _ = found(text, TEXTS)
    assert "look" in findings.warnings[0]


def test_a_backslash_at_the_end_of_a_quoted_field_is_data(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('id,v\n1,"\\"\n2,"\\\\"\n3,"a, b"\n')
    (file,) = discover([str(path)], DialectOptions()).files
    assert (file.dialect.escape, file.dialect.quote) == ("", '"')


def test_single_quotes_of_a_text_are_no_reason_to_pass_over_blanks(tmp_path: Path) -> None:
    """Blanks in front of a text are a part of the text, unless they stand in front of quotes that enclose fields."""
    path = tmp_path / "t.csv"
    path.write_text("id,v\n1, x\n2,y\n3,\"'a'\"\n")
    assert not discover([str(path)], DialectOptions()).files[0].dialect.skip_initial_blanks
    path.write_text('id,v\n1, "x,y"\n2, "y"\n3,z\n')
    assert discover([str(path)], DialectOptions()).files[0].dialect.skip_initial_blanks
