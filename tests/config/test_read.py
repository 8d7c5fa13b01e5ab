"""``pgsluice.toml`` is read and checked: each mistake is named with its line and the nearest name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pgsluice.config.find import find_config
from pgsluice.config.lines import line_of
from pgsluice.config.merge import merged
from pgsluice.config.read import read_config
from pgsluice.errors import CallError, FileError, SluiceError


def written(folder: Path, text: str) -> str:
    path = folder / "pgsluice.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "line", "message", "remedy"),
    [
        ("[lload]\n", 1, "there is no setting lload", "Did you mean load?"),
        ("\n[load]\nmod = 'upsert'\n", 3, "there is no setting load.mod", "Did you mean mode?"),
        ("[load]\nrecursive = 'yes'\n", 2, "load.recursive = 'yes' is not true or false", "Give true or false"),
        ("[load]\nskip = [1]\n", 2, "load.skip = [1] is not a text or a list of texts", "a list of texts"),
        ("load = 1\n", 1, "load is a section", "Write it as [load]"),
        ("[files]\n'*.csv' = ';'\n", 2, "files.\"*.csv\" = ';' is not a section", 'Write it as [files."GLOB"]'),
        ("[files.'a b.csv']\ndelimeter = ';'\n", 2, 'no setting files."a b.csv".delimeter', "Did you mean delimiter?"),
        ("[tables.t]\nmode = 'merge'\n", 2, "tables.t.mode = 'merge' is not append, upsert", "insert-missing, replace"),
        ("[tables.t.columns.c]\nform = 'x'\n", 2, "no setting tables.t.columns.c.form", "Did you mean from?"),
        ("[tables.t]\nmax_rejects = true\n", 2, "max_rejects = True is not a whole number or a text", "Give"),
        ("[load]\nzzzzz = 1\n", 2, "no setting load.zzzzz", "Settings here are paths"),
        ("[load]\n  lock_timeout = '5'\n", 2, "is not a number", "Give a number"),
        ("load.mode = 5\n", 1, "load.mode = 5 is not a text or a list of texts", "Give"),
    ],
)  # fmt: skip
def test_mistakes(text: str, line: int, message: str, remedy: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(CallError) as caught:
        read_config(path)
    assert caught.value.message.startswith(f"{path}:{line}: "), caught.value
    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "[load]\nmod = 'x'\n[tables.t]\nkeys = 'id'\n")
    with pytest.raises(CallError) as caught:
        read_config(path)
    assert caught.value.message == f"{path} has 2 settings that are not right"
    assert [detail.partition(": ")[0] for detail in caught.value.details] == [f"{path}:2", f"{path}:4"]


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"[load\n", CallError, "is not TOML: Expected ']' at the end of a table declaration (at line 1, column 6)"),
        (b"[load]\nmode = '\xff'\n", CallError, "is not UTF-8"),
        (b"#" * (1 << 20) + b"\n", CallError, "is larger than 1 MiB"),
        (None, FileError, "No such file or directory"),
    ],
)
def test_no_such_file(data: bytes | None, error: type[SluiceError], message: str, tmp_path: Path) -> None:
    path = tmp_path / "pgsluice.toml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(error) as caught:
        read_config(str(path))
    assert message in caught.value.message


def test_lines() -> None:
    text = '# [load]\n[load]\nmode = "a=b" # mode = 2\n["a.b".c]\n\'x y\' = 1\nd.e = 2\n[[rules]]\nz = 1\n'
    assert [line_of(text, path) for path in (
        ("load",), ("load", "mode"), ("a.b", "c", "x y"), ("a.b", "c", "d", "e"), ("rules", "z"),
        ("load", "other"), ("none",),
    )] == [2, 3, 5, 6, 8, 2, 0]  # fmt: skip


def test_where_it_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").touch()
    assert find_config(["data"]) is None
    written(tmp_path, "")
    assert find_config([]) == find_config(["data"]) == find_config(["data/a.csv"]) == "pgsluice.toml"
    written(tmp_path / "data", "")
    assert find_config(["data"]) == find_config(["data/"]) == "data/pgsluice.toml"
    assert find_config(["data/a.csv"]) == find_config(["s3://bucket/data"]) == "pgsluice.toml"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_of_another_user_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.chown(written(tmp_path, ""), 12345, -1)
    with pytest.raises(CallError, match=r"--config pgsluice\.toml"):
        find_config([])


def test_a_call_overrides_the_file(tmp_path: Path) -> None:
    config = read_config(
        written(
            tmp_path,
            """
            [load]
            schema = "schema.sql"
            mode = "upsert"
            max_rejects = ["5", "orders=0"]
            null = "NULL"
            delimiter = ";"
            date_format = "DMY"
            [files."*.tsv"]
            table = "lines"
            delimiter = "\\t"
            null_only = "NA"
            [tables.orders]
            mode = "replace"
            key = ["id", "line"]
            max_rejects = 7
            fields = ["id", "", "name"]
            ignore = ["remark"]
            decimal = ","
            [tables.orders.columns.customer_id]
            from = "cust no"
            date_format = "MDY"
            """,
        )
    )
    where = config.path
    found = merged(config, {})
    assert found == {
        "schema": str(tmp_path / "schema.sql"),
        "mode": ["orders=replace", "upsert"],
        "max_rejects": ["orders=7", "orders=0", "5"],
        "null": ["NULL"],
        "delimiter": ";",
        "date_format": ["orders.customer_id=MDY", "DMY"],
        "decimal": ["orders.*=,"],
        "tables": [("lines", "*.tsv")],
        "names": [("orders", ["id", "", "name"])],
        "key": [("orders", "id,line")],
        "file_options": [("*.tsv", {"delimiter": "\t", "null_only": ["NA"]})],
        "column_rules": [
            {"table": "orders", "from": "remark", "column": "", "where": f"{where}:18"},
            {"table": "orders", "column": "customer_id", "from": "cust no", "where": f"{where}:20"},
        ],
    }
    found = merged(
        config,
        {
            "mode": ["append", "orders=upsert"], "max_rejects": "all", "null_only": ["-"], "delimiter": ",",
            "tables": [("x", "*.tsv")], "date_format": ["YMD"], "key": [("orders", "id")],
        },
    )  # fmt: skip
    assert found["mode"] == ["append", "orders=upsert", "orders=replace"]
    assert found["max_rejects"] == ["all", "orders=7", "orders=0"]
    assert "null" not in found
    assert found["null_only"] == ["-"]
    assert found["delimiter"] == ","
    assert found["tables"] == [("x", "*.tsv"), ("lines", "*.tsv")]
    assert found["date_format"] == ["YMD", "orders.customer_id=MDY"]
    assert found["key"][0] == ("orders", "id")
    assert "file_options" not in found
