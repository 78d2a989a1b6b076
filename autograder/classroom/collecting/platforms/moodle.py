"""Moodle: ``Ada Lovelace_1234567_assignsubmission_file_``, as a folder or before the name of a file.

A group hands in under its own name, and the default group without a number. Where marking is blind, the name is the word
"Participant" in the site's language.
"""

from __future__ import annotations

from collections.abc import Mapping

from autograder.classroom.collecting.platforms.hand_in import NAME, Platform, by_pattern

#: The word that stands for a hidden name.
_HIDDEN = {
    "participant",
    "teilnehmer/in",
    "teilnehmer_in",
    "teilnehmerin",
    "teilnehmer",
    "participante",
    "partecipante",
    "deelnemer",
    "用户",
    "参与者",
}


def _named(groups: Mapping[str, str | None]) -> dict:
    name = groups["name"]
    if name.casefold() in _HIDDEN:
        return {"number": groups["id"] or "", "hidden": True}
    names = [name]
    while "-" in names[-1]:  # a group's name, and "-", may precede the student's
        names.append(names[-1].split("-", 1)[1])
    return {"names": tuple(names), "number": groups["id"] or ""}


PLATFORM = Platform(
    "Moodle",
    by_pattern(rf"{NAME}(?:_(?P<id>\d+))?_assignsubmission_[a-z]+(?:[_/]+(?P<file>.+)|[_/]*)", _named),
    column="moodle_id",
    numbers_differ=True,
    numbers_in=", or name the assignment's grading worksheet as --table: it has them",
    remedy="reveal the identities and download again, or write Moodle's numbers into the roster's column moodle_id",
)
