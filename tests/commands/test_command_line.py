"""Bad input to every command: one clear sentence, the right exit code, nothing half-written."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import rich.progress  # noqa: F401

import autograder.classroom.batch  # noqa: F401 (read before privileges are dropped: nobody may not read it)
import autograder.classroom.sample_class  # noqa: F401
import autograder.engine.execution  # noqa: F401
from autograder.commands.main import main
from autograder.reports.export import FORMATS

COMMANDS = ["release", "mutants", "sample-class", "grade", "feedback", "report", "export"]
OTHERS = ["collect", "handout", "doctor"]
WITHOUT_CLASS = ["release", "mutants"]
WITH_CLASS = [name for name in COMMANDS if name not in WITHOUT_CLASS]


def run(*arguments, **options):
    command = [sys.executable, "-m", "autograder", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def one_sentence(result):
    """Return what a failed command said, having checked that it is a sentence and no traceback."""
    assert "Traceback" not in result.stderr, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_there_is_a_module_for_each_command_and_every_command_has_help(course, capsys):
    modules = (course / "autograder" / "commands").glob("*.py")
    names = {path.stem.replace("_", "-") for path in modules if "\ndef run(" in path.read_text(encoding="utf-8")}
    assert names == {*COMMANDS, *OTHERS}
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = capsys.readouterr().out
    for name in names:
        assert f"\n    {name}" in listed
        with pytest.raises(SystemExit) as done:
            main([name, "--help"])
        assert done.value.code == 0
        assert "--course DIR" in capsys.readouterr().out


def test_no_command_and_an_unknown_one_are_wrong_usage():
    assert run().returncode == 2
    assert run("mark").returncode == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_problem_set_is_wrong_usage(name, tmp_path):
    more = [] if name in WITHOUT_CLASS else ["--class", tmp_path / "class"]
    result = run(name, "ps99-nothing", *more)
    assert result.returncode == 2
    assert "There is no problem set 'ps99-nothing'; choose from ps0-warmup" in one_sentence(result)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", WITH_CLASS)
def test_a_class_must_be_named(name):
    result = run(name)
    assert result.returncode == 2
    assert "the following arguments are required: --class" in result.stderr
    assert result.stderr.startswith(f"usage: autograder {name}")


def test_course_and_class_may_stand_before_and_after_the_command(course, tmp_path, capsys):
    nowhere, elsewhere = str(tmp_path / "nowhere"), str(tmp_path / "elsewhere")
    for words in (
        ["--class", nowhere, "--course", course, "export"],
        ["--class", nowhere, "export", "--course", course],
        ["--course", course, "export", "--class", nowhere],
        ["export", "--class", nowhere, "--course", course],
        ["--course", elsewhere, "--class", elsewhere, "export", "--class", nowhere, "--course", course],
    ):
        assert main(list(map(str, words))) == 1
        assert f"There is no class directory {nowhere};" in capsys.readouterr().err
    for words in (["--course", tmp_path, "release"], ["release", "--course", tmp_path]):
        assert main(list(map(str, words))) == 1
        assert f"{tmp_path} is not the course" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--class", "class", "release"], ["release", "--class", "class"]])
def test_a_class_is_wrong_usage_where_it_is_of_no_use(words):
    result = run(*words)
    assert result.returncode == 2
    assert "--class" in result.stderr


@pytest.mark.parametrize("name", ["grade", "feedback", "report", "export"])
def test_a_class_that_does_not_exist(name, tmp_path):
    result = run(name, "--class", tmp_path / "nowhere")
    assert result.returncode == 1
    assert "There is no class directory" in one_sentence(result)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["feedback", "report", "export"])
def test_a_class_in_which_nothing_was_graded(name, tmp_path):
    result = run(name, "--class", tmp_path)
    assert result.returncode == 1
    assert "Nothing was graded" in one_sentence(result)


def test_an_empty_class_has_nothing_to_grade(tmp_path):
    result = run("grade", "--class", tmp_path)
    assert result.returncode == 1
    assert "Nothing to grade" in one_sentence(result)
    assert list(tmp_path.iterdir()) == []


def test_the_formats_of_an_export_are_those_that_exist(capsys, monkeypatch):
    monkeypatch.setitem(FORMATS, "ilias", ("grades-ilias.csv", list))
    for words in (["--help"], ["--class", "class", "--format", "word"]):
        with pytest.raises(SystemExit):
            main(["export", *words])
        told = capsys.readouterr()
        assert all(name in told.out + told.err for name in FORMATS)


@pytest.mark.parametrize("option", ["--jobs", "--students"])
@pytest.mark.parametrize("value", ["0", "-3", "many"])
def test_a_number_that_is_none(option, value, tmp_path):
    name = "grade" if option == "--jobs" else "sample-class"
    result = run(name, "--class", tmp_path, option, value)
    assert result.returncode == 2
    assert "is not a whole number of at least 1" in result.stderr


def test_a_folder_that_is_no_course(tmp_path):
    result = run("--course", tmp_path, "release")
    assert result.returncode == 1
    assert "is not the course" in one_sentence(result)


def test_sample_class_does_not_touch_a_class_of_people(tmp_path):
    work = tmp_path / "submitted" / "ada" / "ps0-warmup" / "ps0-warmup.ipynb"
    work.parent.mkdir(parents=True)
    work.write_text("mine")
    result = run("sample-class", "--class", tmp_path)
    assert result.returncode == 1
    assert "sample-class did not make" in one_sentence(result)
    assert work.read_text() == "mine"


@contextlib.contextmanager
def without_privileges():
    """Root may write anywhere: where the tests run as root, act as nobody."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.fixture
def read_only_class():
    # Not tmp_path: only its owner may enter that.
    directory = Path(tempfile.mkdtemp())
    (directory / "submitted" / "ada" / "ps0-warmup").mkdir(parents=True)
    (directory / "promised.csv").write_text("")
    for path in (directory, directory / "submitted"):
        path.chmod(0o555)
    yield directory
    for path in (directory, directory / "submitted"):
        path.chmod(0o755)
    shutil.rmtree(directory)


@pytest.mark.parametrize("name", ["sample-class", "grade"])
def test_a_class_directory_that_is_not_writable(name, capsys, read_only_class):
    with without_privileges():
        assert main([name, "ps0-warmup", "--class", str(read_only_class)]) == 1
    assert "Cannot write to the class directory" in capsys.readouterr().err
    assert sorted(path.name for path in read_only_class.iterdir()) == ["promised.csv", "submitted"]
