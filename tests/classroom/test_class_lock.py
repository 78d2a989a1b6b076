"""One command at a time in a class, and classes made by an older version."""

import os
import re
import signal
import stat
import subprocess
import sys

import pytest

from autograder.classroom.class_lock import NAME, class_lock
from autograder.classroom.directory import CONFIG, ClassDirectory
from autograder.classroom.grading.batch import grade_class
from autograder.commands.main import main
from autograder.common.errors import AutograderError
from tests.support.scripted import Scripted, hand_in

SET = "ps0-warmup"
HOLD = """
import sys, time
from pathlib import Path
from autograder.classroom.class_lock import class_lock
with class_lock(Path(sys.argv[1]), "grade"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the class."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_second_is_told_who_holds_the_class_and_a_dead_process_is_no_obstacle(holder, tmp_path, capsys):
    root = tmp_path
    for command in ("grade", "feedback", "report", "export", "sample-class", "collect"):
        what = [str(root)] if command == "collect" else [SET]
        assert main([command, *what, "--class", str(root)]) == 1
        (told,) = capsys.readouterr().err.strip().splitlines()
        assert f"The class {root} is in use: autograder grade runs as process {holder.pid} of " in told
        assert re.search(r" on \S+ since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d; wait", told)
        assert [path.name for path in root.iterdir()] == [NAME]
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (root / NAME).exists()
    with class_lock(root, "grade"), pytest.raises(AutograderError, match=f"process {os.getpid()} of"):
        class_lock(root, "export").__enter__()
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("content", ["", "{}", "[1]", "\x00" * 10_000, '{"command": "\x1b[2J"}'])
def test_a_lock_that_is_not_signed_is_still_held(tmp_path, content):
    with class_lock(tmp_path, "grade"):
        (tmp_path / NAME).write_text(content)
        with pytest.raises(AutograderError, match="is in use: another process holds it; wait"):
            class_lock(tmp_path, "export").__enter__()


def test_of_many_that_come_at_once_one_at_a_time_has_the_class(tmp_path):
    code = """
import os, sys, time
from pathlib import Path
from autograder.classroom.class_lock import class_lock
from autograder.common.errors import AutograderError
root, done = Path(sys.argv[1]), 0
while done < 60:
    try:
        with class_lock(root, "grade"):
            os.close(os.open(root / "inside", os.O_CREAT | os.O_EXCL))
            (root / "inside").unlink()
            done += 1
    except AutograderError:
        time.sleep(0.001)
"""
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(4)]
    assert [process.wait(120) for process in processes] == [0] * 4
    assert list(tmp_path.iterdir()) == []


def test_a_class_made_by_an_older_version_gets_the_names_that_have_moved(tmp_path, warmup, capsys):
    hand_in(tmp_path, warmup, "ada")
    old = CONFIG.replace("autograder.classroom.formgrader", "autograder.formgrader")
    old = old.replace("autograder.reports.feedback.", "autograder.feedback.") + "# my.autograder.formgrader.x stays\n"
    config = tmp_path / "nbgrader_config.py"
    config.write_text(old, encoding="utf-8")
    config.chmod(0o600)
    # Nothing has been graded yet, but the corrected names are reported and kept anyway.
    assert main(["export", SET, "--class", str(tmp_path)]) == 1
    assert "names of the autograder that have moved" in capsys.readouterr().err
    assert config.read_text(encoding="utf-8") == CONFIG + "# my.autograder.formgrader.x stays\n"
    assert config.stat().st_mode & 0o777 == 0o600
    config.write_text(old, encoding="utf-8")
    grade_class(ClassDirectory(tmp_path), [warmup], Scripted(), 1)
    assert config.read_text(encoding="utf-8").startswith(CONFIG)
    assert ClassDirectory(tmp_path).renew_config() == ""


def test_a_new_class_is_for_its_owner_alone_and_another_stays_as_it_is(tmp_path):
    before = os.umask(0o022)
    try:
        for root, mode in ((tmp_path / "new" / "class", 0o700), (tmp_path / "shared", 0o750)):
            if mode != 0o700:
                root.mkdir(mode=mode)
            with class_lock(root, "collect"):
                assert stat.S_IMODE(root.stat().st_mode) == mode
    finally:
        os.umask(before)
