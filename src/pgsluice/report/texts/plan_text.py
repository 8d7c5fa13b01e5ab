"""Text of a plan: which file goes into which table, in what order and why, and how each file is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pgsluice.model import (
    Column,
    ColumnRule,
    Dialect,
    FilePlan,
    Format,
    IgnoredFile,
    LineEnds,
    PassedOver,
    Plan,
    Ragged,
    TablePlan,
)
from pgsluice.report.parts import Grid, Line, Part, clean, number, seconds, size, some
from pgsluice.report.texts.date_orders import date_order_parts
from pgsluice.report.texts.drift_text import drift_parts
from pgsluice.text import pluralize

TEXT_SHOWN = 60
"""Characters of a line that is passed over that are shown."""

DEFAULT_SHOWN = 60
"""Characters of a default that are shown."""

FINDINGS_SHOWN = 6
"""Reasons for slowness that are shown."""

NOTES_SHOWN = 8
"""Notes on files that are shown."""

NAMES = {"\t": "tab", " ": "space", ",": "comma", ";": "semicolon", "|": "bar", '"': "double", "'": "single"}


def plan_parts(plan: Plan) -> list[Part]:
    """The report of a plan: the load order, the files with their dialects, and the columns of each table."""
    files = [f for t in plan.tables for f in t.files]
    parts: list[Part] = [
        Line(
            f"{pluralize(len(files), 'file')} into {pluralize(len(plan.tables), 'table')} of"
            f" {clean(plan.target.words())}, in this order:",
            "bold",
        ),
        Line(),
        _order(plan),
    ]
    parts += [
        Line("Foreign keys in a cycle: " + " -> ".join(clean(t) for t in (*cycle, cycle[0]))) for cycle in plan.cycles
    ]
    parts += [Line(), _files(plan.tables), *note_parts((f.file.path, f.file.notes) for f in files), Line()]
    parts += _evidence(files)
    for table in plan.tables:
        parts += _columns(table)
    parts += date_order_parts(
        (str(t.table.name), f.file.path, f.file.dialect.formats) for t in plan.tables for f in t.files
    )
    parts += drift_parts(plan.drift, done=False)
    if plan.ignored:
        parts += [Line(), *ignored_parts(plan.ignored)]
    if plan.config:
        parts += [Line(), settings_part(plan.config)]
    parts += _cost(plan)
    parts += _missing_rights(plan)
    parts += [Line(), Line(f"Nothing was written. {_next(plan)}")]
    parts.append(Line(f"Database: {clean(plan.target.words())}"))
    return parts


def _cost(plan: Plan) -> list[Part]:
    """What makes the load slow, and how long it takes."""
    parts: list[Part] = [Line()] if plan.findings or plan.estimate else []
    for finding in plan.findings[:FINDINGS_SHOWN]:
        parts.append(Line(f"Slow: {clean(finding.text)}.", "yellow"))
        if finding.remedy:
            parts.append(Line(f"      {clean(finding.remedy)}"))
    if rest := len(plan.findings) - FINDINGS_SHOWN:
        parts += [Line(f"and {pluralize(rest, 'more reason')} for slowness; --json has them all")] if rest > 0 else []
    if plan.estimate is not None:
        free = "" if plan.estimate.free is None else f"; {size(plan.estimate.free)} are free"
        spent = _about(plan.estimate.seconds)
        text = f"Estimate: about {spent} ({clean(plan.estimate.basis)}), {size(plan.estimate.disk)} of disk{free}."
        parts.append(Line(text))
    return parts


def _about(spent: float) -> str:
    """Seconds with as many digits as an estimate has."""
    if spent < 10:
        return f"{spent:.0f} s" if spent >= 1.5 else "1 s"
    return seconds(spent) if spent >= 60 else f"{spent:.0f} s"


def _missing_rights(plan: Plan) -> list[Part]:
    """The statements that give the role what it lacks, as a block to copy."""
    if not plan.missing_rights:
        return []
    count = pluralize(len(plan.missing_rights), "GRANT")
    role = clean(plan.target.role)
    head = f"Role {role} lacks rights for this load. As the owner of the database and its tables, {count}:"
    return [Line(), Line(head, "bold red"), *(Line(statement) for statement in plan.missing_rights)]


def _next(plan: Plan) -> str:
    """How to do what is planned."""
    if plan.target.new:
        return "There is no server yet: pgsluice load with the same arguments and --embedded makes it and loads."
    return "To load: pgsluice load with the same arguments."


def _evidence(files: Sequence[FilePlan]) -> list[Part]:
    """Why files are read as they are, for the files whose dialect is not plain to see."""
    parts: list[Part] = []
    for file in (f.file for f in files):
        found = file.findings
        evidence = found.evidence if found.clear or not found.header else (found.header, *found.evidence)
        parts += reading_parts(file.path, evidence, found.passed_over, found.warnings)
    return [*parts, Line()] if parts else []


def reading_parts(
    path: str, evidence: Sequence[str], passed_over: Sequence[PassedOver], warnings: Sequence[str]
) -> list[Part]:
    """Why a file is read as it is, which of its lines are no records, and what may not be meant like this."""
    parts: list[Part] = [Line(f"{clean(path)}: {clean('; '.join(evidence))}.")] if evidence else []
    parts += [Line(f"{clean(path)}: {_passed_over(lines)}.") for lines in passed_over]
    parts += [Line(f"Warning: {clean(path)}: {clean(warning)}.", "yellow") for warning in warnings]
    return parts


def _passed_over(passed: PassedOver) -> str:
    """Which lines are passed over, in words."""
    count = pluralize(passed.lines, "line")
    last = passed.line + passed.lines - 1
    text = passed.text if len(passed.text) <= TEXT_SHOWN else passed.text[: TEXT_SHOWN - 3] + "..."
    words = {
        "sep": "line 1 names the delimiter and is passed over",
        "title": f"line {passed.line} is passed over"
        if passed.lines == 1
        else f"lines {passed.line}-{last} are passed over",
        "comment": f"{count} of comments are passed over" if passed.lines else "lines of comments are passed over",
        "footer": "the last line is no row and is passed over"
        if passed.lines == 1
        else f"the last {count} are no rows and are passed over",
        "units": f"line {passed.line} holds units, which are no values of its columns, and is passed over",
    }
    return f"{words[passed.what]} ({clean(text.strip())})"


def settings_part(config: str) -> Line:
    """The line that names the file of settings."""
    return Line(f"Settings: {clean(config)} (pgsluice config show prints them).")


def ignored_parts(ignored: Sequence[IgnoredFile]) -> list[Part]:
    """The files that are not loaded, by reason."""
    reasons: dict[str, list[str]] = {}
    for file in ignored:
        reasons.setdefault(file.why, []).append(file.path)
    lines: list[Part] = []
    for why, paths in reasons.items():
        lines.append(Line(f"Not loaded: {some(paths)} ({clean(why)})."))
    return lines


def note_parts(notes: Iterable[tuple[str, tuple[str, ...]]]) -> list[Part]:
    """What the user should know of how files are read.

    :param notes: paths of files with their notes.
    """
    lines = [f"{clean(path)}: {clean(note)}." for path, given in notes for note in given]
    if rest := len(lines) - NOTES_SHOWN:
        lines[NOTES_SHOWN:] = [f"and {pluralize(rest, 'more note')}; --json lists them all"] if rest > 0 else []
    return [Line(line) for line in lines]


def _order(plan: Plan) -> Grid:
    return Grid(
        ("", "table", "files", "bytes", "after", "mode", "strategy", "why"),
        tuple(
            (
                str(place),
                clean(str(t.table.name)),
                number(len(t.files)),
                size(sum(f.file.bytes for f in t.files)),
                clean("; ".join(t.after)) or "-",
                str(t.mode),
                str(t.way),
                clean(t.why),
            )
            for place, t in enumerate(plan.tables, start=1)
        ),
        frozenset({0, 2, 3}),
        wrap=True,
    )


def _files(tables: tuple[TablePlan, ...]) -> Grid:
    rows = [(clean(f.file.path), clean(str(t.table.name)), *_dialect(f.file.dialect)) for t in tables for f in t.files]
    head = ("file", "table", "delimiter", "quote", "encoding", "header", "NULL is", "further")
    # Most files have nothing to tell in the last column.
    shown = len(head) if any(row[-1] for row in rows) else len(head) - 1
    return Grid(head[:shown], tuple(row[:shown] for row in rows), wrap=True)


def _dialect(dialect: Dialect) -> tuple[str, ...]:
    return (
        NAMES.get(dialect.delimiter)
        or clean(dialect.delimiter if dialect.delimiter.strip() else repr(dialect.delimiter)),
        NAMES.get(dialect.quote, clean(dialect.quote)) or "none",
        clean(dialect.encoding),
        _header(dialect),
        _null_is(dialect),
        "; ".join(_further(dialect)),
    )


def _header(dialect: Dialect) -> str:
    if not dialect.header:
        return "no"
    return f"line {dialect.skip_lines + 1}" if dialect.skip_lines else "yes"


def _delimiter(text: str) -> str:
    return NAMES.get(text) or clean(text if text.strip() else repr(text))


def _further(dialect: Dialect) -> list[str]:
    """The parts of a dialect that few files have, in words."""
    trailing = dialect.trailing_delimiters
    told = [
        (dialect.format is not Format.CSV, f"format {dialect.format}"),
        (bool(dialect.escape), f"escape {clean(dialect.escape)}"),
        (bool(dialect.skip_lines), f"first {pluralize(dialect.skip_lines, 'line')} passed over"),
        (bool(dialect.skip_footer), f"last {pluralize(dialect.skip_footer, 'line')} passed over"),
        (bool(dialect.comment), f"comments begin with {clean(dialect.comment)}"),
        (bool(trailing), "delimiter at the end of records" if trailing == 1 else f"{trailing} delimiters at the end"),
        (dialect.skip_initial_blanks, "blanks in front of fields left out"),
        (dialect.line_ends is not LineEnds.LF, "CR ends lines"),
        (dialect.ragged is Ragged.DROP, "surplus empty fields left out"),
        (dialect.ragged is Ragged.FILL, "missing fields NULL, surplus empty fields left out"),
    ]
    return [words for applies, words in told if applies]


def _null_is(dialect: Dialect) -> str:
    """What means NULL, in words."""
    texts = ", ".join("empty" if not text else clean(repr(text)) for text in dialect.null_texts) + ", unquoted"
    return f"{texts}; empty, quoted, unless text" if dialect.empty_as_null else texts


def _columns(table: TablePlan) -> list[Part]:
    """The columns that the files of a table match, and the columns that no file contains.

    Files with the same match share a line.
    """
    lines: list[Part] = []
    seen: set[tuple[str, ...]] = set()
    for file in table.files:
        match = _match(file)
        if match not in seen:
            seen.add(match)
            lines.append(Line(f"{clean(str(table.table.name))}: {', '.join(match)}"))
    rules = dict.fromkeys(rule for file in table.files for rule in file.computed)
    lines += [Line(f"  {clean(r.column)} = {_source(r)}") for r in rules]
    held = " A row that the table holds keeps its value." if table.key else ""
    for columns, paths in _files_without(table):
        names = ", ".join(f"{clean(c)} ({_default(table.table.column(c))})" for c in columns)
        lines.append(Line(f"  not in {some(paths)}: {names}.{held}"))
    if table.table.run_column:
        lines.append(Line(f"  {clean(table.table.run_column)} = the run's id"))
    rest = [c.name for c in table.table.columns if c.name not in table.brought and not c.holds_run]
    if rest:
        lines.append(Line(f"  not in the files: {', '.join(clean(name) for name in rest)}", "dim"))
    return lines


def _files_without(table: TablePlan) -> list[tuple[tuple[str, ...], list[str]]]:
    """The files that lack columns which other files of the table contain: (columns, paths) pairs."""
    paths: dict[tuple[str, ...], list[str]] = {}
    for file, lacked in zip(table.files, table.lacked, strict=True):
        if lacked:
            paths.setdefault(lacked, []).append(file.file.path)
    return list(paths.items())


def _source(rule: ColumnRule) -> str:
    """What a column is computed from."""
    return clean(" ".join((rule.expression or "").split()) if rule.constant is None else repr(rule.constant))


def _default(column: Column) -> str:
    """What a row without the column gets, in words."""
    return f"default: {clean(column.default_sql, DEFAULT_SHOWN)}" if column.default_sql else "NULL"


def _match(file: FilePlan) -> tuple[str, ...]:
    """For each field its column as text: ``column``, or ``field -> column`` if the header has another name for it."""
    if not file.file.dialect.header:
        return tuple(clean(column) for column in file.columns)
    pairs = zip(file.file.field_names, file.columns, strict=True)
    return tuple(
        clean(column) if field == column != "" else f"{clean(field) or repr('')} -> {clean(column) or 'left out'}"
        for field, column in pairs
    )
