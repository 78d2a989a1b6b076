"""What was given back: of which grade each feedback page was made, so that a later change can be told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from autograder.classroom.directory import ClassDirectory, Outcome, Submission
from autograder.common.atomic_files import write_text


def shown_digest(
    outcome: Outcome, scores: Mapping[str, float | None], comments: Mapping[str, str], penalty: float
) -> str:
    """Hash what a feedback page tells its student: outcome, points, comments, and what lateness costs."""
    told = json.dumps([asdict(outcome), dict(scores), dict(comments), penalty], sort_keys=True)
    return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()


def record_page(directory: ClassDirectory, submission: Submission, shown: str) -> None:
    """Remember what the page of a submission shows."""
    write_text(json.dumps({"shows": shown}) + "\n", directory.page_record(submission))


def page_shows(directory: ClassDirectory, submission: Submission) -> str:
    """Return the hash of what the page of a submission shows; empty without a page that `feedback` wrote."""
    if not directory.feedback_page(submission).is_file():
        return ""
    try:
        return str(json.loads(directory.page_record(submission).read_text(encoding="utf-8"))["shows"])
    except (OSError, ValueError, TypeError, KeyError):
        return ""


# ---- what went out, and how

#: Submission, then the way in which its page went out, and the hash of what it showed.
Given = dict[Submission, dict[str, str]]


def read_given(directory: ClassDirectory) -> Given:
    """Read what went out so far; nothing where nothing did."""
    try:
        rows = json.loads((directory.given_back / "given.json").read_text(encoding="utf-8"))
        return {Submission(row["student"], row["set"]): dict(row["ways"]) for row in rows}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def record_given(directory: ClassDirectory, way: str, shown: Mapping[Submission, str]) -> None:
    """Remember that these pages, with what each shows, went out in a way."""
    given = read_given(directory)
    for submission, digest in shown.items():
        given.setdefault(submission, {})[way] = digest
    rows = [{"student": s.student, "set": s.problem_set, "ways": ways} for s, ways in sorted(given.items())]
    write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", directory.given_back / "given.json")


def changed_since(directory: ClassDirectory, way: str, submissions: Iterable[Submission]) -> dict[Submission, str]:
    """Return the submissions with a page that shows something else than what went out in this way last.

    Returns
    -------
    dict of Submission to str
        And the hash of what each page shows.
    """
    given = read_given(directory)
    shown = {submission: page_shows(directory, submission) for submission in submissions}
    return {s: digest for s, digest in shown.items() if digest and given.get(s, {}).get(way) != digest}
