"""Random schemas and random dirty data for them, in small domains so that rows collide all the time.

A :class:`Case` is all that a load and its oracle need: DDL, rows that stand in the tables beforehand, files.
Everything follows from the seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

# Texts that a column of that type may find in a file; the last few of each are bad.
_GOOD = {
    "int": ("0", "1", "2", "3", "4", "5"),
    "bigint": ("0", "1", "2", "3", "4", "5"),
    "text": ("a", "b", "c", "d", "A"),
    "varchar(3)": ("a", "b", "a ", "b ", "A"),
    "char(3)": ("a", "a ", "b", "b  ", "A"),
    "numeric(5,2)": ("0", "1", "1.50", "2.25", "-1"),
    "date": ("2024-01-01", "2024-02-29", "2025-12-31"),
    "boolean": ("true", "false", "t"),
    "mood": ("low", "mid", "high"),
    "int4range": ("[1,3)", "[2,5)", "[4,6)", "[7,9)", "[8,8]", "empty"),
}
_BAD = {
    "int": ("x", "99999999999", "1.5"),
    "bigint": ("x", "1.5"),
    "text": ("two\nlines", 'a"quote'),
    "varchar(3)": ("four",),
    "char(3)": ("four",),
    "numeric(5,2)": ("abc", "123456"),
    "date": ("2023-02-29", "someday"),
    "boolean": ("maybe",),
    "mood": ("angry",),
    "int4range": ("[3,1)", "oops"),
}


_STRINGS = ("text", "varchar(3)", "char(3)")


@dataclass
class Col:
    name: str
    type: str
    in_file: bool = True


@dataclass
class Fk:
    name: str
    table: str
    columns: tuple[str, ...]
    parent: str
    referenced: tuple[str, ...]
    full: bool = False
    ddl: str = ""


@dataclass
class Tab:
    name: str
    columns: list[Col] = field(default_factory=list)
    clauses: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    """Statements once the table is there: indexes, triggers."""
    key: tuple[str, ...] = ()
    """Columns that foreign keys can refer to."""
    fragile: bool = False
    """Has something that only an INSERT can judge; such tables take no part in cycles here."""


@dataclass
class Rule:
    """A row rule. The oracle has it as a CHECK whose name comes after all others."""

    name: str
    table: str
    expression: str
    ddl: tuple[str, ...]
    """What makes the CHECK in the oracle's schema, for rows that come later."""


@dataclass
class Record:
    file: str
    line: int
    values: tuple[str | None, ...]


@dataclass
class Case:
    ddl: list[str]
    tables: list[str]
    columns: dict[str, tuple[str, ...]]
    """Of each loaded table, the columns of its files."""
    compared: dict[str, tuple[str, ...]]
    """Columns whose values do not depend on how many rows were tried."""
    fks: list[Fk]
    before: list[tuple[str, tuple[str, ...], tuple[str | None, ...]]]
    """(table, columns, values) of rows that are tried before the load."""
    files: dict[str, str]
    records: dict[str, list[Record]]
    padded: set[tuple[str, str]] = field(default_factory=set)
    """Columns (with their tables) of type char: blanks at the end are none of a value's."""
    rules: list[Rule] = field(default_factory=list)
    calm: bool = False


def make_case(seed: str) -> Case:
    """The case of a seed. A seed that begins with ``calm`` gives empty tables that constraints alone decide about, in
    which suspects are held.
    """
    rng = Random(seed)
    calm = seed.startswith("calm")
    tables = [Tab(f"t{i}") for i in range(rng.choice((1, 1, 2, 2, 3, 4)))]
    outside = Tab("x0", [Col("id", "int"), Col("k", "text")], ["CONSTRAINT x0_pk PRIMARY KEY (id, k)",
                                                             "CONSTRAINT x0_u UNIQUE (id)"], key=("id",))  # fmt: skip
    pairs = _edges(rng, tables)
    if calm:
        pairs = [(child, parent) for child, parent in pairs if child > parent]
    cyclic = _cyclic(pairs)
    for t in tables:
        _fill(rng, t, sturdy=t.name in cyclic, calm=calm)
    # From dice of their own, so that a case is otherwise what it would be without.
    types = Random(f"types {seed}")
    # In a cycle the oracle itself compares keys, and as texts.
    for c in (c for t in tables for c in t.columns if c.type == "text" and t.name not in cyclic):
        c.type = types.choice(("text", "text", "varchar(3)", "char(3)"))
    pads = Random(f"pad {seed}")
    if pads.random() < 0.4:
        for t in tables:
            t.columns.append(Col("pad", "text"))
            if pads.random() < 0.5 and not calm:
                # Only PostgreSQL knows what these texts mean, so one that is wrong puts all of its file in doubt.
                t.columns.append(Col("spans", "int4multirange"))
    by_name = {t.name: t for t in tables}
    fks = []
    for child, parent in pairs:
        alike = {} if child in cyclic else _ALIKE
        fks += _foreign_key(rng, types, alike, by_name[child], by_name[parent], len(fks))
    if rng.random() < 0.3:
        fks += _foreign_key(rng, types, _ALIKE, rng.choice(tables), outside, len(fks))
    rng.shuffle(fks)
    ddl = ["CREATE TYPE mood AS ENUM ('low', 'mid', 'high')"]
    ddl += [
        "CREATE FUNCTION small(n int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS"
        " 'BEGIN IF n = 5 THEN RAISE EXCEPTION USING ERRCODE = ''22023'', MESSAGE = ''five''; END IF;"
        " RETURN n < 4; END'",
        "CREATE FUNCTION tame(n int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT n < 4'",
    ]
    for t in [outside, *tables]:
        columns = [f"{c.name} {c.type}" for c in t.columns]
        ddl.append(f"CREATE TABLE {t.name} (\n  " + ",\n  ".join(columns + t.clauses) + ")")
        ddl += t.after
    ddl += [f.ddl for f in fks]
    if rng.random() < 0.15 and (keyed := [t for t in tables if len(t.key) == 1]):
        t = rng.choice(keyed)
        kind = next(c.type for c in t.columns if c.name == t.key[0]).split(" ")[0]
        ddl.append(f"CREATE TABLE y0 (r {kind} CONSTRAINT y0_f REFERENCES {t.name} ({t.key[0]}) ON DELETE CASCADE)")
    before = [("x0", ("id", "k"), (str(i), rng.choice("abc"))) for i in range(3)]
    case = Case(ddl, [t.name for t in tables], {}, {}, fks, before, {}, {})
    full = rng.random() < 0.5 and not calm
    for t in tables:
        fed = [c for c in t.columns if c.in_file]
        if full and rng.random() < 0.7:
            for _ in range(rng.randint(1, 5)):
                row = tuple(_long(pads, c, bad=0) or _value(rng, c, bad=0, null=0.1) for c in fed)
                case.before.append((t.name, tuple(c.name for c in fed), row))
        case.columns[t.name] = tuple(c.name for c in fed)
        case.compared[t.name] = tuple(c.name for c in t.columns if c.in_file or "IDENTITY" not in c.type)
        _files(rng, pads, case, t, fed)
        case.padded |= {(t.name, c.name) for c in t.columns if c.type == "char(3)"}
    case.calm = calm
    case.rules = [] if calm else _rules(Random(f"rules {seed}"), tables, cyclic)
    return case


def _rules(rng: Random, tables: list[Tab], cyclic: set[str]) -> list[Rule]:
    """Row rules of tables where nothing but constraints decides: a trigger or an error of a CHECK would come first."""
    rules: list[Rule] = []
    if rng.random() < 0.5:
        return rules
    for i, t in enumerate(tables):
        text = " ".join((*t.clauses, *t.after, *(c.type for c in t.columns)))
        if any(word in text for word in ("small(", "6 /", "TRIGGER", "ALWAYS AS (", "12 /", "EXCLUDE")):
            continue
        ints = [c.name for c in t.columns if c.type == "int"]
        plain = [c.name for c in t.columns if not c.type.startswith("int GENERATED")]
        for n in range(rng.choice((0, 1, 1, 2))):
            a, b = rng.choice(ints), rng.choice(ints)
            expression = rng.choice(
                (f"{a} < 5", f"{a} <> {b} + 1", f"{a} IS NOT NULL OR {b} > 2", f"{t.name}.{a} > 0 -- positive",
                 f"{rng.choice(plain)}::text <> 'b'", f"coalesce({rng.choice(plain)}::text, 'a') <> 'a'")
            )  # fmt: skip
            name, check = f"{t.name} rule {n}", f"({expression}\n)"
            ddl: tuple[str, ...] = ()
            others = [o for o in tables[:i] if o.name not in cyclic]
            if others and t.name not in cyclic and rng.random() < 0.3:
                other = rng.choice(others).name
                expression = f"EXISTS (SELECT FROM {other} WHERE {other}.id = {t.name}.{a})"
                ddl = (
                    f"CREATE FUNCTION rule_{t.name}_{n}(int) RETURNS boolean LANGUAGE plpgsql AS"
                    f" 'BEGIN RETURN EXISTS (SELECT FROM o.{other} AS x WHERE x.id = $1); END'",
                )
                check = f"(rule_{t.name}_{n}({a}))"
            ddl += (f'ALTER TABLE {t.name} ADD CONSTRAINT "~{name}" CHECK {check} NOT VALID',)
            rules.append(Rule(name, t.name, expression, ddl))
    return rules


def _cyclic(pairs: list[tuple[str, str]]) -> set[str]:
    """Tables that refer to themselves, by whatever way round."""
    reach = {a: {b for x, b in pairs if x == a} for a, _ in pairs}
    for _ in pairs:
        for known in reach.values():
            known |= {c for b in known for c in reach.get(b, ())}
    return {a for a, known in reach.items() if a in known}


def _edges(rng: Random, tables: list[Tab]) -> list[tuple[str, str]]:
    pairs = []
    for i, t in enumerate(tables):
        if rng.random() < 0.15:
            pairs.append((t.name, t.name))
        for earlier in tables[:i]:
            if rng.random() < 0.55:
                pairs.append((t.name, earlier.name))
                if rng.random() < 0.12:
                    pairs.append((earlier.name, t.name))
    return pairs


def _fill(rng: Random, t: Tab, *, sturdy: bool, calm: bool) -> None:
    n = t.name
    t.columns.append(Col("id", "int"))
    for i in range(rng.randint(1, 4)):
        kind = rng.choice(("int", "int", "text", "text", "numeric(5,2)", "date", "boolean", "mood"))
        t.columns.append(Col(f"c{i}", kind))
    plain = [c.name for c in t.columns]
    ints = [c.name for c in t.columns if c.type == "int"]
    key = rng.choice((("id",), ("id",), ("id",), (plain[1],), ("id", plain[1])))
    if t.columns[1].type.startswith("numeric"):
        key = ("id",)
    t.key = key
    t.clauses.append(f"CONSTRAINT {n}_k {rng.choice(('PRIMARY KEY', 'PRIMARY KEY', 'UNIQUE'))} ({', '.join(key)})")
    _uniques(rng, t, plain)
    for i in range(rng.choice((0, 1, 1, 2, 3))):
        condition = _calm_check(rng, t, ints) if calm else _check(rng, ints, plain, sturdy)
        t.clauses.append(f"CONSTRAINT {rng.choice('abz')}{n}_{i} CHECK ({condition})")
    for c in t.columns[1:]:
        if rng.random() < 0.2:
            c.type += " NOT NULL"
    if calm:
        return
    if rng.random() < 0.2:
        t.columns.append(Col("d", rng.choice(("int DEFAULT 3", "int NOT NULL DEFAULT 2", "text DEFAULT 'z'")),
                             in_file=rng.random() < 0.4))  # fmt: skip
        if rng.random() < 0.4:
            t.clauses.append(f"CONSTRAINT m{n} CHECK (d::text <> id::text)")
    if rng.random() < 0.15:
        t.columns.append(Col("n", f"int GENERATED {rng.choice(('ALWAYS', 'BY DEFAULT'))} AS IDENTITY",
                             in_file=rng.random() < 0.3))  # fmt: skip
    if not sturdy:
        _fragile(rng, t, ints)


def _uniques(rng: Random, t: Tab, plain: list[str]) -> None:
    n = t.name
    for i in range(rng.choice((0, 0, 1, 1, 2))):
        columns = ", ".join(rng.sample(plain, min(len(plain), rng.choice((1, 2, 2)))))
        one = rng.choice(plain)
        t.after.append(
            rng.choice(
                (
                    f"ALTER TABLE {n} ADD CONSTRAINT {n}_u{i} UNIQUE ({columns})",
                    f"ALTER TABLE {n} ADD CONSTRAINT {n}_u{i} UNIQUE NULLS NOT DISTINCT ({columns})",
                    f"CREATE UNIQUE INDEX {n}_u{i} ON {n} ({columns}) WHERE id > 2",
                    f"CREATE UNIQUE INDEX {n}_u{i} ON {n} ((id % 3), {one})",
                    f"CREATE UNIQUE INDEX {n}_u{i} ON {n} (coalesce(id, 0) DESC, {one})",
                    f"ALTER TABLE {n} ADD CONSTRAINT {n}_u{i} UNIQUE ({columns})"
                    f" DEFERRABLE INITIALLY {rng.choice(('DEFERRED', 'IMMEDIATE'))}",
                    f"ALTER TABLE {n} ADD CONSTRAINT {n}_u{i} UNIQUE ({one}) INCLUDE (id)"
                    if one != "id"
                    else f"CREATE INDEX {n}_i{i} ON {n} (id)",
                )
            )
        )


def _check(rng: Random, ints: list[str], plain: list[str], sturdy: bool) -> str:
    a, b = rng.choice(ints), rng.choice(ints)
    choices = [f"{a} < 5", f"{a} <> {b} + 1", f"{a} IS NOT NULL OR {b} > 2", f"NULL::boolean OR {a} > 0",
               f"tame({a})", f"{rng.choice(plain)}::text <> 'b'"]  # fmt: skip
    if not sturdy:
        choices += [f"small({a})", f"6 / {a} > 1"]
    return rng.choice(choices)


def _calm_check(rng: Random, t: Tab, ints: list[str]) -> str:
    """A condition that the client can evaluate, or one in a few that it cannot."""
    a, c = rng.choice(ints), rng.choice(t.columns)
    constant = {
        "text": "'b'", "int": "3", "numeric(5,2)": "1.5", "date": "'2024-02-29'", "boolean": "true", "mood": "'mid'",
    }[c.type.split(" ")[0]]  # fmt: skip
    several = {"text": "'a', 'b', 'it''s'", "int": "1, 2, 7, -3", "numeric(5,2)": "0, 1.5, -1"}
    choices = [f"{a} < 5", f"{a} BETWEEN -1 AND 30", f"{a} IS NOT NULL OR {c.name} = {constant}", f"NOT ({a} = 4)",
               f"{c.name} <> {constant}", f"{a} <> {rng.choice(ints)} + 1", f"{a} > 0.5 AND {a} < 39"]  # fmt: skip
    if c.type in several:
        choices.append(f"{c.name} IN ({several[c.type]})")
    if c.type.startswith("numeric"):
        choices.append(f"{c.name} >= 0")
    return rng.choice(choices)


def _fragile(rng: Random, t: Tab, ints: list[str]) -> None:
    n = t.name
    if rng.random() < 0.1:
        t.columns.append(Col("r", "int4range"))
        how = rng.choice(("", "", " DEFERRABLE"))
        t.clauses.append(f"CONSTRAINT {n}_x EXCLUDE USING gist (r WITH &&){how}")
    if rng.random() < 0.12:
        a = rng.choice(ints)
        expression = rng.choice((f"12 / {a}", f"{a} * 2", f"12 / (4 - {a})"))
        t.columns.append(Col("g", f"int GENERATED ALWAYS AS ({expression}) STORED", in_file=False))
        if rng.random() < 0.5:
            t.clauses.append(f"CONSTRAINT {n}_g {rng.choice(('UNIQUE (g)', 'CHECK (g < 9)'))}")
    if rng.random() < 0.12:
        a = rng.choice(ints)
        when, body = rng.choice(
            (
                ("BEFORE", f"IF NEW.{a} = 3 THEN RAISE EXCEPTION ''no threes''; END IF; RETURN NEW;"),
                ("BEFORE", f"IF NEW.{a} = 2 THEN RETURN NULL; END IF; RETURN NEW;"),
                ("BEFORE", f"NEW.{a} := coalesce(NEW.{a}, 1) % 5; RETURN NEW;"),
                ("AFTER", f"IF NEW.{a} = 1 THEN RAISE EXCEPTION ''no ones''; END IF; RETURN NULL;"),
            )
        )
        t.after.append(f"CREATE FUNCTION {n}_f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {body} END'")
        name = rng.choice(("A_first", "after_all"))
        t.after.append(f'CREATE TRIGGER "{name}" {when} INSERT ON {n} FOR EACH ROW EXECUTE FUNCTION {n}_f()')


# What a foreign key may compare with what: by which type, its operator says.
_ALIKE = {"text": _STRINGS, "varchar(3)": _STRINGS, "char(3)": _STRINGS, "int": ("int", "bigint")}


def _foreign_key(
    rng: Random, types: Random, alike: dict[str, tuple[str, ...]], child: Tab, parent: Tab, number: int
) -> list[Fk]:
    if not parent.key:
        return []
    columns = []
    for i, name in enumerate(parent.key):
        kind = next(c.type for c in parent.columns if c.name == name).split(" ")[0]
        column = Col(f"f{number}{'ab'[i]}", types.choice((kind, *alike.get(kind, ()))))
        child.columns.append(column)
        columns.append(column.name)
    full = rng.random() < 0.35
    # Names in another order than the constraints are made in.
    name = f"{rng.choice('pqrs')}_{child.name}_{number}"
    defer = rng.choice(("", "", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED"))
    ddl = (
        f"ALTER TABLE {child.name} ADD CONSTRAINT {name} FOREIGN KEY ({', '.join(columns)})"
        f" REFERENCES {parent.name} ({', '.join(parent.key)}){' MATCH FULL' if full else ''}"
        f"{rng.choice(('', ' ON DELETE CASCADE', ' ON DELETE SET NULL'))}{defer}"
    )
    return [Fk(name, child.name, tuple(columns), parent.name, parent.key, full, ddl)]


def _value(rng: Random, c: Col, *, bad: float, null: float) -> str | None:
    kind = c.type.split(" ")[0]
    if rng.random() < null:
        return None
    if rng.random() < bad:
        return rng.choice(_BAD[kind])
    if kind == "int" and rng.random() < 0.4:
        return str(rng.randint(6, 40))
    return rng.choice(_GOOD[kind])


def _long(pads: Random, c: Col, *, bad: float) -> str | None:
    """Of the columns that make rows so different in length that pages have room left which a short row could take."""
    if c.name == "pad":
        return pads.randbytes(pads.choice((0, 1, 100, 900))).hex() or "x"
    if c.name == "spans":
        return pads.choice(("[3,1)", "{oops}")) if pads.random() < bad else pads.choice(("{}", "{[1,2)}"))
    return None


def _files(rng: Random, pads: Random, case: Case, t: Tab, fed: list[Col]) -> None:
    rows: list[Record] = []
    # Pages with room left are looked for from the fifth page on.
    times = 4 if any(c.name == "pad" for c in fed) else 1
    bad, null = rng.choice((0, 0, 0.02, 0.06)), rng.choice((0, 0.03, 0.12))
    for part in range(rng.choice((1, 1, 1, 2, 3))):
        name = f"{t.name}_{part + 1:02}.csv"
        text = ",".join(c.name for c in fed) + "\n"
        for _ in range(times * (rng.choice((0, 3, 10, 25, 60)) // (1 if part == 0 else 2))):
            values = tuple(_long(pads, c, bad=bad) or _value(rng, c, bad=bad, null=null) for c in fed)
            rows.append(Record(name, text.count("\n") + 1, values))
            record = ",".join(_quoted(rng, v) for v in values)
            # A line that holds nothing is no record.
            text += (record or '""') + "\n"
            if not record:
                rows[-1].values = ("",)
        case.files[name] = text
    case.records[t.name] = rows


def _quoted(rng: Random, value: str | None) -> str:
    if value is None:
        return ""
    if any(c in value for c in '",\n') or rng.random() < 0.05:
        return '"' + value.replace('"', '""') + '"'
    return value
