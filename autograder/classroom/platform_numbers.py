"""What a platform calls a student, read from the names of the files that `collect` took."""

from __future__ import annotations

import json
from collections import Counter

from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.identity import Identities
from autograder.classroom.platforms.hand_in import Platform, Reading


def platform_numbers(directory: ClassDirectory, platform: Platform, problem_set: str) -> dict[str, str]:
    """Return the platform's number of each student who handed in a set there.

    A number that several students share is that of a group, and nobody's own.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    platform : Platform
        The platform.
    problem_set : str
        Name of the set; some platforms have another number of a student for each.

    Returns
    -------
    dict of str to str
        Student and number.
    """
    seen = Identities.read(directory.collected / "identities.json")
    numbers = {}
    for submission in directory.submissions([problem_set]):
        number = _number(directory, submission, platform)
        if seen.name(platform, problem_set, number):
            numbers[submission.student] = number
    shared = Counter(numbers.values())
    return {student: number for student, number in numbers.items() if shared[number] == 1}


def _number(directory: ClassDirectory, submission: Submission, platform: Platform) -> str:
    try:
        record = json.loads(directory.collected_record(submission).read_text(encoding="utf-8"))
        archive, *within = record["where"].split(": ")
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return ""
    # The outermost path is the platform's; what a zip within it holds, a student named.
    path = within[0] if within else archive
    parts = path.split("/")
    reading = Reading(frozenset([submission.problem_set]))
    tries = [path, f"{archive}/{path}", *("/".join(parts[depth:]) for depth in range(1, len(parts)))]
    found = (platform.read(text, reading) for text in tries)
    return next((hand_in.number for hand_in in found if hand_in is not None and hand_in.number), "")
