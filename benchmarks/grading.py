"""Compare this engine with stock `nbgrader autograde`: the same class, the same machine, one run.

    .venv/bin/python benchmarks/grading.py --save benchmarks/grading.csv    # 50 students each way, then 200 and 1,000
    .venv/bin/python benchmarks/grading.py --sizes 50 --set ps0-warmup

A class is made from a set's bank. nbgrader grades it once, this engine with one and with two jobs, larger classes only
with two. Each line gives the wall time, the processor time and the peak memory of all processes together (proportional
set size, sampled once a second: looking at many processes takes processor time, too). This engine's times include its
start and the pre-flight. The processor time is that of the whole machine, which should have nothing else to do, because
what runs in a sandbox is not counted among its parent's children.

Students run their notebooks before they hand them in, so each submission is first executed, with its pictures.

Before that, a breakdown of a submission's processor time: the answers' own process and its snapshots, the rest of its
sandbox (forks, namespaces, the supervisor), the examiner's sandbox, the grader.

The page for instructors shows the table that `--save` writes.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.grading.gradebook import record_source
from autograder.common.atomic_files import write_notebook
from autograder.engine.execution import SandboxExecutor
from autograder.engine.restore import restore
from autograder.engine.sandbox import require_sandbox
from autograder.engine.score import grade
from autograder.engine.submitted_notebook import read_submission
from autograder.engine.warm_processes import Control
from autograder.problem_set.source import find_problem_sets
from autograder.problem_set.versions import instructor_version, without_hidden_tests

COURSE = Path(__file__).resolve().parent.parent
AUTOGRADER = [sys.executable, "-m", "autograder"]


def family(root: int) -> set[int]:
    """Return a process and its descendants."""
    parents = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                with open(f"/proc/{entry.name}/stat", encoding="ascii", errors="replace") as stat:
                    parents[int(entry.name)] = int(stat.read().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError, ValueError):
                continue
    found = {root}
    while new := {child for child, parent in parents.items() if parent in found} - found:
        found |= new
    return found


def tree_memory(root: int) -> int:
    """Return the memory of a process and its descendants in bytes, with shared pages divided among their users."""
    total = 0
    for process in family(root):
        try:
            with open(f"/proc/{process}/smaps_rollup", encoding="ascii") as rollup:
                total += next(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) * 1024
        except (OSError, StopIteration):
            continue
    return total


def busy_seconds() -> float:
    """Return the seconds that this machine's processors have worked since it started."""
    with open("/proc/stat", encoding="ascii") as stat:
        user, nice, system, _, _, interrupts, soft, *_ = map(int, stat.readline().split()[1:])
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def measure(command: list[str], directory: Path) -> tuple[float, float, int]:
    """Run a command; return its wall seconds, the processor seconds meanwhile, and its peak memory."""
    before = busy_seconds()
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(1.0):
            peak = max(peak, tree_memory(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    wall = time.perf_counter() - start
    done.set()
    watcher.join()
    cpu = busy_seconds() - before
    if code not in (0, 3):
        raise SystemExit(f"{' '.join(command)} ended with {code}")
    return wall, cpu, peak


def make_class(root: Path, name: str, students: int) -> None:
    """Make a class of the given number of students from a set's bank."""
    command = [*AUTOGRADER, "sample-class", name, "--class", str(root), "--students", str(students)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def hand_in_as_run(root: Path, name: str) -> None:
    """Execute each submission as its student would have, and keep its outputs."""
    (problem_set,) = find_problem_sets(COURSE, [name])
    source = without_hidden_tests(instructor_version(problem_set))
    directory = ClassDirectory(root)
    with SandboxExecutor(require_sandbox()) as executor, ThreadPoolExecutor(2) as pool:

        def run(submission: Submission) -> None:
            path = directory.submission_folder(submission) / f"{name}.ipynb"
            notebook, _ = restore(source, read_submission(path.read_bytes()))
            write_notebook(executor(notebook).notebook, path)

        list(pool.map(run, directory.submissions([name])))


def stock_copy(root: Path, target: Path, name: str) -> None:
    """Copy a class for nbgrader's own execution, without this engine in its configuration."""
    shutil.copytree(root, target)
    config = target / "nbgrader_config.py"
    text = config.read_text(encoding="utf-8")
    config.write_text(
        text.replace("autograder.classroom.formgrader.ExecuteInSandbox", "nbgrader.preprocessors.Execute")
    )
    shutil.rmtree(target / "autograded", ignore_errors=True)
    # nbgrader grades against cells that its gradebook knows.
    (problem_set,) = find_problem_sets(COURSE, [name])
    directory = ClassDirectory(target)
    write_notebook(problem_set.notebook, directory.source / name / f"{name}.ipynb")
    record_source(directory, name, instructor_version(problem_set))


class Meter:
    """Counts the processor time of a process's descendants, even those that end, in a control group (version 1)."""

    def __init__(self, root: int):
        self.folder = Path("/sys/fs/cgroup/cpuacct") / f"benchmark-{root}"
        self.folder.mkdir(exist_ok=True)
        for process in family(root):
            with contextlib.suppress(OSError):
                (self.folder / "cgroup.procs").write_text(str(process))

    def seconds(self) -> float:
        """Return the seconds counted so far."""
        return int((self.folder / "cpuacct.usage").read_text()) / 1e9


def parts(root: Path, name: str) -> dict[str, float]:
    """Return a submission's processor seconds by part; empty if there is no control group to count them."""
    if not os.access("/sys/fs/cgroup/cpuacct", os.W_OK):
        return {}
    (problem_set,) = find_problem_sets(COURSE, [name])
    source = instructor_version(problem_set)
    directory = ClassDirectory(root)
    folders = map(directory.submission_folder, directory.submissions([name]))
    submissions = [read_submission((folder / f"{name}.ipynb").read_bytes()) for folder in folders]
    reported: list[float] = []
    end = Control.end

    def counted(control: Control) -> dict:
        report = end(control)
        reported.append(report.get("processor", 0.0))
        return report

    Control.end = counted
    with SandboxExecutor(require_sandbox()) as executor:
        grade(source, submissions[0], executor)
        meters = [Meter(executor.students[0].process.pid), Meter(executor.examiner.process.pid)]
        grade(source, submissions[0], executor)
        reported.clear()
        before = [*(meter.seconds() for meter in meters), time.process_time()]
        for submission in submissions:
            grade(source, submission, executor)
        after = [*(meter.seconds() for meter in meters), time.process_time()]
    Control.end = end
    student, examiner, grader = ((b - a) / len(submissions) for a, b in zip(before, after, strict=True))
    own = statistics.mean(reported)
    return {"own process": own, "its sandbox": student - own, "examiner": examiner, "grader": grader}


def save(path: Path, rows: list[tuple[str, int, float, float | None, int | None]]) -> None:
    """Save the results as a table: engine and jobs, students, seconds and processor seconds each, peak memory."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["way", "submissions", "seconds each", "processor seconds each", "memory"])
        for way, count, wall, cpu, peak in rows:
            rest = ["", ""] if cpu is None or peak is None else [f"{cpu:.2f}", f"{peak / 2**20:.0f} MB"]
            table.writerow([way, f"{count:,}", f"{wall:.2f}", *rest])


def main() -> None:
    """Run the benchmark, print its results, and save them on request."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="ps1-information", help="the problem set (default: %(default)s)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 200, 1000], help="students (default: 50 200 1000)")
    parser.add_argument(
        "--stock", type=int, default=50, help="students for nbgrader's own way; 0 for none (default: 50)"
    )
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2], help="jobs of this engine (default: 1 2)")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the results in a CSV file")
    options = parser.parse_args()
    rows: list[tuple[str, int, float, float | None, int | None]] = []
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        root = Path(folder) / "class-own"
        make_class(root, options.set, 30)
        hand_in_as_run(root, options.set)
        by_part = parts(root, options.set)
        print(
            "processor ms of a submission: " + ", ".join(f"{k} {1000 * v:.0f}" for k, v in by_part.items()), flush=True
        )
        for students in options.sizes:
            root = Path(folder) / f"class-{students}"
            make_class(root, options.set, students)
            hand_in_as_run(root, options.set)
            ways = [
                (f"`autograder grade --jobs {jobs}`", [*AUTOGRADER, "grade", options.set, "--jobs", str(jobs)])
                for jobs in (options.jobs if students == options.sizes[0] else options.jobs[-1:])
            ]
            if students == options.stock:
                ways.insert(0, ("`nbgrader autograde`", [sys.executable, "-m", "nbgrader", "autograde", options.set]))
            for position, (way, command) in enumerate(ways):
                copied = Path(folder) / f"copy-{students}-{position}"
                if "nbgrader" in way:
                    stock_copy(root, copied, options.set)
                else:
                    shutil.copytree(root, copied)
                    command = [*command, "--class", str(copied)]
                wall, cpu, peak = measure(command, copied)
                rows.append((way, students, wall / students, cpu / students, peak))
                print(f"{students:5} {way:28} {wall:8.1f} s {wall / students:7.3f} s each {cpu / students:7.3f} CPU s each "
                      f"{peak / 2**20:6.0f} MB", flush=True)  # fmt: skip
        stock = [each for way, _, each, _, _ in rows if "nbgrader" in way]
        for way, students, each, _, _ in rows:
            if stock and students == options.stock and "nbgrader" not in way:
                print(f"{way}: {stock[0] / each:.1f} times the throughput of nbgrader, start and pre-flight included")
    rows += [(f"of that, processor time: {part}", 30, seconds, None, None) for part, seconds in by_part.items()]
    if options.save:
        save(options.save, rows)


if __name__ == "__main__":
    main()
