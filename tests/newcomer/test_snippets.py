"""A newcomer's reading, short form: every snippet of README and docs/ says what it is, and is run as written on one server."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from marketdata.feeds.recorded import RecordedFeed
from marketdata.feeds.recording_rows import Report
from tests.newcomer.snippets import PROJECT, READ, RUN, Reader, all_snippets, copy_of_the_project, snippets


def test_each_says_what_it_is() -> None:
    found = all_snippets()
    assert {str(snippet) for snippet in found if snippet.language not in RUN | READ} == set()
    assert {str(snippet) for snippet in found if snippet.how.startswith("ignore") and not snippet.ignored} == set()
    assert {snippet.how for snippet in found if not snippet.ignored} <= {"", "background"}
    assert sum(not snippet.ignored for snippet in found if snippet.language in RUN) >= 8


@pytest.mark.parametrize("snippet", [found for found in all_snippets() if found.language in {"json", "csv"}], ids=str)
def test_what_is_shown_can_be_read(snippet, tmp_path: Path) -> None:
    if snippet.language == "json":
        json.loads(snippet.text)
        return
    (tmp_path / "shown.csv").write_text(snippet.text)
    report = Report()
    assert list(RecordedFeed(tmp_path / "shown.csv").rows(report)) and report.bad == 0, report.details


def test_a_new_snippet_is_found_by_itself() -> None:
    page = "Words.\n\n```sh\necho 1\n```\n\n- item\n\n  ```python\n  print(2)\n  ```\n\n```\nwhat is this\n```\n"
    assert [(found.line, found.language) for found in snippets("page.md", page)] == [(3, "sh"), (9, "python"), (13, "")]


@pytest.mark.slow
def test_every_snippet_runs_as_written(new_folder: Callable[[], Path]) -> None:
    clone = copy_of_the_project(new_folder() / "papertrade")
    (clone / ".venv").symlink_to(Path(sys.prefix))
    wanted = [found for found in all_snippets() if found.language in RUN and not found.ignored]
    said = Reader(clone).follow(wanted)
    assert all(str(found) in said for found in wanted)
    assert not (PROJECT / "heads.jsonl").exists(), "it was the copy that was read"
