"""The options of ``load`` and ``plan`` that say how files are read: their dialect."""

from __future__ import annotations

from pgsluice.cli.options.load_option import LIST, TEXT, LoadOption, option

DIALECT = "How files are read"

NUMBER = int | None

DIALECT_OPTIONS = (
    LoadOption(
        "delimiter",
        TEXT,
        option(
            "--delimiter",
            "TEXT",
            "Text between fields: one or more characters (\\t is a tab, \\x01 a control character), or blanks for"
            " runs of blanks and tabs.  [default: detected in each file]",
            panel=DIALECT,
        ),
    ),
    LoadOption(
        "quote",
        TEXT,
        option(
            "--quote",
            "CHAR",
            "Character around fields; none if quotes are data.  [default: detected in each file]",
            panel=DIALECT,
        ),
    ),
    LoadOption(
        "escape",
        TEXT,
        option(
            "--escape",
            "CHAR",
            "Character in front of a quote, a delimiter, a line end or itself that makes it a part of the value, for"
            " example \\.  [default: a quote in a quoted field is doubled]",
            panel=DIALECT,
        ),
    ),
    LoadOption(
        "format",
        TEXT,
        option(
            "--format",
            "csv|text",
            "text: PostgreSQL's own text format, as \\copy t to 'file' writes it.  [default: csv]",
            panel=DIALECT,
        ),
    ),
    LoadOption(
        "encoding",
        LIST,
        option(
            "--encoding",
            "[GLOB=]NAME",
            "Encoding of the files, or of those that match GLOB: cp1252 or latin-1 for example. Repeatable."
            "  [default: detected; an error if it is not certain]",
            panel=DIALECT,
        ),
    ),
    LoadOption(
        "nul",
        TEXT,
        option(
            "--nul",
            "reject|strip",
            "NUL bytes, which no text of PostgreSQL can hold: reject their records, or strip the bytes."
            "  [default: reject]",
            panel=DIALECT,
        ),
    ),
    LoadOption(
        "header",
        bool | None,
        option(
            "--header/--no-header",
            None,
            "Whether the first line names the fields.  [default: detected; an error if it is not certain]",
            panel=DIALECT,
        ),
    ),
    LoadOption(
        "header_line",
        NUMBER,
        option("--header-line", "N", "The header is on line N; the lines before it are passed over.", panel=DIALECT),
    ),
    LoadOption(
        "skip_lines",
        NUMBER,
        option("--skip-lines", "N", "Pass over the first N lines; the header, if any, follows.", panel=DIALECT),
    ),
    LoadOption(
        "skip_footer",
        NUMBER,
        option("--skip-footer", "N", "Pass over the last N lines that are not blank.", panel=DIALECT),
    ),
    LoadOption(
        "comment",
        TEXT,
        option("--comment", "TEXT", "Pass over lines that begin with TEXT, '#' for example.", panel=DIALECT),
    ),
    LoadOption(
        "trailing_delimiter",
        bool | None,
        option(
            "--trailing-delimiter/--no-trailing-delimiter",
            None,
            "Whether a delimiter at the end of a record ends the last field, so that no empty field follows."
            "  [default: no]",
            panel=DIALECT,
        ),
    ),
    LoadOption(
        "skip_initial_blanks",
        bool | None,
        option(
            "--skip-initial-blanks/--keep-initial-blanks",
            None,
            "Whether blanks behind a delimiter and at the beginning of a line are removed.  [default: they are kept]",
            panel=DIALECT,
        ),
    ),
    LoadOption(
        "line_ends",
        TEXT,
        option(
            "--line-ends",
            "lf|any",
            "What ends a line: LF and CRLF, or a lone CR as well.  [default: lf]",
            panel=DIALECT,
        ),
    ),
    LoadOption(
        "ragged",
        TEXT,
        option(
            "--ragged",
            "reject|drop|fill",
            "Records with fewer or more fields: reject them; drop surplus empty fields at the end; or fill, which also"
            " makes missing fields at the end empty.  [default: reject]",
            panel=DIALECT,
        ),
    ),
)
