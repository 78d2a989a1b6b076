"""Writing into the class: the latest attempt, a record of what was taken, or why nothing can be graded."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path

from autograder.classroom.collecting.collection_outcome import Collected
from autograder.classroom.collecting.hand_in_files import NAMED
from autograder.classroom.collecting.latest_attempt import Attempt, latest_of, told_again
from autograder.classroom.directory import ClassDirectory, Submission, read_record
from autograder.classroom.result.submission_folder import REFUSED, TIMESTAMP, time_text
from autograder.common.atomic_files import write_bytes, write_text


def _stamp(moment: str) -> str:
    """Write a time as nbgrader keeps it; nothing for none."""
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M:%S} UTC" if moment else ""


def place(
    directory: ClassDirectory,
    submission: Submission,
    attempts: list[Attempt],
    contents: dict[str, Path],
    result: Collected,
) -> None:
    """Write the latest attempt, unless it is there or something later is.

    A record of what was taken is written before the notebook. An interrupted run leaves a notebook that the record says
    was to be replaced; the next run goes on from there.
    """
    folder = directory.submission_folder(submission)
    notebook, record_path = folder / f"{submission.problem_set}.ipynb", directory.collected_record(submission)
    record = _complete_record(record_path)
    there = hashlib.sha256(notebook.read_bytes()).hexdigest() if notebook.is_file() else ""
    taken = _attempt_of(record, submission)
    ours = record is not None and there in (record["sha256"], record["replaces"])
    if not ours and there in {attempt.sha256 for attempt in attempts}:
        ours = True  # put there by hand, and the same
    if not ours and (there or any(folder.rglob("*.ipynb"))):
        where = ", ".join(attempt.where for attempt in attempts)
        reason = "changed by hand since it was collected" if record else "put there by hand"
        if taken is None or latest_of([*attempts, taken]).sha256 != taken.sha256:
            result.unplaced.append(
                (where, f"{submission}: the notebook in the class was {reason}; move it away to take this one")
            )
        else:
            result.notices.append(f"{submission}: the notebook in the class was {reason}; it stays.")
            result.unchanged.append(submission)
        return
    latest = latest_of([*attempts, *([taken] if taken else [])])
    if taken is not None and latest.sha256 == taken.sha256:
        latest = told_again(taken, attempts)
    if there != latest.sha256 and latest.sha256 not in contents:
        result.unplaced.append(
            (latest.where, f"{submission}: an interrupted run was about to place it; collect it once more")
        )
        return
    passed = [attempt for attempt in attempts if attempt.sha256 != latest.sha256]
    if passed:
        result.notices.append(
            f"{submission}: took {latest.where}; passed over {', '.join(attempt.where for attempt in passed)}."
        )
    if there == latest.sha256 and taken == latest:
        kind = result.unchanged
    elif taken is not None and taken.sha256 != latest.sha256:
        kind = result.replaced
        if not passed:
            result.notices.append(f"{submission}: took {latest.where} instead of {taken.where}.")
    else:
        kind = result.unchanged if there == latest.sha256 else result.placed
    kind.append(submission)
    timestamp = folder / TIMESTAMP
    written = time_text(folder) if there == latest.sha256 else ""
    if latest.late and not latest.handed_in and not written:
        result.late.append(submission)
    if kind is result.unchanged and taken == latest:
        return
    content = {
        "where": latest.where,
        "sha256": latest.sha256,
        "replaces": there,
        "upload": latest.upload,
        "moment": latest.moment,
        "handed_in": latest.handed_in,
        "path": latest.path,
        "late": latest.late,
    }
    write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", record_path)
    # The time of an earlier attempt must not be taken for this one's.
    before = taken.handed_in if taken else ""
    if written and written != _stamp(before):
        if written != _stamp(latest.handed_in):
            result.notices.append(f"{submission}: the time in timestamp.txt was written by hand; it stays.")
    elif latest.handed_in:
        write_text(f"{_stamp(latest.handed_in)}\n", timestamp)
        if kind is result.unchanged and latest.handed_in != before:
            result.timed.append(submission)
    elif there != latest.sha256:
        timestamp.unlink(missing_ok=True)
    if there != latest.sha256:
        write_bytes(contents[latest.sha256].read_bytes(), notebook)
        (folder / REFUSED).unlink(missing_ok=True)


def refuse(
    directory: ClassDirectory, submission: Submission, refused: list[tuple[str, str]], path: str, result: Collected
) -> None:
    """Keep what a student handed in that cannot be graded, so that grading can say so to the student."""
    folder = directory.submission_folder(submission)
    if folder.is_dir() and any(path.name != REFUSED for path in folder.iterdir()):
        result.notices.append(f"{submission}: the notebook that is there stays.")
        return
    text = "".join(f"{path}: {why}\n" for path, why in refused[:NAMED])
    result.refused.append(submission)
    # The page that says what to do goes back under this name.
    write_text(json.dumps({"path": path}, ensure_ascii=False) + "\n", directory.refused_record(submission))
    if not (folder / REFUSED).is_file() or (folder / REFUSED).read_text(encoding="utf-8") != text:
        write_text(text, folder / REFUSED)


def _complete_record(path: Path) -> dict | None:
    record = read_record(path)
    good = all(isinstance(record.get(key), str) for key in ("where", "sha256", "replaces", "moment", "handed_in"))
    return record if good and isinstance(record.get("upload"), int) else None


def _attempt_of(record: dict | None, submission: Submission) -> Attempt | None:
    """Return the attempt that a record tells of."""
    if record is None:
        return None
    names = ("where", "sha256", "upload", "moment", "handed_in")
    late = record.get("late") is True
    return Attempt(submission, **{name: record[name] for name in names}, path=record.get("path", ""), late=late)
