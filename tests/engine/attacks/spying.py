"""Attacks that look for what a submission must not see: hidden tests, other work, the machine."""

from tests.engine.attacks import Attack

ATTACKS = [
    Attack(
        "spying",
        "a search of In, Out, history and every string in memory for hidden tests",
        """
        import gc
        print(In, Out, get_ipython().history_manager.input_hist_raw)
        print([s for s in gc.get_objects() if isinstance(s, (dict, list, tuple)) and len(s) < 50 and "HIDDEN TESTS" in repr(s)[:5000]])
        """.replace("HIDDEN TESTS", 'HID" + "DEN'),
    ),
    Attack(
        "spying",
        "the environment and the command lines of all processes",
        """
        import os, glob
        print(dict(os.environ))
        for path in glob.glob("/proc/[0-9]*"):
            for name in ("environ", "cmdline", "maps"):
                try:
                    print(path, name, open(f"{path}/{name}", errors="replace").read()[:3000])
                except OSError as error:
                    print(path, error)
        """,
    ),
    Attack(
        "spying",
        "a search everywhere for the course, the gradebook, other submissions and keys",
        """
        import os
        found = []
        for top in ("/", "/root", "/home", "/work", "/srv", "/mnt", "/var", "/proc/1/root", "/proc/self/cwd", "/tmp", "/etc", "/grader"):
            for folder, folders, files in os.walk(top):
                if folder.startswith(("/usr", "/proc/1/task", "/proc/self", "/lib", "/bin", "/sbin")) or "site-packages" in folder:
                    folders.clear()
                    continue
                if folder.startswith("/proc/") or folder == "/proc":
                    folders.clear()
                found += [f"{folder}/{name}" for name in files]
        interesting = ("ipynb", ".db", "shadow", "id_rsa", "/bank/", "ps0-warmup", "checks.py", "CANARY", "examiner.py", "grading.py")
        print([path for path in found if any(word in path for word in interesting)])
        """,
    ),
    Attack(
        "spying",
        "files reached through the descriptors and roots of other processes",
        """
        import os
        for pid in [name for name in os.listdir("/proc") if name.isdigit()]:
            for way in ("root/etc/passwd", "root/root", "cwd", "fd", "mem", "map_files"):
                path = f"/proc/{pid}/{way}"
                try:
                    print(path, os.listdir(path) if os.path.isdir(path) else len(open(path, "rb").read(10)))
                except OSError as error:
                    print(path, error.strerror)
        for number in range(256):
            try:
                print(number, os.readlink(f"/proc/self/fd/{number}"))
            except OSError:
                pass
        """,
    ),
    Attack(
        "spying",
        "the memory of other processes, read by every possible system call",
        """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        for name, args in {"ptrace": (16, 1, 0, 0), "process_vm_readv": (1, 0, 0, 0, 0, 0), "unshare": (0x10000000,), "setns": (3, 0),
                           "mount": (b"x", b"/tmp", b"tmpfs", 0, 0), "chroot": (b"/tmp",), "setuid": (0,), "setresuid": (0, 0, 0),
                           "reboot": (0,), "memfd_create": (b"x", 0), "shmget": (1, 4096, 0o1666), "semget": (1, 1, 0o1666),
                           "msgget": (1, 0o1666)}.items():
            print(name, getattr(libc, name)(*args), os.strerror(ctypes.get_errno()))
            assert getattr(libc, name)(*args) < 0, f"BREACH {name}"
        for number in (321, 323, 298, 425, 248, 250, 304, 308, 155, 161, 246, 438, 206, 300, 312, 447):
            result = libc.syscall(number, 0, 0, 0, 0, 0, 0)
            print(number, result, os.strerror(ctypes.get_errno()))
            assert result < 0, f"BREACH {number}"
        """,
    ),
    Attack(
        "spying",
        "the network, loopback and every other family of sockets",
        """
        import socket
        for family in range(0, 46):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
                try:
                    s = socket.socket(family, kind)
                except OSError:
                    continue
                print("tried:", family, kind)
                assert family == socket.AF_UNIX, f"BREACH {family}"
        """,
    ),
    Attack(
        "spying",
        "hidden arguments are kept in files, names of classes and texts of errors",
        """
        import os
        seen = []
        def nats_to_bits(x):
            seen.append(x)
            for path in ("/tmp/seen", "/dev/shm/seen", "/dev/seen", "/var/tmp/seen", "seen"):
                try:
                    open(path, "a").write(str(seen))
                except OSError:
                    pass
            print(seen)
            import warnings; warnings.warn(str(seen))
            if x in (0, 10) or len(seen) < 5:
                return 0.5 * x
            raise type(f"Leak{x}", (AssertionError,), {})(f"leak {seen}")
        """,
    ),
    Attack(
        "spying",
        "hidden arguments are passed to a process that hopes to outlive the submission",
        """
        import os, time
        reading, writing = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                data = b""
                while True:
                    data += os.read(reading, 1000)
                    for path in ("/tmp/seen", "/dev/shm/seen", "/dev/seen"):
                        try:
                            open(path, "wb").write(data)
                        except OSError:
                            pass
            os._exit(0)
        def nats_to_bits(x):
            os.write(writing, str(x).encode())
            return 0.5 * x
        """,
    ),
    Attack(
        "spying",
        "a search for what an earlier submission left behind",
        """
        import os, glob
        print([p for top in ("/tmp", "/dev/shm", "/dev", "/dev/mqueue", "/var/tmp") for p in glob.glob(top + "/**", recursive=True)
               if "seen" in p or "left" in p])
        assert not glob.glob("/dev/**/seen", recursive=True) and not glob.glob("/tmp/**/seen", recursive=True), "BREACH"
        print(open("/proc/net/unix").read())
        """,
    ),
    Attack(
        "spying",
        "hard links, symbolic links and modes",
        """
        import os
        for path in ("/etc/passwd", "/usr/bin/python3", "/proc/1/environ", "/dev/null"):
            for act in (lambda: os.link(path, "hard"), lambda: os.symlink(path, "soft"), lambda: os.chmod(path, 0o4777),
                        lambda: os.chown(path, 0, 0), lambda: os.rename(path, "moved"), lambda: os.unlink(path)):
                try:
                    act()
                    print("did", path)
                except OSError as error:
                    print(error)
        os.mkfifo("fifo")
        open("own", "w").write("x")
        os.chmod("own", 0o6777)
        for folder in ("/", "/usr", "/usr/bin", "/dev", "/dev/pts", "/grader", "/grader/autograder", "/proc", "/etc", os.environ["HOME"] + "/.."):
            try:
                open(folder + "/left", "w").write("x")
            except OSError:
                continue
            assert os.path.realpath(folder).startswith(("/tmp", "/scratch")) or folder.endswith(".."), f"BREACH wrote to {folder}"
        """,
    ),
    Attack(
        "spying",
        "pseudo-terminals of the machine",
        """
        import os
        try:
            for _ in range(200):
                os.open("/dev/ptmx", os.O_RDWR)
        except OSError as error:
            print(error)
        else:
            raise SystemError("BREACH: took 200 pseudo-terminals")
        """,
    ),
]
