"""Bad input to every command: one clear sentence, the right exit code, nothing half-written."""

import contextlib
import ctypes
import struct
import subprocess
import sys
from dataclasses import dataclass

import pytest

from autograder.commands.main import main
from autograder.reports.export import FORMATS
from tests.support import ROOT

COMMANDS = ["release", "mutants", "sample-class", "grade", "status", "feedback", "report", "export"]
OTHERS = ["collect", "hand", "appeal", "similar", "archive", "check-archive", "handout", "doctor"]
WITHOUT_CLASS = ["release", "mutants"]
WITH_CLASS = [name for name in COMMANDS if name not in WITHOUT_CLASS]


@dataclass(frozen=True)
class Done:
    """The result of a command."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(capsys):
    """Runs a command in this process; starting Python and its imports takes longer than most commands."""

    def run(*arguments):
        try:
            code = main(list(map(str, arguments)))
        except SystemExit as ended:
            code = ended.code
        return Done(code, *capsys.readouterr())

    return run


def one_sentence(result):
    """Return what a failed command said, after checking that it is one sentence and not a traceback."""
    assert "Traceback" not in result.stderr, result.stderr
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


@pytest.mark.parametrize("words", [[], ["export", "--class", "nowhere"], ["export", "--help"]], ids=" ".join)
@pytest.mark.sampled(1)
def test_a_command_in_a_process_of_its_own_says_and_returns_the_same(words, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    here = run(*words)
    there = subprocess.run(
        [sys.executable, "-m", "autograder", *words], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert Done(there.returncode, there.stdout, there.stderr) == here


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


def test_no_command_and_an_unknown_one_are_wrong_usage(run):
    assert run().returncode == 2
    assert run("mark").returncode == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_problem_set_is_wrong_usage(name, tmp_path, run):
    more = [] if name in WITHOUT_CLASS else ["--class", tmp_path / "class"]
    result = run(name, "ps99-nothing", *more)
    assert result.returncode == 2
    assert "There is no problem set 'ps99-nothing'; choose from ps0-warmup" in one_sentence(result)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", WITH_CLASS)
def test_a_class_must_be_named(name, run):
    result = run(name)
    assert result.returncode == 2
    assert "the following arguments are required: --class" in result.stderr
    assert result.stderr.startswith(f"usage: autograder {name}")


def test_course_and_class_are_accepted_before_and_after_the_command(course, tmp_path, capsys):
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
def test_a_class_is_wrong_usage_where_it_has_no_meaning(words, run):
    result = run(*words)
    assert result.returncode == 2
    assert "--class" in result.stderr


@pytest.mark.parametrize("name", ["grade", "status", "feedback", "report", "export"])
def test_a_class_that_does_not_exist(name, tmp_path, run):
    result = run(name, "--class", tmp_path / "nowhere")
    assert result.returncode == 1
    assert "There is no class directory" in one_sentence(result)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["feedback", "report", "export"])
def test_a_class_in_which_nothing_was_graded(name, tmp_path, run):
    result = run(name, "--class", tmp_path)
    assert result.returncode == 1
    assert "Nothing was graded" in one_sentence(result)


def test_an_empty_class_has_nothing_to_grade(tmp_path, run):
    result = run("grade", "--class", tmp_path)
    assert result.returncode == 1
    assert "Nothing to grade" in one_sentence(result)
    assert list(tmp_path.iterdir()) == []


def test_the_formats_of_an_export_are_those_that_exist(capsys, monkeypatch):
    monkeypatch.setitem(FORMATS, "ilias", FORMATS["plain"])
    for words in (["--help"], ["--class", "class", "--format", "word"]):
        with pytest.raises(SystemExit):
            main(["export", *words])
        told = capsys.readouterr()
        assert all(name in told.out + told.err for name in FORMATS)


@pytest.mark.parametrize("option", ["--jobs", "--students"])
@pytest.mark.parametrize("value", ["0", "-3", "many"])
def test_an_invalid_number(option, value, tmp_path, run):
    name = "grade" if option == "--jobs" else "sample-class"
    result = run(name, "--class", tmp_path, option, value)
    assert result.returncode == 2
    assert "is not a whole number of at least 1" in result.stderr


def test_a_folder_that_is_not_a_course(tmp_path, run):
    result = run("--course", tmp_path, "release")
    assert result.returncode == 1
    assert "is not the course" in one_sentence(result)


def test_sample_class_does_not_touch_a_class_of_people(tmp_path, run):
    work = tmp_path / "submitted" / "ada" / "ps0-warmup" / "ps0-warmup.ipynb"
    work.parent.mkdir(parents=True)
    work.write_text("mine")
    result = run("sample-class", "--class", tmp_path)
    assert result.returncode == 1
    assert "sample-class did not make" in one_sentence(result)
    assert work.read_text() == "mine"


@contextlib.contextmanager
def held_to_permissions():
    """Root may write whatever the permissions: if the tests run as root, give up that right and nothing else.

    Running as another user would not do: this course may be in root's home, where nobody else can read it.
    """
    libc, header, rights = ctypes.CDLL(None, use_errno=True), struct.pack("Ii", 0x20080522, 0), bytearray(24)
    view = (ctypes.c_char * 24).from_buffer(rights)
    assert libc.capget(header, view) == 0
    kept = bytes(rights)
    rights[0] &= ~(1 << 1)  # CAP_DAC_OVERRIDE, of the rights in effect
    assert libc.capset(header, view) == 0
    try:
        yield
    finally:
        assert libc.capset(header, kept) == 0


@pytest.fixture
def read_only_class(tmp_path):
    (tmp_path / "submitted" / "ada" / "ps0-warmup").mkdir(parents=True)
    (tmp_path / "promised.csv").write_text("")
    for path in (tmp_path, tmp_path / "submitted"):
        path.chmod(0o555)
    yield tmp_path
    for path in (tmp_path, tmp_path / "submitted"):
        path.chmod(0o755)


@pytest.mark.parametrize("name", ["sample-class", "grade"])
def test_a_class_directory_that_is_not_writable(name, capsys, read_only_class):
    with held_to_permissions():
        assert main([name, "ps0-warmup", "--class", str(read_only_class)]) == 1
    assert "Cannot write to the class directory" in capsys.readouterr().err
    assert sorted(path.name for path in read_only_class.iterdir()) == ["promised.csv", "submitted"]
