"""Reads a submitted notebook: rebuilds every cell from the parts that matter, and keeps nothing else."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import warnings
from collections.abc import Collection
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.common.errors import SubmissionError
from autograder.common.untrusted_files import read_json

#: Maximum cells. A set has at most a hundred; each cell that runs takes a message, and perhaps a while.
MAX_CELLS = 2_000
#: Maximum characters of a code cell.
MAX_CODE = 500_000
#: Maximum characters of one picture in base64, and of all together; a problem set's figure has some thirty thousand.
MAX_PICTURE, MAX_PICTURES = 1_000_000, 6_000_000
#: Maximum pixels of a picture: a small file can expand to gigabytes in the browser that shows it.
MAX_PIXELS = 20_000_000

_PNG = b"\x89PNG\r\n\x1a\n"
#: What nbformat allows as a cell's id.
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_REMEDY = "Open it in Jupyter, save it there, and hand in the saved file."


def read_submission(content: bytes | str) -> NotebookNode:
    """Read a submitted file as a notebook of the current format.

    Each cell keeps its type, text, id, execution count and nbgrader metadata, the images attached to its text, and the
    PNG images in its output. Anything missing or malformed is filled in where nothing depends on it: Jupyter is not the
    only program that writes notebooks.

    Parameters
    ----------
    content : bytes or str
        The file.

    Returns
    -------
    NotebookNode
        A valid notebook.

    Raises
    ------
    SubmissionError
        The file is not a notebook, has no cells, or is too large.
    """
    found = read_json(content)
    if not isinstance(found, dict) or "nbformat" not in found:
        raise SubmissionError(
            "The file is not a notebook: it is JSON, but not a Jupyter notebook. Hand in the .ipynb file."
        )
    version = found["nbformat"]
    if type(version) is not int or not 1 <= version <= 4:
        raise SubmissionError(f"The file is not a valid Jupyter notebook: its format has no known version. {_REMEDY}")
    if version < 4:
        found = _upgraded(found)
    cells = found.get("cells")
    if not isinstance(cells, list):
        raise SubmissionError(f"The file is not a valid Jupyter notebook: it has no list of cells. {_REMEDY}")
    if not cells:
        raise SubmissionError("The notebook has no cells. Hand in the notebook you received, with your answers in it.")
    _require_few(cells)
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict):
            raise _invalid(number, "is not an object")
    left = MAX_PICTURES
    read = []
    for number, (cell, own_id) in enumerate(zip(cells, own_ids(cells), strict=True), 1):
        read.append(_read_cell(number, own_id, cell))
        if read[-1].cell_type == "code":
            read[-1].outputs = _pictures(cell.get("outputs"), left)
            left -= sum(len(output.data["image/png"]) for output in read[-1].outputs)
    metadata = found.get("metadata")
    return NotebookNode(
        nbformat=4,
        nbformat_minor=5,
        metadata=_flat(metadata, "autograder", "kernelspec") if isinstance(metadata, dict) else NotebookNode(),
        cells=read,
    )


def make_cell(kind: str, own_id: str, source: str, metadata: NotebookNode | None = None) -> NotebookNode:
    """Return a cell without outputs or count, as before it runs.

    Parameters
    ----------
    kind : {"code", "markdown", "raw"}
        Its type.
    own_id : str
        Its id, unique in the notebook.
    source : str
        Its text.
    metadata : NotebookNode, optional
        Its metadata; none by default.
    """
    cell = NotebookNode()
    cell.update(cell_type=kind, id=own_id, metadata=NotebookNode() if metadata is None else metadata, source=source)
    if kind == "code":
        cell.update(execution_count=None, outputs=[])
    return cell


def own_ids(cells: list[dict]) -> list[str]:
    """Return an id for each cell: its own if that is valid and not used by an earlier cell, else a new one."""
    taken = {cell["id"] for cell in cells if _is_id(cell.get("id"))}
    ids: dict[str, None] = {}
    for number, cell in enumerate(cells, 1):
        own_id = cell.get("id")
        if not _is_id(own_id) or own_id in ids:
            own_id = free_id(f"submitted-{number}", taken)
            taken.add(own_id)
        ids[own_id] = None
    return list(ids)


def free_id(wanted: str, taken: Collection[str]) -> str:
    """Return an unused cell id; always the same one for the same notebook, so that grading stays a pure function."""
    number, found = 0, wanted[:64]  # as long as nbformat allows
    while found in taken:
        number += 1
        found = f"{wanted[:50]}-{number}"
    return found


def _is_id(found: Any) -> bool:
    return isinstance(found, str) and _ID.fullmatch(found) is not None


def _invalid(number: int, what: str) -> SubmissionError:
    return SubmissionError(f"The file is not a valid Jupyter notebook: its cell {number} {what}. {_REMEDY}")


def _require_few(cells: list) -> None:
    if len(cells) > MAX_CELLS:
        raise SubmissionError(
            f"The notebook has more than {MAX_CELLS} cells. Delete those that you added but do not need."
        )


def _read_cell(number: int, own_id: str, cell: dict) -> NotebookNode:
    kind = cell.get("cell_type")
    if kind not in ("code", "markdown"):
        kind = "raw"  # as Jupyter shows a cell of unknown type
    source = _text(cell.get("source", ""))
    if source is None:
        raise _invalid(number, "holds something other than text")
    if kind == "code" and len(source) > MAX_CODE:
        raise SubmissionError(
            f"The notebook has a code cell of more than {MAX_CODE} characters; move its data to a file."
        )
    metadata = cell.get("metadata")
    # Jupyter's editor writes one kind of line ending; other programs write others.
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    metadata = _flat(metadata, "nbgrader") if isinstance(metadata, dict) else NotebookNode()
    built = make_cell(kind, own_id, source, metadata)
    if kind == "code":
        built["execution_count"] = _count(cell.get("execution_count"))
    elif isinstance(cell.get("attachments"), dict):
        built["attachments"] = _images(cell["attachments"])
    return built


def _text(found: Any) -> str | None:
    """Return a text, which may be given as a list of lines; None if it is something else."""
    if found is None:
        return ""
    if isinstance(found, list):
        try:
            return "".join(found)
        except TypeError:
            return None
    return found if isinstance(found, str) else None


def _count(found: Any) -> int | None:
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) < 10:
        return int(found)
    return found if type(found) is int and found >= 0 else None


def _flat(metadata: dict, *names: str) -> NotebookNode:
    """Return the plain values in the entries with these names: a file may hold anything there, of any size."""
    kept = NotebookNode()
    for name in names:
        if isinstance(metadata.get(name), dict):
            kept[name] = NotebookNode({key: value for key, value in metadata[name].items() if _is_plain(value)})
    return kept


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _images(attachments: dict) -> NotebookNode:
    """Return the images attached to a text cell."""
    kept = NotebookNode()
    for name, bundle in attachments.items():
        if isinstance(bundle, dict):
            texts = {kind: _text(data) for kind, data in bundle.items() if kind.startswith("image/")}
            kept[name] = NotebookNode({kind: text for kind, text in texts.items() if text})
    return kept


def _pictures(outputs: Any, left: int) -> list[NotebookNode]:
    """Return a cell's PNG images, if they are valid and fit.

    Parameters
    ----------
    outputs : object
        The file's entry for the cell's outputs.
    left : int
        Characters left for the notebook's pictures.
    """
    kept = []
    for output in outputs if isinstance(outputs, list) else []:
        data = output.get("data") if isinstance(output, dict) else None
        text = _text(data.get("image/png")) if isinstance(data, dict) else None
        text = "".join(text.split()) if text and len(text) <= 2 * MAX_PICTURE else ""
        if text and len(text) <= min(left, MAX_PICTURE) and _is_png(text):
            left -= len(text)
            picture = NotebookNode({"image/png": text})
            kept.append(NotebookNode(output_type="display_data", data=picture, metadata=NotebookNode()))
    return kept


def _is_png(text: str) -> bool:
    """Whether a text is the base64 of data that begins like a PNG image of reasonable size."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    # The signature, then the first chunk: its length, `IHDR`, width and height.
    width, height = int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    return content.startswith(_PNG) and content[12:16] == b"IHDR" and 0 < width * height <= MAX_PIXELS


def _upgraded(found: dict) -> dict:
    """Convert a notebook of an earlier format to the current one, without outputs."""
    sheets = found.get("worksheets", [found])
    cells = [cell for sheet in sheets for cell in sheet["cells"]] if _have_cells(sheets) else None
    if cells is None or not all(isinstance(cell, dict) for cell in cells):
        raise SubmissionError(f"The file is not a valid Jupyter notebook: it has no list of cells. {_REMEDY}")
    _require_few(cells)
    for cell in cells:
        cell["outputs"] = []  # the earlier formats write them differently, and running makes new ones
        # nbformat writes as many # as a heading's level says, which may be more than the memory holds.
        if "level" in cell and cell["level"] not in range(1, 7):
            cell["level"] = 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # reading the cells fixes whatever nbformat warns about
            return nbformat.reads(json.dumps(found), as_version=4)
    except Exception:  # nbformat raises AttributeError, KeyError, TypeError and its own on broken notebooks
        raise SubmissionError(
            f"The file is not a valid Jupyter notebook: it is broken, and in an earlier format. {_REMEDY}"
        ) from None


def _have_cells(sheets: Any) -> bool:
    return isinstance(sheets, list) and all(
        isinstance(sheet, dict) and isinstance(sheet.get("cells"), list) for sheet in sheets
    )
