"""One HTML page per graded notebook, for its student, in which hidden tests stay hidden."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

import jinja2
import nbformat
from nbconvert.exporters import HTMLExporter
from nbconvert.exporters.exporter import ResourcesDict
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbformat import NotebookNode
from nbgrader.converters import GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import GetGrades, NbGraderPreprocessor

from autograder.class_directory import ClassDirectory, Outcome, Submission
from autograder.gradebook import read_grades
from autograder.problem_set import ProblemSet, is_test
from autograder.whole_files import write_text

HIDDEN_TESTS = re.compile(r"[ \t]*### BEGIN HIDDEN TESTS.*?### END HIDDEN TESTS[^\n]*\n?", re.DOTALL)


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


def write_feedback(
    directory: ClassDirectory,
    problem_sets: list[ProblemSet],
    started: Callable[[int], None] = lambda total: None,
    finished: Callable[[], None] = lambda: None,
) -> int:
    """Write the feedback page of every submission that was graded, or failed.

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
    exporter = _exporter(directory)
    grades = {problem_set.name: read_grades(directory, problem_set) for problem_set in problem_sets}
    for submission, outcome in outcomes.items():
        if outcome.outcome == "failed":
            page = FAILED_PAGE.render(problem_set=submission.problem_set, reason=outcome.reason)
        else:
            items = grades[submission.problem_set].get(submission.student, {})
            awaiting = [name for name, points in items.items() if points is None]
            page = _page(directory, submission, outcome, awaiting, exporter)
        write_text(page, directory.feedback_page(submission))
        finished()
    return len(outcomes)


def _exporter(directory: ClassDirectory) -> HTMLExporter:
    # nbgrader's converter knows where its feedback template lies.
    config = GenerateFeedback(coursedir=CourseDirectory(root=str(directory.root))).config
    config.HTMLExporter.sanitize_html = True  # a submission's own markup must not run in the reader's browser
    exporter = HTMLExporter(config=config)
    for step in (GetGrades, ConcealHiddenTests, CSSHTMLHeaderPreprocessor):
        exporter.register_preprocessor(step, enabled=True)
    return exporter


def _page(
    directory: ClassDirectory, submission: Submission, outcome: Outcome, awaiting: list[str], exporter: HTMLExporter
) -> str:
    notebook = nbformat.read(directory.graded_notebook(submission), as_version=4)
    notes = [*outcome.notices, *(f"{name}: not attempted." for name in outcome.not_attempted)]
    notes += [f"{name}: awaits grading by hand, and counts 0 until then." for name in awaiting]
    if notes:
        text = "\n".join(f"- {html.escape(note)}" for note in notes)
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(f"**About this submission**\n\n{text}"))
    name = submission.problem_set
    resources = ResourcesDict(
        metadata=ResourcesDict(name=name, path=str(Path())),
        nbgrader={
            "notebook": name,
            "assignment": name,
            "student": submission.student,
            "db_url": directory.database_url,
        },
    )
    page = exporter.from_notebook_node(notebook, resources)[0]
    # Hints are sentences: they wrap instead of running out of the box.
    return page.replace("</head>", "<style>.output pre { white-space: pre-wrap; }</style></head>", 1)
