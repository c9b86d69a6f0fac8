"""Files that are kept are read for good: what every release wrote, and one of each format since.

Heads and the backup of each release are read in tests/operations/test_upgrade.py, where there is a database to hold them against.
"""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from papertrade.proof import bundle_check, heads
from tests.stack.server import PROJECT

KEPT = sorted((PROJECT / "tests" / "releases").glob("*/bundle.zip")) + sorted(
    (Path(__file__).parent / "kept").glob("*.zip")
)


def form(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(bundle_check.MANIFEST))["format"]


def test_there_is_a_bundle_of_every_format() -> None:
    assert {form(path) for path in KEPT} == set(range(1, bundle_check.FORMAT + 1))


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_bundle_that_was_kept_is_right_by_this_check_and_by_its_own(path: Path, tmp_path: Path) -> None:
    assert list(bundle_check.problems(str(path))) == []
    with zipfile.ZipFile(path) as archive:
        (tmp_path / "check.py").write_bytes(archive.read("check.py"))
    done = subprocess.run([sys.executable, "-I", str(tmp_path / "check.py"), str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "manifest", [{"format": bundle_check.FORMAT + 1, "files": {}}, {"format": "2"}, {}, []], ids=str
)
def test_a_bundle_of_another_format_says_so(tmp_path: Path, manifest: Any) -> None:
    """Of a newer release, or of somebody who wrote the manifest."""
    newer = tmp_path / "newer.zip"
    with zipfile.ZipFile(newer, "w") as archive:
        archive.writestr(bundle_check.MANIFEST, json.dumps(manifest))
    (problem,) = bundle_check.problems(str(newer))
    assert "a format that this check does not know" in problem


def test_heads_say_their_format_and_those_of_the_first_release_do_not() -> None:
    first = (PROJECT / "tests" / "releases" / "0.1.0" / "heads.jsonl").read_text().splitlines(keepends=True)
    assert "format" not in json.loads(first[0]) and set(heads.FIELDS) == {heads.FIRST_FORMAT, heads.FORMAT}
    with pytest.raises(heads.BadHeads, match="of format 3, which a newer release wrote"):
        list(heads.check([json.dumps({"format": heads.FORMAT + 1}) + "\n"]))
