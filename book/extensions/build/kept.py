"""Keep results that were computed from files, so that a fresh build computes them again only if a file has changed."""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from autograder.common.atomic_files import write_text

Data = TypeVar("Data")


def digest_of(root: Path, files: Iterable[Path]) -> str:
    """Return the SHA-256 of files and their names relative to a folder, in hexadecimal; missing files are left out."""
    digest = hashlib.sha256()
    for file in sorted(set(files)):
        if file.is_file():
            content = file.read_bytes()
            digest.update(f"{file.relative_to(root).as_posix()} {len(content)}\0".encode() + content)
    return digest.hexdigest()


def kept(file: Path, digest: str, make: Callable[[], Data]) -> Data:
    """Return what a file stores under a digest, or make it and store it.

    Parameters
    ----------
    file : Path
        Where it is stored.
    digest : str
        A digest of everything that it depends on, except the module of `make`, which is added to it.
    make : callable
        Returns data that JSON can express. Its module has a file.

    Returns
    -------
    Data
        In the form in which JSON returns it, whether stored or new: tuples become lists.
    """
    digest += hashlib.sha256(Path(make.__code__.co_filename).read_bytes()).hexdigest()
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        if before["of"] == digest:
            return before["data"]
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or of another form
        pass
    text = json.dumps({"of": digest, "data": make()})
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(text, file)
    return json.loads(text)["data"]
