"""Feedback goes back in the form that a platform takes in one upload, or by mail, and only what has changed."""

import email
import email.policy
import re
import shutil
import zipfile

import pytest
from nbgrader.api import Gradebook

from autograder.classroom.collecting.identity import Identities
from autograder.classroom.directory import ClassDirectory, Submission
from autograder.classroom.grading.batch import grade_class
from autograder.classroom.overview.status import class_status
from autograder.classroom.roster import read_roster
from autograder.commands.main import main
from tests.support.scripted import Scripted, hand_in

SET = "ps0-warmup"
ROSTER = "student_id,first_name,last_name,email\nada,Ada,Lovelace,ada@x.org\nbob,Bob,Noyce,bob@x.org\neve,Eve,X,\n"
NAMES = {
    "moodle": ("Ada Lovelace_7001_assignsubmission_file_/x.ipynb", "Bob Noyce_7002_assignsubmission_file_/x.ipynb"),
    "canvas": ("lovelaceada_101_9001_x.ipynb", "noycebob_LATE_102_9002_x-1.ipynb"),
}
#: What the platform's own code splits into parts.
PAGES = {
    "moodle": [
        f"Ada Lovelace_7001_assignsubmission_file_/{SET}.html",
        f"Bob Noyce_7002_assignsubmission_file_/{SET}.html",
    ],
    "canvas": [f"lovelaceada_101_9001_{SET}.html", f"noycebob_LATE_102_9002_{SET}.html"],
}


@pytest.fixture(params=["moodle", "canvas"], scope="module")
def platform(request):
    return request.param


@pytest.fixture(scope="module")
def graded(tmp_path_factory, warmup, platform):
    """A class, graded once, in which Ada and Bob handed in on the platform."""
    home = tmp_path_factory.mktemp("graded")
    archive, roster = home / "download.zip", home / "roster.csv"
    with zipfile.ZipFile(archive, "w") as zipped:
        for student, name in zip(("ada", "bob"), NAMES[platform], strict=True):
            zipped.writestr(name, hand_in(home / "elsewhere", warmup, student).read_bytes())
    roster.write_text(ROSTER)
    assert main(["collect", str(archive), "--class", str(home / "class"), "--roster", str(roster)]) == 0
    grade_class(ClassDirectory(home / "class"), [warmup], Scripted(), 1)
    return home / "class"


@pytest.fixture
def collected(tmp_path, graded):
    return ClassDirectory(shutil.copytree(graded, tmp_path / "class"))


def comment(directory, student):
    with Gradebook(directory.database_url) as gradebook:
        gradebook.find_comment("nats_to_bits", SET, SET, student).manual_comment = "Look again."
        gradebook.db.commit()


def feedback(directory, *more):
    return main(["feedback", SET, "--class", str(directory.root), *more])


def test_an_archive_has_the_platforms_names_and_then_only_what_has_changed(collected, platform, warmup, capsys):
    assert feedback(collected, "--zip", platform) == 0
    first = collected.given_back / f"{SET}-{platform}-1.zip"
    with zipfile.ZipFile(first) as archive:
        assert archive.namelist() == PAGES[platform]
        page = archive.read(PAGES[platform][0])
    assert page == collected.feedback_page(Submission("ada", SET)).read_bytes()
    assert {s.feedback for s in class_status(collected, [warmup], None).values()} == {"given"}

    capsys.readouterr()
    assert feedback(collected, "--zip", platform) == 0
    assert "0 pages new or changed since the last time." in capsys.readouterr().out
    assert [path.name for path in collected.given_back.glob("*.zip")] == [first.name]

    comment(collected, "bob")
    assert class_status(collected, [warmup], None)[Submission("bob", SET)].feedback == "outdated"
    assert feedback(collected, "--zip", platform) == 0
    with zipfile.ZipFile(collected.given_back / f"{SET}-{platform}-2.zip") as archive:
        assert archive.namelist() == PAGES[platform][1:]
    assert "1 page new or changed since the last time." in capsys.readouterr().out


def test_whose_name_on_the_platform_is_not_known_is_named(collected, platform, warmup, capsys):
    hand_in(collected.root, warmup, "eve")
    grade_class(collected, [warmup], Scripted(), 1)
    assert feedback(collected, "--zip", platform) == 3
    remedy = {"moodle": "name its grading worksheet as --table, or use --mail", "canvas": "use --mail"}[platform]
    assert re.search(f"not given back: eve, {SET}: .*{remedy}\n", capsys.readouterr().err)
    with zipfile.ZipFile(collected.given_back / f"{SET}-{platform}-1.zip") as archive:
        assert archive.namelist() == PAGES[platform]
    # Once the roster tells Moodle's number in this assignment, only that page is left.
    if platform == "moodle":
        seen = Identities.read(collected.identities)
        seen.names["Moodle", "ps1-information", "6009"] = "Eve A X"
        seen.write(collected.identities)
        (collected.root / "roster.csv").write_text("student_id,first_name,last_name,moodle_id\neve,Eve_A,X,6009\n")
        assert feedback(collected, "--zip", platform) == 3, "of another assignment, that number is nobody's in this one"
        (collected.root / "roster.csv").write_text("student_id,first_name,last_name,moodle_id\neve,Eve_A,X,7009\n")
        assert feedback(collected, "--zip", platform) == 0
        with zipfile.ZipFile(collected.given_back / f"{SET}-{platform}-2.zip") as archive:
            assert archive.namelist() == [f"Eve A X_7009_assignsubmission_file_/{SET}.html"]


def test_who_handed_in_no_notebook_gets_the_page_that_says_what_to_do(tmp_path, platform, warmup):
    name = {
        "moodle": f"Ada Lovelace_7001_assignsubmission_file_/{SET}.pdf",
        "canvas": f"lovelaceada_101_9001_{SET}.pdf",
    }
    archive, roster = tmp_path / "download.zip", tmp_path / "roster.csv"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr(name[platform], b"%PDF-1.4")
        zipped.writestr(NAMES[platform][1], hand_in(tmp_path / "elsewhere", warmup, "bob").read_bytes())
    roster.write_text(ROSTER)
    assert main(["collect", str(archive), "--class", str(tmp_path / "class"), "--roster", str(roster)]) == 3
    directory = ClassDirectory(tmp_path / "class")
    grade_class(directory, [warmup], Scripted(), 1)
    assert feedback(directory, "--zip", platform) == 3
    with zipfile.ZipFile(directory.given_back / f"{SET}-{platform}-1.zip") as archive:
        assert archive.namelist() == PAGES[platform]
        assert b"hand in ps0-warmup.ipynb itself" in archive.read(PAGES[platform][0])


def test_a_run_that_stops_before_the_archive_is_whole_gives_it_next_time(collected, platform, monkeypatch):
    from autograder.reports import give_back

    def stopped(content, path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(give_back, "write_bytes", stopped)
        assert feedback(collected, "--zip", platform) == 130
    assert feedback(collected, "--zip", platform) == 0
    with zipfile.ZipFile(collected.given_back / f"{SET}-{platform}-1.zip") as archive:
        assert archive.namelist() == PAGES[platform]


# ---- mail


@pytest.fixture
def directory(tmp_path, warmup):
    root = tmp_path / "class"
    for student in ("ada", "bob", "eve"):
        hand_in(root, warmup, student)
    (root / "roster.csv").write_text(ROSTER)
    directory = ClassDirectory(root)
    grade_class(directory, [warmup], Scripted(), 1, roster=read_roster(root / "roster.csv"))
    return directory


def test_a_mail_for_each_student_has_the_page_and_no_sender(directory, warmup, capsys):
    assert feedback(directory, "--mail") == 3
    assert f"not given back: eve, {SET}" in capsys.readouterr().err
    folder = directory.given_back / "mail-1"
    assert {path.name for path in folder.iterdir()} == {"ada.eml", "bob.eml"}
    message = email.message_from_bytes((folder / "ada.eml").read_bytes(), policy=email.policy.default)
    assert (message["To"], message["From"], message["Subject"]) == ("ada@x.org", None, f"Feedback: {warmup.title}")
    (attachment,) = message.iter_attachments()
    assert (attachment.get_filename(), attachment.get_content_type()) == (f"{SET}.html", "text/html")
    page = directory.feedback_page(Submission("ada", SET)).read_text(encoding="utf-8")
    assert attachment.get_content().replace("\r\n", "\n").rstrip() == page.rstrip()
    comment(directory, "ada")
    assert feedback(directory, "--mail") == 3
    assert [path.name for path in (directory.given_back / "mail-2").iterdir()] == ["ada.eml"]


def test_an_address_cannot_add_a_header(directory):
    (directory.root / "roster.csv").write_text('student_id,email\nada,"a@x.org\nBcc: all@x.org"\nbob,bob@x.org\n')
    assert feedback(directory, "--mail") == 3
    assert [path.name for path in (directory.given_back / "mail-1").iterdir()] == ["bob.eml"]


def test_pages_that_reveal_hidden_tests_are_not_given_back(directory):
    assert feedback(directory, "--reveal", "--mail") == 2
    assert feedback(directory, "--reveal") == 0
    assert not directory.given_back.exists()
    assert not directory.feedback_page(Submission("ada", SET)).exists()


# ---- groups


@pytest.fixture
def group(tmp_path, warmup):
    """Ada and Bob handed in one notebook together, on Canvas."""
    archive, roster = tmp_path / "download.zip", tmp_path / "roster.csv"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("bluegroup_101_9001_x.ipynb", hand_in(tmp_path / "elsewhere", warmup, "ada").read_bytes())
    roster.write_text("student_id,email,groups\nada,ada@x.org,Blue group\nbob,bob@x.org,Blue group\n")
    assert main(["collect", str(archive), "--class", str(tmp_path / "class"), "--roster", str(roster)]) == 0
    directory = ClassDirectory(tmp_path / "class")
    grade_class(directory, [warmup], Scripted(), 1)
    return directory


def test_a_group_gets_one_page_for_its_one_file(group, warmup, capsys):
    assert feedback(group, "--zip", "canvas") == 0
    with zipfile.ZipFile(group.given_back / f"{SET}-canvas-1.zip") as archive:
        assert archive.namelist() == [f"bluegroup_101_9001_{SET}.html"]
        page = archive.read(f"bluegroup_101_9001_{SET}.html")
    assert page == group.feedback_page(Submission("ada", SET)).read_bytes()
    assert {s.feedback for s in class_status(group, [warmup], None).values()} == {"given"}
    capsys.readouterr()
    assert feedback(group, "--zip", "canvas") == 0
    assert "0 pages new or changed" in capsys.readouterr().out


def test_what_is_told_to_one_member_alone_is_not_given_to_all(group, capsys):
    comment(group, "bob")
    assert feedback(group, "--zip", "canvas") == 3
    assert f"not given back: ada, bob, {SET}: the platform has one file for the group" in capsys.readouterr().err
    assert not list(group.given_back.glob("*.zip"))
    # Later, too: the page of the one who alone has changed would go to both.
    with Gradebook(group.database_url) as gradebook:
        gradebook.find_comment("nats_to_bits", SET, SET, "bob").manual_comment = None
        gradebook.db.commit()
    assert feedback(group, "--zip", "canvas") == 0
    comment(group, "bob")
    assert feedback(group, "--zip", "canvas") == 3
    assert len(list(group.given_back.glob("*.zip"))) == 1


def test_moodles_worksheet_has_the_numbers_of_a_groups_members(tmp_path, warmup, capsys):
    archive, roster, worksheet = tmp_path / "download.zip", tmp_path / "roster.csv", tmp_path / "Grades.csv"
    notebooks = [hand_in(tmp_path / "elsewhere", warmup, student).read_bytes() for student in ("ada", "eve")]
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("Blue group_assignsubmission_file_/x.ipynb", notebooks[0])
        zipped.writestr("Eve X_7003_assignsubmission_file_/x.ipynb", notebooks[1])
    roster.write_text(
        "student_id,first_name,last_name,email,groups\nada,Ada,L,ada@x.org,Blue group\nbob,Bob,N,bob@x.org,Blue group\n"
        "eve,Eve,X,eve@x.org,\n"
    )
    lines = [f"Participant 700{n},{who}@x.org,-" for n, who in ((1, "ada"), (2, "bob"), (3, "eve"))]
    worksheet.write_text("\n".join(["Identifier,Email address,Last modified (submission)", *lines]))
    directory = ClassDirectory(tmp_path / "class")
    assert main(["collect", str(archive), "--class", str(directory.root), "--roster", str(roster)]) == 0
    grade_class(directory, [warmup], Scripted(), 1)
    other = tmp_path / "other.csv"
    other.write_text(worksheet.read_text().replace("Participant 7", "Participant 8"))
    assert feedback(directory, "--zip", "moodle", "--table", str(other)) == 1
    assert "is the grading worksheet of another assignment" in capsys.readouterr().err
    assert feedback(directory, "--zip", "moodle", "--table", str(worksheet)) == 0
    with zipfile.ZipFile(directory.given_back / f"{SET}-moodle-1.zip") as made:
        folders = [name.split("/")[0] for name in made.namelist()]
    assert folders == [f"{who}_assignsubmission_file_" for who in ("Ada L_7001", "Bob N_7002", "Eve X_7003")]
    assert feedback(directory, "--mail", "--table", str(worksheet)) == 2
    assert main(["feedback", "--class", str(directory.root), "--zip", "moodle", "--table", str(worksheet)]) == 2
