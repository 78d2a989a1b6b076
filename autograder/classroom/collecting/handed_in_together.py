"""Who handed in together: a group's one hand-in, which `collect` placed for each of its members."""

from __future__ import annotations

from autograder.classroom.directory import ClassDirectory, read_record


def handed_in_together(directory: ClassDirectory, problem_set: str) -> dict[str, str]:
    """Return a key of each student's hand-in of a set that is the same for all who handed it in, and for nobody else.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    problem_set : str
        Name of the set.

    Returns
    -------
    dict of str to str
        By student; without those whose hand-in `collect` did not place.
    """
    keys = {}
    for submission in directory.submissions([problem_set]):
        record = read_record(directory.collected_record(submission))
        if {"sha256", "where"} <= record.keys():
            keys[submission.student] = f"{record['sha256']} {record['where']}"
    return keys
