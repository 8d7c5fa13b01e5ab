"""Writes ``docs/architecture-picture.md``: the packages and who imports whom, as Mermaid diagrams.

The arrows come from the import statements of the source files. Nothing is imported and nothing is drawn by hand::

    make picture                                       # write the page
    python tools/architecture_picture.py --check       # exit code 1 if the page is out of date
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
SOURCE = PROJECT / "src"
PAGE = PROJECT / "docs" / "architecture-picture.md"
ROOT = "pgsluice"
PIPELINE = f"{ROOT}.pipeline"

FOUNDATIONS = ("errors", "model", "options", "sql", "text")
"""Packages and modules that nearly every package imports: a table holds them, as arrows would hide the others."""

PHASES = ("run", "attempt", "plan", "ingest", "apply", "validate", "publish", "rejects")
"""Boxes of the second diagram, from top to bottom. All other modules of ``pipeline/`` share the box ``shared``."""

Edges = Counter[tuple[str, str]]

HEAD = """\
# Picture of the architecture

<!-- Made by tools/architecture_picture.py. Do not edit: change src/pgsluice and run `make picture`. -->

A box is a package or a module. An arrow points from the importing to the imported box. The number at the arrow
counts the import statements. [The architecture](architecture.md) says what each package does, and the import
contracts in `pyproject.toml` say which arrows are allowed.
"""


def module_name(path: Path) -> str:
    """Returns the dotted name of a source file; a package has the name of its folder."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(tree: ast.AST, known: Collection[str]) -> Iterator[str]:
    """Returns the modules of this project that a source file imports, once for each import statement.

    :param known: all modules of the project; they tell ``from package import module`` from ``from module import name``.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from {alias.name for alias in node.names if alias.name in known}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module in known:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from {name if name in known else node.module for name in names}


def read_imports() -> Edges:
    """Returns how many import statements of each module import each other module."""
    files = {module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}
    edges: Edges = Counter()
    for module, path in files.items():
        for imported in imported_modules(ast.parse(path.read_text(encoding="utf-8")), files):
            edges[module, imported] += 1
    return edges


def package_box(module: str) -> str:
    """Returns the box of the first diagram, or an empty text for the two modules that only pass a call on."""
    return "" if module in (ROOT, f"{ROOT}.__main__") else module.split(".")[1]


def pipeline_box(module: str) -> str:
    """Returns the box of the second diagram, or an empty text for modules outside of ``pipeline/``."""
    if not module.startswith(f"{PIPELINE}."):
        return ""
    name = module.split(".")[2]
    return name if name in PHASES else "shared"


def boxed(edges: Edges, box: Callable[[str], str]) -> Edges:
    """Returns the counts between boxes, without imports inside of a box and without modules that have no box."""
    counts: Edges = Counter()
    for (module, imported), number in edges.items():
        ends = box(module), box(imported)
        if all(ends) and ends[0] != ends[1]:
            counts[ends] += number
    return counts


def diagram(edges: Edges, order: Iterable[str]) -> str:
    """Returns a Mermaid flowchart.

    :param order: the boxes; those without an arrow are left out.
    """
    used = {end for edge in edges for end in edge}
    # A box named "end" or "graph" would be a Mermaid keyword, so identifiers have a prefix.
    boxes = [f'    b_{name}["{name}"]' for name in order if name in used]
    arrows = [f"    b_{a} -->|{number}| b_{b}" for (a, b), number in sorted(edges.items())]
    return "\n".join(["```mermaid", "flowchart TD", *boxes, *arrows, "```"])


def foundation_table(edges: Edges) -> str:
    """Returns a Markdown table: import statements of each package that import a foundation."""
    counts = boxed(edges, package_box)
    columns = [name for name in FOUNDATIONS if any(imported == name for _, imported in counts)]
    packages = sorted({package for package, imported in counts if imported in columns})
    lines = [f"| imports in | {' | '.join(columns)} |", f"| --- | {' | '.join(['---:'] * len(columns))} |"]
    lines += [f"| {p} | {' | '.join(str(counts[p, c] or '') for c in columns)} |" for p in packages]
    return "\n".join(lines)


def page() -> str:
    """Returns the text of the page as the source files are now."""
    edges = read_imports()
    packages = boxed(edges, lambda module: "" if package_box(module) in FOUNDATIONS else package_box(module))
    return "\n".join(
        [
            HEAD,
            "## Packages\n",
            diagram(packages, sorted({end for edge in packages for end in edge})),
            "\nThe foundations have no arrows here. This table counts who imports them:\n",
            foundation_table(edges),
            "\n## Inside pipeline/\n",
            "`shared` stands for the modules directly in `pipeline/` other than the run.\n",
            diagram(boxed(edges, pipeline_box), [*PHASES, "shared"]),
            "",
        ]
    )


def main() -> int:
    """Writes or checks the page; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is out of date")
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        print(f"{PAGE.relative_to(PROJECT)} is out of date: run `make picture`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
