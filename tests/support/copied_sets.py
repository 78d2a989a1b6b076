"""Copies of problem sets, for tests that change a source."""

import shutil
from pathlib import Path


def copy_set(course: Path, name: str, folder: Path) -> Path:
    """Copy a set's sources into a folder, and what cells of sets include to beside it; return the folder."""
    shutil.copytree(course / "solutions" / name, folder)
    for included in (course / "solutions").glob("*.py"):
        shutil.copy(included, folder.parent)
    return folder
