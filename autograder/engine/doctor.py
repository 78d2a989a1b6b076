"""Reports what this machine offers for grading, what is in the way, and the command that fixes it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from autograder.common.errors import MachineError
from autograder.engine.cgroup import Cgroup
from autograder.engine.sandbox import Sandbox, find_bubblewrap, try_bubblewrap
from autograder.engine.shared.limits import Limits
from autograder.engine.warm_processes import ExaminerProcess, StudentProcess, WarmProcess

#: The oldest and the newest Python on which the engine is tested; it uses private parts of Python and of ipykernel.
OLDEST, NEWEST = (3, 11), (3, 14)


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes
    ----------
    good : bool
        Whether grading can work with it.
    text : str
        What was found.
    remedy : str
        What to do about it.
    """

    good: bool
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{'ok     ' if self.good else 'PROBLEM'}  {self.text}" + (
            f"\n         {self.remedy}" if self.remedy else ""
        )


def examine_machine() -> list[Finding]:
    """Check this machine's Python, sandboxes and memory."""
    return [_python(), *_sandbox(), _memory(), _counting()]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.platform == "linux" and OLDEST <= sys.version_info[:2] <= NEWEST
    remedy = "Use Linux with Python {}.{} to {}.{}.".format(*OLDEST, *NEWEST)
    return Finding(good, f"Python {version} on {sys.platform}", "" if good else remedy)


def _sandbox() -> list[Finding]:
    program = find_bubblewrap()
    if program is None:
        return [Finding(False, "bubblewrap is missing", "As root: apt-get install bubblewrap")]
    problem = try_bubblewrap(program)
    if not problem:
        who = "as root, each submission with its own user id" if os.geteuid() == 0 else "in a user namespace"
        found = Finding(True, f"sandbox: {program}, {who}")
        sandbox = Sandbox(program)
        return [
            found,
            _started("the process that runs submissions", StudentProcess(sandbox, 0)),
            _started("the examiner", ExaminerProcess(sandbox)),
        ]
    return [Finding(False, f"sandbox: {program} fails: {problem}", _remedy())]


def _started(what: str, process: WarmProcess) -> Finding:
    """Start one of the engine's processes in its sandbox, then stop it."""
    try:
        process.wait()
    except MachineError as error:
        return Finding(False, f"{what} does not start in its sandbox: {error}", _remedy())
    finally:
        process.stop()
    return Finding(True, f"{what} starts in its own sandbox")


def _remedy() -> str:
    """Name the most likely obstacle, and how to remove it."""
    settings = {
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
            "1",
            "AppArmor denies user namespaces to ordinary users. As root, until the next reboot:\n"
            "         sysctl -w kernel.apparmor_restrict_unprivileged_userns=0\n"
            "         permanently: echo kernel.apparmor_restrict_unprivileged_userns=0 > /etc/sysctl.d/60-userns.conf\n"
            "         or grade as root.",
        ),
        "/proc/sys/kernel/unprivileged_userns_clone": (
            "0",
            "Ordinary users may not create user namespaces. As root: sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        "/proc/sys/user/max_user_namespaces": (
            "0",
            "No user namespaces are allowed. As root: sysctl -w user.max_user_namespaces=10000",
        ),
    }
    for name, (value, remedy) in settings.items():
        path = Path(name)
        if os.geteuid() != 0 and path.is_file() and path.read_text().strip() == value:
            return remedy
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return (
            "In a container, namespaces need more privileges: start it with --privileged, or with --cap-add SYS_ADMIN "
            "--security-opt seccomp=unconfined --security-opt apparmor=unconfined."
        )
    return "This machine refuses namespaces; try as root, or on another machine."


def _memory() -> Finding:
    needed = Limits().memory
    with open("/proc/meminfo", encoding="ascii") as meminfo:
        fields = dict(line.split(":", 1) for line in meminfo)
    available = int(fields["MemAvailable"].split()[0]) * 1024
    good = available >= needed
    text = f"memory: {available >> 20} MB free; a submission may use {needed >> 20} MB"
    return Finding(good, text, "" if good else "Close other programs.")


def _counting() -> Finding:
    """Say how a submission's memory is counted; it is limited either way."""
    group = Cgroup.make("doctor")
    if group is None:
        return Finding(
            True,
            "memory of a submission: checked every quarter of a second; what the kernel keeps for its sockets and "
            "pipes is limited only by their number",
            "No control group can be created here: to count all memory, grade as root or in a group delegated to you.",
        )
    group.remove()
    return Finding(True, "memory of a submission: counted by a control group, including the kernel's buffers")
