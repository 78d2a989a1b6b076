"""A bank's files: one for each item, in notebook order; a mistake in one is reported in a sentence."""

import re
import shutil

import pytest

from autograder.common.errors import ProblemSetError
from autograder.problem_set.source import ProblemSet, find_problem_sets
from tests.support.copied_sets import copy_set
from tests.support.known_sets import SETS

ITEM = "nats_to_bits"
RIGHT = "```{code-cell} ipython3\n---\nbank:\n  name: right\n  kind: alternative\n---\nn = 1\n```\n"


@pytest.fixture
def folder(course, tmp_path):
    """A copy of the warm-up set's sources."""
    return copy_set(course, "ps0-warmup", tmp_path / "ps0-warmup")


def refusal(folder) -> str:
    with pytest.raises(ProblemSetError) as refused:
        _ = ProblemSet(folder).bank
    (sentence,) = str(refused.value).splitlines()
    return sentence


@pytest.mark.parametrize("name", SETS)
def test_entries_follow_the_order_of_the_notebook_and_of_their_files(course, name):
    (problem_set,) = find_problem_sets(course, [name])
    items = [item.name for item in problem_set.items.values() if not item.by_hand]
    assert list(dict.fromkeys(entry.replaces for entry in problem_set.bank)) == items
    for item in items:
        text = (problem_set.bank_folder / f"{item}.md").read_text(encoding="utf-8")
        written = re.findall(r"^bank:\n  name: (\S+)$", text, re.MULTILINE)
        assert [entry.name for entry in problem_set.bank if entry.replaces == item] == written


@pytest.mark.parametrize(
    ("replace", "by", "says"),
    [
        ("kind: misconception", "kind: mistake", "entry 'wrong-direction': it needs a name, and a kind"),
        ("kind: misconception", "", "entry 'wrong-direction': it needs a name, and a kind"),
        (
            "loses: [nats_to_bits-hidden]",
            "loses: [nats]",
            "entry 'wrong-direction': loses names 'nats', but the set has no such test cell",
        ),
        ("kind: misconception", "kind: alternative", "entry 'wrong-direction': an alternative is correct, so"),
        ("diagnosis:", "diagnosed:", "'diagnosed'; the known keys are name"),
        ("loses: [nats_to_bits-hidden]", "loses: nats_to_bits-hidden", "loses must be a list of test cells"),
        ("kind: misconception", "kind: [misconception]", r"kind must be text, not \['misconception'\]"),
        ("bank:\n  name:", "bank: 5\nbanks:\n  name:", "bank must be a mapping of keys, not 5"),
        ("bank:\n  name:", "bnak:\n  name:", "a code cell has no bank in its metadata"),
        ("name: takes-the-logarithm", "name: wrong-direction", "two entries have the name 'wrong-direction'"),
        ("\n---\n\n# Bank", "\nbank: {loses: []}\n---\n\n# Bank", "header: unknown key 'loses'"),
        ("\n---\n\n# Bank", "\nbank: {revisit: 5}\n---\n\n# Bank", "header: revisit must be text, not 5"),
        ("\n---\n\n# Bank", "\nbank: units\n---\n\n# Bank", "header: bank must be a mapping of keys, not 'units'"),
    ],
)
def test_a_mistake_in_a_bank_is_reported_in_one_sentence(folder, replace, by, says):
    file = folder / "bank" / f"{ITEM}.md"
    text = file.read_text(encoding="utf-8")
    assert replace in text
    file.write_text(text.replace(replace, by, 1), encoding="utf-8")
    sentence = refusal(folder)
    assert sentence.startswith(str(file))
    assert re.search(says, sentence), sentence


def test_a_file_for_an_unknown_item_is_reported_with_the_known_items(folder):
    (folder / "bank" / "bits_to_nats.md").write_text(RIGHT, encoding="utf-8")
    assert refusal(folder) == (
        f"{folder / 'bank' / 'bits_to_nats.md'}: the set has no solution cell 'bits_to_nats'; name the file after the "
        "cell that its entries answer: nats_to_bits."
    )


def test_a_set_without_a_bank_is_refused(folder):
    shutil.rmtree(folder / "bank")
    assert refusal(folder).startswith(f"{folder / 'bank'} contains no known answers;")


def test_the_header_applies_to_every_misconception_that_does_not_override_it(folder):
    file = folder / "bank" / f"{ITEM}.md"
    before = ProblemSet(folder).bank
    text = file.read_text(encoding="utf-8")
    header = "\nbank:\n  revisit: the header's idea\n---\n\n# Bank"
    first = re.search(r"\n  revisit: .*", text)[0]
    file.write_text(text.replace(first, "", 1).replace("\n---\n\n# Bank", header, 1), encoding="utf-8")
    after = ProblemSet(folder).bank
    assert after[0].revisit == "the header's idea"
    assert [entry.revisit for entry in after[1:]] == [entry.revisit for entry in before[1:]]
    assert {entry.revisit for entry in after if entry.kind == "alternative"} == {""}
