"""An executor that runs nothing: a submission's answers say what the result is. For tests of everything around it."""

import copy

import nbformat

from autograder.common.atomic_files import write_notebook
from autograder.common.errors import MachineError
from autograder.engine.execution import Executed
from autograder.problem_set.source import answered, is_solution, is_test
from autograder.problem_set.versions import student_version

#: The comment in an answer that a scripted run obeys: `fails: text`, `machine: reason`, `shows: text`.
MARK = "# script "


class Scripted:
    """Grades a notebook by the comments in its answers."""

    def __init__(self, name="scripted"):
        self.name, self.runs = name, 0
        self.machine = ""

    def start(self, jobs):
        """Do nothing."""

    def __call__(self, notebook, reference=None, undrawn=()):
        self.runs += 1
        executed, script = copy.deepcopy(notebook), {}
        for cell in executed.cells:
            if cell.cell_type != "code":
                continue
            if is_solution(cell):
                lines = [line for line in cell.source.splitlines() if line.startswith(MARK)]
                script = dict(line.removeprefix(MARK).split(": ", 1) for line in lines)
                if self.machine and "BEGIN SOLUTION" not in cell.source and script:
                    raise MachineError(self.machine)
            if is_test(cell) and "fails" in script:
                kind, _, text = script["fails"].rpartition("|")
                cell.outputs = [nbformat.v4.new_output("error", ename=kind or "AssertionError", evalue=text)]
        return Executed(executed, [], {})


def script(**lines):
    """Write an answer for a `Scripted` run."""
    return "\n".join(f"{MARK}{key}: {value}" for key, value in lines.items()) + "\nanswer = 1\n"


def hand_in(root, problem_set, student, answer=None, name=None):
    """Write a submission into a class: the reference solution, or this text in each code cell for an answer."""
    answers = dict(problem_set.reference_answers)
    if answer is not None:
        code = {
            cell.metadata.nbgrader.grade_id
            for cell in problem_set.notebook.cells
            if is_solution(cell) and cell.cell_type == "code"
        }
        answers |= dict.fromkeys(code, answer)
    path = root / "submitted" / student / problem_set.name / (name or f"{problem_set.name}.ipynb")
    write_notebook(answered(student_version(problem_set), answers), path)
    return path
