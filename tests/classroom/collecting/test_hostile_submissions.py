"""Attacks through files in `submitted/`: links, pipes, and names on which a terminal, spreadsheet or page would act."""

import csv
import os

import nbformat
import pytest

from autograder.classroom.directory import ClassDirectory, folder_problem
from autograder.classroom.result.submission_folder import find_notebook, fingerprint, handed_in_at
from autograder.classroom.roster import read_roster
from autograder.commands.main import main
from autograder.common.atomic_files import write_notebook
from autograder.common.errors import AutograderError, SubmissionError
from autograder.problem_set.source import answered, is_solution
from autograder.problem_set.versions import instructor_version, student_version
from autograder.reports.export import FORMATS
from tests.support.engines import use_for_commands

SET = "ps0-warmup"
FILE = f"{SET}.ipynb"
#: Names that are graded, and that a spreadsheet, a page or a terminal must not act on.
ODD = ["=1+1", "@sum", "a;=cmd()", "a,=cmd()", "O'Hara & Müller", "name with space"]
#: Names that no student can have.
IMPOSSIBLE = [
    "esc\x1b[2J",
    "two\nfailed: honest",
    "<script>alert(1)<script>",
    'quo"te',
    b"\xff\xfe",
    "trailing ",
    "long" * 40,
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, warmup):
    """A graded class whose students handed in links and pipes, and have strange names."""
    root = tmp_path_factory.mktemp("hostile")
    solved = answered(student_version(warmup), warmup.reference_answers)
    secret = root / "secret.ipynb"
    write_notebook(solved, secret)

    def folder(student):
        path = os.path.join(os.fsencode(root / "submitted"), os.fsencode(student), SET.encode())
        os.makedirs(path)
        return type(root)(os.fsdecode(path))

    for student in ["honest", *ODD, *IMPOSSIBLE]:
        write_notebook(solved, folder(student) / FILE)
    (folder("file") / FILE).symlink_to(secret)
    (folder("renamed") / "x.ipynb").symlink_to(secret)
    write_notebook(solved, folder("beside") / FILE)
    (root / "submitted" / "beside" / SET / "data\x1b[31m.csv").symlink_to("/etc/passwd")
    write_notebook(solved, folder("time") / FILE)
    os.mkfifo(root / "submitted" / "time" / SET / "timestamp.txt")
    os.mkfifo(folder("pipe") / FILE)
    (folder("nowhere") / FILE).symlink_to(root / "nothing")
    (root / "submitted" / "set").mkdir()
    (root / "submitted" / "set" / SET).symlink_to(root / "submitted" / "honest" / SET)
    (root / "submitted" / "whole").symlink_to(root / "submitted" / "honest")
    (root / "submitted" / "dangling").mkdir()
    (root / "submitted" / "dangling" / SET).symlink_to(root / "nothing")
    return root


@pytest.fixture(scope="module")
def graded(hostile, executor):
    """The output and the exit code of grading the class."""
    import contextlib
    import io

    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.MonkeyPatch.context() as patch,
    ):
        use_for_commands(executor, patch)
        code = main(["grade", SET, "--class", str(hostile), "--jobs", "2"])
    return code, out.getvalue(), err.getvalue()


def test_nothing_is_read_through_a_link_or_a_pipe(hostile, graded):
    outcomes = {s.student: o for s, o in ClassDirectory(hostile).outcomes([SET]).items()}
    for student in ("file", "renamed", "beside", "nowhere", "set", "whole", "dangling"):
        assert outcomes[student].outcome == "failed"
        assert "link, and links are not followed" in outcomes[student].reason
    assert "No notebook was handed in" in outcomes["pipe"].reason
    assert outcomes["time"].outcome == "graded"
    assert {outcomes[student].outcome for student in ["honest", *ODD]} == {"graded"}
    code, _, err = graded
    assert code == 3
    for student in ("file", "set", "whole", "pipe"):
        assert f"failed: {student}, {SET}: " in err
    assert all(line.isprintable() for line in err.splitlines())


@pytest.mark.parametrize("text", [b"9" * 40 + b"m5", b"\xff\xfe", b"99999-13-45T99:99 UTC", b"nan", b"\0" * 200])
def test_a_time_that_is_none_stops_nobody(tmp_path, text):
    (tmp_path / "timestamp.txt").write_bytes(text)
    assert handed_in_at(tmp_path) is None


def test_more_than_every_command_should_read_is_refused(tmp_path, warmup):
    """A disk holds a hundred gigabytes of zeros in no room at all."""
    folder = tmp_path / "submitted" / "eve" / SET
    folder.mkdir(parents=True)
    write_notebook(student_version(warmup), folder / FILE)
    for number in range(26):
        with open(folder / f"{number}.csv", "wb") as file:
            file.truncate(20_000_000)
    with pytest.raises(SubmissionError, match="Files of more than 500 MB were handed in"):
        find_notebook(folder, SET, instructor_version(warmup))
    before = fingerprint(folder)
    (folder / "0.csv").unlink()
    (folder / "1.csv").unlink()
    assert fingerprint(folder) != before
    find_notebook(folder, SET, instructor_version(warmup))


def test_impossible_names_are_reported_and_stop_nobody(hostile, graded):
    _, out, err = graded
    assert err.count("not graded: ") == len(IMPOSSIBLE)
    assert "\x1b" not in out + err
    assert "\nfailed: honest" not in err
    known = {s.student for s in ClassDirectory(hostile).outcomes([SET])}
    assert not known & {name for name in IMPOSSIBLE if isinstance(name, str)}


def test_no_name_acts_in_an_export_the_report_or_a_page(hostile, graded):
    assert main(["feedback", SET, "--class", str(hostile)]) == 3
    assert main(["report", SET, "--class", str(hostile)]) == 3
    assert "<script>alert" not in (hostile / "report" / "index.html").read_text(encoding="utf-8")
    for form in FORMATS:
        name = "grades.csv" if form == "plain" else f"grades-{form}-{SET}.csv"
        assert main(["export", SET, "--class", str(hostile), "--format", form]) == 3
        for separator in ",;\t":  # which of them a spreadsheet takes for one depends on where it runs
            with open(hostile / name, encoding="utf-8", newline="") as file:
                cells = [cell for row in csv.reader(file, delimiter=separator) for cell in row]
            assert not [cell for cell in cells if cell.strip()[:1] in ("=", "+", "-", "@")]


def test_a_page_stays_small_whatever_a_submission_shows(tmp_path, warmup, warm_engine):
    answer = warmup.reference_answers["nats_to_bits"] + "\n#" + "<" * 100_000
    notebook = answered(student_version(warmup), {"nats_to_bits": answer})
    flood = "for _ in range(50): print('<' * 3900); display('<' * 3900)\nraise ValueError('<' * 3900)"
    copies = [next(cell for cell in notebook.cells if is_solution(cell)).copy() for _ in range(50)]
    for number, cell in enumerate(copies):
        cell["id"] = f"copy-{number}"
    notebook.cells += [nbformat.v4.new_code_cell(flood) for _ in range(5)] + copies
    write_notebook(notebook, tmp_path / "submitted" / "flood" / SET / FILE)
    assert main(["grade", SET, "--class", str(tmp_path), "--jobs", "1"]) == 0
    assert main(["feedback", SET, "--class", str(tmp_path)]) == 0
    page = (tmp_path / "feedback" / "flood" / SET / f"{SET}.html").read_text(encoding="utf-8")
    assert len(page) < 300_000
    assert "1 of 1 points" in page
    assert page.count("(cut)") < 50


def test_names_from_a_roster_cannot_be_markup(tmp_path):
    """nbgrader's formgrader writes names into its pages unescaped."""
    roster = tmp_path / "roster.csv"
    for column in ("first_name", "last_name", "email"):
        roster.write_text(f"student_id,{column}\nada,<img src=x onerror=alert(1)>\n", encoding="utf-8")
        with pytest.raises(AutograderError, match=f"line 2: {column} holds < or >"):
            read_roster(roster)
    assert not folder_problem("O'Hara & Müller")
