"""Canvas: what its gradebook imports, a file for each set.

Canvas knows an assignment by the number behind its title, ``Homework 1 (4711)``, and a student by ID. Both are in the
gradebook that it exports. Without a number, it asks whether to make a new assignment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from autograder.classroom.collecting.platform_numbers import platform_numbers
from autograder.classroom.collecting.platforms import canvas
from autograder.classroom.directory import ClassDirectory
from autograder.classroom.roster import cells_of_table, name_key
from autograder.common.atomic_files import write_text
from autograder.common.errors import AutograderError, UsageError
from autograder.common.text import number, printable
from autograder.problem_set.source import ProblemSet
from autograder.reports.formats.form import Export, Format, Sheet, Sheets

#: The columns about the student, in Canvas's order.
ABOUT = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
POINTS = "Points Possible"
#: The file in the class that holds the title which was named for each set.
COLUMNS = "canvas-columns.json"
_TITLE = re.compile(r"(?P<title>.*\S) \((?P<id>\d+)\)")


@dataclass
class _Gradebook:
    """What the gradebook that Canvas exported tells: titles with their points, and what it calls the students."""

    titles: dict[str, str] = field(default_factory=dict)
    students: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def read(cls, text: str) -> _Gradebook:
        rows = [cells for _, cells in cells_of_table(text, "Canvas's gradebook")] if text else []
        if not rows:
            return cls()
        header, *rows = rows
        if not {"Student", "ID"} <= set(header):
            raise AutograderError("Canvas's gradebook has no columns Student and ID: export it as CSV, in English.")
        read = [dict(zip(header, row, strict=False)) for row in rows]
        points = next((row for row in read if row["Student"].strip() == POINTS), {})
        titles = {title: points.get(title, "") for title in header if _TITLE.fullmatch(title)}
        return cls(titles, [row for row in read if row.get("ID")])

    def title(self, problem_set: ProblemSet, column: str) -> str | None:
        """Return the title of the set's column: the one named, or the one that holds the set's name or title."""
        if column:
            found = [title for title in self.titles if column in (title, _bare(title))]
        else:
            keys = {name_key(problem_set.name), name_key(problem_set.title)}
            found = [title for title in self.titles if name_key(_bare(title)) in keys]
            found = found or [title for title in self.titles if problem_set.name in title]
        return found[0] if len(found) == 1 else None

    def student(self, canvas_id: str, logins: Iterable[str]) -> dict[str, str] | None:
        """Return the line of a student: by ID, else by a login or number of the institution's."""
        by_id = [row for row in self.students if canvas_id and row["ID"] == canvas_id]
        known = {login.casefold() for login in logins if login}
        by_login = [r for r in self.students if known & {r.get(c, "").casefold() for c in ABOUT[2:4]} - {""}]
        found = by_id or by_login
        return found[0] if len(found) == 1 else None


def _bare(title: str) -> str:
    match = _TITLE.fullmatch(title)
    return match["title"] if match else title


def _write(export: Export) -> Sheets:
    gradebook, made = _Gradebook.read(export.table), Sheets()
    for problem_set in export.problem_sets:
        scores = export.scores(problem_set.name)
        if not scores:
            continue
        title, full = _column(export, gradebook, problem_set, made)
        rows = [[*ABOUT, title], [f"    {POINTS}", "", "", "", "", full]]
        numbers = platform_numbers(export.directory, canvas.PLATFORM, problem_set.name)
        unknown = []
        for student, score in scores.items():
            known = export.student(student)
            logins = (known.canvas_sis_id, known.canvas_login, known.login, student)
            canvas_id = known.canvas_id or numbers.get(student, "")
            theirs = gradebook.student(canvas_id, logins)
            if theirs is not None:
                about = [theirs.get(column, "") for column in ABOUT]
            else:
                login = known.canvas_login or known.login or student
                about = [known.sortable_name, canvas_id, known.canvas_sis_id, login, ""]
                unknown += [student]
            rows.append([*about, number(score)])
        if gradebook.students and unknown:
            made.notices.append(f"{problem_set.name}: not in Canvas's gradebook: {', '.join(unknown)}.")
        made.sheets.append(Sheet(f"grades-canvas-{problem_set.name}.csv", rows))
    return made


def _column(export: Export, gradebook: _Gradebook, problem_set: ProblemSet, made: Sheets) -> tuple[str, str]:
    """Return the title of the set's column, and the points that Canvas gives for it."""
    full = number(problem_set.max_score)
    title = gradebook.title(problem_set, export.column or _remembered(export.directory).get(problem_set.name, ""))
    if title is None and not export.column:  # what is remembered may be of another gradebook
        title = gradebook.title(problem_set, "")
    if title is not None and export.column:
        _remember(export.directory, problem_set.name, title)
    if title is None:
        if export.column:
            raise UsageError(f"Canvas's gradebook has no single column {printable(export.column)!r}.")
        if gradebook.titles:
            advice = f"no single column is of this set; name it: autograder export {problem_set.name} --column TITLE"
        else:
            advice = (
                "without Canvas's numbers it makes a new assignment; give its exported gradebook once, with --table"
            )
        made.notices.append(f"{problem_set.name}: {advice}.")
        return problem_set.name, full
    theirs = gradebook.titles[title].replace(",", ".")
    try:
        differs = bool(theirs) and float(theirs) != problem_set.max_score
    except ValueError:
        differs = False
    if differs:
        made.notices.append(f"{problem_set.name}: {title} has {theirs} points in Canvas; the set has {full}.")
    return title, gradebook.titles[title] or full


def _remembered(directory: ClassDirectory) -> dict[str, str]:
    """Return the titles that were named for sets of this class; nothing where none was."""
    try:
        titles = json.loads((directory.root / COLUMNS).read_text(encoding="utf-8"))
        return {name: title for name, title in titles.items() if isinstance(title, str)}
    except (OSError, ValueError, AttributeError):
        return {}


def _remember(directory: ClassDirectory, name: str, title: str) -> None:
    titles = _remembered(directory) | {name: title}
    write_text(json.dumps(titles, indent=1, ensure_ascii=False, sort_keys=True) + "\n", directory.root / COLUMNS)


FORMAT = Format("canvas", _write, reads="the gradebook that Canvas exports", kept="canvas-gradebook.csv")
