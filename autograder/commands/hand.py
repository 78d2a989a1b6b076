"""`autograder hand`: grades by hand, question by question, on a page in this machine's browser."""

from __future__ import annotations

import argparse
import webbrowser

from autograder.commands.shared.exit_codes import DONE, SOME_FAILED
from autograder.commands.shared.options import add_class, class_of, problem_sets_of
from autograder.commands.shared.without_score import name_without_score
from autograder.common.errors import UsageError

SUMMARY = "Grade by hand, question by question: all answers on one local page, points at a key press."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.add_argument("set", metavar="SET", help="the problem set")
    parser.add_argument("question", nargs="?", default="", metavar="QUESTION", help="one question (default: a list)")
    add_class(parser)
    parser.add_argument("--port", type=_port, default=0, metavar="N", help="the port to serve at (default: a free one)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, and open nothing")


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; choose one from 1024 to 65535")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from autograder.classroom.grading.current_results import current_outcomes
    from autograder.classroom.hand_grading.page import HandGrading
    from autograder.classroom.hand_grading.questions import read_questions

    options.sets = [options.set]
    (problem_set,) = problem_sets_of(options)
    with class_of(options) as directory:
        outcomes = current_outcomes(directory, [problem_set])
        questions = read_questions(directory, problem_set, outcomes)
    code = SOME_FAILED if name_without_score(outcomes) else DONE
    names = [question.name for question in questions]
    if not questions:
        print(f"{problem_set.name} has nothing that a person grades.")
        return code
    if options.question and options.question not in names:
        raise UsageError(f"{problem_set.name} has no question {options.question!r}; it has {', '.join(names)}.")
    # The class is held for each saving alone, so that other commands can run while the page is open.
    page = HandGrading(directory, problem_set, options.port)
    address = page.address(options.question or (names[0] if len(names) == 1 else ""))

    def started() -> None:
        waiting = sum(question.waiting for question in questions)
        print(f"{waiting} answer{'' if waiting == 1 else 's'} to grade. Open {address}", flush=True)
        print("End with Ctrl+C.", flush=True)
        if not options.no_browser:
            webbrowser.open(address)

    page.serve(started)
    print(f"\nSaved {page.saved} time{'' if page.saved == 1 else 's'} in the gradebook.")
    return code
