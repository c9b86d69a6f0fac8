"""A pytest plugin for `make quick`: of all test files only those of pure rules, without Django, servers or conftest.

A file is one of them where all that it imports is the standard library, pytest, hypothesis and the modules that pyproject.toml
calls pure. So a new one is found by itself.
"""

import ast
import sys
import tomllib
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
CONTRACT = "Pure modules know no framework"
TOOLS = {"pytest", "hypothesis"}
PROCESSES = {"subprocess", "socket"}


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Whether pytest should leave the path alone."""
    if collection_path.suffix != ".py":
        return None
    return not collection_path.name.startswith("test_") or not is_pure(collection_path)


def is_pure(path: Path) -> bool:
    """Whether a test file imports nothing that needs Django or a server."""
    return all(_allowed(name) for name in _imported(path))


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= (
                {node.module or "."}
                if node.module not in packages()
                else {f"{node.module}.{a.name}" for a in node.names}
            )
    return names


def _allowed(name: str) -> bool:
    return name in pure_modules() or name.split(".")[0] in (sys.stdlib_module_names - PROCESSES) | TOOLS


@cache
def pure_modules() -> frozenset[str]:
    """The modules that import rules keep free of frameworks."""
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (pure,) = (contract["source_modules"] for contract in contracts if contract["name"] == CONTRACT)
    return frozenset(pure)


@cache
def packages() -> frozenset[str]:
    """The folders that hold pure modules: `from marketdata import quotes` imports the module, not the folder."""
    return frozenset(name.rpartition(".")[0] for name in pure_modules())
