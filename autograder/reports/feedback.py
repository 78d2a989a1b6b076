"""One HTML page per graded notebook, for its student, in which hidden tests stay hidden."""

from __future__ import annotations

import base64
import contextlib
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode

from autograder.classroom.directory import ClassDirectory, Outcome, Submission
from autograder.classroom.grading.current_results import current_outcomes
from autograder.classroom.overview.given_back import record_page, shown_digest
from autograder.classroom.pages.page_limits import (
    CUT,
    MAX_ANSWER,
    MAX_ANSWERS,
    MAX_CELLS,
    MAX_HEADING,
    MAX_HEADINGS,
    MAX_MESSAGES,
    MAX_NOTICE,
    MAX_NOTICES,
    MAX_OUTPUTS,
    PictureRoom,
    Room,
    short,
)
from autograder.classroom.result.submission_folder import TIMESTAMP
from autograder.common.atomic_files import NO_ROOM, UnwritableError, write_bytes, write_text
from autograder.common.errors import AutograderError, SubmissionError
from autograder.common.text import number
from autograder.common.untrusted_files import read_regular_file
from autograder.problem_set.chapter_links import chapter_addresses, with_links
from autograder.problem_set.source import ProblemSet, grade_id, is_prose, is_solution, is_test, points
from autograder.reports.hidden_tests import (
    CONCEALED,
    FAILED,
    ConcealHiddenTests,
    is_fixed,
    is_hidden,
    said_by,
)
from autograder.reports.page_templates import page_template
from autograder.reports.recorded_work import Recorded, Work
from autograder.reports.translation import Wording, diagnosis_sentence

#: What an image may be; a picture that is an SVG is shown as an image too, so that its scripts do not run.
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/svg+xml")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
_HEADING = re.compile(r"^##? (?!Problem set)[# ]*(.*)", re.MULTILINE)
#: What `nbgrader submit` writes beside a hand-in, and bytes of each.
OF_THE_EXCHANGE, MAX_OF_THE_EXCHANGE = (TIMESTAMP, "submission_secret.txt"), 1_000
#: Said of a hidden test that the machine could not decide; the reason may repeat what the submission did in it.
UNDECIDED = "The machine could not decide this test."

FAILED_PAGE_TEXT = """<!DOCTYPE html>
<html lang="{{ say.language }}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ problem_set }}: {{ say("it could not be graded") }}</title>
<style>body { font-family: sans-serif; max-width: 40em; margin: 2em auto; padding: 0 1em; line-height: 1.5; }</style>
</head>
<body><h1>{{ problem_set }}: {{ say("it could not be graded") }}</h1>
<p>{{ reason }}</p>
<p>{{ say("No score was recorded, not even 0. Hand in a corrected notebook, or ask your instructor.") }}</p>
</body></html>
"""
FAILED_PAGE = jinja2.Template(FAILED_PAGE_TEXT, autoescape=True)


@dataclass
class _Part:
    """What the page shows of one cell."""

    kind: str
    name: str = ""
    text: str = ""
    title: str = ""
    points: float | None = None
    full: float = 0.0
    passed: bool = False
    corrected: float | None = None
    message: str = ""
    printed: str = ""
    remark: str = ""
    comment: str = ""
    diagnosis: str = ""
    attempted: bool = True
    is_prose: bool = False
    own_words: bool = False
    outputs: list[dict[str, str]] = field(default_factory=list)


@dataclass
class Written:
    """What came of writing feedback.

    Attributes
    ----------
    submissions : list of Submission
        Those that have a page.
    waiting : list of Submission
        Those of which something awaits a person, as their pages say.
    left_out : dict of Submission to str
        Submissions whose page could not be made, and why.
    outcomes : dict of Submission to Outcome
        What came of each submission, with or without a page.
    """

    submissions: list[Submission] = field(default_factory=list)
    waiting: list[Submission] = field(default_factory=list)
    left_out: dict[Submission, str] = field(default_factory=dict)
    outcomes: dict[Submission, Outcome] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many submissions have a page."""
        return len(self.submissions)


def write_feedback(
    directory: ClassDirectory,
    problem_sets: list[ProblemSet],
    started: Callable[[int], None] = lambda total: None,
    finished: Callable[[], None] = lambda: None,
    reveal: bool = False,
) -> Written:
    """Write the feedback page of every submission that was graded, or failed.

    Of one without a grade at this moment, nothing is given back, and an earlier page goes: it may be of other work.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    problem_sets : list of ProblemSet
        The sets.
    started, finished : callable
        Told how many pages there will be, and when one is done.
    reveal : bool
        Whether hidden tests and what they say to the instructor are shown; such pages go into a folder of their own.

    Returns
    -------
    Written
        How many there are, and which could not be made.

    Raises
    ------
    AutograderError
        Nothing was graded, or the class directory cannot be written to.
    """
    outcomes = current_outcomes(directory, problem_sets)
    place = directory.revealed_page if reveal else directory.feedback_page
    directory.prepare()
    started(len(outcomes))
    template = page_template("feedback.html.j2")
    written = Written(outcomes=outcomes)
    for problem_set in problem_sets:
        recorded, addresses = Recorded.read(directory, problem_set), _addresses(problem_set.folder.parents[1])
        for submission, outcome in outcomes.items():
            if submission.problem_set != problem_set.name:
                continue
            try:
                if outcome.outcome == "not-graded":
                    place(submission).unlink(missing_ok=True)
                    continue
                work = recorded.of(submission, outcome)
                write_text(_page(directory, template, work, addresses, reveal), place(submission))
                if not reveal:
                    shown = shown_digest(outcome, work.scores, work.comments, work.penalty)
                    record_page(directory, submission, shown)
                    _put_beside(directory, submission)
                written.submissions.append(submission)
                if outcome.outcome == "needs-manual-grading":
                    written.waiting.append(submission)
            except OSError as error:
                if error.errno in NO_ROOM:
                    raise
                written.left_out[submission] = f"{error.filename}: {error.strerror}"
            except (UnwritableError, ValueError, nbformat.ValidationError) as error:
                written.left_out[submission] = short(str(error).split("\n")[0], MAX_HEADING).rstrip(".")
            finally:
                finished()
    return written


def _put_beside(directory: ClassDirectory, submission: Submission) -> None:
    """Put beside a page what nbgrader's exchange wrote with the hand-in, and finds the page's reader by."""
    for name in OF_THE_EXCHANGE:
        path = directory.feedback_page(submission).with_name(name)
        try:
            written = read_regular_file(directory.submission_folder(submission) / name, MAX_OF_THE_EXCHANGE)
        except (OSError, SubmissionError):  # it came another way, or cannot be read
            path.unlink(missing_ok=True)
        else:
            write_bytes(written, path)


def _addresses(course: Path) -> dict[str, str]:
    """Return where the pages that messages name are; none for a course without a website."""
    with contextlib.suppress(AutograderError, OSError):
        return chapter_addresses(course)
    return {}


def _page(
    directory: ClassDirectory, template: jinja2.Template, work: Work, addresses: dict[str, str], reveal: bool
) -> str:
    problem_set, outcome, say = work.recorded.problem_set, work.outcome, work.recorded.say
    if outcome.outcome == "failed":
        return FAILED_PAGE.render(problem_set=problem_set.title, reason=outcome.reason[:MAX_NOTICE], say=say)
    notebook = nbformat.read(directory.graded_notebook(work.submission), as_version=4)
    if not reveal:
        conceal = ConcealHiddenTests()
        conceal.messages = work.recorded.messages
        notebook, _ = conceal.preprocess(notebook, ResourcesDict())
    undecided = _undecided(work, notebook, reveal)
    return template.render(
        say=say,
        linked=lambda text: with_links(text, addresses),
        student=work.submission.student,
        title=problem_set.title,
        number=number,
        score=sum(value or 0.0 for value in work.items.values()),
        max_score=problem_set.max_score,
        penalty=work.penalty,
        awaiting=[name for name, value in work.items.items() if value is None],
        notices=[short(notice, MAX_NOTICE) for notice in outcome.notices[:MAX_NOTICES]],
        items=_items(work, undecided),
        parts=_cut(_parts(work, notebook, undecided)),
    )


def _undecided(work: Work, notebook: NotebookNode, reveal: bool) -> dict[str, str]:
    """Return each test that still awaits a person, and why; of a hidden one, the reason is not the student's to see."""
    hidden = set() if reveal else {grade_id(cell) for cell in notebook.cells if is_hidden(cell)}
    return {
        test: work.recorded.say(UNDECIDED) if test in hidden else short(reason, MAX_NOTICE)
        for test, reason in work.outcome.awaiting.items()
        if work.scores.get(test) is None
    }


def _items(work: Work, undecided: dict[str, str]) -> list[dict[str, Any]]:
    """Return the rows of the page's table: each item with its points, and a remark where there is one."""
    say, rows = work.recorded.say, []
    for name, item in work.recorded.problem_set.items.items():
        value = work.items.get(name)
        remark = say("not attempted") if name in work.outcome.not_attempted and not value else ""
        if value is None:
            reasons = dict.fromkeys(undecided[test] for test in item.tests if test in undecided)
            remark = ". ".join([say("awaits grading by hand, and counts 0 until then"), *reasons])
        rows.append({"name": name, "points": value, "full": item.max_score, "remark": remark})
    return rows


def _parts(work: Work, notebook: NotebookNode, undecided: dict[str, str]) -> Iterator[_Part]:
    """Yield what the page shows, cell by cell: headings, answers, tests, and what the student's other cells show."""
    problem_set, outcome, say = work.recorded.problem_set, work.outcome, work.recorded.say
    for cell in notebook.cells:
        name = grade_id(cell)
        comment = work.comments.get(name, "")
        if is_prose(cell):
            value = work.items.get(name)
            full = problem_set.items[name].max_score if name in problem_set.items else points(cell)
            remark = say("Awaits grading by hand.") if value is None else _of(value, full, say)
            yield _Part("answer", name, cell.source, is_prose=True, remark=remark, comment=comment)
        elif cell.cell_type == "markdown":
            for heading in itertools.islice(_HEADING.finditer(cell.source), MAX_HEADINGS):
                yield _Part("heading", text=heading[1][:MAX_HEADING])
        elif cell.cell_type != "code":
            continue
        elif is_solution(cell):
            yield _Part(
                "answer",
                name,
                cell.source,
                attempted=name not in outcome.not_attempted or bool(work.items.get(name)),
                comment=comment,
                diagnosis=diagnosis_sentence(problem_set, name, outcome.diagnoses.get(name, ""), say),
                outputs=_outputs(cell),
            )
        elif is_test(cell):
            yield _test(work, cell, undecided.get(name, ""))
        elif name is None:
            outputs = _outputs(cell)
            if outputs:
                yield _Part("other", outputs=outputs)


def _cut(parts: Iterator[_Part]) -> list[_Part]:
    """Keep what a page has room for, so that every page opens on a phone."""
    answers, shown, said, pictures = Room(MAX_ANSWERS), Room(MAX_OUTPUTS), Room(MAX_MESSAGES), PictureRoom()
    kept: list[_Part] = []
    headings = others = 0
    for part in parts:
        if part.kind == "heading":
            headings += 1
            if headings > MAX_HEADINGS:
                continue
        elif part.kind == "other":
            others += 1
            if others > MAX_CELLS:
                continue
        if part.kind == "answer":
            part.text = answers.fit(part.text, MAX_ANSWER)
        part.message, part.printed = said.fit(part.message), shown.fit(part.printed)
        part.comment = short(part.comment, MAX_ANSWER)
        outputs, cut = [], False
        for output in part.outputs:
            if output["kind"] == "text":
                output["text"] = shown.fit(output["text"])
                fits = output["text"] != CUT
            else:
                fits = pictures.fits(output["data"])
            cut |= not fits
            outputs += [output] if fits else []
        # Of thousands that are left out, it is said once for a cell.
        part.outputs = [*outputs, {"kind": "text", "text": CUT}] if cut else outputs
        kept.append(part)
    if headings > MAX_HEADINGS or others > MAX_CELLS:
        kept.append(_Part("other", outputs=[{"kind": "text", "text": CUT}]))
    return kept


def _of(value: float, full: float, say: Wording) -> str:
    return say("%(points)s of %(full)s points", points=number(value), full=number(full))


def _test(work: Work, cell: NotebookNode, undecided: str) -> _Part:
    name, hidden, full = grade_id(cell), is_hidden(cell), points(cell)
    score, messages = work.scores.get(name), work.recorded.messages
    first = cell.source.splitlines()[0].lstrip("# ") if cell.source.startswith("#") else name
    message, errors = said_by(cell)
    printed = "".join(short(output.text) for output in cell.outputs[:100] if output.output_type == "stream")
    return _Part(
        "test",
        name,
        "" if CONCEALED in cell.source else cell.source,
        title=short(first, MAX_HEADING),
        points=score,
        full=full,
        passed=score == full and (full > 0 or not errors),
        corrected=work.corrections.get(name),
        message=work.recorded.say(message) if message == FAILED else message,
        printed=printed,
        remark=undecided,
        # Concealed, nothing of the submission's remains; revealed, it must not pass for the test's own.
        own_words=hidden
        and (bool(printed) or any(not is_fixed(e, name, messages) for e in errors))
        and CONCEALED not in cell.source,
    )


def _outputs(cell: NotebookNode) -> list[dict[str, str]]:
    """Return what a cell of the student showed: pictures, and everything else as text. Nothing of it is markup."""
    shown = []
    for output in cell.get("outputs", ()):
        if output.output_type == "stream":
            shown.append({"kind": "text", "text": short(output.text)})
        elif output.output_type == "error":
            shown.append({"kind": "text", "text": short(f"{output.ename}: {output.evalue}")})
        else:
            kind = next((kind for kind in _IMAGES if isinstance(output.data.get(kind), str)), None)
            if kind == "image/svg+xml":
                data = base64.b64encode(output.data[kind].encode("utf-8", "replace")).decode()
                shown.append({"kind": "image", "type": kind, "data": data})
            elif kind and _BASE64.fullmatch(output.data[kind]):
                shown.append({"kind": "image", "type": kind, "data": "".join(output.data[kind].split())})
            elif isinstance(output.data.get("text/plain"), str):
                shown.append({"kind": "text", "text": short(output.data["text/plain"])})
    return shown
