"""Releases match their sources, have the same bytes each time and contain no solutions; faulty sets are refused."""

import ast
import copy
import re
import shutil

import nbformat
import pytest
from nbgrader.validator import Validator

from autograder.authoring.proof.prove import prove
from autograder.authoring.released_notebook import handed_out
from autograder.commands.main import main
from autograder.common.atomic_files import write_notebook
from autograder.common.errors import AutograderError, ProblemSetError, UsageError
from autograder.problem_set.bank import BankEntry
from autograder.problem_set.chapter_links import book_addresses, chapter_addresses, link_chapters, with_links
from autograder.problem_set.source import ProblemSet, answered, find_problem_sets, grade_id, is_solution, is_test
from autograder.problem_set.versions import student_version
from tests.support import TEST_ALL
from tests.support.copied_sets import copy_set
from tests.support.known_sets import SETS

#: Sets that run in a kernel here; what needs no run is tested on all sets.
RUN = ["ps0-warmup", "ps1-information"] if TEST_ALL else ["ps0-warmup"]


@pytest.mark.parametrize("name", SETS)
def test_exercises_are_in_step_with_their_source(course, tmp_path, name):
    problem_set = find_problem_sets(course, [name])[0]
    write_notebook(handed_out(problem_set, chapter_addresses(course)), tmp_path / "made.ipynb")
    committed = course / "exercises" / name / f"{name}.ipynb"
    assert committed.read_bytes() == (tmp_path / "made.ipynb").read_bytes(), (
        f"{committed} does not match its source; run: make release"
    )


@pytest.fixture
def course_on_the_web(course, tmp_path):
    """A function that makes a course with the book's contents and another website address."""

    def configured(address):
        config = (course / "_config.yml").read_text(encoding="utf-8")
        assert "html_baseurl: http://localhost:8000/" in config
        (tmp_path / "_config.yml").write_text(config.replace("http://localhost:8000/", address), encoding="utf-8")
        shutil.copyfile(course / "_toc.yml", tmp_path / "_toc.yml")
        if not (tmp_path / "book").exists():
            (tmp_path / "book").symlink_to(course / "book")
        return tmp_path

    return configured


def test_chapters_are_linked_where_the_website_has_an_address(course, course_on_the_web):
    addresses = chapter_addresses(course_on_the_web("https://example.org/course"))
    assert addresses["Entropy"] == "https://example.org/course/book/information/entropy.html"
    assert addresses["Entropy, Two outcomes"] == "https://example.org/course/book/information/entropy.html#two-outcomes"
    pages = [
        course / f"{address.removeprefix('https://example.org/course/')[:-5]}.md"
        for address in addresses.values()
        if "#" not in address
    ]
    assert len(pages) > 15
    assert all(page.is_file() for page in pages)
    for problem_set in find_problem_sets(course):
        before, linked = student_version(problem_set), student_version(problem_set)
        link_chapters(linked, addresses)
        text = "\n".join(cell.source for cell in linked.cells)
        assert "](https://example.org/course/book/" in text, f"{problem_set.name}: no chapter is linked"
        assert re.search(r"\]\(https://example.org/course/book/\S+\.html#", text) or problem_set.name == "ps0-warmup"
        unlinked = re.findall(r'[Cc]hapters? \*[^*\n]+\*, "[^"\n]+"', text)
        assert not unlinked, f"{problem_set.name} names a section that the book does not have: {unlinked}"
        for old, new in zip(before.cells, linked.cells, strict=True):
            assert old.source == new.source or (old.cell_type == "markdown" and grade_id(old) is None)


def test_the_version_of_a_release_is_that_of_its_text(course):
    [problem_set] = find_problem_sets(course, ["ps0-warmup"])
    first, second = (handed_out(problem_set, {}).metadata["autograder"]["version"] for _ in range(2))
    assert first == second
    problem_set.notebook.cells[0].source += " More."
    assert handed_out(problem_set, {}).metadata["autograder"]["version"] != first


def test_every_place_that_a_test_or_a_diagnosis_names_is_in_the_book(course):
    addresses = book_addresses(course, "")
    count = 0

    def examine(where, text):
        nonlocal count
        pieces = with_links(text, addresses)
        left = "".join(piece for piece, address in pieces if not address)
        assert any(address for _, address in pieces), f"{where}: {text}"
        assert not re.search(r", [A-Z](?!aises|eturns|arameters|ttributes)", left), f"{where}: {left}"
        count += 1

    for problem_set in find_problem_sets(course):
        for cell in problem_set.notebook.cells:
            if not is_test(cell):
                continue
            for node in ast.walk(ast.parse(cell.source)):
                text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
                groups = re.findall(r"\([^()]*\)", text) if "(" in text else [f"({text})"]
                for group in groups:
                    if re.search(r"\bchapters? [A-Z]", group):
                        examine(f"{problem_set.name}: {grade_id(cell)}", group)
        titles = [name for name, address in addresses.items() if "#" not in address]
        for entry in problem_set.bank:
            place = entry.revisit.partition(": ")[2]
            if place.startswith(tuple(f"{title}," for title in titles)):
                examine(f"{problem_set.name}: {entry}", f"({place})")
    assert count > 800


def test_a_linked_notebook_lists_where_the_messages_of_its_tests_point(course):
    (problem_set,) = find_problem_sets(course, ["ps1-information"])
    linked = student_version(problem_set)
    link_chapters(linked, book_addresses(course, "https://example.org/"))
    [cell] = [cell for cell in linked.cells if "Where the messages of the tests point" in cell.source]
    assert linked.cells.index(cell) < next(i for i, cell in enumerate(linked.cells) if grade_id(cell))
    assert "- [Entropy, Two outcomes](https://example.org/book/information/entropy.html#two-outcomes)\n" in cell.source
    assert "- [Divergence, Zeros decide](" in cell.source


def test_what_a_message_names_is_cut_out_for_links():
    addresses = {"Entropy": "e.html", "Entropy, Two outcomes": "e.html#two", "Entropy, Blocks": "e.html#blocks"}
    addresses |= {"Softmax and logits": "s.html", "Softmax and logits, Log-sum-exp": "s.html#lse"}
    text = "Entropy of it (chapters Entropy, Two outcomes, and Blocks, and Softmax and logits, Log-sum-exp)."
    assert with_links(text, addresses) == [
        ("Entropy of it (chapters ", ""),
        ("Entropy, Two outcomes", "e.html#two"),
        (", and ", ""),
        ("Blocks", "e.html#blocks"),
        (", and ", ""),
        ("Softmax and logits, Log-sum-exp", "s.html#lse"),
        (").", ""),
    ]
    assert with_links("(chapter Entropy, from Two outcomes to Blocks)", addresses)[1:4] == [
        ("Entropy", "e.html"),
        (", from ", ""),
        ("Two outcomes", "e.html#two"),
    ]
    assert with_links("(Entropy, Nowhere)", addresses)[1] == ("Entropy", "e.html")
    assert with_links("in chapter Entropy", {}) == [("in chapter Entropy", "")]


def test_the_variable_of_the_website_is_that_of_the_notebooks_too(course_on_the_web, monkeypatch):
    monkeypatch.setenv("SITE_URL", "https://example.org/here/")
    addresses = chapter_addresses(course_on_the_web("https://example.org/there/"))
    assert addresses["Entropy"] == "https://example.org/here/book/information/entropy.html"
    monkeypatch.setenv("SITE_URL", "example.org")
    with pytest.raises(AutograderError, match=r"SITE_URL is 'example\.org', which is not the address of a website"):
        chapter_addresses(course_on_the_web("https://example.org/there/"))


@pytest.mark.parametrize("address", ["", "http://localhost:8000/", "http://127.0.0.1/book"])
def test_chapters_are_only_named_where_the_website_is_not_public(course_on_the_web, address):
    assert chapter_addresses(course_on_the_web(address)) == {}


@pytest.mark.parametrize("address", ["example.org/course", "ftp://example.org", "https://"])
def test_an_invalid_address_is_refused(course_on_the_web, address):
    with pytest.raises(AutograderError, match="not the address of a website"):
        chapter_addresses(course_on_the_web(address))


def test_only_whole_titles_in_italics_are_linked():
    text = "*Entropy*, **Entropy**, *Entropy of a coin*, [*Entropy*](there), `*`Entropy"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text), nbformat.v4.new_raw_cell(text)])
    link_chapters(notebook, {"Entropy": "https://example.org/e"})
    assert notebook.cells[0].source == "[*Entropy*](https://example.org/e)" + text[9:]
    named = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell('*Entropy*, "Blocks"; *Entropy*, "Other"')])
    link_chapters(named, {"Entropy": "e", "Entropy, Blocks": "e#blocks"})
    assert named.cells[0].source == '[*Entropy*, "Blocks"](e#blocks); [*Entropy*](e), "Other"'
    assert notebook.cells[1].source == text


@pytest.mark.parametrize("name", SETS)
def test_a_release_is_a_valid_notebook_without_solutions_and_hidden_tests(course, name):
    path = course / "exercises" / name / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    text = path.read_text(encoding="utf-8")
    assert "BEGIN SOLUTION" not in text
    assert "BEGIN HIDDEN TESTS" not in text
    problem_set = find_problem_sets(course, [name])[0]
    for cell in notebook.cells:
        if is_solution(cell):
            lines = set(problem_set.reference_answers[grade_id(cell)].splitlines())
            released = set(cell.source.splitlines())
            assert lines - released, f"{name}: the release gives away all of {grade_id(cell)}"


@pytest.mark.parametrize("name", SETS)
def test_cell_ids_are_unique_and_follow_from_the_source(course, name):
    notebooks = [student_version(find_problem_sets(course, [name])[0]) for _ in range(2)]
    ids = [[cell.id for cell in notebook.cells] for notebook in notebooks]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])


@pytest.mark.parametrize("name", SETS)
def test_the_bank_says_how_each_entry_reads_to_a_student(course, name):
    for entry in find_problem_sets(course, [name])[0].bank:
        if entry.kind == "misconception":
            assert entry.diagnosis.rstrip().endswith("."), f"{name}, {entry}: the diagnosis is not a sentence"
            assert entry.revisit, f"{name}, {entry}: says nothing to revisit"


@pytest.mark.parametrize("name", RUN)
def test_validate_lists_the_visible_tests_that_fail_and_passes_a_solved_set(course, tmp_path, name):
    problem_set = find_problem_sets(course, [name])[0]
    released = student_version(problem_set)
    for solved, notebook in ((False, released), (True, answered(released, problem_set.reference_answers))):
        path = tmp_path / f"{name}-{solved}.ipynb"
        write_notebook(notebook, path)
        result = Validator().validate(str(path))
        assert ("failed" in result) == (not solved), result


def test_an_unknown_set_is_named_beside_those_that_exist(course):
    with pytest.raises(UsageError, match="no problem set 'ps99'; choose from ps0-warmup"):
        find_problem_sets(course, ["ps99"])


def spoiled(problem_set: ProblemSet, **changes: BankEntry) -> ProblemSet:
    changed = copy.copy(problem_set)
    changed.__dict__["bank"] = list(changes.values())
    return changed


def entry(kind: str, code: str, loses: set[str] = frozenset()) -> BankEntry:
    return BankEntry("spoiled", kind, "nats_to_bits", code, frozenset(loses), "is wrong.", "units")


RIGHT = "import math\ndef nats_to_bits(x):\n    return x / math.log(2)\n"
WRONG = "def nats_to_bits(x):\n    return x\n"
HIDDEN = "nats_to_bits-hidden"


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (
            entry("misconception", RIGHT, {HIDDEN}),
            f"misconception 'spoiled' of nats_to_bits keeps the points of {HIDDEN}",
        ),
        (entry("alternative", WRONG), f"alternative 'spoiled' of nats_to_bits loses the points of {HIDDEN}"),
    ],
)
def test_an_entry_that_breaks_its_promise_is_named(warmup, bad, says, executor):
    (fault,) = prove(spoiled(warmup, bad=bad), executor).faults
    assert says in fault


def test_a_reference_that_loses_points_and_a_stub_that_earns_them_are_refused(course, tmp_path, executor):
    folder = tmp_path / "solutions" / "ps0-warmup"
    copy_set(course, "ps0-warmup", folder)
    source = folder / "ps0-warmup.md"
    text = source.read_text(encoding="utf-8")

    source.write_text(text.replace("/ math.log(2)", "/ math.log(3)"), encoding="utf-8")
    faults = prove(ProblemSet(folder), executor).faults
    assert any("the reference solution loses points in nats_to_bits-hidden" in fault for fault in faults)

    begin, end = text.index("### BEGIN HIDDEN TESTS"), text.index("### END HIDDEN TESTS")
    source.write_text(text[:begin] + "### BEGIN HIDDEN TESTS\npass\n" + text[end:], encoding="utf-8")
    faults = prove(ProblemSet(folder), executor).faults
    assert any("the unsolved notebook gets points in nats_to_bits-hidden" in fault for fault in faults)


@pytest.mark.parametrize(
    ("replace", "by", "says"),
    [
        ("kernelspec:", "kernel:", "its header names no kernel"),
        ("autograder:", "autograder: []\nother:", "autograder in its header must be a mapping"),
        (
            "### END SOLUTION",
            "### END SOLUTON",
            "cell 'nats_to_bits': '### END SOLUTON' is not one of nbgrader's marks",
        ),
        ("### END SOLUTION", "# END SOLUTION", "cell 'nats_to_bits': '# END SOLUTION' is not one of nbgrader's marks"),
        ("### END SOLUTION\n", "", "cell 'nats_to_bits': '### BEGIN SOLUTION' has no '### END SOLUTION' after it"),
        ("### BEGIN SOLUTION\n", "", "cell 'nats_to_bits': '### END SOLUTION' has no '### BEGIN SOLUTION' before it"),
        ("### END HIDDEN TESTS", "### END HIDDEN TEST", "cell 'nats_to_bits-hidden': '### END HIDDEN TEST' is not one"),
        ("points: 1", "points: two", "cell 'nats_to_bits-hidden': its points are 'two', but must be a number"),
        ("points: 1", "points: -1", "cell 'nats_to_bits-hidden': its points are -1, but must be a number"),
        ("points: 1", "points: .nan", "cell 'nats_to_bits-hidden': its points are nan, but must be a number"),
        ("points: 1", "points: [1", "is not a MyST notebook"),
        ("schema_version: 3", "schema_version: three", "cell 'nats_to_bits': its metadata needs schema_version: 3"),
        ("schema_version: 3", "schema_versio: 3", "cell 'nats_to_bits': its metadata needs schema_version: 3"),
        (
            "grade: true",
            "graed: true",
            "cell 'nats_to_bits-values': its metadata is not nbgrader's: 'grade' is a required",
        ),
        ("grade: true", "grade: yess", "cell 'nats_to_bits-values': its metadata is not nbgrader's: grade: 'yess'"),
        (
            "grade_id: nats_to_bits\n",
            "grade_ID: nats_to_bits\n",
            "cell 3: its metadata is not nbgrader's: .*'grade_ID'",
        ),
        ("nbgrader:", "nbgrader: 5\nother:", "cell 3: nbgrader in its metadata must be a mapping"),
        (
            "  grade_id: nats_to_bits\n",
            "",
            "cell 3: its metadata is not nbgrader's: nbgrader cell does not have a grade_id.$",
        ),
        (
            "language: python",
            "language: julia",
            "the language of the kernel in its header is 'julia', but must be python",
        ),
        ("title: Warm-up", "title: [Warm-up]", r"the title in its header is \['Warm-up'\], but must be text"),
        ("packages: [", "packages: [[], ", r"packages in its header is \[\[\], .*, but must be a list of names"),
        (
            "points: 1",
            "points: 2",
            "cell 'nats_to_bits-hidden': it carries 2 points in its metadata, but its first line says 1",
        ),
        (
            "(1 point)",
            "(a point)",
            r"cell 'nats_to_bits-hidden': its first line lacks points; write \(1 point\) there",
        ),
        (
            "# Visible tests",
            "# Visible tests (1 point)",
            "it carries 0 points in its metadata, but its first line says 1",
        ),
        ("One point.", "Two points.", "the line below its title says Two, but its cells carry 1 point"),
    ],
)
def test_a_slip_in_a_source_is_named_in_one_sentence(course, tmp_path, capsys, replace, by, says):
    folder = tmp_path / "solutions" / "ps0-warmup"
    copy_set(course, "ps0-warmup", folder)
    source = folder / "ps0-warmup.md"
    text = source.read_text(encoding="utf-8")
    assert replace in text
    source.write_text(text.replace(replace, by, 1), encoding="utf-8")
    assert main(["release", "--course", str(tmp_path)]) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith(f"autograder: {source}")
    assert re.search(says, sentence), sentence


@pytest.mark.parametrize(
    ("replace", "by", "says"),
    [
        (
            "(4 points, graded by hand.)",
            "(5 points, graded by hand.)",
            "cell 'not_a_distance': .*the text before it says 5",
        ),
        ("**Rubric, 4 points.**", "**Rubric, 3 points.**", "cell 'not_a_distance': .*its text says 3"),
        ("61 points: 57 are", "60 points: 57 are", "says 60, but its cells carry 61 points"),
        ("61 points: 57 are", "61 points: 56 are", "says 56, but its tests carry 57 points"),
        ("by tests, 4 by hand", "by tests, 5 by hand", "says 5, but its prose answers carry 4 points"),
    ],
)
def test_points_that_students_read_are_those_that_cells_carry(course, tmp_path, replace, by, says):
    copy_set(course, "ps1-information", tmp_path / "ps1-information")
    source = tmp_path / "ps1-information" / "ps1-information.md"
    text = source.read_text(encoding="utf-8")
    assert replace in text
    source.write_text(text.replace(replace, by, 1), encoding="utf-8")
    with pytest.raises(ProblemSetError, match=says):
        ProblemSet(source.parent)


def test_a_source_without_a_header_is_named(course, tmp_path):
    folder = tmp_path / "ps0-warmup"
    copy_set(course, "ps0-warmup", folder)
    source = folder / "ps0-warmup.md"
    source.write_text(source.read_text(encoding="utf-8").split("---\n", 2)[2], encoding="utf-8")
    with pytest.raises(ProblemSetError, match="its header names no kernel"):
        ProblemSet(folder)


def test_a_slip_in_the_bank_of_the_last_set_is_named_before_the_first_is_proven(course, tmp_path, capsys):
    for name in ("_config.yml", "_toc.yml"):
        shutil.copyfile(course / name, tmp_path / name)
    for name in ("ps0-warmup", "ps9-again"):
        folder = tmp_path / "solutions" / name
        copy_set(course, "ps0-warmup", folder)
        (folder / "ps0-warmup.md").rename(folder / f"{name}.md")
    bank = tmp_path / "solutions" / "ps9-again" / "bank" / "nats_to_bits.md"
    bank.write_text(bank.read_text(encoding="utf-8").replace("kind: ", "knid: ", 1), encoding="utf-8")
    assert main(["release", "--course", str(tmp_path)]) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith(f"autograder: {bank}, entry 'wrong-direction': unknown key 'knid'")
    assert not (tmp_path / "exercises").exists()
