"""A set that is read again is not parsed again, and is nevertheless what its files say now."""

import jupytext
import pytest

from autograder.common.errors import ProblemSetError
from autograder.problem_set.source import ProblemSet
from tests.support.copied_sets import copy_set


@pytest.fixture
def folder(course, tmp_path):
    """A copy of the smallest set, whose texts nobody has read before."""
    copy_set(course, "ps0-warmup", tmp_path / "ps0-warmup")
    source = tmp_path / "ps0-warmup" / "ps0-warmup.md"
    source.write_text(source.read_text(encoding="utf-8") + f"\n{tmp_path}\n", encoding="utf-8")
    return tmp_path / "ps0-warmup"


def test_a_text_is_parsed_once(folder, monkeypatch):
    parsed, reads = [], jupytext.reads
    monkeypatch.setattr(jupytext, "reads", lambda text, **options: parsed.append(text) or reads(text, **options))
    first, again = ProblemSet(folder), ProblemSet(folder)
    assert len(parsed) == 1
    assert first.notebook == again.notebook
    assert first.authored == again.authored


def test_what_one_reader_changes_no_other_sees(folder):
    first = ProblemSet(folder)
    first.notebook.cells[0].source = "changed"
    first.notebook.metadata["autograder"]["title"] = "changed"
    again = ProblemSet(folder)
    assert again.notebook.cells[0].source != "changed"
    assert again.title != "changed"


def test_a_changed_source_is_read_anew(folder):
    assert ProblemSet(folder).tests["nats_to_bits-hidden"] == 1
    source = folder / "ps0-warmup.md"
    source.write_text(source.read_text(encoding="utf-8").replace("grade: true", "graed: true"), encoding="utf-8")
    with pytest.raises(ProblemSetError, match="'grade' is a required"):
        ProblemSet(folder)
