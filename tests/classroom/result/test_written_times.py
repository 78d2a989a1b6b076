"""When work was handed in, as timestamp.txt says: what could mean two times, or none, is named."""

import contextlib
from datetime import datetime

import pytest

from autograder.classroom.result.submission_folder import handed_in_at, time_problem
from autograder.commands import grade
from autograder.commands.main import main
from tests.support.scripted import Scripted, hand_in

SET = "ps0-warmup"
EVENING = datetime(2026, 10, 12, 21, 59)


@pytest.mark.parametrize(
    "text",
    [
        "2026-10-12 21:59:00 UTC",
        "2026-10-12 21:59:00.000000 UTC\n",
        "2026-10-12 23:59 Europe/Berlin",
        "2026-10-12T23:59+02:00",
        "\ufeff2026-10-12T21:59Z",
    ],
)
def test_a_time_with_a_zone_is_read(tmp_path, text):
    (tmp_path / "timestamp.txt").write_text(text, encoding="utf-8")
    assert (handed_in_at(tmp_path), time_problem(tmp_path)) == (EVENING, "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("03.11.2026", "is not a date"),  # the third of November, or the eleventh of March
        ("gestern", "is not a date"),
        ("2026-10-12 23:59 CEST", "no time zone 'CEST'"),
        ("2026-10-12 23:59", "has no time zone"),
        ("2026-10-12", "has no time of the day"),
    ],
)
def test_another_is_named_by_grade_each_time(tmp_path, warmup, text, problem, capsys, monkeypatch):
    monkeypatch.setattr(grade, "_executor", lambda options, directory: contextlib.nullcontext(Scripted()))
    stamp = hand_in(tmp_path, warmup, "ada").with_name("timestamp.txt")
    stamp.write_text(text)
    assert handed_in_at(stamp.parent) is None
    for _ in range(2):
        assert main(["grade", SET, "--class", str(tmp_path)]) == 3
        err = capsys.readouterr().err
        assert f"time not known, so never late: ada, {SET}: timestamp.txt, line 1: " in err
        assert problem in err
    stamp.unlink()
    assert main(["grade", SET, "--class", str(tmp_path)]) == 0
