"""The problem set printed in CONTRIBUTING is released and graded as it is."""

import csv
import re
import shutil

import pytest

from autograder.commands.main import main

SET = "ps8-decibels"


@pytest.fixture
def printed(course, tmp_path):
    """A course with only the printed set."""
    text = (course / "CONTRIBUTING.md").read_text(encoding="utf-8")
    files = re.findall(r"^`(solutions/\S+\.md)`:\n\n````md\n(.*?)^````\n", text, re.MULTILINE | re.DOTALL)
    assert [name for name, _ in files] == [f"solutions/{SET}/{SET}.md", f"solutions/{SET}/bank/decibels.md"]
    for name, content in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    for name in ("_config.yml", "_toc.yml"):
        shutil.copyfile(course / name, tmp_path / name)
    return tmp_path


def test_the_printed_set_is_released_and_graded(printed, capsys):
    course, directory = ["--course", str(printed)], ["--class", str(printed / "class")]
    assert main(["release", SET, *course, "--jobs", "1"]) == 0
    told = capsys.readouterr().out
    assert f"{SET}: 1 items, 3 points; proven by the reference solution, 2 misconceptions and 1 alternatives." in told
    assert (printed / "exercises" / SET / f"{SET}.ipynb").is_file()
    assert main(["sample-class", SET, *course, *directory, "--students", "5"]) == 0
    assert main(["grade", SET, *course, *directory, "--jobs", "1"]) == 0
    with (printed / "class" / "promised.csv").open(encoding="utf-8", newline="") as promised:
        expected = {row["student_id"]: float(row["score"]) for row in csv.DictReader(promised)}
    assert main(["export", SET, *course, *directory]) == 0
    with (printed / "class" / "grades.csv").open(encoding="utf-8", newline="") as grades:
        rows = list(csv.DictReader(grades))
    assert len(rows) == 5
    assert sorted(set(expected.values())) == [0, 1, 3], "nothing, the visible test alone, and all points"
    assert {row["student_id"]: float(row["score"]) for row in rows} == expected
