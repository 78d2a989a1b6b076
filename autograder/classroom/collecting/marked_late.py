"""Work that a platform marks as late without telling when it was handed in: that it is late is known, by how much is not."""

from __future__ import annotations

import hashlib

from autograder.classroom.directory import ClassDirectory, Submission, read_record
from autograder.classroom.result.submission_folder import MAX_SUBMISSION_BYTES, handed_in_at
from autograder.common.untrusted_files import read_regular_file


def marked_late(directory: ClassDirectory, submission: Submission) -> bool:
    """Whether the platform's mark is all that is known about the time of a hand-in that `collect` took."""
    folder, record = directory.submission_folder(submission), read_record(directory.collected_record(submission))
    if record.get("late") is not True or handed_in_at(folder) is not None:
        return False
    try:
        notebook = read_regular_file(folder / f"{submission.problem_set}.ipynb", MAX_SUBMISSION_BYTES)
    except OSError:
        return False
    return hashlib.sha256(notebook).hexdigest() == record.get("sha256")
