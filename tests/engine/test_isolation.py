"""Nothing passes from one submission to the next, or to a concurrent one, but what the instructors' chapter names."""

import contextlib
import os
import threading

import nbformat
import pytest

from autograder.common.errors import SubmissionError
from autograder.engine import sandbox
from autograder.engine.cgroup import Cgroup
from autograder.engine.execution import SandboxExecutor
from autograder.engine.sandbox import UserId, require_sandbox
from autograder.engine.shared.limits import Limits
from tests.support.engines import limited

LIMIT = 256 << 20


@pytest.fixture(scope="module")
def engine(executor):
    return limited(executor, cell_seconds=6, total_seconds=20, memory=LIMIT)


def run(engine, *cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    executed = engine(notebook).notebook
    problems = [
        f"{output.ename}: {output.evalue}"
        for cell in executed.cells
        for output in cell.outputs
        if output.output_type == "error"
    ]
    assert not problems, problems
    return "".join(output.get("text", "") for cell in executed.cells for output in cell.outputs)


OFFSETS = """
import os, stat
def regular():
    for name in os.listdir("/proc/self/fd"):
        try:
            if stat.S_ISREG(os.fstat(int(name)).st_mode):
                yield int(name)
        except OSError:
            pass
"""


def test_no_descriptor_remembers_what_an_earlier_submission_did(engine):
    """All processes that inherit a descriptor share its offset: once, a font file's offset carried 44 bits."""
    run(engine, "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.set_title('a')\nplt.show()", OFFSETS)
    run(engine, OFFSETS + "for number in regular(): os.lseek(number, 123457, 0)")
    found = run(engine, OFFSETS + "print([os.lseek(number, 0, 1) for number in regular()])")
    assert "123457" not in found


CALL = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
path = os.__file__
file = os.open(path, os.O_RDONLY)
def refused(result):
    assert result < 0 and ctypes.get_errno() in (errno.EPERM, errno.ENOSYS), (result, ctypes.get_errno())
"""
NUMBERS = {"x86_64": {"cachestat": 451, "mincore": 27}, "aarch64": {"cachestat": 451, "mincore": 232}}


@pytest.mark.parametrize(
    "probe",
    [
        "refused(libc.posix_fadvise(file, 0, 0, 4) and -1)",
        "import mmap\nm = mmap.mmap(file, 0, prot=mmap.PROT_READ)\nrefused(libc.syscall(MINCORE, 0, 4096, 0))",
        "refused(libc.syscall(CACHESTAT, file, 0, 0, 0))",
        "import fcntl\ntry: fcntl.flock(file, fcntl.LOCK_SH)\nexcept OSError: pass\nelse: raise SystemError('flock')",
        "refused(libc.inotify_init())",
        "import fcntl, struct\ntry: fcntl.fcntl(file, fcntl.F_GETLK, struct.pack('hhqqi', 1, 0, 0, 0, 0))\n"
        "except OSError: pass\nelse: raise SystemError('getlk')",
        "import fcntl\ntry: fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)\nexcept OSError: pass\nelse: raise SystemError('lease')",
        "import fcntl\ntry: fcntl.fcntl(os.open('/usr', os.O_RDONLY), fcntl.F_NOTIFY, fcntl.DN_ACCESS)\n"
        "except OSError: pass\nelse: raise SystemError('notify')",
        "try: os.preadv(file, [bytearray(8)], 0, os.RWF_NOWAIT)\nexcept OSError: pass\nelse: raise SystemError('preadv2')",
        "before = os.stat(path).st_atime_ns\nos.read(file, 100)\nassert os.stat(path).st_atime_ns == before",
    ],
)
def test_reading_a_shared_file_leaves_no_trace(engine, probe):
    machine = NUMBERS.get(os.uname().machine)
    if machine is None:
        pytest.skip("this machine's system calls are not known, and not filtered")
    names = f"MINCORE, CACHESTAT = {machine['mincore']}, {machine['cachestat']}\n"
    refusal = probe.replace(
        "refused(libc.posix_fadvise(file, 0, 0, 4) and -1)", "assert libc.posix_fadvise(file, 0, 0, 4) == 1"
    )
    run(engine, CALL + names + refusal)


def test_locks_on_the_submissions_own_files_work_as_in_a_kernel(engine):
    run(engine, "import sqlite3\nwith sqlite3.connect('own.db') as db:\n    db.execute('create table t (a)')\n"
        "    db.execute('insert into t values (1)')\nassert db.execute('select a from t').fetchall() == [(1,)]")  # fmt: skip


SOCKETS = """
import os, socket
held = []
def fill():
    while True:
        try:
            pair = socket.socketpair()
        except OSError:
            return
        for end in pair:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24)
            end.setblocking(False)
            try:
                while True: end.send(bytes(1 << 16))
            except OSError:
                pass
        held.append(pair)
children = 0
while children < 200:
    try:
        child = os.fork()
    except OSError:
        break
    if child == 0:
        fill()
        import time
        time.sleep(60)
    children += 1
fill()
print("children", children)
"""


PROCESSES = """
import os, time
for _ in range(6):
    if os.fork() == 0:
        held = bytearray(b"x") * (200 << 20)
        time.sleep(20)
time.sleep(3)
"""


@pytest.mark.parametrize("code", [SOCKETS, PROCESSES], ids=["sockets", "processes"])
def test_memory_is_counted_for_all_processes_together_with_buffers(engine, control_group, code):
    """What the kernel keeps for sockets belongs to no process; without a control group, only their number bounds it."""
    before = available()
    lowest, stop = [before], threading.Event()

    def watch():
        while not stop.wait(0.02):
            lowest[0] = min(lowest[0], available())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with contextlib.suppress(SubmissionError, AssertionError):
            run(engine, code)
    finally:
        stop.set()
        watcher.join()
    # Other programs on the machine may take some in the meantime.
    assert before - lowest[0] < (2 * LIMIT if control_group else 2 << 30) + (512 << 20)


def available():
    with open("/proc/meminfo", encoding="ascii") as meminfo:
        fields = dict(line.split(":", 1) for line in meminfo)
    return int(fields["MemAvailable"].split()[0]) * 1024


def test_a_cell_that_asks_for_too_much_memory_is_refused(engine):
    with pytest.raises(AssertionError, match="MemoryError"):
        run(engine, "held = bytearray(400 << 20)")


UNCOUNTED = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
end = time.monotonic() + 30
while time.monotonic() < end:
    if os.fork() == 0:
        begin = time.process_time()
        while time.process_time() - begin < 0.1: pass
        os._exit(0)
    try:
        os.wait()
    except OSError:
        pass
"""


def test_processor_time_of_processes_that_nobody_waits_for_is_counted(executor, control_group):
    """They leave no record when they end: only a control group knows what they took."""
    if control_group is None or control_group.processor_seconds() is None:
        pytest.skip("no control group counts processor time here")
    long, short = UNCOUNTED.replace("+ 30", "+ 150"), UNCOUNTED.replace("+ 30", "+ 0.6")
    engine = limited(executor, cell_seconds=1, total_seconds=60, patience=200)
    with pytest.raises(SubmissionError, match="ran for too long"):
        run(engine, long)
    engine = limited(executor, cell_seconds=10, total_seconds=3, patience=100)
    with pytest.raises(SubmissionError, match="more than 3 seconds of processor time"):
        run(engine, *[short] * 200)


UNMAPPED = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
for flags, file in ((0x21, -1), (0x23, -1), (0x01, os.open("/dev/zero", os.O_RDWR))):
    address = libc.mmap(None, 1 << 20, 3, flags, file, 0)
    assert address == 2 ** 64 - 1, f"BREACH: memory that outlives its mapping {flags, file}"
import mmap, multiprocessing, tempfile
with tempfile.TemporaryFile() as file:  # memory that has or had a file name counts as a file
    file.truncate(4096)
    mmap.mmap(file.fileno(), 4096)[0] = 1
mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)[0] = 1
multiprocessing.Array("d", 10)[0] = 1.0
multiprocessing.Lock().acquire()
"""


def test_without_a_control_group_no_memory_is_held_that_no_process_shows(monkeypatch):
    """The kernel keeps all of a memory shared without a file while a process still maps one page of it."""
    monkeypatch.setattr(Cgroup, "make", classmethod(lambda cls, name: None))
    with SandboxExecutor(require_sandbox(), Limits(cell_seconds=6, total_seconds=20, memory=LIMIT)) as executor:
        run(executor, UNMAPPED)


def test_no_two_graders_run_submissions_as_the_same_user(monkeypatch):
    """The limit on processes is per user, so one grader's greedy submission would keep another's from starting any."""
    monkeypatch.setattr(sandbox, "STUDENT_IDS", range(61_500, 61_503))
    users = [UserId() for _ in range(3)]
    try:
        assert {user.number for user in users} == {61_500, 61_501, 61_502}
        users[1].free()
        users[1] = UserId()
        assert {user.number for user in users} == {61_500, 61_501, 61_502}
        assert UserId().number in range(61_500, 61_503)  # more than there are: some have to share
    finally:
        for user in users:
            user.free()
