"""The files of a bank: one for each item, in the order of the notebook; a slip in one is named in a sentence."""

import re
import shutil

import pytest

from autograder.common.errors import ProblemSetError
from autograder.problem_set.source import ProblemSet, find_problem_sets
from tests.support.known_sets import SETS

ITEM = "nats_to_bits"
RIGHT = "```{code-cell} ipython3\n---\nbank:\n  name: right\n  kind: alternative\n---\nn = 1\n```\n"


@pytest.fixture
def folder(course, tmp_path):
    """A copy of the warm-up's sources."""
    shutil.copytree(course / "solutions" / "ps0-warmup", tmp_path / "ps0-warmup")
    return tmp_path / "ps0-warmup"


def refusal(folder) -> str:
    with pytest.raises(ProblemSetError) as refused:
        _ = ProblemSet(folder).bank
    (sentence,) = str(refused.value).splitlines()
    return sentence


@pytest.mark.parametrize("name", SETS)
def test_entries_come_in_the_order_of_the_notebook_and_of_their_file(course, name):
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
        ("kind: misconception", "kind: mistake", "entry 'wrong-direction': needs a name and a kind"),
        ("kind: misconception", "", "entry 'wrong-direction': needs a name and a kind"),
        (
            "loses: [nats_to_bits-hidden]",
            "loses: [nats]",
            "entry 'wrong-direction': loses 'nats', which is no test cell",
        ),
        ("kind: misconception", "kind: alternative", "entry 'wrong-direction': an alternative is right, so it has no"),
        ("diagnosis:", "diagnosed:", "entry 'wrong-direction': unknown key 'diagnosed'; there are name, kind"),
        ("loses: [nats_to_bits-hidden]", "loses: nats_to_bits-hidden", "loses is a list of test cells"),
        ("kind: misconception", "kind: [misconception]", r"kind is a text, and not \['misconception'\]"),
        ("bank:\n  name:", "bank: 5\nbanks:\n  name:", "bank holds no keys, but 5"),
        ("bank:\n  name:", "bnak:\n  name:", "a cell of code is no entry without bank"),
        ("name: takes-the-logarithm", "name: wrong-direction", "two entries have the name 'wrong-direction'"),
        ("\n---\n\n# Bank", "\nbank: {loses: []}\n---\n\n# Bank", "header: unknown key 'loses'; there are revisit"),
        ("\n---\n\n# Bank", "\nbank: {revisit: 5}\n---\n\n# Bank", "header: revisit is a text, and not 5"),
        ("\n---\n\n# Bank", "\nbank: units\n---\n\n# Bank", "header: bank holds no keys, but 'units'"),
    ],
)
def test_a_slip_in_a_bank_is_named_in_one_sentence(folder, replace, by, says):
    file = folder / "bank" / f"{ITEM}.md"
    text = file.read_text(encoding="utf-8")
    assert replace in text
    file.write_text(text.replace(replace, by, 1), encoding="utf-8")
    sentence = refusal(folder)
    assert sentence.startswith(str(file))
    assert re.search(says, sentence), sentence


def test_a_file_for_no_item_is_named_beside_those_that_there_are(folder):
    (folder / "bank" / "bits_to_nats.md").write_text(RIGHT, encoding="utf-8")
    assert refusal(folder) == (
        f"{folder / 'bank' / 'bits_to_nats.md'}: 'bits_to_nats' is no solution cell of the set; name the file for the cell "
        "that its entries answer: nats_to_bits."
    )


def test_a_set_without_a_bank_is_refused(folder):
    shutil.rmtree(folder / "bank")
    assert refusal(folder).startswith(f"{folder / 'bank'} holds no known answers;")


def test_what_the_header_says_holds_for_each_misconception_that_says_nothing_else(folder):
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
