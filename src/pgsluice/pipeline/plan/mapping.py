"""The mapping: which column each field of a file goes into."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from pgsluice.errors import MappingError
from pgsluice.model import ColumnRule, DriftMode, FieldOptions, FilePlan, Mode, SourceFile, Table, TableName
from pgsluice.names import Names, may_be_misspelt
from pgsluice.pipeline.plan.columns.expressions import uses
from pgsluice.source.places.names import composed, matches
from pgsluice.text import pluralize

Pairs = Sequence[tuple[str, str]]
"""(field, column) pairs of ``--column``; the first pair that names a field decides, and '' leaves the field out."""


def map_fields(file: SourceFile, table: Table, mode: Mode, options: FieldOptions) -> FilePlan:
    """Maps the fields of a file to columns of its table: as the options say, otherwise by name.

    :raises MappingError: a field has no column, two fields have the same column, a required column is missing, or it is
        not certain whether the first record is a header.
    """
    options = _own_options(file, table, options)
    if file.fault:
        raise MappingError(file.fault, f"Its name is that of the table {table.name}; leave it out with --skip")
    if not file.header:
        # An empty file has no columns and no rows.
        return FilePlan(file, ())
    computed = tuple(rule for rule in options.rules if rule.field is None)
    own = {rule.column for rule in computed}
    loadable = [c.name for c in table.loadable if c.name not in own]
    if given := options.names_for(table.name):
        if options.header is None:
            raise MappingError(
                f"{file.path}: the fields of {table.name} are named, and nothing says what its first line is",
                "Add --no-header if it is data, or --header if the names take its place",
            )
        file = _with_names(file, given)
    elif options.header is None and not computed and _has_no_header(file):
        # The search has found a field for each column. check_pairs() refuses a pair that names a field of such a file.
        return FilePlan(file, tuple(loadable))
    elif options.header is False:
        file = _with_names(file, _by_position(file, table, loadable))
    names = Names(c.name for c in table.columns)
    wanted = (*options.columns, *_rule_pairs(file, options.rules))
    columns, unknown = _find_columns(file, table, options, wanted, names)
    # A field that has the name of a computed column is there for its expression.
    columns = ["" if column in own else column for column in columns]
    used = uses(computed, file)
    unknown = [(i, field, found) for i, field, found in unknown if i not in used]
    if not any(columns) and not used:
        example = ",".join(loadable[: len(file.header)])
        raise MappingError(
            f"{file.path}: none of the fields of its first line ({_shown(file.header)}) is a column of {table.name}"
            f" ({', '.join(loadable)})",
            f"If the line is data, use --no-header, and --columns {shlex.quote(example)} if these are the fields. If it"
            " is a header, name the columns with --column FIELD=COLUMN. Otherwise check --delimiter, or name another"
            " table with --table",
        )
    left_out: tuple[str, ...] = ()
    if options.drift.of(table.name) is DriftMode.IGNORE:
        left_out = tuple(field for _, field, found in unknown if _is_new(field, found, table, columns))
        unknown = [(i, field, found) for i, field, found in unknown if not _is_new(field, found, table, columns)]
    if unknown:
        raise _unknown_fields(file, table, columns, unknown, names)
    _check_unique(file, table, columns, wanted)
    _check_loadable(file, table, columns, mode, own)
    return FilePlan(file, tuple(columns), computed, left_out)


def fresh_fields(file: SourceFile, table: Table, options: FieldOptions) -> tuple[SourceFile, list[tuple[int, str]]]:
    """The fields of a file that have a name and no column: their positions and names.

    A file whose first record is not certainly a header has none, nor has a file whose names do not fit.
    """
    try:
        options = _own_options(file, table, options)
        if file.fault or not file.header or options.header is False or not file.dialect.header:
            return file, []
        if given := options.names_for(table.name):
            file = _with_names(file, given)
    except MappingError:
        # Mapping the file says it.
        return file, []
    names = Names(c.name for c in table.columns)
    wanted = (*options.columns, *_rule_pairs(file, options.rules))
    columns, unknown = _find_columns(file, table, options, wanted, names)
    used = uses((rule for rule in options.rules if rule.field is None), file)
    fresh = [
        (i, field)
        for i, field, found in unknown
        if field.strip() and i not in used and _is_new(field, found, table, columns)
    ]
    return file, fresh if any(columns) else []


def _has_no_header(file: SourceFile) -> bool:
    """Whether the search has found that the first record is data, with a field for each column."""
    return file.feeds is None and not file.names and not file.dialect.header


def _is_new(field: str, candidates: Sequence[str], table: Table, columns: Sequence[str]) -> bool:
    """Whether a field without a column is new, and not a column of the table that the file lacks, misspelt."""
    lacking = [c.name for c in table.loadable if c.name not in columns]
    return not candidates and not any(may_be_misspelt(field, name) for name in lacking)


def _own_options(file: SourceFile, table: Table, options: FieldOptions) -> FieldOptions:
    """The options as they are for a file and its table.

    :raises MappingError: a rule names a column that the table does not have.
    """
    header = next((header for glob, header in options.headers if matches(file.path, glob)), options.header)
    rules = [rule for rule in options.rules if table.name.called(rule.table)]
    if file.feeds is not None:
        # In a replay, the fields have the names of their columns.
        rules = [rule for rule in rules if rule.field is None]
    if file.form in ("parquet", "json"):
        # These files name their fields.
        header = True
    names = Names(c.name for c in table.loadable)
    found = []
    for rule in rules:
        columns = names.find(rule.column) if rule.column else [""]
        if len(columns) != 1:
            near = names.nearest(rule.column)
            raise MappingError(
                f"{rule.where or 'column_rules'}: {table.name} has no column {rule.column!r}",
                f"Did you mean {near}?" if near else f"Its columns are {', '.join(c.name for c in table.loadable)}",
            )
        found.append(replace(rule, column=columns[0]))
    return replace(options, header=header, rules=tuple(found))


def _rule_pairs(file: SourceFile, rules: Sequence[ColumnRule]) -> list[tuple[str, str]]:
    """The rules of columns as pairs of a field of the file and its column. A field that the file lacks has none."""
    fields = Names(file.field_names)
    pairs = []
    for rule in rules:
        if rule.field is not None:
            pairs += [(field, rule.column) for field in fields.find(rule.field)]
    return pairs


def _with_names(file: SourceFile, names: Sequence[str]) -> SourceFile:
    """The file, with other names for its fields.

    :raises MappingError: the first record has another number of fields.
    """
    if len(names) != len(file.header):
        raise MappingError(
            f"{file.path}: its first line has {pluralize(len(file.header), 'field')} ({_shown(file.header)}), and"
            f" --columns names {len(names)}",
            "Name each field, in order; a name may be empty, which leaves the field out (--columns id,,name)",
        )
    return replace(file, names=tuple(names))


def _by_position(file: SourceFile, table: Table, loadable: Sequence[str]) -> Sequence[str]:
    """The columns of the table, where a file without a header has a field for each column.

    :raises MappingError: the file has another number of fields.
    """
    if len(file.header) == len(loadable):
        return loadable
    example = ",".join(loadable[: len(file.header)])
    raise MappingError(
        f"{file.path}: its first line has {pluralize(len(file.header), 'field')} ({_shown(file.header)}), and"
        f" {table.name} has {pluralize(len(loadable), 'column')} ({', '.join(loadable)})",
        f"Name the columns of the fields, for example --no-header --columns {shlex.quote(example)}",
    )


def _find_columns(
    file: SourceFile, table: Table, options: FieldOptions, wanted: Pairs, names: Names
) -> tuple[list[str], list[tuple[int, str, list[str]]]]:
    """The column of each field ('' for none), and the fields without a column: position, name, possible columns."""
    columns: list[str] = []
    left_out = file.feeds is not None or bool(options.names_for(table.name))
    unknown: list[tuple[int, str, list[str]]] = []
    for i, field in enumerate(file.field_names):
        # In a replay, and in --columns, a field without a name is a field that is left out.
        named = "" if not field and left_out else _named_column(field, table, wanted)
        found = names.find(field if named is None else named)
        if named and len(found) != 1:
            raise MappingError(
                f"--column {field}={named}: {table.name} has no column {named!r}",
                f"Its columns are {', '.join(c.name for c in table.loadable)}",
            )
        columns.append(found[0] if len(found) == 1 else "")
        if len(found) != 1 and named is None:
            unknown.append((i, field, found))
    return columns, unknown


def _unknown_fields(
    file: SourceFile, table: Table, columns: Sequence[str], unknown: Sequence[tuple[int, str, list[str]]], names: Names
) -> MappingError:
    """The error for fields without a column: each with its nearest column, and the options to copy."""
    described, options = [], []
    for _, field, candidates in unknown:
        if not field:
            continue
        if len(candidates) > 1:
            described.append(f"{field!r} (could be {' or '.join(candidates)})")
            options.append(f"--column {shlex.quote(f'{field}={candidates[0]}')}")
        elif near := names.nearest(field):
            described.append(f"{field!r} (nearest: {near})")
            options.append(f"--column {shlex.quote(f'{field}={near}')}")
        else:
            described.append(repr(field))
            options.append(f"--column {shlex.quote(f'{field}=')}")
    remedy = "Leave such fields out with --column ="
    if options:
        first = shlex.quote(next(f"{field}=" for _, field, _ in unknown if field))
        remedy = f"Name the columns, for example {' '.join(options)}, or leave a field out with --column {first}"
    order = ""
    if nameless := [i + 1 for i, field, _ in unknown if not field]:
        described.append(_nameless(nameless))
        order = ("; --column = leaves out fields without a name" if options else "") + _by_order(file, table, columns)
    return MappingError(
        f"{file.path}: {table.name} has no column {', '.join(described)}",
        f"{remedy}{order};"
        " new fields: --drift ignore leaves them out, --drift add gives the table a column for each;"
        f" columns of {table.name}: {', '.join(c.name for c in table.loadable)}",
    )


def _nameless(fields: Sequence[int]) -> str:
    """What a table has no column for: fields whose header is empty, counted from 1."""
    numbers = ", ".join(map(str, fields))
    return f"for the field without a name ({numbers})" if len(fields) == 1 else f"for fields without a name ({numbers})"


def _by_order(file: SourceFile, table: Table, columns: Sequence[str]) -> str:
    """The options that name the fields of a file in order, as a further remedy; '' if they cannot say these names.

    :param columns: the column of each field, '' for none; a column that comes again is left out.
    """
    if not file.dialect.header or any(mark in column for column in columns for mark in ",="):
        return ""
    names = [column if column not in columns[:i] else "" for i, column in enumerate(columns)]
    option = shlex.quote(f"{table.name.name}={','.join(names)}")
    return f", or name the fields in order, where an empty name leaves a field out: --header --columns {option}"


def _check_unique(file: SourceFile, table: Table, columns: Sequence[str], wanted: Pairs) -> None:
    twice = sorted({c for c in columns if c and columns.count(c) > 1})
    if not twice:
        return
    fields = [field for field, column in zip(file.field_names, columns, strict=True) if column == twice[0]]
    if len(set(fields)) < len(fields):
        remedy = "Give them names of their own in the file" + _by_order(file, table, columns)
    else:
        spare = next((f for f in fields if _named_column(f, table, wanted) is None), None)
        remedy = "Name one of them only with --column"
        if spare is not None:
            remedy = f"Leave one out with --column {shlex.quote(spare + '=')}"
    raise MappingError(f"{file.path}: column {twice[0]} comes twice ({', '.join(map(repr, fields))})", remedy)


def _check_loadable(
    file: SourceFile, table: Table, columns: Sequence[str], mode: Mode, computed: Collection[str]
) -> None:
    generated = next((c.name for c in table.columns if c.generated and c.name in columns), None)
    if generated is not None:
        raise MappingError(
            f"{file.path}: {table.name}.{generated} is a generated column and takes no values",
            f"Leave it out with --column {shlex.quote(file.field_names[columns.index(generated)] + '=')}",
        )
    if (run_column := table.run_column) and run_column in columns:
        field = file.field_names[columns.index(run_column)]
        raise MappingError(
            f"{file.path}: the load fills {table.name}.{run_column} with the run's id, and the file has a field for it",
            f"Leave the field out with --column {shlex.quote(f'{field}=')}, or name another column with --run-column",
        )
    missing = [c.name for c in table.columns if c.required and c.name not in columns and c.name not in computed]
    # The files of an upsert may contain the changed columns alone; a new row that lacks a required column is rejected.
    if missing and mode is not Mode.UPSERT:
        raise MappingError(
            f"{file.path}: {table.name}.{', '.join(missing)} is required (NOT NULL without a default)"
            " and not in the file",
            "Add the column to the file, or a default to the table",
        )


def _named_column(field: str, table: Table, wanted: Pairs) -> str | None:
    """The column that ``--column`` names for a field, '' to leave the field out; None if no pair names the field."""
    return next((column for named, column in wanted if _names_field(named, field, table)), None)


def _names_field(named: str, field: str, table: Table) -> bool:
    """Whether ``FIELD``, ``TABLE.FIELD`` or ``SCHEMA.TABLE.FIELD`` names a field, whose own name may contain a dot.

    A line break or a run of blanks in a name is like one blank, and an invisible character like its escape, because
    messages print them like that.
    """
    name = table.name
    fields = (field, f"{name.name}.{field}", f"{name.schema}.{name.name}.{field}")
    return named in fields or _printed(named) in map(_printed, fields) or named in map(_escaped, fields)


def _printed(name: str) -> str:
    return composed(" ".join(name.split()))


def _escaped(name: str) -> str:
    """The name with escapes for what cannot be printed, as :func:`pgsluice.report.parts.clean` writes it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def check_pairs(
    options: FieldOptions, planned: Mapping[TableName, Sequence[FilePlan]], by_name: Mapping[TableName, Table]
) -> None:
    """Checks that every ``--column`` names a field of some file. A misspelt name would change nothing, unseen.

    :raises MappingError: a pair names no field.
    """
    files = [
        (f.file, by_name[name])
        for name, group in planned.items()
        for f in group
        if f.file.dialect.header or f.file.names or options.header is False
    ]
    for named, column in options.columns:
        if _of_another_table(named, planned, by_name):
            continue
        if not any(_names_field(named, field, table) for file, table in files for field in file.field_names):
            raise MappingError(
                f"--column {named}={column} names a field that no file has",
                "Write it as the first line of the file does",
            )


def _of_another_table(
    named: str, planned: Mapping[TableName, Sequence[FilePlan]], by_name: Mapping[TableName, Table]
) -> bool:
    """Whether ``TABLE.FIELD`` names a table that exists and has no file in this load."""
    return any(named.startswith(f"{prefix}.") for t in by_name for prefix in (t.name, str(t)) if t not in planned)


def _shown(fields: Sequence[str]) -> str:
    text = ", ".join(fields)
    return text if len(text) <= 120 else text[:117] + "..."
