"""A class directory: the address of its database stays private, and a set may have changed since it was graded."""

import json
import os
import re
import stat
from pathlib import Path

import pytest
from nbgrader.dbutil import ALEMBIC_DIR
from sqlalchemy import text

from autograder.classroom.directory import DATABASE, ClassDirectory, Submission
from autograder.classroom.grading.batch import grade_class
from autograder.classroom.grading.gradebook import open_gradebook
from autograder.commands.main import main
from autograder.common.errors import AutograderError
from autograder.reports.class_report.page import write_report
from tests.support.scripted import Scripted, hand_in

SET = "ps0-warmup"
PASSWORD = "geheim"


@pytest.fixture
def modes(monkeypatch):
    """The permissions of files along the way: each when it gets them or is moved into place."""
    seen = []
    chmod, replace = os.chmod, os.replace

    def watched_chmod(path, mode, **options):
        chmod(path, mode, **options)
        seen.append(stat.S_IMODE(os.stat(path).st_mode))

    def watched_replace(source, target):
        seen.append(stat.S_IMODE(os.stat(source).st_mode))
        replace(source, target)
        seen.append(stat.S_IMODE(os.stat(target).st_mode))

    monkeypatch.setattr(os, "chmod", watched_chmod)
    monkeypatch.setattr(os, "replace", watched_replace)
    return seen


@pytest.mark.parametrize(
    "before", [None, "sqlite:///elsewhere.db\n", f"postgresql+psycopg://ada:{PASSWORD}@db/course\n"]
)
def test_the_address_of_a_database_is_never_readable_by_others(tmp_path, modes, before):
    directory = ClassDirectory(tmp_path)
    directory.prepare()
    path = tmp_path / DATABASE
    if before is not None:  # by hand, or an older version
        path.write_text(before)
        path.chmod(0o644)
    del modes[:]
    directory.use_database(f"postgresql+psycopg://ada:{PASSWORD}@db/course")
    assert modes
    assert set(modes) == {0o600}
    assert PASSWORD in directory.database_url


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg://ada:{PASSWORD}@127.0.0.1:1/course",
        f"postgresql+psycopg://127.0.0.1:1/course?user=ada&password={PASSWORD}",
        f"nothing://ada:{PASSWORD}@127.0.0.1/course",
        f"mysql+nothing://ada:{PASSWORD}@127.0.0.1/course",
        f"oracle://ada:{PASSWORD}@127.0.0.1/course",  # its driver is not installed
        f"postgresql//ada:{PASSWORD}@127.0.0.1/course",
        f"postgresql+psycopg://ada:{PASSWORD}@127.0.0.1:port/course",
        f"postgresql+psycopg://ada:with@{PASSWORD}@127.0.0.1:1/course",
    ],
)
def test_no_error_prints_a_password(tmp_path, warmup, capsys, monkeypatch, url):
    hand_in(tmp_path, warmup, "ada")
    executor = Scripted()
    monkeypatch.setattr(Scripted, "__enter__", lambda self: self, raising=False)
    monkeypatch.setattr(Scripted, "__exit__", lambda self, *details: None, raising=False)
    monkeypatch.setattr("autograder.commands.grade._executor", lambda options, directory: executor)
    assert main(["grade", SET, "--class", str(tmp_path), "--db", url]) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert PASSWORD not in sentence
    assert "cannot be used: " in sentence or "is not a database URL such as" in sentence
    # An address that was written into the file by hand is not shown either.
    (tmp_path / DATABASE).write_text(url)
    with (
        pytest.raises(AutograderError, match=r"The gradebook .* cannot be used: ") as raised,
        open_gradebook(ClassDirectory(tmp_path)),
    ):
        pass
    assert PASSWORD not in str(raised.value)


def test_a_report_on_a_class_diagnosed_before_an_item_was_renamed(tmp_path, warmup):
    hand_in(tmp_path, warmup, "ada")
    directory = ClassDirectory(tmp_path)
    grade_class(directory, [warmup], Scripted(), 1)
    path = directory.graded_folder(Submission("ada", SET)) / "outcome.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    kept["diagnoses"] = {"nats": "wrong-direction", "nats_to_bits": "wrong-direction", "bits": "another"}
    path.write_text(json.dumps(kept), encoding="utf-8")
    text = write_report(directory, [warmup], directory.outcomes([SET])).read_text(encoding="utf-8")
    places = [text.index(f"<strong>{name}</strong>") for name in ("nats_to_bits", "bits", "nats")]
    assert places == sorted(places)


def test_a_new_gradebook_starts_no_process_and_has_the_version_of_its_tables(tmp_path, monkeypatch):
    """nbgrader asked `alembic` for it, in a separate process that took longer than everything else."""

    def refuse(*arguments, **options):
        raise AssertionError(f"{arguments} was started")

    monkeypatch.setattr("subprocess.Popen.__init__", refuse)
    with open_gradebook(ClassDirectory(tmp_path)) as gradebook:
        (version,) = gradebook.db.execute(text("SELECT version_num FROM alembic_version")).scalars()
    versions = Path(ALEMBIC_DIR, "versions")
    follows = {
        found for file in versions.glob("*.py") for found in re.findall(r"down_revision = '(\w+)'", file.read_text())
    }
    assert len(list(versions.glob(f"{version}*.py"))) == 1
    assert version not in follows
