"""Each path of the project that a document names is there, and each link between documents leads to a place."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
ROOMS = "|".join(
    sorted(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "var")))
)
PATH = re.compile(rf"`((?:{ROOMS})/[\w./-]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
FENCED = re.compile(r"^[ ]*```.*?^[ ]*```", re.MULTILINE | re.DOTALL)


def is_there(path: str) -> bool:
    """Also a module that is named without its ending."""
    return (ROOT / path).exists() or (ROOT / f"{path}.py").exists()


def anchors(document: Path) -> set[str]:
    """What its headings are called in addresses, as GitHub does it."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def leads_nowhere(document: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (document.parent / path).resolve() if path else document
    return not target.exists() or (bool(anchor) and anchor not in anchors(target))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_each_link_leads_somewhere(document: Path) -> None:
    assert [link for link in LINK.findall(document.read_text()) if leads_nowhere(document, link)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_each_path_is_there(document: Path) -> None:
    assert [path for path in PATH.findall(document.read_text()) if not is_there(path)] == []


def test_paths_are_found_at_all() -> None:
    assert len(PATH.findall((ROOT / "docs" / "architecture.md").read_text())) > 20


def test_a_link_that_leads_nowhere_is_found() -> None:
    page = ROOT / "docs" / "api.md"
    assert leads_nowhere(page, "none.md") and leads_nowhere(page, "#none") and leads_nowhere(page, "live.md#none")
    assert not leads_nowhere(page, "live.md#providers") and not leads_nowhere(page, "#labels")
