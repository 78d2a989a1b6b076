"""Which packages a submission can import: those that its problem set names, whatever else is installed here.

A grade must not depend on what the grading machine happens to have. A package that the set does not name is missing, as
it would be in an environment made from the set's list.
"""

from __future__ import annotations

import functools
import os
import sys
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import PurePath
from typing import Any

#: What every notebook runs on.
KERNEL = "ipykernel"
#: The names of the folders that packages are installed in; Debian's is the second.
_INSTALLED = ("site-packages", "dist-packages")


@functools.cache
def modules_of(packages: tuple[str, ...]) -> frozenset[str]:
    """Return the names of the modules that packages install, with all that they and the kernel require.

    Parameters
    ----------
    packages : tuple of str
        Names of packages, as a package index spells them. One that is not installed adds nothing but its own name.
    """
    from packaging.requirements import Requirement  # which matplotlib and ipykernel require

    own = __name__.partition(".")[0]  # without a sandbox, this package may be an installed one, too
    modules, known, waiting = {own, *packages}, set(), [KERNEL, *packages]
    while waiting:
        package = waiting.pop().lower().replace("_", "-")
        if package in known:
            continue
        known.add(package)
        try:
            installed = metadata.distribution(package)
        except metadata.PackageNotFoundError:
            continue
        for text in installed.requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
        # `top_level.txt` is old and often absent; the list of files is absent from some systems' packages.
        modules.update((installed.read_text("top_level.txt") or "").split())
        modules.update(PurePath(file).parts[0].partition(".")[0] for file in installed.files or ())
    return frozenset(modules)


class _Finder(PathFinder):
    """Finds what Python finds, except installed packages that are not offered."""

    #: The names of modules; None for all that are installed.
    offered: frozenset[str] | None = None

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return where a module is; None for one of a package that is not offered."""
        found = super().find_spec(name, path, target)
        return None if path is None and cls.hides(name, found) else found

    @classmethod
    def hides(cls, name: str, found: ModuleSpec | None) -> bool:
        """Whether a module that was found is not offered."""
        return cls.offered is not None and name not in cls.offered and found is not None and _is_installed(found)


def _is_installed(found: ModuleSpec) -> bool:
    """Whether a module is in a folder of packages; Python's own library is not."""
    places = [found.origin] if found.has_location else list(found.submodule_search_locations or ())
    return any(folder in (place or "").split(os.sep) for place in places for folder in _INSTALLED)


def offer(packages: tuple[str, ...] | None) -> None:
    """From now on, let this process import only the standard library, its own files, these packages, and what they require.

    What it has imported of others is forgotten, so that it is found anew, or not at all. A process that is to be forked
    many times should therefore import nothing else in the first place: forgetting takes time in each fork.

    Parameters
    ----------
    packages : tuple of str or None
        As for `modules_of`; None for all that are installed.
    """
    _Finder.offered = None if packages is None else modules_of(packages)
    sys.meta_path[:] = [_Finder if finder is PathFinder else finder for finder in sys.meta_path]
    hidden = {
        name
        for name, module in list(sys.modules.items())
        if "." not in name and _Finder.hides(name, getattr(module, "__spec__", None))
    }
    if hidden:
        for name in [name for name in sys.modules if name.partition(".")[0] in hidden]:
            del sys.modules[name]
