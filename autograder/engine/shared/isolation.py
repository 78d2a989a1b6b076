"""Lets a process in the sandbox give up its rights on Linux: namespaces, mounts, capabilities, limits.

Python 3.11 has no functions for these, so they go through the C library. Every failure raises OSError.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import stat
import struct
import time

from autograder.engine.shared.limits import Limits

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID = 0x00020000, 0x08000000, 0x20000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT, _MS_BIND = 1, 2, 4, 8, 32, 4096
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
_LAST_CAPABILITY = 63
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def unshare(flags: int) -> None:
    """Give this process its own namespaces."""
    _checked(_libc.unshare(flags))


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    texts = [None if text is None else text.encode() for text in (source, target, kind, data)]
    _checked(_libc.mount(*texts[:3], ctypes.c_ulong(flags), texts[3]))


def private_scratch(limits: Limits, scratch: str, counted: bool = True) -> None:
    """Mount an empty scratch folder and an empty /dev/shm that no other submission sees.

    Parameters
    ----------
    limits : Limits
        What the submission may use.
    scratch : str
        The folder.
    counted : bool
        Whether a control group counts its memory. If not, /dev/zero is empty: shared mappings of it hold memory that
        counts for no process.
    """
    unshare(CLONE_NEWNS)
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    # An ordinary user owns the sandbox's /dev, and the limit on pseudo-terminals is for the whole machine.
    if os.path.isdir("/dev/pts"):
        _mount("none", "/dev/pts", "tmpfs", _MS_RDONLY | _MS_NOSUID | _MS_NODEV, "size=4096,nr_inodes=2")
    if not counted and os.path.exists("/dev/zero"):
        _mount("/dev/null", "/dev/zero", None, _MS_BIND)
    _mount("none", "/dev", None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)
    for target, size in ((scratch, 4 * limits.file_bytes), ("/dev/shm", limits.file_bytes)):
        options = f"size={size},nr_inodes=2000,mode=1777"
        _mount("tmpfs", target, "tmpfs", _MS_NOSUID | _MS_NODEV, options)


def private_proc() -> None:
    """Mount this PID namespace's /proc in a new mount namespace, so that the parent keeps its own /proc."""
    unshare(CLONE_NEWNS)
    _mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)


def fresh_descriptors(keep: set[int]) -> None:
    """Close all inherited descriptors but these; reopen regular files.

    Processes that inherit a descriptor share its offset: one submission's reading would move it for the next.

    Parameters
    ----------
    keep : set of int
        Descriptors that stay as they are.
    """
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        if number in keep:
            continue
        try:
            mode = os.fstat(number).st_mode
            if stat.S_ISREG(mode):
                again = os.open(f"/proc/self/fd/{number}", os.O_RDONLY | os.O_CLOEXEC)
                os.dup2(again, number, inheritable=False)
                os.close(again)
            elif not stat.S_ISCHR(mode):  # /dev/null and the like keep no state
                os.close(number)
        except OSError:  # the descriptor of the listing itself, or a file that is gone
            with contextlib.suppress(OSError):
                os.close(number)


_MADV_COLLAPSE = 25
_HUGE = 2 << 20


def use_huge_pages() -> None:
    """Move this process's memory to huge pages if the kernel can: a fork copies a table with one entry per page."""
    with open("/proc/self/maps", encoding="ascii") as maps:
        for line in maps:
            addresses, rights, _, _, inode, *name = line.split()
            if not rights.startswith("rw") or inode != "0" or name not in ([], ["[heap]"]):
                continue
            start, end = (int(part, 16) for part in addresses.split("-"))
            for address in range(-(-start // _HUGE) * _HUGE, end - _HUGE + 1, _HUGE):
                _libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(_HUGE), _MADV_COLLAPSE)


def processor_seconds(process: int) -> float:
    """Return the processor time that the kernel has counted for a process and its threads; 0 if it has ended."""
    try:
        return time.clock_gettime((~process << 3) | 2)  # that process's clock: see clock_getcpuclockid(3)
    except OSError:
        return 0.0


def try_namespaces(scratch: str) -> None:
    """Do in a child what every submission's process does; raise OSError if that is refused."""
    unshare(CLONE_NEWPID | CLONE_NEWIPC)
    private_scratch(Limits(), scratch)
    child = os.fork()
    if child == 0:
        try:
            private_proc()
            give_up_rights(None)
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        number = os.waitstatus_to_exitcode(status)
        raise OSError(number, f"a process inside the sandbox cannot be isolated further: {os.strerror(number)}")


def _set_limits(*limits: tuple[int, int]) -> None:
    for name, value in limits:
        hard = resource.getrlimit(name)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (value, value))


#: Bytes that a snapshot comes to hold beyond what a submission may allocate, as the runner writes to shared pages.
SNAPSHOT_MEMORY = 16 << 20
#: Maximum descriptors of a submission's process if a control group counts what the kernel keeps for them, and if only
#: their number bounds it.
DESCRIPTORS, FEW_DESCRIPTORS = 256, 64


def processor_limit(limits: Limits) -> int:
    """Return the seconds of processor time after which the kernel kills a submission's process."""
    return int(limits.total_seconds) + 5


def limit(limits: Limits, counted: bool, snapshots: int) -> None:
    """Set resource limits for this process and its children.

    Parameters
    ----------
    limits : Limits
        What the submission may use.
    counted : bool
        Whether a control group counts its memory.
    snapshots : int
        How many snapshots it leaves: each is a process, and has a connection. How many there are follows from where the
        student added cells, and is not to leave her fewer of either.
    """
    with open("/proc/self/statm", encoding="ascii") as statm:
        sizes = [int(field) * resource.getpagesize() for field in statm.read().split()]
    total, data = sizes[0], sizes[5]
    _set_limits(
        (resource.RLIMIT_AS, total + limits.memory),
        (resource.RLIMIT_DATA, data + limits.memory),
        (resource.RLIMIT_NPROC, limits.processes + snapshots),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, (DESCRIPTORS if counted else FEW_DESCRIPTORS) + snapshots),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, processor_limit(limits)),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    )


def limit_alone(memory: int, seconds: int, descriptors: int) -> None:
    """Set resource limits for a process that only computes: it writes no files and starts no processes.

    Parameters
    ----------
    memory : int
        Bytes that it may allocate beyond what it has.
    seconds : int
        Processor time after which it is killed.
    descriptors : int
        How many it has.
    """
    with open("/proc/self/statm", encoding="ascii") as statm:
        total = int(statm.read().split()[0]) * resource.getpagesize()
    _set_limits(
        (resource.RLIMIT_AS, total + memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, FEW_DESCRIPTORS + descriptors),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    )


def give_up_rights(uid: int | None) -> None:
    """Become an ordinary user for good, without capabilities or any way to gain them by starting a program.

    Parameters
    ----------
    uid : int or None
        The user and group to become; None to keep the present ones (an ordinary user has no others).
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


#: System calls denied to a submission, by name, with their numbers on x86_64 and aarch64 (None: no such call). Other
#: machines run without this filter.
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # Calls that change a process's surroundings or reach rarely used parts of the kernel.
    **{"ptrace": (101, 117), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51)},
    **{"unshare": (272, 97), "setns": (308, 268), "keyctl": (250, 219), "add_key": (248, 217), "bpf": (321, 280)},
    **{"request_key": (249, 218), "userfaultfd": (323, 282), "perf_event_open": (298, 241), "kcmp": (312, 272)},
    **{"io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427)},
    **{"open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "kexec_load": (246, 104)},
    **{"init_module": (175, 105), "finit_module": (313, 273), "process_vm_readv": (310, 270)},
    **{"process_vm_writev": (311, 271), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430)},
    **{"fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442)},
    **{"pidfd_getfd": (438, 438), "personality": (135, 92), "process_madvise": (440, 440), "syslog": (103, 116)},
    # Calls that hold memory that belongs to no process, or to the whole machine.
    **{"memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "semget": (64, 190)},
    **{"msgget": (68, 186), "io_setup": (206, 0), "fanotify_init": (300, 262), "landlock_create_ruleset": (444, 444)},
    # A page held by a pipe counts for no process, and a pipe holds all of a huge page.
    "vmsplice": (278, 75),
    # Calls that reveal, or leave traces of, which shared files others have read or hold.
    **{"fadvise64": (221, 223), "mincore": (27, 232), "cachestat": (451, 451), "flock": (73, 32)},
    **{"inotify_init": (253, None), "inotify_init1": (294, 26), "inotify_add_watch": (254, 27)},
}
#: System calls that fail as if the kernel lacked them, so that libraries do without.
_ABSENT = {"clone3": (435, 435), "preadv2": (327, 286), "pwritev2": (328, 287)}
#: Further calls that the examiner does not need: it starts no process and opens no connection.
_REFUSED_ALONE: dict[str, tuple[int | None, int | None]] = {
    **{"clone": (56, 220), "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281)},
    **{"socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "kill": (62, 129)},
}
#: System calls that fail, or pretend to succeed, for some values of an argument: its index, the values, the errno.
_BY_ARGUMENT = [
    # Locks, leases and notifications that show others who holds a file; pipes larger than usual.
    ("fcntl", (72, 25), 1, (5, 36, 37, 38, 1024, 1025, 1026, 1031), 1),
    # Larger socket buffers count for no process, so such requests change nothing.
    ("setsockopt", (54, 208), 2, (7, 8, 32, 33), 0),
]
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_CLONE, _SOCKET, _MMAP = (56, 220), (41, 198), (9, 222)
_MAP_SHARED, _MAP_ANONYMOUS = 0x01, 0x20
_CLONE_NEW = 0x7E020080  # every CLONE_NEW… flag
_AF_UNIX = 1


def filter_system_calls(alone: bool = False, counted: bool = True) -> bool:
    """Refuse the system calls listed above from now on; return whether this machine's calls are known.

    Only sockets between the submission's own processes are allowed: other families reach parts of the kernel that no
    network namespace isolates, and their buffers count for the whole machine.

    clone3 fails as if it did not exist, so that the C library uses clone, whose flags a filter can see.

    Parameters
    ----------
    alone : bool
        Whether this process starts no others and talks only to those that it is already connected to.
    counted : bool
        Whether a control group counts this process's memory. If not, it cannot share memory without a file: when all
        but one page is unmapped, the kernel keeps everything, and no statistic of a process shows it.
    """
    known = _MACHINES.get(os.uname().machine)
    if known is None:
        return False
    column, architecture = known
    load, jump_equal, jump_at_least, jump_set, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, kill, error = 0x7FFF0000, 0x80000000, 0x00050000

    def argument(place: int) -> tuple[int, int, int, int]:
        return (load, 0, 0, 16 + 8 * place)

    rules: list[tuple[int, int, int, int]] = [
        (load, 0, 0, 4),  # the architecture of the call
        (jump_equal, 1, 0, architecture),
        (answer, 0, 0, kill),
        (load, 0, 0, 0),  # the number of the call
    ]
    if os.uname().machine == "x86_64":  # x32 call numbers start here
        rules += [(jump_at_least, 0, 1, 0x40000000), (answer, 0, 0, error | 38)]
    for names, number in ((_REFUSED | (_REFUSED_ALONE if alone else {}), 1), (_ABSENT, 38)):
        for numbers in names.values():
            if numbers[column] is not None:
                rules += [(jump_equal, 0, 1, numbers[column]), (answer, 0, 0, error | number)]
    for _, numbers, place, values, number in _BY_ARGUMENT:
        rules += [(jump_equal, 0, 2 * len(values) + 2, numbers[column]), argument(place)]
        for value in values:
            rules += [(jump_equal, 0, 1, value), (answer, 0, 0, error | number)]
        rules += [(answer, 0, 0, allow)]
    rules += [
        (jump_equal, 0, 3, _CLONE[column]),
        argument(0),
        (jump_set, 0, 1, _CLONE_NEW),
        (answer, 0, 0, error | 1),
    ]
    if not counted:
        rules += [(jump_equal, 0, 5, _MMAP[column]), argument(3), (jump_set, 0, 2, _MAP_ANONYMOUS)]
        rules += [(jump_set, 0, 1, _MAP_SHARED), (answer, 0, 0, error | 1), (answer, 0, 0, allow)]
    rules += [
        (jump_equal, 0, 3, _SOCKET[column]),
        argument(0),
        (jump_equal, 1, 0, _AF_UNIX),
        (answer, 0, 0, error | 97),
    ]
    rules += [(answer, 0, 0, allow)]
    program = b"".join(struct.pack("HBBI", *rule) for rule in rules)
    buffer = ctypes.create_string_buffer(program)
    # struct sock_fprog: the number of rules and their address.
    description = struct.pack("HxxxxxxP", len(rules), ctypes.addressof(buffer))
    _checked(_libc.prctl(_PR_SET_SECCOMP, 2, description, 0, 0))
    return True


def hide_from_others() -> None:
    """Keep other processes of the same user out of this one's memory, even through /proc."""
    _checked(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))


def die_with_parent() -> None:
    """Ask to be killed when the parent ends."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0))
