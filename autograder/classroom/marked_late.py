"""Work that a platform marks as late without telling when it was handed in: that it is late is known, by how much is not."""

from __future__ import annotations

import hashlib
import json

from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.result.handed_in import handed_in_at


def marked_late(directory: ClassDirectory, submission: Submission) -> bool:
    """Whether the platform's mark is all that is known about the time of a hand-in that `collect` took."""
    folder = directory.submission_folder(submission)
    try:
        record = json.loads(directory.collected_record(submission).read_text(encoding="utf-8"))
        if record.get("late") is not True or handed_in_at(folder) is not None:
            return False
        notebook = (folder / f"{submission.problem_set}.ipynb").read_bytes()
    except (OSError, ValueError, TypeError, AttributeError):
        return False
    return hashlib.sha256(notebook).hexdigest() == record.get("sha256")
