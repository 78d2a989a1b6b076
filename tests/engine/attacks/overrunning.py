"""Attacks that take more than their share of time, memory, processes, disk or output, or that kill."""

from tests.engine.attacks import Attack

MEMORY = "memory|died|did not finish"
GONE = "did not finish|died|invalid answer"

ATTACKS = [
    Attack("overrunning", "an infinite loop", "while True: pass", quick=True),
    Attack(
        "overrunning",
        "a loop that catches whatever interrupts it",
        """
        while True:
            try:
                while True: pass
            except BaseException:
                pass
        """,
        ends=f"graded|{GONE}",
        quick=True,
    ),
    Attack(
        "overrunning",
        "alarms and interrupts are ignored",
        """
        import signal
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        while True: pass
        """,
        ends=GONE,
        quick=True,
    ),
    Attack(
        "overrunning",
        "a call of the tests never returns and ignores alarms",
        """
        import signal, time
        def nats_to_bits(x):
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
            while True: time.sleep(1)
        """,
        idle=True,
    ),
    Attack(
        "overrunning",
        "folders deeper than Python's stack",
        """
        import os
        here = os.getcwd()
        for _ in range(1200):
            os.mkdir("d")
            os.chdir("d")
        os.chdir(here)
        """,
        ends="more files than can be kept",
    ),
    Attack(
        "overrunning",
        "folders deeper than Python's stack, made while the tests run",
        """
        import os
        def nats_to_bits(x):
            for _ in range(150):
                os.mkdir("d")
                os.chdir("d")
        """,
    ),
    Attack("overrunning", "a long computation in C", "9 ** (9 ** 9)", ends=f"graded|{GONE}", quick=True),
    Attack(
        "overrunning",
        "sleeping threads that keep the process alive",
        """
        import threading, time
        for _ in range(50):
            threading.Thread(target=time.sleep, args=(3600,)).start()
        import atexit
        atexit.register(time.sleep, 3600)
        """,
    ),
    Attack("overrunning", "os._exit", "import os; os._exit(0)", ends="died"),
    Attack(
        "overrunning",
        "sys.exit, and exits of every other kind",
        """
        import sys
        def nats_to_bits(x): raise SystemExit(0)
        exit(); quit(); sys.exit(0)
        """,
    ),
    Attack(
        "overrunning",
        "a limit of its own on processor time, by which the kernel kills it as if from outside",
        """
        import resource
        resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
        while True: pass
        """,
        ends="died",
    ),
    Attack(
        "overrunning",
        "the same limit, in a child of process 1 and in process 1 while it waits",
        """
        import os, resource
        resource.prlimit(1, resource.RLIMIT_CPU, (1, 1))
        if os.fork() == 0:
            while True: pass
        os.wait()
        while True: sum(range(1000))
        """,
        ends="died",
    ),
    Attack("overrunning", "a segmentation fault", "import ctypes; ctypes.string_at(0)", ends="died"),
    Attack(
        "overrunning",
        "a segmentation fault in a test",
        """
        import ctypes
        def nats_to_bits(x): ctypes.string_at(0)
        """,
    ),
    Attack(
        "overrunning",
        "abort, after asking for a core dump",
        """
        import os, resource
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))
        except ValueError:
            pass
        os.abort()
        """,
        ends="died",
    ),
    Attack(
        "overrunning",
        "it stops itself",
        "import os, signal; os.kill(0, signal.SIGSTOP); os.kill(os.getpid(), signal.SIGSTOP)",
    ),
    Attack(
        "overrunning",
        "every process it can see is killed or stopped, process 1 and its own snapshots too",
        """
        import os, signal
        def nats_to_bits(x):
            for pid in (-1, 0, 1, 2, os.getppid(), *range(2, 400)):
                for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL):
                    if pid not in (0, os.getpid()):
                        try:
                            os.kill(pid, number)
                        except OSError:
                            pass
            return 0.5 * x
        try:
            nats_to_bits(1)
        except BaseException:
            pass
        """,
        ends="graded|" + GONE,
    ),
    Attack(
        "overrunning",
        "a fork bomb",
        """
        import os
        while True:
            try:
                os.fork()
            except OSError:
                pass
        """,
        ends=GONE,
        quick=True,
    ),
    Attack(
        "overrunning",
        "a fork bomb in a test",
        """
        import os
        def nats_to_bits(x):
            while True:
                try:
                    os.fork()
                except OSError:
                    pass
        """,
        quick=True,
    ),
    Attack(
        "overrunning",
        "a daemon that forks away from every signal",
        """
        import os, time
        if os.fork() == 0:
            os.setsid()
            while True:
                try:
                    if os.fork() != 0: os._exit(0)
                except OSError:
                    pass
        """,
        ends="graded|" + GONE,
    ),
    Attack(
        "overrunning",
        "a subprocess that keeps running",
        """
        import subprocess
        subprocess.Popen(["/bin/sh", "-c", "trap '' HUP TERM INT; while :; do sleep 1; done"], start_new_session=True)
        subprocess.Popen(["/usr/bin/setsid", "sleep", "3600"])
        """,
    ),
    Attack("overrunning", "memory: one block", "x = bytearray(3 << 30)"),
    Attack(
        "overrunning",
        "memory: many blocks that are written to",
        """
        kept = []
        while True:
            kept.append(bytearray(b"x" * (32 << 20)))
        """,
        ends="graded|memory",
        quick=True,
    ),
    Attack(
        "overrunning",
        "memory: many processes, each below the limit",
        """
        import os, time
        for _ in range(20):
            if os.fork() == 0:
                kept = bytearray(b"x" * (100 << 20))
                time.sleep(60)
        time.sleep(60)
        """,
        ends=MEMORY,
        idle=True,
    ),
    Attack(
        "overrunning",
        "memory: shared between processes, so that none has it to itself",
        """
        import mmap, os, time
        for _ in range(12):
            if os.fork() == 0:
                try:
                    kept = mmap.mmap(-1, 100 << 20)
                except OSError:
                    os._exit(0)  # refused where no control group counts such memory
                for at in range(0, 100 << 20, 4096): kept[at] = 1
                os.fork()
                time.sleep(60)
        time.sleep(60)
        """,
        ends=MEMORY,
        idle=True,
    ),
    Attack(
        "overrunning",
        "memory: generation after generation, each held by two processes",
        """
        import os, time
        for _ in range(12):
            kept = bytearray(b"x" * (100 << 20))
            for _ in range(2):
                if os.fork() == 0: time.sleep(60)
        time.sleep(60)
        """,
        ends="graded|" + MEMORY,
        idle=True,
    ),
    Attack(
        "overrunning",
        "memory: unnamed files",
        """
        import os
        try:
            for number in range(100):
                handle = os.memfd_create(str(number))
                os.write(handle, b"x" * 8_000_000)
        except (OSError, AttributeError) as error:
            print(error)
        else:
            raise SystemError("BREACH: 800 MB in files without a name")
        """,
    ),
    Attack(
        "overrunning",
        "memory: System V segments",
        """
        import ctypes
        libc = ctypes.CDLL(None)
        libc.shmat.restype = ctypes.c_void_p
        made = 0
        for number in range(20):
            segment = libc.shmget(0, 50 << 20, 0o1666)
            if segment >= 0:
                address = libc.shmat(segment, None, 0)
                ctypes.memset(address, 1, 50 << 20)
                libc.shmdt(ctypes.c_void_p(address))
                made += 1
        assert made == 0, f"BREACH {made}"
        """,
    ),
    Attack(
        "overrunning",
        "memory: pages held by a pipe, and countless rules",
        """
        import ctypes, errno
        libc = ctypes.CDLL(None, use_errno=True)
        for number in {"x86_64": (278, 444), "aarch64": (75, 444)}.get(__import__("os").uname().machine, ()):
            assert libc.syscall(number, 0, 0, 1) < 0 and ctypes.get_errno() == errno.EPERM, f"BREACH {number}"
        """,
    ),
    Attack(
        "overrunning",
        "memory: buffers of unread sockets",
        """
        import os, socket
        kept, total = [], 0
        try:
            while True:
                pair = socket.socketpair()
                kept.append(pair)
                pair[0].setblocking(False)
                while True:
                    try:
                        total += pair[0].send(b"x" * 65536)
                    except BlockingIOError:
                        break
        except OSError as error:
            print(error, total)
        assert total < 100_000_000, f"BREACH {total}"
        """,
    ),
    Attack(
        "overrunning",
        "disk: every folder is filled",
        """
        import os
        total = 0
        for folder in ("/tmp", "/dev/shm", "/dev", "/scratch", "/var/tmp", "/"):
            try:
                for number in range(5000):
                    with open(f"{folder}/left-{number}", "wb") as file:
                        total += file.write(b"x" * 4_000_000)
            except OSError as error:
                print(folder, error)
        assert total < 200_000_000, f"BREACH {total}"
        """,
    ),
    Attack(
        "overrunning",
        "disk: one endless file, and a million empty ones",
        """
        import os
        try:
            with open("long", "wb") as file:
                while True: file.write(b"x" * 1_000_000)
        except OSError as error:
            print(error)
        try:
            for number in range(1_000_000): open(f"empty-{number}", "w").close()
        except OSError as error:
            print(error)
        """,
    ),
    Attack("overrunning", "output: an endless print", "while True: print('x' * 100_000)", quick=True),
    Attack(
        "overrunning",
        "output: many displays of characters that take twelve bytes each",
        """
        from IPython.display import display
        for _ in range(150):
            display("\\U0001f600" * 12_000)
            print("\\U0001f600" * 10)
        """,
    ),
    Attack(
        "overrunning",
        "infinite recursion",
        """
        import sys
        sys.setrecursionlimit(10 ** 9)
        def nats_to_bits(x): return nats_to_bits(x)
        nats_to_bits(1)
        """,
        ends="graded|memory|" + GONE,
        quick=True,
    ),
    Attack(
        "overrunning",
        "a huge array as an answer",
        """
        import numpy as np
        def nats_to_bits(x): return np.zeros(60_000_000)
        """,
    ),
    Attack(
        "overrunning",
        "an infinitely nested value as an answer",
        """
        def nats_to_bits(x):
            value = []
            value.append(value)
            return value
        """,
    ),
    Attack("overrunning", "an integer of a million digits as an answer", "def nats_to_bits(x): return 10 ** 1_000_000"),
    Attack(
        "overrunning",
        "an expression that takes longer than the universe",
        """
        import sympy as sp
        turn = iter([sp.Pow(sp.Pow(10, 9999, evaluate=False), 9999, evaluate=False), sp.factorial(10 ** 9, evaluate=False),
                     sp.exp(sp.exp(sp.exp(sp.exp(99))))] * 9)
        def nats_to_bits(x): return next(turn)
        """,
        quick=True,
    ),
    Attack(
        "overrunning",
        "limits are raised again",
        """
        import resource
        raised = []
        for name in dir(resource):
            if name.startswith("RLIMIT_"):
                soft, hard = resource.getrlimit(getattr(resource, name))
                if hard != -1:
                    try:
                        resource.setrlimit(getattr(resource, name), (-1, -1))
                        raised.append(name)
                    except (ValueError, OSError):
                        pass
        assert not raised, f"BREACH {raised}"
        assert resource.getrlimit(resource.RLIMIT_NPROC)[1] < 1000, "BREACH"
        """,
    ),
    Attack(
        "overrunning",
        "a call in a test forks a thousand sleeping children",
        """
        import time, os
        def nats_to_bits(x):
            for _ in range(1000):
                try:
                    if os.fork() == 0:
                        time.sleep(3600)
                except OSError:
                    break
            return 0.5 * x
        """,
    ),
]
