"""The platforms that `collect` knows, and which of them an archive comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autograder.classroom.platforms import (
    blackboard,
    brightspace,
    canvas,
    google_classroom,
    gradescope,
    ilias,
    moodle,
    nbgrader,
)
from autograder.classroom.platforms.hand_in import HandIn, Platform, Reading

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
#: Whoever can rename a file can imitate this one: another that reads a path, too, is right.
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


def recognise(
    paths: Sequence[str], sets: frozenset[str], metadata: bytes = b"", platforms: Sequence[Platform] = PLATFORMS
) -> Recognised | None:
    """Find the platform that wrote an archive, by its outermost paths alone.

    Names within a hand-in, or within a zip that a student packed, are the student's and prove nothing.

    Parameters
    ----------
    paths : sequence of str
        The outermost paths of the archive.
    sets : frozenset of str
        Names of the course's problem sets.
    metadata : bytes
        Content of the platform's own list, if there is one.
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
    reading = Reading(sets, metadata)
    paths = [path for path in paths if len(path) <= MAX_PATH]
    folders = [path.split("/")[:-1] for path in paths]
    common = 0
    while folders and all(len(names) > common and names[common] == folders[0][common] for names in folders):
        common += 1
    found: dict[str, tuple[Recognised, set[str]]] = {}
    for platform in platforms:
        for depth in range(common + 1):
            candidate = Recognised(platform, depth, reading)
            read = {path for path in paths if candidate.hand_in(path) is not None}
            if len(read) > len(found.get(platform.name, (None, set()))[1]):
                found[platform.name] = candidate, read
    if len(found) > 1:
        found.pop(_WEAKEST.name, None)
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
