"""Beyond one machine and one file: a Dask cluster of two workers and a gradebook on PostgreSQL, both real and local."""

import contextlib
import csv
import glob
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.grading.gradebook import read_grades
from autograder.commands.main import main
from autograder.common.errors import AutograderError
from autograder.engine.cluster import ClusterExecutor, is_private
from autograder.problem_set.source import find_problem_sets
from tests.support import ROOT

pytestmark = pytest.mark.usefixtures("warm_engine")

PROMISED = "promised.csv"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def promised(root):
    with open(root / PROMISED, encoding="utf-8", newline="") as file:
        return {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}


def sums(directory, problem_set):
    return {student: sum(items.values()) for student, items in read_grades(directory, problem_set).items()}


# ---- a cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and two workers, each a separate process in an empty directory; yields address and workers."""
    folder = tmp_path_factory.mktemp("cluster")
    address = f"tcp://127.0.0.1:{free_port()}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    log = open(folder / "log", "w", encoding="utf-8")  # noqa: SIM115 (closed below)

    def start(*arguments):
        command = [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]]
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)

    scheduler = start("dask_scheduler", "--host", "127.0.0.1", "--port", address.rsplit(":", 1)[1], "--no-dashboard")
    workers = [
        start(
            "dask_worker",
            address,
            "--nthreads",
            "1",
            "--no-nanny",
            "--no-dashboard",
            "--local-directory",
            ".",
            "--name",
            f"{i}",
        )
        for i in range(2)
    ]
    try:
        for _ in range(120):
            with contextlib.suppress(AutograderError), ClusterExecutor(address) as executor:
                if executor.workers == 2:
                    break
            time.sleep(0.5)
        else:
            pytest.fail("the cluster does not come up:\n" + (folder / "log").read_text(encoding="utf-8")[-2000:])
        yield address, workers
    finally:
        for process in [*workers, scheduler]:
            process.terminate()
        for process in [*workers, scheduler]:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        log.close()


def test_a_cluster_gives_the_promised_scores_and_survives_a_worker(cluster, course, tmp_path, capsys):
    address, workers = cluster
    (warmup,) = find_problem_sets(course, ["ps0-warmup"])
    assert main(["sample-class", "ps0-warmup", "--class", str(tmp_path), "--students", "6"]) == 0
    assert main(["grade", "ps0-warmup", "--class", str(tmp_path), "--scheduler", address]) == 0
    assert sums(ClassDirectory(tmp_path), warmup) == promised(tmp_path)
    assert "not encrypted" not in capsys.readouterr().err

    # The record does not depend on where a submission ran: nothing is graded again on this machine.
    assert main(["grade", "ps0-warmup", "--class", str(tmp_path)]) == 0
    assert "6 unchanged" in capsys.readouterr().out

    workers[0].kill()
    directory = ClassDirectory(tmp_path)
    for student in promised(tmp_path):
        directory.forget_outcome(Submission(student, "ps0-warmup"))
    assert main(["grade", "ps0-warmup", "--class", str(tmp_path), "--scheduler", address]) == 0
    assert sums(directory, warmup) == promised(tmp_path)


def test_sending_unencrypted_over_a_network_gives_a_warning(capsys):
    assert is_private("tls://grader.example.org:8786")
    assert is_private("tcp://127.0.0.1:8786")
    assert is_private("tcp://localhost:8786")
    assert is_private("tcp://[::1]:8786")
    assert not is_private("tcp://10.0.0.7:8786")
    assert not is_private("tcp://grader.example.org:8786")


def test_a_scheduler_that_is_not_there_is_named(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("autograder.engine.cluster.CONNECT", 1)
    assert main(["sample-class", "ps0-warmup", "--class", str(tmp_path), "--students", "1"]) == 0
    address = f"tcp://127.0.0.1:{free_port()}"
    assert main(["grade", "ps0-warmup", "--class", str(tmp_path), "--scheduler", address]) == 1
    assert f"No Dask scheduler answers at {address}" in capsys.readouterr().err


# ---- PostgreSQL


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """A separate PostgreSQL server on the loopback address; yields the URL of an empty database."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"))
    if not found and not shutil.which("postgres"):
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is missing: apt-get install postgresql")
        pytest.skip("PostgreSQL is missing: apt-get install postgresql")
    programs = Path(found[-1]).parent if found else Path(shutil.which("postgres")).parent
    folder = tmp_path_factory.mktemp("postgres")
    as_user = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        account = pwd.getpwnam("postgres" if found else "nobody")
        as_user = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
        os.chown(folder, account.pw_uid, account.pw_gid)
        for parent in folder.parents:
            if parent != Path("/") and parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
    data, port = folder / "data", free_port()
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"

    def run(*command):
        done = subprocess.run([*as_user, *command], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr or done.stdout

    run(str(programs / "initdb"), "-D", str(data), "-U", "grader", "-A", "trust", "-E", "UTF8", "--no-sync")
    run(str(programs / "pg_ctl"), "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        run(str(programs / "createdb"), "-h", "127.0.0.1", "-p", str(port), "-U", "grader", "course")
        yield f"postgresql+psycopg://grader@127.0.0.1:{port}/course"
    finally:
        run(str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop")


def test_the_gradebook_may_be_a_postgresql_database(postgres, course, tmp_path, capsys):
    (warmup,) = find_problem_sets(course, ["ps0-warmup"])
    assert main(["sample-class", "ps0-warmup", "--class", str(tmp_path), "--students", "4"]) == 0
    assert main(["grade", "ps0-warmup", "--class", str(tmp_path), "--db", postgres]) == 0
    directory = ClassDirectory(tmp_path)
    assert directory.database_url == postgres
    assert not (tmp_path / "gradebook.db").exists()
    assert (tmp_path / "database.url").stat().st_mode & 0o077 == 0
    assert sums(directory, warmup) == promised(tmp_path)
    capsys.readouterr()
    assert main(["grade", "ps0-warmup", "--class", str(tmp_path)]) == 0
    assert "4 unchanged" in capsys.readouterr().out
    for command in ("feedback", "report", "export"):
        assert main([command, "ps0-warmup", "--class", str(tmp_path)]) == 0


def test_what_is_not_a_database_is_reported_in_a_sentence(tmp_path, capsys):
    assert main(["sample-class", "ps0-warmup", "--class", str(tmp_path), "--students", "1"]) == 0
    assert main(["grade", "ps0-warmup", "--class", str(tmp_path), "--db", "gradebook"]) == 1
    assert "is not a database URL" in capsys.readouterr().err
    url = f"postgresql+psycopg://grader@127.0.0.1:{free_port()}/course"
    assert main(["grade", "ps0-warmup", "--class", str(tmp_path), "--db", url]) == 1
    assert "cannot be used" in capsys.readouterr().err
