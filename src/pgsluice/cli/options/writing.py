"""The options that only ``load`` has: how a run goes, waits and ends."""

from __future__ import annotations

from pgsluice.cli.options.common import RUN
from pgsluice.cli.options.load_option import FLAG, LIST, TEXT, LoadOption, option
from pgsluice.cli.options.quality import QUALITY


def _size(text: str) -> int | None:
    """The number of bytes that ``--max-bytes`` says.

    :raises CallError: the text is no size.
    """
    # The import takes a tenth of a second, which every command would pay.
    from pgsluice.options import parse_size

    return parse_size(text)


RUN_OPTIONS = (
    LoadOption(
        "then",
        LIST,
        option(
            "--then",
            "dbt:PATH",
            "After the publish, build the dbt project in folder PATH: its models and tests. If it fails, the rows stay"
            " published and the exit code is 5. Repeatable.",
            panel=QUALITY,
        ),
    ),
    LoadOption(
        "again", FLAG, option("--again", None, "Load files even if their content was already loaded.", panel=RUN), False
    ),
    LoadOption(
        "no_wait", FLAG, option("--no-wait", None, "Fail at once if another run holds the tables.", panel=RUN), False
    ),
    LoadOption(
        "lock_timeout",
        float,
        option(
            "--lock-timeout",
            "SECONDS",
            "Seconds to wait for locked tables, before the run lets other sessions pass and tries again.",
            panel=RUN,
        ),
        5.0,
    ),
    LoadOption(
        "resumable",
        FLAG,
        option(
            "--resumable",
            None,
            "Stage every file on its own, so that an interrupted run can be resumed: pgsluice resume RUN. Slower"
            " for empty tables.",
            panel=RUN,
        ),
        False,
    ),
    LoadOption(
        "settle",
        float,
        option(
            "--settle",
            "SECONDS",
            "Refuse files that were written less than SECONDS ago: they may not be complete. 0 refuses none.",
            panel=RUN,
        ),
        0.0,
    ),
    LoadOption(
        "max_bytes",
        TEXT,
        option(
            "--max-bytes",
            "SIZE",
            "How many bytes each compressed file may hold unpacked, 500MB or 10GB for example.  [default: no limit]",
            panel=RUN,
        ),
        convert=_size,
    ),
)
"""Options of ``load`` alone."""
