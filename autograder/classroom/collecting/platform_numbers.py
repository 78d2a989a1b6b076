"""What a platform wrote about a hand-in that `collect` took: the student's number, and the names of the files."""

from __future__ import annotations

from collections import Counter

from autograder.classroom.collecting.identity import Identities
from autograder.classroom.collecting.platforms.hand_in import HandIn, Platform, Reading
from autograder.classroom.directory import ClassDirectory, Submission, read_record


def platform_hand_ins(
    directory: ClassDirectory, platform: Platform, problem_set: str, of_groups: bool = False
) -> dict[str, HandIn]:
    """Return what a platform wrote about each student's hand-in of a set.

    A number that several students share is that of a group, and nobody's own.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    platform : Platform
        The platform.
    problem_set : str
        Name of the set; some platforms have another number of a student for each.
    of_groups : bool
        Whether the hand-in of a group is returned too, for each of its members.

    Returns
    -------
    dict of str to HandIn
        By student.
    """
    seen = Identities.read(directory.identities)
    found = {}
    for submission in directory.submissions([problem_set]):
        hand_in = _hand_in(directory, submission, platform)
        if hand_in is not None and seen.name(platform, problem_set, hand_in.number):
            found[submission.student] = hand_in
    shared = Counter(hand_in.number for hand_in in found.values())
    return {student: hand_in for student, hand_in in found.items() if of_groups or shared[hand_in.number] == 1}


def platform_numbers(directory: ClassDirectory, platform: Platform, problem_set: str) -> dict[str, str]:
    """Return the platform's number of each student who handed in a set there."""
    return {student: h.number for student, h in platform_hand_ins(directory, platform, problem_set).items()}


def _hand_in(directory: ClassDirectory, submission: Submission, platform: Platform) -> HandIn | None:
    for record in (directory.collected_record(submission), directory.refused_record(submission)):
        try:
            path = read_record(record)["path"]
            hand_in = platform.read(path, Reading(frozenset([submission.problem_set])))
        except (ValueError, TypeError, KeyError):
            continue
        if hand_in is not None and hand_in.number:
            return hand_in
    return None
