"""Who handed something in, and which of the notebooks in one hand-in counts."""

from __future__ import annotations

from autograder.classroom.collecting.collection_outcome import Collected
from autograder.classroom.collecting.hand_in_files import FOLDERS, HandInFiles, Notebook, listed_refusals
from autograder.classroom.collecting.identity import Identities, UnplacedError, student_of_path, students_of
from autograder.classroom.roster import Roster


def require_own(files: HandInFiles, student: str, roster: Roster | None, logins: set[str]) -> None:
    """Refuse what one student handed in under another's name. A copy belongs to whoever copied it, and proves nothing."""
    if not files.owner or student or files.owner in files.hand_in.logins:
        return
    if files.owner in logins or (roster is not None and roster.with_identifier(files.owner)):
        raise UnplacedError(f"it is named as {files.hand_in.logins[0]}'s, but its folder belongs to {files.owner}")


def students_in(
    files: HandInFiles,
    name: str,
    student: str,
    roster: Roster | None,
    identities: Identities,
    result: Collected,
) -> list[str]:
    """Return who handed something in."""
    if student:
        return [student]
    if files.platform is FOLDERS:
        return [student_of_path(files.trail, roster)]
    if not (files.hand_in.names or files.hand_in.number or files.hand_in.logins):
        raise UnplacedError(f"{files.platform.name} does not write such a name, and nothing says whose it is")
    students, notice = students_of(files.platform, files.hand_in, name, roster, identities)
    if notice:
        result.notices.append(f"{files.where}: {notice}")
    return students


def chosen_notebook(files: HandInFiles, name: str, result: Collected) -> Notebook:
    """Choose among the notebooks of a set in one hand-in: those that were worked, then the one with the set's name."""
    candidates = files.notebooks[name]
    worked = [notebook for notebook in candidates if notebook.worked] or candidates
    named = [notebook for notebook in worked if notebook.stem.casefold() == name.casefold()]
    left = named or worked
    if len({notebook.sha256 for notebook in left}) > 1:
        listed = ", ".join(sorted(notebook.where.rpartition(": ")[2] for notebook in left))
        raise UnplacedError(
            f"it holds several notebooks of {name} that were worked ({listed}), and none of them alone has its name; "
            "collect the right one by itself with --student"
        )
    chosen = left[0]
    others = [notebook.where for notebook in candidates if notebook.sha256 != chosen.sha256]
    if others:
        result.notices.append(f"{files.where}: took {chosen.where}; passed over {', '.join(others)}.")
    if files.refused:
        result.notices.append(f"{files.where}: beside the notebook, not placed: {listed_refusals(files.refused)}.")
    return chosen
