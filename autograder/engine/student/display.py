"""Collects a cell's outputs in the notebook format, up to a limit."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Callable
from typing import Any

#: Bytes that each output costs in addition to its content, so that the number of outputs is bounded too.
OVERHEAD = 100
#: Maximum bytes of an output's metadata: a size or a background takes a few dozen.
MAX_METADATA = 2_000


class Collector:
    """Collects the outputs of one cell in the notebook format, up to a limit.

    It handles a kernel's messages as nbclient does: `clear_output` with ``wait`` waits for the next output, a named
    display can be updated, and what a widget captures is not shown.

    Parameters
    ----------
    limit : int
        Maximum bytes of all outputs together.
    elsewhere : callable, optional
        Called before each output to fetch what was written without Python, so that the order is kept.

    Attributes
    ----------
    outputs : list of dict
        The outputs so far; `written` completes them.
    left : int
        Bytes left.
    cut : bool
        Whether anything was dropped.
    """

    def __init__(self, limit: int, elsewhere: Callable[[], None] | None = None):
        self.outputs: list[dict] = []
        self.left = limit
        self.cut = False
        self._elsewhere = elsewhere
        self._named: dict[str, list[dict]] = {}
        self._clear = False
        self._capturing: set[str] = set()

    def receive(self, kind: str, content: dict) -> None:
        """Receive a message from the kernel."""
        match kind:
            case "stream":
                self.write(content["name"], content["text"])
            case "display_data" | "execute_result":
                bundle, size = _bundle(content["data"])
                output = {"output_type": kind, "data": bundle, "metadata": _metadata(content["metadata"])}
                if kind == "execute_result":
                    output["execution_count"] = int(content.get("execution_count") or 0)
                name = (content.get("transient") or {}).get("display_id")
                if isinstance(name, str):
                    self._update(name, output)
                    if self.add(output, size):
                        self._named.setdefault(name, []).append(output)
                else:
                    self.add(output, size)
            case "update_display_data":
                name = (content.get("transient") or {}).get("display_id")
                bundle, size = _bundle(content["data"])
                if size + OVERHEAD > self.left:
                    self.cut = True
                else:
                    self.left -= size + OVERHEAD
                    self._update(name, {"data": bundle, "metadata": _metadata(content["metadata"])})
            case "error":
                self.error(content["ename"], content["evalue"], content["traceback"])
            case "clear_output":
                if content.get("wait"):
                    self._clear = True
                else:
                    self.clear()
            case "comm_open" | "comm_msg":
                self._widget(kind, content)

    def add(self, output: dict, size: int) -> bool:
        """Add an output other than a stream; return whether it fitted."""
        self._before()
        if self._capturing:
            return False
        if size + OVERHEAD > self.left:
            self.cut = True
            return False
        self.left -= size + OVERHEAD
        self.outputs.append(output)
        return True

    def write(self, name: str, text: str) -> None:
        """Add text to stdout or stderr."""
        self._before()
        if self._capturing:
            return
        if not (self.outputs and self.outputs[-1].get("name") == name):
            if self.left <= OVERHEAD:
                self.cut = True
                return
            self.left -= OVERHEAD
            self.outputs.append({"output_type": "stream", "name": name, "parts": []})
        size = _size(text)
        if size > self.left:
            self.cut = True
            text = text.encode("utf-8", "replace")[: max(0, self.left)].decode("utf-8", "ignore")
        self.left -= min(size, self.left)
        if text:
            self.outputs[-1]["parts"].append(text)

    def error(self, name: str, text: str, traceback: list[str]) -> None:
        """Add an error; at least one is always reported, shortened if need be."""
        self._before()
        lines = [str(line) for line in traceback]
        if _size(text) + sum(map(_size, lines)) + OVERHEAD > self.left:
            text, lines, self.cut = text[:1000], [], True
        if self.left > 0 or not any(output["output_type"] == "error" for output in self.outputs):
            output = {"output_type": "error", "ename": name[:200], "evalue": text, "traceback": lines}
            self.outputs.append(output)
        self.left -= _size(text) + sum(map(_size, lines)) + OVERHEAD

    def clear(self) -> None:
        """Drop the outputs so far; their bytes stay spent."""
        self.outputs.clear()
        self._named.clear()
        self._clear = False

    def written(self) -> list[dict]:
        """Return the outputs."""
        if self._elsewhere is not None:
            self._elsewhere()
        for output in self.outputs:
            if "parts" in output:
                output["text"] = _text("".join(output.pop("parts")))
        self.outputs = [output for output in self.outputs if output.get("text", "kept")]
        return self.outputs

    def _before(self) -> None:
        if self._elsewhere is not None:
            elsewhere, self._elsewhere = self._elsewhere, None  # what it fetches comes back to this method
            try:
                elsewhere()
            finally:
                self._elsewhere = elsewhere
        if self._clear:
            self.clear()

    def _update(self, name: Any, output: dict) -> None:
        for earlier in self._named.get(name, ()):
            earlier.update(data=output["data"], metadata=output["metadata"])

    def _widget(self, kind: str, content: dict) -> None:
        """Record when an Output widget starts and stops capturing outputs."""
        data = content.get("data")
        state = data.get("state", {}) if isinstance(data, dict) else {}
        if "msg_id" in state and (kind == "comm_msg" or state.get("_model_name") == "OutputModel"):
            (self._capturing.add if state["msg_id"] else self._capturing.discard)(content["comm_id"])


class Stream(io.TextIOBase):
    """A text stream that passes on what is written, as a kernel's does.

    Parameters
    ----------
    name : str
        ``stdout`` or ``stderr``.
    collector : Collector or None
        Receives what is written. It can change with each cell, while a logger keeps the stream that it was once given.
    """

    encoding = "UTF-8"
    errors = "replace"

    def __init__(self, name: str, collector: Collector | None):
        self.name, self.collector = name, collector
        self._owner = os.getpid()

    def write(self, text: str) -> int:
        """Pass on a text; return its length."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if os.getpid() != self._owner:  # a pool's process has a copy of the collector that nobody reads
            os.write(1 if self.name == "stdout" else 2, text.encode("utf-8", "replace"))
        elif self.collector is not None:
            self.collector.write(self.name, text)
        return len(text)

    def writelines(self, lines) -> None:
        """Pass on texts."""
        for line in lines:
            self.write(line)

    def writable(self) -> bool:
        """Say that the stream accepts text."""
        return True

    def isatty(self) -> bool:
        """Say that this is not a terminal."""
        return False

    def flush(self) -> None:
        """Do nothing: text is passed on immediately."""

    def close(self) -> None:
        """Do nothing: later cells will print too."""


def _bundle(data: dict) -> tuple[dict, int]:
    """Write a mime bundle as plain data: text unchanged, bytes as base64, and JSON if the kind says so."""
    bundle, size = {}, 0
    for kind, value in data.items():
        if isinstance(value, bytes):
            value = base64.b64encode(value).decode("ascii")
        if isinstance(value, list | tuple) and all(isinstance(line, str) for line in value):
            value = "".join(value)
        if isinstance(value, str):
            value = _text(value)
            length = _size(value)
        elif "json" in str(kind):
            value, length = _plain(value)
            if value is None:
                continue
        else:
            continue  # the notebook format has no place for it
        bundle[str(kind)[:200]] = value
        size += length
    return bundle, size


def _metadata(metadata: Any) -> dict:
    plain, size = _plain(metadata or {})
    return plain if isinstance(plain, dict) and size <= MAX_METADATA else {}


def _plain(value: Any) -> tuple[Any, int]:
    """Return a value as JSON reads it back, or None if it cannot be written, and its length as text."""
    try:
        written = json.dumps(value, allow_nan=False)
        return json.loads(written), len(written)
    except (TypeError, ValueError, RecursionError):
        return None, 0


def _text(text: str) -> str:
    """Replace characters that cannot be encoded, which are halves of surrogate pairs."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
