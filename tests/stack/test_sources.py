"""What `papertrade dev` starts again for: code and templates of the product, and nothing else."""

import os
from pathlib import Path

import pytest

from papertrade.stack.sources import Sources


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("orders/__init__.py", "orders/rules.py", "templates/page.html", "tests/__init__.py", "var/log.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    return tmp_path


@pytest.mark.parametrize("name", ["orders/rules.py", "templates/page.html"])
def test_a_written_file_is_seen_once(project: Path, name: str) -> None:
    sources = Sources(project)
    assert sources.changed() == []
    later = (project / name).stat().st_mtime_ns + 1_000_000  # not within one tick of the file system's clock
    (project / name).write_text("x = 1")
    os.utime(project / name, ns=(later, later))
    assert sources.changed() == [project / name]
    assert sources.changed() == []


def test_new_and_removed_files_are_seen(project: Path) -> None:
    sources = Sources(project)
    (project / "orders/new.py").write_text("")
    assert sources.changed() == [project / "orders/new.py"]
    (project / "orders/rules.py").unlink()
    assert sources.changed() == [project / "orders/rules.py"]


@pytest.mark.parametrize("name", ["tests/test_it.py", "var/log.py", "orders/notes.md"])
def test_what_no_process_runs_is_not_looked_at(project: Path, name: str) -> None:
    sources = Sources(project)
    (project / name).write_text("x = 1")
    assert sources.changed() == []
