"""Each package that the code imports is a declared dependency, so that no import fails after an installation."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

PROJECT = Path(__file__).parents[2]
SOURCE = PROJECT / "src"

OUTSIDE = {"dbt": ["dbt-core"]}
"""Packages that the environment of the tests does not have (see `make test-dbt`), with their distributions."""


def _project(pyproject: Path) -> tuple[set[str], set[str]]:
    """The names of the distributions that are always installed, and of those that an extra installs."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extras = [line for name, lines in project["optional-dependencies"].items() if name != "dev" for line in lines]
    return {_name(line) for line in project["dependencies"]}, {_name(line) for line in extras}


def _name(requirement: str) -> str:
    """The normalized name in a requirement (PEP 503)."""
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def _imports(tree: ast.AST, *, within_functions: bool) -> Iterator[str]:
    """The top-level packages of all import statements, or of those that run when the module is imported."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]
        elif within_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            only_types = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
            if within_functions or not only_types:
                yield from _imports(node, within_functions=within_functions)


def _undeclared(source: Path, pyproject: Path) -> set[tuple[str, str]]:
    """Files of the folder with the packages that they import and that no dependency brings."""
    always, extras = _project(pyproject)
    distributions = OUTSIDE | dict(packages_distributions())
    found = set()
    for path in source.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for within_functions, declared in ((False, always), (True, always | extras)):
            for package in _imports(tree, within_functions=within_functions):
                if package in sys.stdlib_module_names or package == "pgsluice":
                    continue
                names = {_name(name) for name in distributions.get(package, [package])}
                if not names & declared:
                    found.add((path.name, package))
    return found


def test_each_import_is_a_dependency() -> None:
    """A package of an extra is imported in functions only: it may be absent."""
    assert _undeclared(SOURCE, PROJECT / "pyproject.toml") == set()


def test_the_test_can_fail(tmp_path: Path) -> None:
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text(
        '[project]\ndependencies = ["rich>=1"]\n[project.optional-dependencies]\nx = ["psycopg[binary]"]\n'
    )
    (tmp_path / "good.py").write_text("import os, rich.table\ndef f():\n    import psycopg\n")
    (tmp_path / "types.py").write_text("if TYPE_CHECKING:\n    import psycopg\n")
    assert _undeclared(tmp_path, pyproject) == set()
    (tmp_path / "top.py").write_text("try:\n    import psycopg\nexcept ImportError:\n    pass\n")
    (tmp_path / "dev.py").write_text("def f():\n    from pytest import mark\n")
    (tmp_path / "absent.py").write_text("class A:\n    import no_such_package\n")
    assert _undeclared(tmp_path, pyproject) == {
        ("top.py", "psycopg"),
        ("dev.py", "pytest"),
        ("absent.py", "no_such_package"),
    }


def test_the_generator_needs_no_package() -> None:
    tree = ast.parse((PROJECT / "examples" / "ecommerce" / "generate.py").read_text(encoding="utf-8"))
    assert set(_imports(tree, within_functions=True)) <= sys.stdlib_module_names
