"""What a cell shows: collected as the notebook format writes it, up to a limit."""

from __future__ import annotations

import base64
import json
from typing import Any


class Collector:
    """Collects the outputs of one cell as the notebook format writes them, up to a limit."""

    def __init__(self, limit: int):
        self.outputs: list[dict] = []
        self.left = limit
        self.cut = False

    def showing(self, shell: Any, stream: Any) -> None:
        """Make the shell write here."""
        shell.display_pub.collector = shell.displayhook.collector = stream

    def add(self, output: dict, size: int) -> None:
        """Add an output that is not a stream."""
        if size > self.left:
            self.cut = True
            return
        self.left -= size
        self.outputs.append(output)

    def write(self, name: str, text: str) -> None:
        """Add text to stdout or stderr."""
        if len(text) > self.left:
            self.cut = True
            text = text[: max(0, self.left)]
        if not text:
            return
        self.left -= len(text)
        if self.outputs and self.outputs[-1]["output_type"] == "stream" and self.outputs[-1]["name"] == name:
            self.outputs[-1]["parts"].append(text)
        else:
            self.outputs.append({"output_type": "stream", "name": name, "parts": [text]})

    def written(self) -> list[dict]:
        """Return the outputs."""
        for output in self.outputs:
            if "parts" in output:
                output["text"] = "".join(output.pop("parts"))
        return self.outputs


class Stream:
    """A text stream that hands on what is written."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, name: str, collector: Collector):
        self.name, self.collector = f"<{name}>", collector
        self._stream = name

    def write(self, text: str) -> int:
        """Hand on a text; return its length."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.collector.write(self._stream, text)
        return len(text)

    def writelines(self, lines) -> None:
        """Hand on texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing: what is written is handed on at once."""

    def isatty(self) -> bool:
        """Tell that nobody types here."""
        return False

    def writable(self) -> bool:
        """Tell that it takes texts."""
        return True

    def readable(self) -> bool:
        """Tell that it gives none."""
        return False

    @property
    def closed(self) -> bool:
        """Whether it takes no more texts: never."""
        return False


def _bundle(data: dict) -> tuple[dict, int]:
    """Write a mime bundle with text only: bytes as base64, JSON as it is."""
    bundle = {}
    for kind, value in data.items():
        if isinstance(value, bytes):
            value = base64.encodebytes(value).decode("ascii")
        bundle[str(kind)] = value if isinstance(value, str) or "json" in str(kind) else str(value)
    return bundle, sum(len(value) if isinstance(value, str) else len(json.dumps(value)) for value in bundle.values())


def publisher_class() -> type:
    """Make the class that collects what is displayed; IPython is imported when it is needed."""
    from IPython.core.displaypub import DisplayPublisher

    class Publisher(DisplayPublisher):
        collector = None

        def publish(self, data, metadata=None, **_):
            if self.collector is not None:
                bundle, size = _bundle(data)
                output = {"output_type": "display_data", "data": bundle, "metadata": metadata or {}}
                self.collector.add(output, size)

        def clear_output(self, wait=False):
            if self.collector is not None:
                self.collector.outputs.clear()

    return Publisher


def display_hook_class() -> type:
    """Make the class that collects results of cells."""
    from IPython.core.displayhook import DisplayHook

    class Hook(DisplayHook):
        collector = None

        def start_displayhook(self):
            pass

        def finish_displayhook(self):
            pass

        def write_output_prompt(self):
            pass

        def write_format_data(self, format_dict, md_dict=None):
            if self.collector is not None:
                bundle, size = _bundle(format_dict)
                output = {"output_type": "execute_result", "data": bundle, "metadata": md_dict or {}}
                self.collector.add({**output, "execution_count": self.prompt_count}, size)

    return Hook
