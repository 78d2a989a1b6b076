"""What Linux offers a process to give up its rights: namespaces, mounts, capabilities, limits. Used inside the sandbox.

Python 3.11 has no calls for these, so they go through the C library. Every failure raises OSError.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
from dataclasses import dataclass

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID = 0x00020000, 0x08000000, 0x20000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT, _MS_BIND = 1, 2, 4, 8, 32, 4096
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP, _PR_SET_SECCOMP = 1, 38, 24, 22
_LAST_CAPABILITY = 63
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    Attributes
    ----------
    memory : int
        Bytes that its processes may allocate beyond what a fresh one has.
    processes : int
        Processes and threads at once.
    file_bytes : int
        Bytes of one file; all its files together may have four times as much.
    cell_seconds, total_seconds : float
        Wall-clock time of one cell, and of the whole submission.
    output_bytes : int
        Bytes of the outputs of one cell.
    """

    memory: int = 1 << 30
    processes: int = 96
    file_bytes: int = 16_000_000
    cell_seconds: float = 30.0
    total_seconds: float = 300.0
    output_bytes: int = 2_000_000


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def unshare(flags: int) -> None:
    """Give this process namespaces of its own."""
    _checked(_libc.unshare(flags))


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    texts = [None if text is None else text.encode() for text in (source, target, kind, data)]
    _checked(_libc.mount(*texts[:3], ctypes.c_ulong(flags), texts[3]))


def private_files(limits: Limits, scratch: str) -> None:
    """Mount an empty scratch folder, /dev/shm and a /proc of this PID namespace, which no other submission sees."""
    unshare(CLONE_NEWNS)
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    _mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    # An ordinary user owns the sandbox's /dev, and pseudo-terminals are counted for the whole machine.
    if os.path.isdir("/dev/pts"):
        _mount("none", "/dev/pts", "tmpfs", _MS_RDONLY | _MS_NOSUID | _MS_NODEV, "size=4096,nr_inodes=2")
    _mount("none", "/dev", None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)
    for target, size in ((scratch, 4 * limits.file_bytes), ("/dev/shm", limits.file_bytes)):
        options = f"size={size},nr_inodes=2000,mode=1777"
        _mount("tmpfs", target, "tmpfs", _MS_NOSUID | _MS_NODEV, options)


def try_namespaces(scratch: str) -> None:
    """Do, in a child, what every submission's process does; raise OSError where that is refused."""
    unshare(CLONE_NEWPID | CLONE_NEWIPC)
    child = os.fork()
    if child == 0:
        try:
            private_files(Limits(), scratch)
            give_up_rights(None)
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        number = os.waitstatus_to_exitcode(status)
        raise OSError(number, f"a process inside the sandbox cannot be shut in further: {os.strerror(number)}")


def limit(limits: Limits) -> None:
    """Set resource limits for this process and those it starts."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        sizes = [int(field) * resource.getpagesize() for field in statm.read().split()]
    total, data = sizes[0], sizes[5]
    for name, value in (
        (resource.RLIMIT_AS, total + limits.memory),
        (resource.RLIMIT_DATA, data + limits.memory),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, int(limits.total_seconds) + 5),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        hard = resource.getrlimit(name)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (value, value))


def give_up_rights(uid: int | None) -> None:
    """Become an ordinary user for good: no capabilities, none to be had by starting a program.

    Parameters
    ----------
    uid : int or None
        The user and group to become; None to keep this one (an ordinary user has no other).
    """
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    for capability in range(_LAST_CAPABILITY + 1):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            break  # the kernel has no more
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    _checked(_libc.capset(header, bytes(24)))


#: System calls by which a process changes its surroundings or reaches rarely used parts of the kernel. Nothing in
#: NumPy, SymPy or matplotlib uses them. Numbers by machine; an unknown machine runs without this filter.
_REFUSED_CALLS = {
    "x86_64": (
        0xC000003E,
        # ptrace, mount, umount2, pivot_root, chroot, unshare, setns, keyctl, add_key, request_key, bpf,
        # userfaultfd, perf_event_open, io_uring_*, open_by_handle_at, kexec_load, init_module, finit_module,
        # process_vm_readv, process_vm_writev, open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr;
        # then what holds memory that belongs to no process, or to the whole machine: memfd_create, memfd_secret, shmget,
        # semget, msgget, io_setup, fanotify_init; and kcmp, pidfd_getfd, name_to_handle_at, personality
        (101, 165, 166, 155, 161, 272, 308, 250, 248, 249, 321, 323, 298, 425, 426, 427, 304, 246, 175, 313, 310, 311)
        + (428, 429, 430, 431, 432, 433, 442, 319, 447, 29, 64, 68, 206, 300, 312, 438, 303, 135),
        56,
        41,
    ),
    "aarch64": (
        0xC00000B7,
        (117, 40, 39, 41, 51, 97, 268, 219, 217, 218, 280, 282, 241, 425, 426, 427, 265, 104, 105, 273, 270, 271)
        + (428, 429, 430, 431, 432, 433, 442, 279, 447, 194, 190, 186, 0, 262, 272, 438, 264, 92),
        220,
        198,
    ),
}
_CLONE_NEW = 0x7E020080  # every CLONE_NEW… flag
_CLONE3 = 435
_AF_UNIX = 1


def filter_system_calls() -> bool:
    """Refuse the system calls listed above from now on; return whether this machine's are known.

    Sockets are those between processes of the submission: other families reach parts of the kernel that no network
    namespace shuts in, and their buffers are counted for the whole machine.

    clone3 answers that it does not exist, so that the C library uses clone, whose flags a filter can see.
    """
    known = _REFUSED_CALLS.get(os.uname().machine)
    if known is None:
        return False
    architecture, refused, clone, socket_call = known
    load, jump_equal, jump_at_least, jump_set, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, kill, error = 0x7FFF0000, 0x80000000, 0x00050000
    rules: list[tuple[int, int, int, int]] = [
        (load, 0, 0, 4),  # the architecture
        (jump_equal, 1, 0, architecture),
        (answer, 0, 0, kill),
        (load, 0, 0, 0),  # the number of the call
    ]
    if os.uname().machine == "x86_64":  # the x32 numbers begin there
        rules += [(jump_at_least, 0, 1, 0x40000000), (answer, 0, 0, error | 38)]
    for number in refused:
        rules += [(jump_equal, 0, 1, number), (answer, 0, 0, error | 1)]
    rules += [(jump_equal, 0, 1, _CLONE3), (answer, 0, 0, error | 38)]
    rules += [(jump_equal, 0, 3, clone), (load, 0, 0, 16), (jump_set, 0, 1, _CLONE_NEW), (answer, 0, 0, error | 1)]
    rules += [
        (jump_equal, 0, 3, socket_call),
        (load, 0, 0, 16),
        (jump_equal, 1, 0, _AF_UNIX),
        (answer, 0, 0, error | 97),
    ]
    rules += [(answer, 0, 0, allow)]
    program = b"".join(struct.pack("HBBI", *rule) for rule in rules)
    buffer = ctypes.create_string_buffer(program)
    # struct sock_fprog: the number of rules, and where they are.
    description = struct.pack("HxxxxxxP", len(rules), ctypes.addressof(buffer))
    _checked(_libc.prctl(_PR_SET_SECCOMP, 2, description, 0, 0))
    return True


def die_with_parent() -> None:
    """Ask to be killed when the parent ends."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0))
