"""Files that were put together: the header stands again among the records, and the run says so."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

import pgsluice
from pgsluice.model import DialectOptions
from pgsluice.source.blocks import BlockReader
from pgsluice.source.discover import discover


def test_a_header_in_the_middle_is_a_warning_with_its_line(
    db: str, conn: psycopg.Connection[tuple[object, ...]], tmp_path: Path
) -> None:
    conn.execute("CREATE TABLE towns (code text, name text)")
    (tmp_path / "towns.csv").write_bytes(b'code,name\r\na,Ghent\r\nb,"x\r\ny"\r\ncode,name\r\nc,Oslo\r\n')
    result = pgsluice.load(tmp_path, database_url=db, data_dir=str(tmp_path))
    assert result.tables[0].loaded == 4
    (warning,) = result.tables[0].files[0].warnings
    assert warning.startswith("line 5 of the file: the header stands there again")


@pytest.mark.parametrize("block_bytes", [16, 1 << 20])
def test_only_whole_records_are_the_header_again(tmp_path: Path, block_bytes: int) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,a,b\nxa,b\n2,3\na,b\na,bc\n4,5\na,b")
    (file,) = discover([str(path)], DialectOptions()).files
    reader = BlockReader(file, ("a", "b"), block_bytes)
    assert sum(block.count for block in reader) == 7
    reader.close()
    assert reader.remarks.header_again == (5, 8)


def test_a_header_of_one_field_is_no_reason_to_warn(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a\na\nb\n")
    (file,) = discover([str(path)], DialectOptions()).files
    reader = BlockReader(file, ("a",))
    assert sum(block.count for block in reader) == 2
    reader.close()
    assert not reader.remarks.header_again
