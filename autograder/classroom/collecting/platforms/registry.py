"""The platforms that `collect` knows, and which of them an archive comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autograder.classroom.collecting.platforms import (
    blackboard,
    brightspace,
    canvas,
    google_classroom,
    gradescope,
    ilias,
    moodle,
    nbgrader,
)
from autograder.classroom.collecting.platforms.hand_in import HandIn, Platform, Reading

PLATFORMS = (
    canvas.PLATFORM,
    moodle.PLATFORM,
    nbgrader.TREE,
    nbgrader.EXCHANGE,
    brightspace.PLATFORM,
    blackboard.PLATFORM,
    gradescope.PLATFORM,
    ilias.PLATFORM,
    google_classroom.PLATFORM,
)
#: Whoever can rename a file can imitate this one: another that reads as many of its paths is right. One that reads only
#: some of them is imitated by whoever named those.
_WEAKEST = google_classroom.PLATFORM
#: No platform writes a longer path, and the patterns' time grows with the square of it.
MAX_PATH = 1_000
#: Names of the lists that platforms write into their archives.
METADATA = frozenset(platform.metadata for platform in PLATFORMS) - {""}


@dataclass(frozen=True)
class Recognised:
    """Which platform wrote the paths of an archive.

    Attributes
    ----------
    platform : Platform
        It.
    depth : int
        How many folders around all hand-ins say nothing.
    reading : Reading
        What the platform's module needs.
    """

    platform: Platform
    depth: int
    reading: Reading

    def hand_in(self, path: str) -> HandIn | None:
        """Return what the platform wrote into a path; None where it is not the platform's."""
        below = "/".join(path.split("/")[self.depth :])
        return self.platform.read(below, self.reading) if len(below) <= MAX_PATH else None

    def is_own(self, path: str) -> bool:
        """Whether the platform itself added this file."""
        return bool(self.platform.own_files.fullmatch("/".join(path.split("/")[self.depth :])))


class MixedArchiveError(Exception):
    """Two platforms wrote paths of one archive; the text names them."""


def own_list(paths: Sequence[str]) -> str:
    """Return the path of the list of hand-ins that a platform may have written into an archive; empty if there is none.

    Students may hand in files of the same name. The platform's own lies further out, beside their folders.

    Parameters
    ----------
    paths : sequence of str
        The outermost paths of the archive.
    """
    named = [path for path in paths if path.rpartition("/")[2] in METADATA]
    return min(named, key=lambda path: path.count("/"), default="")


def recognise(
    paths: Sequence[str],
    sets: frozenset[str],
    listed: str = "",
    metadata: bytes = b"",
    platforms: Sequence[Platform] = PLATFORMS,
) -> Recognised | None:
    """Find the platform that wrote an archive, by its outermost paths alone.

    Names within a hand-in, or within a zip that a student packed, are the student's and prove nothing.

    Parameters
    ----------
    paths : sequence of str
        The outermost paths of the archive.
    sets : frozenset of str
        Names of the course's problem sets.
    listed : str
        The path of the platform's own list, from `own_list`; empty where there is none.
    metadata : bytes
        Its content.
    platforms : sequence of Platform
        Those that may have written it.

    Returns
    -------
    Recognised or None
        None where no platform did.

    Raises
    ------
    MixedArchiveError
        Several did.
    """
    paths = [path for path in paths if path != listed and len(path) <= MAX_PATH]
    folders = [path.split("/")[:-1] for path in paths]
    common = 0
    while folders and all(len(names) > common and names[common] == folders[0][common] for names in folders):
        common += 1
    found: dict[str, tuple[Recognised, set[str]]] = {}
    for platform in platforms:
        for depth in range(common + 1):
            beside = bool(listed) and listed.count("/") == depth  # not within a hand-in, where a student put it
            candidate = Recognised(platform, depth, Reading(sets, metadata if beside else b""))
            read = {path for path in paths if candidate.hand_in(path) is not None}
            if len(read) > len(found.get(platform.name, (None, set()))[1]):
                found[platform.name] = candidate, read
    if _WEAKEST.name in found:
        imitable = found.pop(_WEAKEST.name)
        if all(read < imitable[1] for _, read in found.values()):
            return imitable[0]
    if not found:
        return None
    # What was written further out decides: what is within it, a student may have chosen.
    outer = min(candidate.depth for candidate, _ in found.values())
    rivals = [(candidate, read) for candidate, read in found.values() if candidate.depth == outer]
    best, most = max(rivals, key=lambda rival: len(rival[1]))
    others = [candidate.platform.name for candidate, read in rivals if candidate is not best and not read < most]
    if others:
        raise MixedArchiveError(" and ".join(sorted([best.platform.name, *others])))
    return best
