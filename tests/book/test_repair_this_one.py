"""The page of mistakes to repair: each is one of a bank, and fails as that one does."""

import re

import pytest
import yaml

from book.extensions.problem_sets.repair import KEYS, outcome, same, shown, solved
from tests.support import ROOT
from tests.support.book_pages import html_of

PAGE = "book/practice/repair-this-one"


@pytest.fixture(scope="module")
def exercises() -> list[dict]:
    """The exercises as written."""
    text = (ROOT / f"{PAGE}.md").read_text(encoding="utf-8")
    return yaml.safe_load(re.search(r"```\{repair-this-one\}\n(.*?)\n```", text, re.DOTALL)[1])


def test_there_are_at_least_forty_and_none_twice(exercises):
    assert len(exercises) >= 40
    assert len({exercise["entry"] for exercise in exercises}) == len(exercises)
    for exercise in exercises:
        assert max(map(len, exercise["code"].splitlines())) <= 88, exercise["entry"]


def test_the_page_has_each_with_two_folds_that_are_closed(site, exercises):
    shown_there = html_of(site, PAGE).select("article .to-repair")
    assert len(shown_there) == len(exercises)
    for box, exercise in zip(shown_there, exercises, strict=True):
        assert exercise["code"].strip() == box.select_one("pre").get_text().strip()
        assert [fold.summary.get_text() for fold in box.select("details")] == [
            "An input that shows it",
            "What is wrong",
        ]
        assert not box.select("details[open]")
        assert exercise["call"] in box.select("details")[0].get_text()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"code": "def entropy(p):\n    return 1.0"}, "it gives 1, but the bank's entry nan"),
        ({"call": "entropy(np.array([0.5, 0.5]))"}, "shows no mistake"),
        ({"call": "entropy(np.array([0.5, 0.25]))"}, "but the bank's entry ValueError"),
        ({"entry": "ps1-information/entropy/nothing"}, "the bank has no such misconception"),
    ],
)
def test_an_exercise_that_does_not_fail_as_the_bank_does_is_refused(course, exercises, change, fault):
    [exercise] = [e for e in exercises if e["entry"] == "ps1-information/entropy/zero-log-zero"]
    assert solved(course, [dict(exercise)])[0]["right"] == "0"
    with pytest.raises(ValueError, match=re.escape(fault)):
        solved(course, [{key: (exercise | change)[key] for key in KEYS}])


def test_outcomes_are_compared_and_written():
    failing = outcome("def f(x):\n    raise ValueError('no')", "f(1)")
    assert shown(failing) == "ValueError: no"
    assert same(failing, ValueError("another text"))
    assert not same(failing, TypeError("no"))
    assert same(float("nan"), float("nan"))
    assert not same([1.0, 2.0], [[1.0, 2.0]])
    assert not same((1.0, 2.0), [1.0, 2.0])
    assert shown(([1.0, 0.25], -0.0)) == "([1, 0.25], 0)"
