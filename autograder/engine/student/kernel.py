"""A Jupyter kernel without sockets: cells find everything of ipykernel's, and its messages stay in this process."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import zlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from ipykernel import iostream, zmqshell
from ipykernel.compiler import XCachingCompiler, get_tmp_directory
from ipykernel.eventloops import loop_map
from ipykernel.ipkernel import IPythonKernel
from IPython.core import debugger
from IPython.core.error import UsageError
from IPython.core.formatters import DisplayFormatter
from jupyter_client.session import Session
from traitlets import Type
from traitlets.config import Config

from autograder.engine.shared.outputs import NOT_DRAWN
from autograder.engine.student.display import Stream


class Messages(Session):
    """Passes the kernel's messages to the collector of the running cell."""

    collector: Any = None

    def send(self, stream: Any, msg_or_type: Any, content: dict | None = None, *_: Any, **__: Any) -> None:
        """Pass on a message; between cells, there is no one to receive it."""
        if isinstance(msg_or_type, dict):
            msg_or_type, content = msg_or_type["header"]["msg_type"], msg_or_type["content"]
        if self.collector is not None:
            self.collector.receive(msg_or_type, content or {})


class OutStream(Stream, iostream.OutStream):
    """A kernel's stdout or stderr, with the class that packages look for but without its thread."""

    def __init__(self, name: str):
        Stream.__init__(self, name, None)
        # Programs given this descriptor write output that reaches no notebook.
        self._nowhere = os.open(os.devnull, os.O_RDWR)

    def fileno(self) -> int:
        """Return a descriptor that leads nowhere; a kernel's leads to its log."""
        return self._nowhere

    def set_parent(self, parent: dict) -> None:
        """Do nothing: what is written belongs to the running cell."""


class Formatter(DisplayFormatter):
    """Formats what is displayed; can skip drawing figures, which is most of the work in many notebooks."""

    draw = True

    def format(self, obj: Any, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        """Format an object in the kinds that a notebook shows."""
        figures = sys.modules.get("matplotlib.figure")
        if not self.draw and figures is not None and isinstance(obj, figures.Figure):
            return {
                "text/plain": object.__repr__(obj) if type(obj).__repr__ is object.__repr__ else repr(obj)
            }, NOT_DRAWN
        return super().format(obj, include, exclude)


class ZMQInteractiveShell(zmqshell.ZMQInteractiveShell):
    """A kernel's shell in a process without a terminal, a screen or sockets."""

    # Code finds out whether it runs in a notebook from the name of this class and its module.
    __module__ = zmqshell.ZMQInteractiveShell.__module__
    _transformed: tuple[str, str] | None = None
    _asynchronous: tuple[str, bool] | None = None

    def init_display_formatter(self) -> None:
        """Use a formatter that can skip drawing figures."""
        self.display_formatter = Formatter(parent=self)
        self.configurables.append(self.display_formatter)

    def transform_cell(self, raw_cell: str) -> str:
        """Turn a cell into Python; ipykernel asks twice for each cell, so the second answer is cached."""
        remembered, self._transformed = self._transformed, None
        if remembered is not None and remembered[0] is raw_cell:
            return remembered[1]
        transformed = super().transform_cell(raw_cell)
        self._transformed = (raw_cell, transformed)
        return transformed

    def should_run_async(self, raw_cell: str, **options: Any) -> bool:
        """Say whether a cell awaits something; ipykernel asks twice for each cell here too."""
        remembered, self._asynchronous = self._asynchronous, None
        if remembered is not None and remembered[0] is options.get("transformed_cell"):
            return remembered[1]
        asynchronous = super().should_run_async(raw_cell, **options)
        self._asynchronous = (options.get("transformed_cell"), asynchronous)
        return asynchronous

    def enable_gui(self, gui: str | None = None) -> None:
        """Accept what a kernel accepts; there is no screen with events to handle."""
        if gui not in loop_map:
            raise UsageError(f"Invalid GUI request {gui!r}, valid ones are:{loop_map.keys()}")
        self.active_eventloop = gui

    def system_piped(self, cmd: str) -> None:
        """Run a program and print its output; a kernel uses a pseudo-terminal, which a sandbox lacks."""
        if cmd.rstrip().endswith("&"):
            raise OSError("Background processes not supported.")
        command = self.var_expand(cmd, depth=1)
        with subprocess.Popen(
            command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            for line in iter(process.stdout.readline, b""):
                print(line.decode("utf-8", "replace"), end="", flush=True)
        self.user_ns["_exit_code"] = code = process.returncode
        if getattr(self, "system_raise_on_error", False) and code != 0:
            raise subprocess.CalledProcessError(code, command)

    system = system_piped

    def _showtraceback(self, etype: type, evalue: BaseException, stb: Any) -> None:
        try:
            super()._showtraceback(etype, evalue, stb)
        except BaseException:  # the error's own text raises; a kernel gives up here and never answers
            self._last_traceback = stb if isinstance(stb, list) else [str(stb)]
            content = {"ename": etype.__name__, "evalue": text_of(evalue), "traceback": self._last_traceback}
            self.kernel.session.send(None, "error", content)


class Compiler(XCachingCompiler):
    """Names cells in ipykernel's form, but faster: ipykernel's hash, in Python, takes milliseconds per cell."""

    def get_code_name(self, raw_code: str, code: str, number: int) -> str:
        """Return the file name under which tracebacks find the cell."""
        return f"{get_tmp_directory()}{os.sep}{zlib.crc32(raw_code.encode('utf-8', 'replace'))}.py"


class Kernel(IPythonKernel):
    """A kernel whose messages are collected."""

    shell_class = Type(ZMQInteractiveShell)
    compiler_class = Type(Compiler)

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        # Interrupts come from the runner's clock, not from a keyboard.
        self.shell_channel_thread = SimpleNamespace(parent_thread=None)


def text_of(error: BaseException) -> str:
    """Return an error's text; its own method may fail."""
    try:
        return str(error)
    except BaseException:
        return "(an error without text)"


def new_kernel() -> Kernel:
    """Return this process's only kernel."""
    import pdb

    # As in a kernel: `pdb` asks for input that never comes, and ends in an error; a forgotten `breakpoint()` does
    # nothing if no debugger is attached.
    sys.breakpointhook = lambda *_, **__: None
    pdb.Pdb, pdb.set_trace = getattr(debugger, "InterruptiblePdb", pdb.Pdb), debugger.set_trace
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    log = logging.Logger("kernel", logging.CRITICAL + 1)  # a kernel's own log is shown nowhere
    with _without_debugger():
        kernel = Kernel.instance(config=config, session=Messages(key=b""), log=log)
    kernel.shell.extension_manager.load_extension("storemagic")  # every kernel has %store
    return kernel


@contextlib.contextmanager
def _without_debugger() -> Iterator[None]:
    """Hide debugpy from ipykernel: nobody attaches a debugger, and it takes more memory than the rest of ipykernel."""
    kept = sys.modules.get("debugpy")
    sys.modules["debugpy"] = None
    try:
        yield
    finally:
        del sys.modules["debugpy"]
        if kept is not None:
            sys.modules["debugpy"] = kept
