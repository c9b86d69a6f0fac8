"""Each path of the project that a document names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
ROOMS = "|".join(
    sorted(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "var")))
)
PATH = re.compile(rf"`((?:{ROOMS})/[\w./-]+)`")


def is_there(path: str) -> bool:
    """Also a module that is named without its ending."""
    return (ROOT / path).exists() or (ROOT / f"{path}.py").exists()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_each_path_is_there(document: Path) -> None:
    assert [path for path in PATH.findall(document.read_text()) if not is_there(path)] == []


def test_paths_are_found_at_all() -> None:
    assert len(PATH.findall((ROOT / "docs" / "architecture.md").read_text())) > 20
