"""The file that a run's rejects are written to is the run's alone."""

from __future__ import annotations

from pathlib import Path

from pgsluice.pipeline.rejects.report import _create


def test_a_report_never_takes_the_place_of_another(tmp_path: Path) -> None:
    written = []
    for text in (b"one", b"two", b"three"):
        with _create(tmp_path, "run-1-20261124T101112") as out:
            out.write(text)
        written.append(Path(out.name).name)
    assert written == ["run-1-20261124T101112.csv", "run-1-20261124T101112_2.csv", "run-1-20261124T101112_3.csv"]
    assert [(tmp_path / name).read_bytes() for name in written] == [b"one", b"two", b"three"]
