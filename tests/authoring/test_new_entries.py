"""What release does with bank entries: it refuses those that cannot be answers, and measures what new ones lose."""

import re
import shutil

import pytest

from autograder.authoring.proof.prove import prove
from autograder.authoring.proposed_losses import propose_losses
from autograder.commands.main import main
from autograder.common.errors import ProblemSetError
from autograder.engine.execution import SandboxExecutor
from autograder.engine.sandbox import require_sandbox
from autograder.engine.shared.limits import Limits
from autograder.problem_set.source import ProblemSet
from tests.support.copied_sets import copy_set

HIDDEN = "nats_to_bits-hidden"
LOSES = f"  loses: [{HIDDEN}]\n"


@pytest.fixture(scope="module")
def quick():
    """The engine, with one second per cell."""
    with SandboxExecutor(require_sandbox(), Limits(cell_seconds=1, total_seconds=30)) as engine:
        yield engine


@pytest.fixture
def folder(course, tmp_path):
    """A copy of the warm-up's sources, in a separate course."""
    folder = tmp_path / "solutions" / "ps0-warmup"
    copy_set(course, "ps0-warmup", folder)
    for name in ("_toc.yml", "_config.yml"):
        shutil.copyfile(course / name, tmp_path / name)
    (tmp_path / "book").symlink_to(course / "book")
    return folder


@pytest.fixture
def information(course, tmp_path):
    """A copy of the sources of a set with many items."""
    return copy_set(course, "ps1-information", tmp_path / "ps1-information")


def with_entry(folder, code, kind="misconception", loses=LOSES):
    """Return the set with one more entry, and how a message names its place."""
    file = folder / "bank" / "nats_to_bits.md"
    says = "  diagnosis: is new.\n  revisit: units\n" if kind == "misconception" else ""
    head = f"bank:\n  name: new\n  kind: {kind}\n{loses}{says}"
    with file.open("a", encoding="utf-8") as bank:
        bank.write(f"\n```{{code-cell}} ipython3\n---\n{head}---\n{code}\n```\n")
    return ProblemSet(folder), f"{file}, entry 'new'"


NEVER_READ = "def nats_to_bits(x)\n    return x"
#: Answers that never end, and where they hang.
ENDLESS = {
    "in a call": "def nats_to_bits(x):\n    while True:\n        pass",
    "in the cell": "while True:\n    pass",
}


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (NEVER_READ, r", line 1: it is not plain Python \(expected ':'\), so every test refuses it"),
        ("return 5", r", line 1: it is not plain Python \('return' outside function\)"),
    ],
)
def test_an_entry_that_python_cannot_read_is_no_misconception(folder, quick, code, says):
    problem_set, place = with_entry(folder, code)
    (fault,) = prove(problem_set, quick).faults
    assert fault.startswith(place)
    assert re.search(says, fault), fault


@pytest.mark.parametrize("code", ENDLESS.values(), ids=ENDLESS)
@pytest.mark.sampled(1)
def test_an_entry_that_never_ends_is_no_misconception(folder, quick, code):
    problem_set, place = with_entry(folder, code)
    (fault,) = prove(problem_set, quick).faults
    assert fault.startswith(f"{place}: it never ends, or takes too long"), fault


def test_an_entry_whose_process_ends_is_no_misconception(folder, quick):
    problem_set, place = with_entry(folder, "import os\n\n\ndef nats_to_bits(x):\n    return x\n\n\nos._exit(1)")
    (fault,) = prove(problem_set, quick).faults
    assert fault.startswith(f"{place}: it does not run to its end: The Python process died")


def test_a_test_that_words_the_end_of_a_call_itself_hides_it_from_nobody(information, quick):
    """The checks include what a call raised in their own message."""
    file = information / "bank" / "kraft_sum.md"
    text = file.read_text()
    text = re.sub(r"  loses: .*\n", "", text, count=1)
    file.write_text(
        re.sub(
            r"\n---\ndef kraft_sum.*?\n```",
            "\n---\ndef kraft_sum(n):\n    while n is not None: pass\n```",
            text,
            count=1,
            flags=re.S,
        )
    )
    problem_set = ProblemSet(information)
    drafts = [entry for entry in problem_set.entries if entry.is_draft]
    (fault,) = propose_losses(problem_set, drafts, quick)
    assert "it never ends, or takes too long" in fault


@pytest.mark.parametrize("kind", ["misconception", "alternative"])
def test_an_entry_in_the_file_of_another_item_is_sent_to_its_own(information, quick, kind):
    own, other = (information / "bank" / f"{item}.md" for item in ("entropy", "kraft_sum"))
    entry = re.search(rf"\n```\{{code-cell\}}[^`]*?  name: (\S+)\n  kind: {kind}[^`]*\n```\n", own.read_text())
    other.write_text(other.read_text() + entry[0].replace(f"name: {entry[1]}", "name: astray"))
    (fault,) = prove(ProblemSet(information), quick).faults
    assert fault == f"{other}, entry 'astray': it answers entropy; move it to {own}."


# A misconception that does not say what it loses


def test_release_prints_what_a_new_misconception_loses_and_takes_it_when_it_is_pasted(folder, tmp_path, capsys):
    _, place = with_entry(folder, "def nats_to_bits(x):\n    return x", loses="")
    release = ["release", "--course", str(tmp_path), "--jobs", "1"]
    assert main(release) == 1
    sentence, line, _ = capsys.readouterr().err.splitlines()
    assert sentence.startswith(f"autograder: {place}: it fails these tests")
    assert f"{line}\n" == LOSES
    assert not (tmp_path / "exercises").exists()
    file = folder / "bank" / "nats_to_bits.md"
    file.write_text(file.read_text().replace("  name: new\n", f"  name: new\n{line}\n"))
    assert main(release) == 0
    assert "9 misconceptions" in capsys.readouterr().out


def test_lost_tests_are_proposed_in_the_order_of_the_notebook(information, executor):
    file = information / "bank" / "information_content.md"
    text = file.read_text()
    lines = re.findall(r"  loses: .*\n", text)[:3]
    for line in lines:
        text = text.replace(line, "", 1)
    file.write_text(text)
    problem_set = ProblemSet(information)
    drafts = [entry for entry in problem_set.entries if entry.is_draft]
    proposals = propose_losses(problem_set, drafts, executor)
    assert [proposal.split("\n")[1] + "\n" for proposal in proposals] == lines


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import math\n\n\ndef nats_to_bits(x):\n    return x / math.log(2)", "it keeps all points; add a test that"),
        (ENDLESS["in a call"], "it never ends, or takes too long"),
        (NEVER_READ, "it is not plain Python"),
    ],
)
@pytest.mark.sampled(1)
def test_nothing_is_proposed_for_what_is_no_misconception(folder, quick, code, says):
    problem_set, place = with_entry(folder, code, loses="")
    drafts = [entry for entry in problem_set.entries if entry.is_draft]
    (fault,) = propose_losses(problem_set, drafts, quick)
    assert fault.startswith(place)
    assert says in fault


def test_nothing_is_proposed_where_the_reference_solution_itself_loses_points(folder, quick):
    source = folder / "ps0-warmup.md"
    source.write_text(source.read_text().replace("/ math.log(2)", "/ math.log(3)"))
    problem_set, _ = with_entry(folder, "def nats_to_bits(x):\n    return x", loses="")
    faults = propose_losses(problem_set, [entry for entry in problem_set.entries if entry.is_draft], quick)
    assert any("the reference solution loses points" in fault for fault in faults)
    assert not any("loses:" in fault for fault in faults)


def test_a_bank_with_such_an_entry_is_no_bank_to_grade_with(folder):
    problem_set, place = with_entry(folder, "def nats_to_bits(x):\n    return x", loses="")
    with pytest.raises(ProblemSetError, match=r"needs loses; `autograder release ps0-warmup` measures it") as error:
        _ = problem_set.bank
    assert str(error.value).startswith(place)
