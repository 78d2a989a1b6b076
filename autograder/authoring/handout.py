"""The handout: the website and the released problem sets in a separate folder, without any part of the solutions."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from autograder.authoring.leaks import files_below, find_secrets, leaks
from autograder.common.errors import AutograderError

#: The file by which a later run recognises a folder as its own; it lists the folder's contents.
MARK = ".handout.json"
SITE, EXERCISES = "docs", "exercises"
_LICENCES = ("LICENSE", "LICENSE-TEXT.md")
_README = """\
# From Bits to Backprop

- `docs/` is the website of the course: open `docs/index.html`, or publish the folder. GitHub Pages serves it from a branch.
- `exercises/` has the problem sets: a notebook each, and `requirements.txt` with the packages that they need.

Code is under the BSD 3-Clause licence, text and figures under CC BY 4.0.
"""


def require_own(folder: Path, site: Path) -> None:
    """Refuse a folder that cannot be made, is inside the website, or contains anything but an earlier handout.

    Parameters
    ----------
    folder, site : Path
        Where the handout will be written, and the website that it will contain.

    Raises
    ------
    AutograderError
        The folder is inside the website, contains something else, is a file, or cannot be written.
    """
    if folder.resolve().is_relative_to(site.resolve()):
        raise AutograderError(f"{folder} is inside the website, which the handout contains: name another folder.")
    above = next(path for path in folder.resolve().parents if path.exists())
    if not above.is_dir():
        raise AutograderError(f"{above} is a file, so it cannot contain a folder for the handout.")
    if not os.access(above, os.W_OK):
        raise AutograderError(f"{above} is not writable: name another folder for the handout.")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise AutograderError(f"{folder} is a file: name a folder for the handout.")
    there = {path.name for path in folder.iterdir()}
    try:
        own = set(json.loads((folder / MARK).read_text(encoding="utf-8")))
    except FileNotFoundError:
        own = set()
    if there and not own:
        raise AutograderError(f"{folder} is neither empty nor a handout: name another folder, or empty it.")
    if foreign := sorted(there - own):
        raise AutograderError(f"{folder} holds {foreign[0]}, which a new handout would remove: move it elsewhere.")


def gather(course: Path, site: Path, folder: Path) -> None:
    """Write a handout into an empty folder.

    Parameters
    ----------
    course, site, folder : Path
        The course's root, its built website, and where to write.

    Raises
    ------
    AutograderError
        There is no website, or no problem set has been released.
    """
    if not (site / "index.html").is_file():
        raise AutograderError(f"{site} contains no website: build it with make website.")
    notebooks = [file for file in (course / EXERCISES).glob("*/*.ipynb") if file.stem == file.parent.name]
    if not notebooks:
        raise AutograderError(f"{course / EXERCISES} contains no problem sets: make them with make release.")
    _copy(site, folder / SITE)
    for file in notebooks:
        place = folder / EXERCISES / file.parent.name / file.name
        place.parent.mkdir(parents=True)
        shutil.copyfile(file, place)
    shutil.copyfile(site / "book" / "practice" / "requirements.txt", folder / EXERCISES / "requirements.txt")
    for name in _LICENCES:
        shutil.copyfile(course / name, folder / name)
    (folder / "README.md").write_text(_README, encoding="utf-8")
    names = sorted([MARK, *(path.name for path in folder.iterdir())])
    (folder / MARK).write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")


def _copy(folder: Path, target: Path) -> None:
    """Copy a folder. `shutil.copytree` would go on after a full disk, and forget what kind of error there was."""
    for path in (folder, *sorted(folder.rglob("*"))):
        place = target / path.relative_to(folder)
        if path.is_dir():
            place.mkdir()
        else:
            shutil.copy2(path, place)


def hand_out(course: Path, site: Path, folder: Path) -> None:
    """Make or replace a handout: it is written and searched elsewhere, then moved into place in one step.

    Parameters
    ----------
    course, site, folder : Path
        The course's root, its built website, and where to put the handout.

    Raises
    ------
    AutograderError
        The folder holds something else, or a file would show a solution, a hidden test or a bank entry.
    """
    folder = folder.resolve()
    require_own(folder, site)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as place:
        new = Path(place, "new")
        new.mkdir()
        gather(course, site, new)
        files = ((name.removeprefix("new/"), data) for name, data in files_below(new))
        if found := leaks(files, find_secrets(course)):
            more = f" {len(found) - 1} more such places were found." if len(found) > 1 else ""
            raise AutograderError(f"Nothing is handed out: {found[0]}.{more}")
        if folder.exists():
            folder.rename(Path(place, "old"))
        try:
            new.rename(folder)
        except OSError:
            if Path(place, "old").exists():
                Path(place, "old").rename(folder)
            raise
