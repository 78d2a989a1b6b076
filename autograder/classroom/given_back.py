"""What was given back: of which grade each feedback page was made, so that a later change can be told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
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
    """Return the hash of what the page of a submission shows; empty where there is no page, or another tool made it."""
    if not directory.feedback_page(submission).is_file():
        return ""
    try:
        return str(json.loads(directory.page_record(submission).read_text(encoding="utf-8"))["shows"])
    except (OSError, ValueError, TypeError, KeyError):
        return ""
