"""Compare this engine with stock `nbgrader autograde`: the same class, the same machine, one run.

    .venv/bin/python benchmarks/grading.py --save benchmarks/grading.csv    # 50 students each way, then 200 and 1,000
    .venv/bin/python benchmarks/grading.py --sizes 50 --set ps0-warmup

A class is drawn from a set's bank. nbgrader grades it once, this engine with one and with two jobs; larger classes only
with two. For each the wall time, the processor time and the largest memory that its processes hold together (proportional
set size, looked at four times a second) are printed. Times of this engine include its start and the pre-flight. The
processor time is that of the whole machine, which should have nothing else to do: what runs in a sandbox is not counted
among its parent's children.

First of all, the cost beyond the submission's own code: thirty submissions, three times. Each one's cells, tests included,
are run in a fork of a warm process that has no sandbox and no examiner, and then through the engine with one job.

The instructors' chapter shows the table that `--save` keeps.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat

from autograder.classroom.directory import ClassDirectory
from autograder.engine.execution import SandboxExecutor
from autograder.engine.restore import restore
from autograder.engine.sandbox import require_sandbox
from autograder.engine.score import clear_outputs
from autograder.problem_set.source import find_problem_sets
from autograder.problem_set.versions import instructor_version

COURSE = Path(__file__).resolve().parent.parent
AUTOGRADER = [sys.executable, "-m", "autograder"]


def tree_memory(root: int) -> int:
    """Return the bytes that a process and its descendants hold, shared pages divided among those who share them."""
    parents = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                with open(f"/proc/{entry.name}/stat", encoding="ascii", errors="replace") as stat:
                    parents[int(entry.name)] = int(stat.read().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError, ValueError):
                continue
    family = {root}
    while new := {child for child, parent in parents.items() if parent in family} - family:
        family |= new
    total = 0
    for process in family:
        try:
            with open(f"/proc/{process}/smaps_rollup", encoding="ascii") as rollup:
                total += next(int(line.split()[1]) for line in rollup if line.startswith("Pss:")) * 1024
        except (OSError, StopIteration):
            continue
    return total


def busy_seconds() -> float:
    """Return the seconds for which this machine's processors have worked since it was started."""
    with open("/proc/stat", encoding="ascii") as stat:
        user, nice, system, _, _, interrupts, soft, *_ = map(int, stat.readline().split()[1:])
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def measure(command: list[str], directory: Path) -> tuple[float, float, int]:
    """Run a command; return wall seconds, the processor seconds that passed meanwhile, and the peak of its memory."""
    before = busy_seconds()
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.25):
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
    """Make a class of this many students from a set's bank."""
    command = [*AUTOGRADER, "sample-class", name, "--class", str(root), "--students", str(students)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def stock_copy(root: Path, target: Path, name: str) -> None:
    """Copy a class for nbgrader's own execution: this engine is taken out of its configuration."""
    shutil.copytree(root, target)
    config = target / "nbgrader_config.py"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("autograder.classroom.formgrader.ExecuteInSandbox", "nbgrader.preprocessors.Execute"))
    shutil.rmtree(target / "autograded", ignore_errors=True)
    # nbgrader grades against cells that its gradebook knows.
    code = (
        "import sys; from pathlib import Path; from autograder.class_directory import ClassDirectory as C; "
        "from autograder.gradebook import record_source as r; from autograder.problem_set import find_problem_sets as f; "
        "from autograder.release import instructor_version as v; from autograder.whole_files import write_notebook as w; "
        f"(p,) = f(Path({str(COURSE)!r}), [{name!r}]); d = C(Path({str(target)!r})); "
        f"w(p.notebook, d.source / {name!r} / '{name}.ipynb'); r(d, {name!r}, v(p))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def own_code(root: Path, name: str) -> tuple[list[float], list[float]]:
    """Return the seconds that each submission's own code takes alone, and through the engine with one job."""
    (problem_set,) = find_problem_sets(COURSE, [name])
    source = instructor_version(problem_set)
    directory = ClassDirectory(root)
    notebooks = []
    for submission in directory.submissions([name]):
        path = directory.submission_folder(submission) / f"{name}.ipynb"
        notebook, _ = restore(source, nbformat.read(path, as_version=4))
        clear_outputs(notebook)
        notebooks.append(notebook)
    script = (
        "import json, os, sys, time\n"
        "from autograder import student_process\n"
        "shell = student_process._warm_shell()\n"
        "shell._showtraceback = lambda *_: None\n"
        "gc = __import__('gc'); gc.collect(); gc.freeze()\n"
        "for line in sys.stdin:\n"
        "    reading, writing = os.pipe()\n"
        "    if os.fork() == 0:\n"
        "        collector = student_process._Collector(1 << 30)\n"
        "        collector.showing(shell, collector)\n"
        "        sys.stdout = sys.stderr = student_process._Stream('stdout', collector)\n"
        "        start = time.perf_counter()\n"
        "        for cell in json.loads(line):\n"
        "            shell.run_cell(cell, store_history=True)\n"
        "        os.write(writing, str(time.perf_counter() - start).encode())\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
        "    print(os.read(reading, 100).decode(), flush=True)\n"
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "TMPDIR": str(root)}
    alone, through = [], []
    with (
        SandboxExecutor(require_sandbox()) as executor,
        subprocess.Popen(
            [sys.executable, "-c", script], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as plain,
    ):
        executor(notebooks[0])
        # One after the other, each submission both ways: a machine that slows down slows both.
        for notebook in notebooks * 3:
            cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
            plain.stdin.write(json.dumps(cells) + "\n")
            plain.stdin.flush()
            alone.append(float(plain.stdout.readline()))
            start = time.perf_counter()
            executor(notebook)
            through.append(time.perf_counter() - start)
        plain.stdin.close()
    return alone, through


def save(path: Path, rows: list[tuple[str, int, float, float | None, int | None]]) -> None:
    """Keep the results as a table: the way, students, seconds and processor seconds each, the largest memory."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["way", "submissions", "seconds each", "processor seconds each", "memory"])
        for way, count, wall, cpu, peak in rows:
            rest = ["", ""] if cpu is None or peak is None else [f"{cpu:.2f}", f"{peak / 2**20:.0f} MB"]
            table.writerow([way, f"{count:,}", f"{wall:.2f}", *rest])


def main() -> None:
    """Run the benchmark, print its results, and keep them if wanted."""
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
        alone, through = own_code(root, options.set)
        beyond = [whole - own for own, whole in zip(alone, through, strict=True)]
        print(f"own code {1000 * statistics.median(alone):.0f} ms, through the engine "
              f"{1000 * statistics.median(through):.0f} ms: {1000 * statistics.median(beyond):.0f} ms beyond it "
              f"(medians of {len(beyond)}; the middle half of the differences: "
              f"{', '.join(f'{1000 * q:.0f}' for q in statistics.quantiles(beyond)[::2])})", flush=True)  # fmt: skip
        for students in options.sizes:
            root = Path(folder) / f"class-{students}"
            make_class(root, options.set, students)
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
    rows.append(("the submission's own code alone (median)", len(alone), statistics.median(alone), None, None))
    rows.append(("what the engine adds to it (median)", len(beyond), statistics.median(beyond), None, None))
    if options.save:
        save(options.save, rows)


if __name__ == "__main__":
    main()
