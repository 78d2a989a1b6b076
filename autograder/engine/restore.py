"""Repairs a submission by content: restores the set's locked cells as released, and finds what the student wrote.

Cells are copied, split, moved, deleted and turned into text, by students and by the programs they use. A student's code
runs as it did in her kernel, as far as the notebook shows: everything she wrote runs, the part she ran last comes last,
and nothing else runs. So no answer has to be guessed from the look of its text.
"""

from __future__ import annotations

import functools
import re

import nbformat
from nbformat import NotebookNode

from autograder.common.errors import SubmissionError
from autograder.engine.submitted_notebook import MAX_CODE, free_id, make_cell, own_ids
from autograder.problem_set.source import grade_id, is_solution, is_test
from autograder.problem_set.versions import released_texts

#: Tag of a cell that is not run. Jupyter's own executor, nbclient, honours it too.
NOT_RUN = "skip-execution"
#: The beginning of a cell whose first line is indented.
_INDENTED = re.compile(r"(?:[ \t]*\n)*[ \t]+\S")


def is_run(cell: NotebookNode) -> bool:
    """Whether a cell of a restored notebook is run."""
    return cell.cell_type == "code" and NOT_RUN not in cell.metadata.get("tags", ())


def restore(source: NotebookNode, submitted: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """Return the submission with all the set's locked cells as released, including hidden tests.

    Missing cells are put back. A missing answer is put back but not run, since its empty stub would override what the
    student may have defined elsewhere. All copies and parts of an answer cell that the student worked on run where they
    are; the one that the kernel ran last comes last and carries the cell's name. Tests wait for the answers before them
    in the set, and other locked cells come before whatever follows them in it. Cells that are not the set's lose their
    metadata.

    Parameters
    ----------
    source : NotebookNode
        The instructor's version of the set.
    submitted : NotebookNode
        What a student handed in; left unchanged.

    Returns
    -------
    tuple of (NotebookNode, list of str)
        The notebook to execute, and notices about repairs.

    Raises
    ------
    SubmissionError
        No cell of the notebook belongs to the set, or one is too large.
    """
    known = {grade_id(cell): cell for cell in source.cells if grade_id(cell) is not None}
    repair = _Repair(known, submitted)
    if not repair.places:
        raise SubmissionError(
            f"None of the notebook's cells belongs to {source.metadata['autograder']['problem_set']}. "
            "Hand in the notebook you received, with your answers in it."
        )
    for name in repair.places:
        repair.cell(name)
    notices = repair.notices
    cells = [cell for slot in repair.slots for cell in slot]
    missing = [name for name in known if name not in repair.places]
    for name in missing:
        notices.append(_missing_notice(name, known[name]))
    ordered = _in_order(_completed(cells, known, repair.taken), known)
    if [cell.id for cell in ordered if grade_id(cell) not in missing] != [cell.id for cell in cells]:
        notices.append(
            "Cells of the problem set had changed places; its locked cells were put back where they belong, and its "
            "tests after the answers."
        )
    # The kernel, and what a set says of itself, such as its packages, are the set's.
    metadata = NotebookNode({**submitted.metadata, "kernelspec": nbformat.from_dict(source.metadata["kernelspec"])})
    metadata["autograder"] = nbformat.from_dict(source.metadata.get("autograder", {}))
    return NotebookNode(nbformat=4, nbformat_minor=5, metadata=metadata, cells=ordered), notices


def handed_in_pictures(source: NotebookNode, submitted: NotebookNode) -> dict[str, str]:
    """Return the pictures in those of the set's figure cells whose code the student left unchanged.

    They show what her notebook contained when she handed it in; nobody has checked them.

    Parameters
    ----------
    source : NotebookNode
        The instructor's version of the set.
    submitted : NotebookNode
        The submission, as `read_submission` returns it.

    Returns
    -------
    dict of str to str
        By cell id, PNG images in base64. Cells with more than one picture are left out.
    """
    drawn = {_plain(cell.source) for cell in source.cells if cell.cell_type == "code" and grade_id(cell) is None}
    known = {grade_id(cell) for cell in source.cells} - {None}
    pictures = {}
    for cell in submitted.cells:
        if cell.cell_type == "code" and grade_id(cell) not in known and _plain(cell.source) in drawn:
            shown = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", ())]
            if len(shown) == 1:
                pictures[cell.id] = shown[0]
    return pictures


class _Repair:
    """Finds a set's cells in a submission and repairs each.

    Parameters
    ----------
    known : dict of str to NotebookNode
        The set's cells by their grade_ids.
    submitted : NotebookNode
        The submission; left unchanged.

    Attributes
    ----------
    places : dict of str to list of int
        Where the submission has each cell of the set.
    slots : list of list of NotebookNode
        The cells that replace each cell of the submission.
    notices : list of str
        What was done, in sentences for the student.
    """

    def __init__(self, known: dict[str, NotebookNode], submitted: NotebookNode):
        self.known = known
        self.cells = [
            _copied(cell, own_id) for cell, own_id in zip(submitted.cells, own_ids(submitted.cells), strict=True)
        ]
        self.taken = {cell.id for cell in self.cells}
        self.notices: list[str] = []
        self.places: dict[str, list[int]] = {}
        self.slots: list[list[NotebookNode]] = []
        for place, cell in enumerate(self.cells):
            name = grade_id(cell)
            if name in known:
                self.places.setdefault(name, []).append(place)
            else:
                cell.metadata.pop("nbgrader", None)
            self.slots.append([cell])

    def cell(self, name: str) -> None:
        """Repair one of the set's cells."""
        original = self.known[name]
        if not is_solution(original):
            self._locked(name, self.places[name])
        elif original.cell_type == "code":
            self._answer(name, self.places[name])
        else:
            self._prose(name, self.places[name])

    # ---- cells that the set locks

    def _locked(self, name: str, places: list[int]) -> None:
        """Restore a locked cell. A copy that the student has edited is her own cell, and runs as such."""
        original, released = self.known[name], _released(self.known[name])
        same = [place for place in places if _plain(self.cells[place].source) == released]
        real = (same or places)[0]
        cell = self.cells[real]
        if not same or cell.cell_type != original.cell_type:
            self.notices.append(f"The cell {name!r} had been changed; it was restored.")
        if len(places) > 1:
            self.notices.append(f"The cell {name!r} occurs more than once; only one counts, as released.")
        for place in places:
            if place in same:
                self._set_aside(place)
            else:
                copied = self.cells[place]
                self.slots[place] = [make_cell(copied.cell_type, copied.id, copied.source)]
        restored = make_cell(original.cell_type, cell.id, original.source, nbformat.from_dict(original.metadata))
        self.slots[real] = [restored]

    # ---- answers

    def _written(self, name: str) -> list[int]:
        """Return where the student wrote an answer: the cells that are neither empty nor as released.

        If some still have the right type, those of another type are left out: the student set them aside.
        """
        original, places = self.known[name], self.places[name]
        released = _released(original)
        if _plain("\n".join(self.cells[place].source for place in places)) == released:
            return []
        written = [place for place in places if _plain(self.cells[place].source) not in ("", released)]
        return [place for place in written if self.cells[place].cell_type == original.cell_type] or written

    def _untouched(self, name: str, places: list[int]) -> None:
        """Leave one answer cell as released; or empty, if she emptied it: its stub could override code elsewhere."""
        if len(places) > 1:
            self.notices.append(f"The cell {name!r} occurs more than once; the first counts, the others were left out.")
        self._note_type(name, places)
        for place in places[1:]:
            self._set_aside(place)
        empty = not any(self.cells[place].source.strip() for place in places)
        self.slots[places[0]] = [self._named(name, self.cells[places[0]].id, "" if empty else self.known[name].source)]

    def _prose(self, name: str, places: list[int]) -> None:
        """Join the parts of an answer in prose for a person to read."""
        written = self._written(name)
        if not written:
            return self._untouched(name, places)
        self._note_type(name, written)
        for place in places:
            if place in written:
                self.slots[place] = []
            else:
                self._set_aside(place)
        cells = [self.cells[place] for place in written]
        if len(cells) > 1:
            self.notices.append(f"Your answer {name!r} was spread over {len(cells)} cells; they were joined.")
        elif len(places) > 1:
            self._note_untouched(name)
        source = "\n\n".join(cell.source for cell in cells)
        answer = self._named(name, cells[0].id, source)
        attached = {key: image for cell in reversed(cells) for key, image in cell.get("attachments", {}).items()}
        if attached:
            answer["attachments"] = NotebookNode(attached)
        self.slots[written[0]] = [answer]
        return None

    def _answer(self, name: str, places: list[int]) -> None:
        """Run everything that the student wrote as one answer in code, ending with what her kernel ran last."""
        written = self._written(name)
        if not written:
            return self._untouched(name, places)
        self._note_type(name, written)
        pieces = self._pieces(written)
        texts = ["\n".join(self.cells[place].source for place in piece) for piece in pieces]
        self._require_short(name, texts)
        # A cell without a count never ran. A pasted copy has the count of its original: the later one wins.
        counts = [max(self._count(place) for place in piece) for piece in pieces]
        last = max(range(len(pieces)), key=lambda number: (counts[number], number))
        for place in places:
            if place not in written:
                self._set_aside(place)
        first = places[0]
        if first < written[0] and self.cells[first].cell_type == "code" and self._used_between(first, written[0]):
            # Cells between the two may use the answer, as they could in her kernel.
            self.slots[first] = [self._own(self.cells[first].id, texts[last])]
        for piece, text in zip(pieces, texts, strict=True):
            for place in piece:
                self.slots[place] = [self._own(self.cells[place].id, self.cells[place].source)]
            if len(piece) > 1:
                self._run_again(piece[-1], text)
        end = pieces[-1][-1]
        if last != len(pieces) - 1:
            self._run_again(end, texts[last])
        answer = self.slots[end][-1]
        self.slots[end][-1] = self._named(name, answer.id, answer.source)
        self._note_pieces(name, written, pieces)
        return None

    def _pieces(self, written: list[int]) -> list[list[int]]:
        """Group an answer's cells: one that begins in the middle of a block continues the one before it.

        When a cell was split, one part may lack metadata; it is then directly next to the other.
        """
        found = set(written)
        first = written[0]
        while self._begins_inside(first) and self._is_own_code(first - 1):
            first -= 1
            found.add(first)
        for place in written:
            while self._is_own_code(place + 1) and self._begins_inside(place + 1):
                place += 1
                found.add(place)
        pieces: list[list[int]] = []
        for place in sorted(found):
            if pieces and self._begins_inside(place):
                pieces[-1].append(place)
            else:
                pieces.append([place])
        return pieces

    def _begins_inside(self, place: int) -> bool:
        return _INDENTED.match(self.cells[place].source) is not None

    def _is_own_code(self, place: int) -> bool:
        """Whether the cell at this place is code that the student added."""
        if not 0 <= place < len(self.cells):
            return False
        return self.cells[place].cell_type == "code" and grade_id(self.cells[place]) not in self.known

    def _used_between(self, one: int, other: int) -> bool:
        """Whether there is code between two cells that the student wrote or may change."""
        between = self.cells[one + 1 : other]
        names = [grade_id(cell) for cell in between if cell.cell_type == "code"]
        return any(name not in self.known or is_solution(self.known[name]) for name in names)

    def _count(self, place: int) -> int:
        count = self.cells[place].get("execution_count")
        return -1 if count is None else count

    # ---- the cells that replace others

    def _named(self, name: str, own_id: str, source: str) -> NotebookNode:
        original = self.known[name]
        metadata = NotebookNode(nbgrader=nbformat.from_dict(original.metadata["nbgrader"]))
        return make_cell(original.cell_type, own_id, source, metadata)

    def _own(self, own_id: str, source: str) -> NotebookNode:
        return make_cell("code", own_id, source)

    def _run_again(self, place: int, source: str) -> None:
        """Run code once more, after the cell at this place."""
        own_id = free_id(f"{self.cells[place].id}-again", self.taken)
        self.taken.add(own_id)
        self.slots[place].append(self._own(own_id, source))

    def _set_aside(self, place: int) -> None:
        """Keep a cell's text, but neither run nor count it."""
        self.slots[place] = [make_cell("raw", self.cells[place].id, self.cells[place].source)]

    def _require_short(self, name: str, texts: list[str]) -> None:
        """Refuse code that is too long, and escaped the check on reading as text or in several cells."""
        if max(map(len, texts)) > MAX_CODE:
            raise SubmissionError(f"The cell {name!r} has more than {MAX_CODE} characters; move its data to a file.")

    # ---- what the student is told

    def _note_type(self, name: str, written: list[int]) -> None:
        kind = self.cells[written[0]].cell_type
        if kind != self.known[name].cell_type:
            now = "it was run as code" if self.known[name].cell_type == "code" else "it was read as text"
            self.notices.append(f"Your answer {name!r} was in a {kind.replace('mark', 'Mark')} cell; {now}.")

    def _note_untouched(self, name: str) -> None:
        self.notices.append(
            f"The cell {name!r} occurs more than once; the one with your answer counts, the others were left out."
        )

    def _note_pieces(self, name: str, written: list[int], pieces: list[list[int]]) -> None:
        if len(written) > 1:
            counted = any(self._count(place) >= 0 for place in written)
            how = "the one you ran last at the end" if counted else "in notebook order"
            self.notices.append(
                f"The cell {name!r} was copied or split into {len(written)} cells; all of them were run, {how}."
            )
        elif len(self.places[name]) > 1:
            self._note_untouched(name)
        if any(len(piece) > 1 for piece in pieces):
            self.notices.append(
                f"A part of the cell {name!r} begins in the middle of a block; it was run with the part before it."
            )


def _copied(cell: NotebookNode, own_id: str) -> NotebookNode:
    """Return a copy of a cell with this id and without tags, which must not decide whether it runs."""
    metadata = NotebookNode({key: value for key, value in cell.metadata.items() if key != "tags"})
    return NotebookNode({**cell, "id": own_id, "metadata": metadata})


def _plain(source: str) -> str:
    """Return text without invisible differences: trailing spaces, and blank lines around it."""
    return "\n".join(line.rstrip() for line in source.strip().splitlines())


def _released(cell: NotebookNode) -> str:
    """Return the text of one of the set's cells as students receive it, for comparison."""
    return _released_text(cell.source)


@functools.lru_cache(maxsize=2_000)  # the same few cells recur in every submission of a class
def _released_text(source: str) -> str:
    metadata = NotebookNode(nbgrader={"grade_id": "cell", "grade": True, "locked": True, "schema_version": 3})
    shown = released_texts(NotebookNode(cells=[make_cell("code", "cell", source, metadata)], metadata=NotebookNode()))
    return _plain(shown["cell"])


def _missing_notice(name: str, original: NotebookNode) -> str:
    if not is_solution(original):
        return f"The cell {name!r} was missing; it was put back as released."
    if original.cell_type == "code":
        return f"The cell for your answer {name!r} was missing; it was put back as released, but not run."
    return f"The cell for your answer {name!r} was missing; it was put back as released."


def _completed(cells: list[NotebookNode], known: dict[str, NotebookNode], taken: set[str]) -> list[NotebookNode]:
    """Return the cells with the missing ones added, each before the next of the set's cells that is present.

    So a test finds everything that the student added after its answer.
    """
    positions = {grade_id(cell): position for position, cell in enumerate(cells)}
    before: dict[int, list[str]] = {}
    next_one = len(cells)
    for name in reversed(known):
        if name in positions:
            next_one = min(next_one, positions[name])
        else:
            before.setdefault(next_one, []).insert(0, name)
    completed: list[NotebookNode] = []
    for position in range(len(cells) + 1):
        for name in before.get(position, ()):
            cell = nbformat.from_dict(known[name])
            cell["id"] = free_id(cell.id, taken)
            taken.add(cell.id)
            if is_solution(cell) and cell.cell_type == "code":
                # Its stub would override what the student may have defined in a cell of her own.
                cell.metadata["tags"] = [NOT_RUN]
            completed.append(cell)
        completed += cells[position : position + 1]
    return completed


def _in_order(cells: list[NotebookNode], known: dict[str, NotebookNode]) -> list[NotebookNode]:
    """Return the cells in an order that puts whatever a test needs before it.

    A test uses what the locked cells before it define, and asks the student's process for everything else. If a student
    moved a locked cell after a test, she could define its names herself, even the checks. So a locked cell other than a
    test comes before whatever follows it in the set. A test waits for the answers and tests before it in the set. The
    student's own cells and answers keep their order, which is the one that her kernel knew.
    """
    by_name = {grade_id(cell): cell for cell in cells if grade_id(cell)}
    order = {name: number for number, name in enumerate(known)}
    given = [name for name in known if not is_solution(known[name]) and not is_test(known[name])]
    judged = [name for name in known if is_test(known[name]) or (is_solution(known[name]) and is_run(by_name[name]))]
    ordered: list[NotebookNode] = []
    done: set[str] = set()
    waiting: set[str] = set()

    def put(name: str) -> None:
        done.add(name)
        ordered.append(by_name[name])

    for cell in cells:
        name = grade_id(cell)
        if name is None:
            ordered.append(cell)
            continue
        while given and order[given[0]] < order[name]:
            if given[0] not in done:
                put(given[0])
            given.pop(0)
        if is_test(known[name]):
            waiting.add(name)
        elif name not in done:
            put(name)
        while judged and (judged[0] in done or judged[0] in waiting):
            if judged[0] in waiting:
                put(judged[0])
            judged.pop(0)
    return ordered
