"""The fuzzer: ``python -m fuzz [options of libFuzzer] CORPUS``, in the environment of ``make fuzz``.

The first byte of an input chooses the options of the call, the rest is the file.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["pgsluice.source", "pgsluice.names", "pgsluice.options"]):
    import pgsluice.source.discover  # noqa: F401
    from fuzz.invariants import check
    from fuzz.options import options_of

_FILE = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)) / "input.csv"


def one_input(data: bytes) -> None:
    """Reads one input. An exception other than those that pgsluice raises on purpose ends the fuzzer."""
    if not data:
        return
    options, suffix = options_of(data[0])
    path = _FILE.with_suffix(suffix)
    path.write_bytes(data[1:])
    check(path, options)


def main() -> None:
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
