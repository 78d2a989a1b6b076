"""Reading a submission: every encoding and form is read, bad files are refused with a reason, and little is kept."""

import base64
import codecs
import contextlib
import json
import struct
import zlib
from pathlib import Path

import hypothesis
import nbformat
import pytest
from hypothesis import strategies as st

from autograder.classroom.collecting.archives import Member
from autograder.classroom.collecting.which_set import KnownSets, NotANotebookError
from autograder.common.errors import SubmissionError
from autograder.engine import submitted_notebook
from autograder.engine.submitted_notebook import read_submission
from autograder.problem_set.source import answered, grade_id
from autograder.problem_set.versions import student_version


@pytest.fixture
def solved(warmup):
    return answered(student_version(warmup), warmup.reference_answers)


def png(width=2, height=2, more=b""):
    """Return a small PNG image in base64."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"\0\1\1\0\1\1")), chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts) + more).decode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not valid JSON"),
        ("{", "not valid JSON"),
        ("\ufeff", "not valid JSON"),
        ("[" * 100_000, "JSON"),
        ("[1, 2]", "not a Jupyter notebook"),
        ('{"cells": []}', "not a Jupyter notebook"),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}', "has no cells"),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [1]}', "its cell 1 is not an object"),
        ('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": {"a": 1}}', "has no list of cells"),
        ('{"nbformat": 4, "cells": [{"cell_type": "code", "source": 7}]}', "its cell 1 holds something other than text"),
        ('{"nbformat": 4, "cells": [{"source": ["a", 7]}]}', "its cell 1 holds something other than text"),
        ('{"nbformat": "x", "cells": []}', "no known version"),
        ('{"nbformat": true, "cells": []}', "no known version"),
        ('{"nbformat": 99, "nbformat_minor": 0, "metadata": {}, "cells": []}', "no known version"),
        ('{"nbformat": 3, "worksheets": [{"cells": [7]}]}', "no list of cells"),
        ('{"nbformat": 3, "worksheets": [{"cells": [{}]}]}', "in an earlier format"),
        ("caf\xe9".encode("latin-1"), "not text in UTF-8"),
        (b"\xff\xfe{", "not text in UTF-8"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_a_notebook_is_refused_with_a_reason_and_a_remedy(text, says):
    with pytest.raises(SubmissionError, match=says) as refused:
        read_submission(text)
    assert str(refused.value).isprintable()
    assert any(remedy in str(refused.value) for remedy in ("and in", "and that in"))


@pytest.mark.parametrize("minor", [0, 4])
def test_a_notebook_of_an_older_version_is_read_as_a_current_one(solved, minor):
    solved.nbformat_minor = minor
    for cell in solved.cells:
        del cell["id"]
    notebook = read_submission(json.dumps(solved))
    assert notebook.nbformat_minor == 5
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    nbformat.validate(notebook)


@pytest.mark.parametrize("version", [2, 3])
def test_a_notebook_of_an_earlier_format_keeps_its_answers(solved, version):
    cells = []
    for cell in solved.cells:
        text = {"input": cell.source, "language": "python"} if cell.cell_type == "code" else {"source": cell.source}
        more = {"outputs": [{"output_type": "pyout"}], "prompt_number": 3, "collapsed": False}
        cells.append(
            {"cell_type": cell.cell_type, "metadata": cell.metadata, **text, **(more if "input" in text else {})}
        )
    cells.insert(0, {"cell_type": "heading", "level": 2, "source": "A heading", "metadata": {}})
    old = {"nbformat": version, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": cells}]}
    notebook = read_submission(json.dumps(old))
    nbformat.validate(notebook)
    assert notebook.cells[0].source == "## A heading"
    assert [cell.source for cell in notebook.cells[1:]] == [cell.source for cell in solved.cells]
    if version == 3:
        assert [grade_id(cell) for cell in notebook.cells[1:]] == [grade_id(cell) for cell in solved.cells]
        assert {cell.execution_count for cell in notebook.cells if cell.cell_type == "code"} == {3}


@pytest.mark.parametrize("level", [10**6, -3, "9", [3], None])
def test_a_heading_of_an_earlier_format_is_short_whatever_its_level(solved, level):
    cells = [{"cell_type": "heading", "level": level, "source": "A heading", "metadata": {}}]
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": cells}]}
    assert read_submission(json.dumps(old)).cells[0].source == "# A heading"


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: codecs.BOM_UTF8 + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-32"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: "\ufeff" + text,
    ],
    ids=["UTF-8 mark", "UTF-16", "UTF-16 BE", "UTF-16 without a mark", "UTF-32", "CRLF", "a mark in a text"],
)
def test_a_notebook_is_read_in_whatever_encoding_an_editor_saved_it(solved, encode):
    text = nbformat.writes(solved)
    assert read_submission(encode(text)) == read_submission(text)


def without_metadata(cell):
    del cell["metadata"]


def without_source(cell):
    del cell["source"]


def of_an_unknown_type(cell):
    cell["cell_type"] = "sql"


def without_a_type(cell):
    del cell["cell_type"]


STRANGE = [
    without_metadata, without_source, of_an_unknown_type, without_a_type,
    lambda cell: cell.update(metadata=None), lambda cell: cell.update(metadata=[1]), lambda cell: cell.update(outputs=None),
    lambda cell: cell.update(outputs="text"), lambda cell: cell.update(outputs=[None, {"output_type": "stream"}]),
    lambda cell: cell.update(source=["1 +", " 1"]), lambda cell: cell.update(source=None), lambda cell: cell.update(id=7),
    lambda cell: cell.update(id="not an id"), lambda cell: cell.update(id="nats_to_bits"), lambda cell: cell.pop("id"),
    lambda cell: cell.update(execution_count="12"), lambda cell: cell.update(execution_count=-1),
    lambda cell: cell.update(execution_count={}), lambda cell: cell.pop("execution_count"), lambda cell: cell.pop("outputs"),
    lambda cell: cell.update(attachments=None), lambda cell: cell.update(unknown={"a": [1]}),
]  # fmt: skip


@pytest.mark.parametrize("change", STRANGE, ids=range(len(STRANGE)))
def test_a_strange_cell_spoils_nothing(solved, change):
    content = json.loads(nbformat.writes(solved))
    stray = {"cell_type": "code", "id": "stray", "metadata": {}, "source": "1 + 1", "outputs": [], "execution_count": 1}
    change(stray)
    content["cells"].insert(0, stray)
    notebook = read_submission(json.dumps(content))
    nbformat.validate(notebook)
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    expected = read_submission(nbformat.writes(solved)).cells
    for ours, theirs in zip(notebook.cells[1:], expected, strict=True):
        if theirs.id == stray.get("id"):  # of two cells with one id, the later gets another
            assert ours.id != theirs.id
            theirs["id"] = ours.id
    assert notebook.cells[1:] == expected
    assert [cell.source for cell in notebook.cells[1:]] == [cell.source for cell in solved.cells]


def test_anything_outside_the_notebook_format_is_dropped(solved):
    plain = read_submission(nbformat.writes(solved))
    content = {**solved, "\x1b[2J": 1, "deep": json.loads("[" * 500 + "]" * 500), "metadata": {"a": float("nan")}}
    content["cells"][0]["metadata"]["nbgrader"] = {"points": float("nan")}
    notebook = read_submission(json.dumps(content))
    assert notebook.cells[0].metadata == {"nbgrader": {}}
    assert notebook.cells[1:] == plain.cells[1:]
    assert notebook.metadata == {}


def test_reading_is_deterministic(solved):
    for cell in solved.cells:
        cell["id"] = "same"
    text = json.dumps(solved)
    assert read_submission(text) == read_submission(text)


def test_line_endings_become_those_that_jupyter_writes(solved):
    code = next(cell for cell in solved.cells if cell.cell_type == "code")
    text = code.source
    code.source = text.replace("\n", "\r\n")
    notebook = read_submission(json.dumps(solved))
    assert text in [cell.source for cell in notebook.cells]


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.floats() | st.text(max_size=6) | st.just("code"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
cells_of_any_kind = st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.sampled_from(["code", "markdown", "raw", "sql"]) | anything,
        "id": st.sampled_from(["a", "b", "submitted-1"]) | anything,
        "source": st.text(max_size=9) | st.lists(st.text(max_size=4), max_size=2) | anything,
        "metadata": st.fixed_dictionaries({}, optional={"nbgrader": anything, "tags": anything}) | anything,
        "outputs": st.lists(st.fixed_dictionaries({}, optional={"data": anything}), max_size=2) | anything,
        "execution_count": anything,
        "attachments": st.dictionaries(st.text(max_size=3), st.fixed_dictionaries({"image/png": anything}), max_size=2),
    },
)


@hypothesis.given(st.lists(cells_of_any_kind, min_size=1, max_size=4), anything, st.integers(1, 4))
def test_every_notebook_that_is_read_is_valid(cells, metadata, version):
    content = {"nbformat": version, "metadata": metadata, "cells": cells}
    if version in (2, 3):
        content["worksheets"] = [{"cells": content.pop("cells")}]
    with contextlib.suppress(SubmissionError):
        notebook = read_submission(json.dumps(content))
        nbformat.validate(notebook)
        nbformat.writes(notebook).encode()


# ---- pictures


def with_outputs(solved, *outputs):
    code = next(cell for cell in solved.cells if cell.cell_type == "code")
    code["outputs"] = list(outputs)
    return next(cell for cell in read_submission(json.dumps(solved)).cells if cell.cell_type == "code").outputs


def image(data, kind="image/png", **more):
    return {"output_type": "display_data", "metadata": {"a": {"b": 1}}, "data": {kind: data, **more}}


def test_only_a_cells_png_image_is_kept(solved):
    text = png()
    (kept,) = with_outputs(
        solved,
        {"output_type": "stream", "name": "stdout", "text": "printed"},
        image(text + "\n", **{"text/html": "<script>", "text/plain": "<Figure>"}),
        image("<svg/>", "image/svg+xml"),
        {"output_type": "error", "ename": "E", "evalue": "", "traceback": []},
    )
    assert kept == {"output_type": "display_data", "metadata": {}, "data": {"image/png": text}}


def test_a_picture_may_be_split_into_lines(solved):
    text = png()
    assert with_outputs(solved, image([text[:9] + "\n", text[9:] + "\n"]))[0].data["image/png"] == text


@pytest.mark.parametrize(
    "data",
    [
        "", "not base64!", base64.b64encode(b"GIF89a" + b"\0" * 40).decode(), png()[:20], png(100_000, 100_000), png(0, 5),
        png(more=b"\0" * 800_000), {"a": 1}, ["a", 1], None, png() + "é",
    ],
    ids=["empty", "not base64", "not PNG", "truncated", "huge when decompressed", "no pixels", "too long", "a dict",
         "a list", "nothing", "a non-ASCII letter"],
)  # fmt: skip
def test_anything_but_a_picture_of_reasonable_size_is_dropped(solved, data):
    assert with_outputs(solved, image(data)) == []


def test_all_pictures_together_are_bounded(solved, monkeypatch):
    monkeypatch.setattr(submitted_notebook, "MAX_PICTURES", 3 * len(png()))
    extra = nbformat.v4.new_code_cell("1", outputs=[nbformat.v4.new_output("display_data", data={"image/png": png()})])
    solved.cells += [{**extra, "id": f"more-{number}"} for number in range(5)]
    notebook = read_submission(json.dumps(solved))
    assert [len(cell.outputs) for cell in notebook.cells[-5:]] == [1, 1, 1, 0, 0]


# ---- collect reads as grade does


def set_found(problem_set, data):
    """Return the set that `collect` finds for a file."""
    name, _ = KnownSets([problem_set]).read(Member(("x.ipynb",), Path("x.ipynb"), data=data))
    return name


@pytest.mark.parametrize("change", STRANGE, ids=range(len(STRANGE)))
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_collect_finds_the_set_of_every_file_that_grading_reads(warmup, solved, change, encoding):
    content = json.loads(nbformat.writes(solved))
    del content["metadata"]
    stray = {"cell_type": "code", "id": "stray", "metadata": {}, "source": "1 + 1", "outputs": [], "execution_count": 1}
    change(stray)
    content["cells"].insert(0, stray)
    assert set_found(warmup, json.dumps(content).encode(encoding)) == "ps0-warmup"


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"nbformat": 4, "cells": [1]}', "é".encode("latin-1")])
def test_collect_refuses_what_grading_refuses_for_the_same_reason(warmup, data):
    with pytest.raises(SubmissionError) as graded:
        read_submission(data)
    with pytest.raises(NotANotebookError) as collected:
        set_found(warmup, data)
    assert str(graded.value) == f"The file {collected.value}."
