"""One HTML page per graded notebook, for its student, in which hidden tests stay hidden."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jinja2
import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

from autograder.classroom.diagnosis import sentence
from autograder.classroom.directory import ClassDirectory, Outcome
from autograder.classroom.gradebook import read_comments, read_grades, read_penalties
from autograder.common.atomic_files import write_text
from autograder.common.text import number
from autograder.engine.score import cell_score
from autograder.problem_set.source import ProblemSet, grade_id, is_prose, is_solution, is_test, points

HIDDEN_TESTS = re.compile(r"[ \t]*### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[^\n]*\n?", re.DOTALL)
#: Characters of one text output; a page is read on a phone.
MAX_TEXT = 4_000
#: Characters of one answer, and of all that a page shows of a submission's text: an honest one has some fifty thousand.
MAX_ANSWER, MAX_SHOWN = 20_000, 150_000
#: What an image may be; a picture that is an SVG is shown as an image too, so that its scripts do not run.
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/svg+xml")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class ConcealHiddenTests(NbGraderPreprocessor):
    """Take the text of hidden tests, and all that would reveal it, out of a graded notebook.

    Of a failed hidden test remains the message it was written to show. What a submission printed meanwhile goes too,
    and so does the text of an error that is not the test's own: both may repeat the arguments of the test.
    """

    def preprocess_cell(
        self, cell: NotebookNode, resources: ResourcesDict, cell_index: int
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Conceal one cell."""
        if not is_test(cell) or not HIDDEN_TESTS.search(cell.source):
            return cell, resources
        cell.source = HIDDEN_TESTS.sub("# (hidden tests)\n", cell.source).rstrip("\n")
        errors = [output for output in cell.outputs if output.output_type == "error"]
        for error in errors:
            if error.ename != "AssertionError":
                error.evalue = "your code raised this error on an argument of a hidden test."
            error.traceback = [f"{error.ename}: {error.evalue}"]
        cell.outputs = errors
        return cell, resources


FAILED_PAGE = jinja2.Template(
    """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ problem_set }}: not graded</title>
<style>body { font-family: sans-serif; max-width: 40em; margin: 2em auto; padding: 0 1em; line-height: 1.5; }</style>
</head>
<body><h1>{{ problem_set }}: not graded</h1>
<p>{{ reason }}</p>
<p>No score was recorded, not even 0. Hand in a corrected notebook, or ask your instructor.</p>
</body></html>
""",
    autoescape=True,
)


@dataclass
class _Part:
    """What the page shows of one cell."""

    kind: str
    name: str = ""
    text: str = ""
    title: str = ""
    points: float | None = None
    full: float = 0.0
    message: str = ""
    printed: str = ""
    remark: str = ""
    comment: str = ""
    diagnosis: str = ""
    attempted: bool = True
    is_prose: bool = False
    outputs: list[dict[str, str]] = field(default_factory=list)


def write_feedback(
    directory: ClassDirectory,
    problem_sets: list[ProblemSet],
    started: Callable[[int], None] = lambda total: None,
    finished: Callable[[], None] = lambda: None,
    reveal: bool = False,
) -> int:
    """Write the feedback page of every submission that was graded, or failed.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    problem_sets : list of ProblemSet
        The sets.
    started, finished : callable
        Told how many pages there will be, and when one is done.
    reveal : bool
        Whether hidden tests and what they say to the instructor are shown.

    Returns
    -------
    int
        How many submissions have feedback.

    Raises
    ------
    AutograderError
        Nothing was graded, or the class directory cannot be written to.
    """
    outcomes = directory.require_outcomes([problem_set.name for problem_set in problem_sets])
    directory.prepare()
    started(len(outcomes))
    template = jinja2.Environment(
        loader=jinja2.PackageLoader("autograder.reports"),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    ).get_template("feedback.html.j2")
    for problem_set in problem_sets:
        grades = read_grades(directory, problem_set)
        penalties = read_penalties(directory, problem_set)
        comments = read_comments(directory, problem_set)
        for submission, outcome in outcomes.items():
            if submission.problem_set != problem_set.name:
                continue
            if outcome.outcome == "failed":
                page = FAILED_PAGE.render(problem_set=problem_set.title, reason=outcome.reason)
            else:
                notebook = nbformat.read(directory.graded_notebook(submission), as_version=4)
                if not reveal:
                    notebook, _ = ConcealHiddenTests().preprocess(notebook, ResourcesDict())
                items = grades.get(submission.student, {})
                page = template.render(
                    student=submission.student,
                    title=problem_set.title,
                    number=number,
                    score=sum(value or 0.0 for value in items.values()),
                    max_score=problem_set.max_score,
                    penalty=penalties.get(submission.student, 0.0),
                    awaiting=[name for name, value in items.items() if value is None],
                    notices=outcome.notices,
                    items=_items(problem_set, items, outcome),
                    parts=_cut(_parts(notebook, problem_set, items, outcome, comments.get(submission.student, {}))),
                )
            write_text(page, directory.feedback_page(submission))
            finished()
    return len(outcomes)


def _items(problem_set: ProblemSet, scores: dict[str, float | None], outcome: Outcome) -> list[dict[str, Any]]:
    rows = []
    for name, item in problem_set.items.items():
        value = scores.get(name)
        remark = "not attempted" if name in outcome.not_attempted else ""
        if value is None:
            remark = "awaits grading by hand, and counts 0 until then"
        rows.append({"name": name, "points": value, "full": item.max_score, "remark": remark})
    return rows


def _parts(
    notebook: NotebookNode,
    problem_set: ProblemSet,
    scores: dict[str, float | None],
    outcome: Outcome,
    comments: dict[str, str],
) -> Iterator[_Part]:
    """Yield what the page shows, cell by cell: headings, answers, tests, and what the student's other cells show."""
    for cell in notebook.cells:
        name = grade_id(cell)
        if is_prose(cell):
            value = scores.get(name)
            full = problem_set.items[name].max_score if name in problem_set.items else points(cell)
            remark = "Awaits grading by hand." if value is None else f"{number(value)} of {number(full)} points"
            yield _Part("answer", name, cell.source, is_prose=True, remark=remark, comment=comments.get(name, ""))
        elif cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith(("# ", "## ")) and not line.startswith("# Problem set"):
                    yield _Part("heading", text=line.lstrip("# "))
        elif cell.cell_type != "code":
            continue
        elif is_solution(cell):
            yield _Part(
                "answer",
                name,
                cell.source,
                attempted=name not in outcome.not_attempted,
                comment=comments.get(name, ""),
                diagnosis=sentence(problem_set, name, outcome.diagnoses[name]) if name in outcome.diagnoses else "",
                outputs=_outputs(cell),
            )
        elif is_test(cell):
            yield _test(cell)
        elif name is None:
            outputs = _outputs(cell)
            if outputs:
                yield _Part("other", outputs=outputs)


def _cut(parts: Iterator[_Part]) -> list[_Part]:
    """Shorten what a submission shows, so that every page opens on a phone; the notebook itself holds it all."""
    left, kept = MAX_SHOWN, []

    def fitting(text: str, most: int) -> str:
        nonlocal left
        text = _short(text, most)
        size = len(html.escape(text))
        if size > left:
            text = _short(text, len(text) * left // size)
        left = max(0, left - size)
        return text

    for part in parts:
        part.text = fitting(part.text, MAX_ANSWER) if part.kind == "answer" else part.text
        part.printed = fitting(part.printed, MAX_TEXT)
        for output in part.outputs:
            if output["kind"] == "text":
                output["text"] = fitting(output["text"], MAX_TEXT)
        if left == 0:  # of thousands of outputs, nothing remains but that they were cut: once for a cell
            texts = [output for output in part.outputs if output.get("text") == _CUT]
            part.outputs = [o for o in part.outputs if o.get("text") != _CUT] + texts[:1]
        kept.append(part)
    return kept


def _test(cell: NotebookNode) -> _Part:
    first = cell.source.splitlines()[0].lstrip("# ") if cell.source.startswith("#") else grade_id(cell)
    errors = [output.evalue for output in cell.outputs if output.output_type == "error"]
    kinds = [output.ename for output in cell.outputs if output.output_type == "error"]
    message = "" if not errors else errors[-1] if kinds[-1] == "AssertionError" else f"{kinds[-1]}: {errors[-1]}"
    printed = "".join(output.text for output in cell.outputs if output.output_type == "stream")
    return _Part(
        "test",
        grade_id(cell),
        "" if "# (hidden tests)" in cell.source else cell.source,
        title=first,
        points=cell_score(cell),
        full=points(cell),
        message=message[:MAX_TEXT],
        printed=printed[:MAX_TEXT],
    )


def _outputs(cell: NotebookNode) -> list[dict[str, str]]:
    """Return what a cell of the student showed: pictures, and everything else as text. Nothing of it is markup."""
    shown = []
    for output in cell.get("outputs", ()):
        if output.output_type == "stream":
            shown.append({"kind": "text", "text": _short(output.text)})
        elif output.output_type == "error":
            shown.append({"kind": "text", "text": _short(f"{output.ename}: {output.evalue}")})
        else:
            kind = next((kind for kind in _IMAGES if isinstance(output.data.get(kind), str)), None)
            if kind == "image/svg+xml":
                data = base64.b64encode(output.data[kind].encode()).decode()
                shown.append({"kind": "image", "type": kind, "data": data})
            elif kind and _BASE64.fullmatch(output.data[kind]):
                shown.append({"kind": "image", "type": kind, "data": "".join(output.data[kind].split())})
            elif isinstance(output.data.get("text/plain"), str):
                shown.append({"kind": "text", "text": _short(output.data["text/plain"])})
    return shown


#: What stands where text was left out.
_CUT = "… (cut)"


def _short(text: str, most: int = MAX_TEXT) -> str:
    text = _COLOURS.sub("", text)
    if len(text) <= most:
        return text
    return f"{text[:most]}\n{_CUT}" if most else _CUT
