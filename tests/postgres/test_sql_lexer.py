"""The lexer that cuts SQL files into statements, and the queries of the package."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgsluice.errors import FileError, SchemaFileError
from pgsluice.postgres.schema_files.sql_lexer import is_transaction_statement, read_sql, split
from pgsluice.sql import query


def texts(sql: str) -> list[str]:
    return [statement.text for statement in split(sql, "f.sql")]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("", []),
        (" ;; ; -- nothing\n/* at all */", []),
        ("SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';' ; x", ["SELECT ';'", "x"]),
        ("SELECT 'it''s;'; x", ["SELECT 'it''s;'", "x"]),
        (r"SELECT 'a\'; x", [r"SELECT 'a\'", "x"]),
        (r"SELECT E'a\';b'; x", [r"SELECT E'a\';b'", "x"]),
        (r"SELECT e'\\'; x", [r"SELECT e'\\'", "x"]),
        (r"SELECT U&'\0041;', B'1;', N';'; x", [r"SELECT U&'\0041;', B'1;', N';'", "x"]),
        ('SELECT "a;""b" ; x', ['SELECT "a;""b"', "x"]),
        ("DO $$ a; b $$; x", ["DO $$ a; b $$", "x"]),
        ("DO $é1$ $$; $e$ $é1$; x", ["DO $é1$ $$; $e$ $é1$", "x"]),
        ("SELECT a$b$c; x$y$", ["SELECT a$b$c", "x$y$"]),
        ("SELECT $1; x", ["SELECT $1", "x"]),
        ("a -- b; c\n; x", ["a", "x"]),
        ("a /* ; /* ; */ ; */ b; x", ["a /* ; /* ; */ ; */ b", "x"]),
        ("a /* ' */; b -- '\n; c", ["a", "b", "c"]),
        ("SELECT 1-- x;\n+1; y", ["SELECT 1-- x;\n+1", "y"]),
        (
            "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b); x",
            ["CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b)", "x"],
        ),
        (
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN 1 END; END; x",
            [
                "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a THEN 1 END; END",
                "x",
            ],
        ),
        ("\\restrict abc\nSELECT 1;\n\\unrestrict abc", ["SELECT 1"]),
    ],
)
def test_split(sql: str, expected: list[str]) -> None:
    assert texts(sql) == expected


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT 1;\nSELECT 'a;\n", "f.sql:2: the string that begins here never ends"),
        (r"SELECT E'a\'", "f.sql:1: the string"),
        ('\n\nSELECT "a', "f.sql:3: the identifier"),
        ("/* /* */", "f.sql:1: the comment"),
        ("SELECT $a$ $b$", "f.sql:1: the string $a$"),
        ("SELECT 1;\n\\i other.sql\n", r"f.sql:2: \i is a command of psql"),
        ("SELECT 1 \\gexec", r"f.sql:1: \gexec is a command of psql"),
        ("\nCOPY t (a) FROM stdin;\n1\n\\.\n", "f.sql:2: COPY moves data"),
    ],
)
def test_split_refuses(sql: str, message: str) -> None:
    with pytest.raises(SchemaFileError) as caught:
        texts(sql)
    assert message in caught.value.message
    assert caught.value.remedy


def test_lines_and_titles() -> None:
    sql = "-- name: first one \n-- more\n\nSELECT 1;\nSELECT\n2;\n-- name: third\nSELECT 3"
    assert [(s.title, s.line) for s in split(sql, "f")] == [("first one", 4), ("", 5), ("third", 8)]


@given(
    st.lists(
        st.sampled_from(
            [
                "a",
                "'x;y'",
                "E'\\';'",
                '"q;"',
                "$$;$$",
                "$t$;$$;$t$",
                "/*;/*;*/;*/",
                "--;\n",
                "(;)",
                "1.5",
                "=",
                "é",
            ]
        ),
        max_size=8,
    ),
    st.integers(1, 4),
)
def test_semicolons_within_pieces_never_end_a_statement(pieces: list[str], times: int) -> None:
    statement = " ".join(["x", *pieces, "y"])
    assert texts(";\n".join([statement] * times)) == [statement] * times


@pytest.mark.parametrize("sql", ["BEGIN", "commit work", "START TRANSACTION", "SET TRANSACTION READ ONLY", "end"])
def test_transaction_statements(sql: str) -> None:
    assert is_transaction_statement(next(split(sql, "f")))


@pytest.mark.parametrize("sql", ["SET search_path = a", "PREPARE x AS SELECT 1", "SELECT 1"])
def test_no_transaction_statements(sql: str) -> None:
    assert not is_transaction_statement(next(split(sql, "f")))


def test_read_sql(tmp_path: Path) -> None:
    path = tmp_path / "a.sql"
    path.write_bytes(b"\xef\xbb\xbfSELECT 'x';\r\nSELECT 2;")
    assert read_sql(str(path)) == "SELECT 'x';\nSELECT 2;"
    path.write_bytes(b"SELECT '\xe9'")
    with pytest.raises(FileError, match="not UTF-8"):
        read_sql(str(path))
    with pytest.raises(FileError, match="cannot be read: No such file"):
        read_sql(str(tmp_path / "b.sql"))
    with pytest.raises(FileError, match="cannot be read"):
        read_sql(str(tmp_path))


def test_queries_of_the_package() -> None:
    assert query("catalog", "is_empty").endswith("(SELECT FROM {table})")
    with pytest.raises(KeyError):
        query("catalog", "no_such_query")
