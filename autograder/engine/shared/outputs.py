"""Carries a cell's outputs from the process that ran it: a short list of kinds and sizes, and the texts as raw bytes.

The list is always small, so that the reader never parses a large document written by a submission.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

#: Maximum outputs of one cell, and lines of a traceback.
MAX_OUTPUTS, MAX_LINES = 200, 300
#: Kinds of output that a notebook cell shows.
MIME_TYPES = frozenset(
    [
        *("text/plain", "text/html", "text/markdown", "text/latex"),
        *("image/png", "image/jpeg", "image/svg+xml", "image/gif"),
    ]
)
#: Mark a figure that was not drawn, and one replaced by the picture that was handed in.
NOT_DRAWN = {"autograder": {"figure": "not drawn"}}
HANDED_IN = {"autograder": {"figure": "as handed in"}}
_STREAMS = frozenset(["stdout", "stderr"])


def pack(outputs: list[dict]) -> tuple[list, list[bytes]]:
    """Return the message and the buffers of a frame that carries these outputs.

    Parameters
    ----------
    outputs : list of dict
        Outputs in the notebook format.
    """
    message: list = []
    buffers: list[bytes] = []
    for output in outputs[: MAX_OUTPUTS + 1]:
        kind = output["output_type"]
        if kind == "stream":
            names, texts = [output["name"]], [output["text"]]
        elif kind == "error":
            names = []
            texts = [output["ename"], output["evalue"], *output["traceback"][:MAX_LINES]]
        else:
            names = [name for name in output["data"] if name in MIME_TYPES and isinstance(output["data"][name], str)]
            texts = [output["data"][name] for name in names]
        message.append([kind, names, len(texts), output.get("metadata") == NOT_DRAWN])
        buffers += [text.encode("utf-8", "replace") for text in texts]
    return message, buffers


def unpack(message: Any, buffers: list[memoryview]) -> list[dict]:
    """Rebuild outputs from what `pack` made; anything malformed is dropped.

    Parameters
    ----------
    message : object
        Whatever a frame held.
    buffers : list of memoryview
        Its buffers.
    """
    outputs: list[dict] = []
    texts = iter(buffers)
    for entry in message[:MAX_OUTPUTS] if isinstance(message, list) else []:
        if not (isinstance(entry, list) and len(entry) == 4):
            break
        kind, names, count, undrawn = entry
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or type(count) is not int:
            break
        if not 0 <= count <= MAX_LINES + 2:
            break
        own = [str(text, "utf-8", "replace") for text in islice(texts, count)]
        if len(own) != count:
            break
        if kind == "stream" and len(names) == count == 1 and names[0] in _STREAMS:
            outputs.append({"output_type": "stream", "name": names[0], "text": own[0]})
        elif kind == "error" and count >= 2:
            outputs.append({"output_type": "error", "ename": own[0], "evalue": own[1], "traceback": own[2:]})
        elif kind in ("display_data", "execute_result") and len(names) == count and set(names) <= MIME_TYPES:
            marks = {"metadata": NOT_DRAWN if undrawn is True else {}}
            outputs.append({"output_type": kind, "data": dict(zip(names, own, strict=True)), **marks})
    return outputs


def size(output: dict) -> int:
    """Return the number of characters in an output."""
    texts = [output.get(name, "") for name in ("text", "ename", "evalue")]
    return sum(map(len, [*texts, *output.get("traceback", ()), *output.get("data", {}).values()]))
