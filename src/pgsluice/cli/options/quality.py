"""The options of rules, derived tables and profiles."""

from __future__ import annotations

from operator import not_

from pgsluice.cli.options.load_option import FLAG, LIST, LoadOption, option

QUALITY = "Rules and derived tables"

QUALITY_OPTIONS = (
    LoadOption(
        "rule_files",
        LIST,
        option(
            "--rules",
            "PATH",
            "SQL files of rules that the rows have to satisfy before they are published, or folders of them."
            " Repeatable.",
            panel=QUALITY,
        ),
    ),
    LoadOption(
        "derive",
        LIST,
        option(
            "--derive",
            "PATH",
            "SQL files of derived tables, or folders of them: brought up to date and published with the rows."
            " Repeatable.",
            panel=QUALITY,
        ),
    ),
    LoadOption(
        "profile_columns",
        FLAG,
        option("--no-column-profiles", None, "Store no profiles of the columns in the ledger.", panel=QUALITY),
        False,
        convert=not_,
    ),
)
