"""The command line: parses options, calls one function of the Python API, shows the result.

What a call does not need is not imported: ``pgsluice --version`` imports no Typer, ``pgsluice --help`` no command, and
each command imports what takes long (rich, psycopg, duckdb, the API) in its body.
"""

from __future__ import annotations

import contextlib
import os
import sys

from pgsluice.report.output import OutputError, complain, open_closed_streams, show_version


def main() -> None:
    """Runs one command, from the arguments in ``sys.argv``.

    :raises SystemExit: always, with the exit code.
    """
    open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # The encoding of the terminal may lack characters of file names and data. They are written as escapes.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        if sys.argv[1:] == ["--version"]:
            show_version()
            raise SystemExit(0)
        from pgsluice.cli.app import app

        app(prog_name="pgsluice")
    except OutputError as error:  # --version writes before a command begins
        from pgsluice.cli.exit_codes import UNWRITTEN

        complain(str(error))
        raise SystemExit(UNWRITTEN) from error
    except OSError as error:
        from pgsluice.cli.exit_codes import WRONG

        # Typer writes --help and the errors of usage itself.
        complain(f"the system refuses: {error}")
        raise SystemExit(WRONG) from error


class _WithoutPandas:
    """Says that pandas is not installed.

    Arrow imports pandas, where it is installed, to convert a list. That takes 0.4 s, and no command needs pandas.
    """

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Finds no module, and refuses pandas."""
        if name == "pandas":
            raise ModuleNotFoundError("pgsluice's commands do without pandas", name=name)


def run() -> None:
    """Entry point of the process: runs :func:`main` and ends the process at once.

    Python's own end would tear DuckDB, Arrow and numpy down, which takes 0.2 s of a command of 1 s. Connections are
    closed and output is written before. An exit code that is not a number, and any other exception, end the process
    as Python does.
    """
    # A thread that has received an answer of the server waits for the interpreter lock. With Python's default the
    # thread that imports or reads may keep the lock for 5 ms, and a load sends a hundred queries.
    sys.setswitchinterval(0.0005)
    sys.meta_path.insert(0, _WithoutPandas())
    try:
        main()
    except SystemExit as ended:
        if ended.code is not None and not isinstance(ended.code, int):
            raise
        code = ended.code or 0
    else:
        code = 0
    # A pipe that was closed early is handled where the output is written.
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
