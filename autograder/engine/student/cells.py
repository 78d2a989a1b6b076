"""Executes a notebook's cells as a Jupyter kernel does, and collects what they show."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import contextvars
import functools
import gc
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from types import CodeType
from typing import Any

from autograder.engine.student.descriptors import Descriptors
from autograder.engine.student.display import Collector
from autograder.engine.student.kernel import Kernel, OutStream, text_of
from autograder.engine.student.service import CellTimeoutError

#: Turns of the event loop after a cell, for tasks that the cell left behind; a kernel has some milliseconds.
TURNS = 50
#: Seconds in which what was interrupted puts its things in order.
END = 1.0


class Cells:
    """Executes cells inside a running event loop, one after the other.

    Parameters
    ----------
    kernel : Kernel
        From `kernel.new_kernel`; it may have been used before this process was forked.
    limit : int
        Bytes that the outputs of one cell may have.
    clock : callable, optional
        Returns a context manager in which a cell is executed. It may raise an error in the cell, also more than once.

    Attributes
    ----------
    names : dict
        The notebook's names.
    """

    def __init__(
        self, kernel: Kernel, limit: int, clock: Callable[[], AbstractContextManager] = contextlib.nullcontext
    ):
        self.kernel, self.limit, self.clock = kernel, limit, clock
        self.compiled = compiled_cells()
        # A loop of this process: two that part by a fork must not wait at one selector.
        self.loop = _Loop()
        asyncio.set_event_loop(self.loop)
        # What cells keep in context variables (decimal does) stays from one to the next.
        self.context = contextvars.copy_context()
        self._descriptors = Descriptors(tempfile.gettempdir())
        self._streams = [OutStream("stdout"), OutStream("stderr")]
        self._count = 0
        # The sandbox gives each submission an empty scratch folder; IPython keeps %store and %bookmark there.
        for folder in ("db", "startup"):
            os.makedirs(os.path.join(kernel.shell.profile_dir.location, folder), exist_ok=True)
        sys.stdout, sys.stderr = self._streams

    @property
    def names(self) -> dict[str, Any]:
        """The notebook's names."""
        return self.kernel.shell.user_ns

    def run(self, source: str, draw: bool = True) -> dict[str, Any]:
        """Execute a cell.

        Parameters
        ----------
        source : str
            The cell.
        draw : bool
            Whether figures are drawn; a figure that is not has its text, and ``NOT_DRAWN`` as metadata.

        Returns
        -------
        dict
            ``outputs``, as the notebook format writes them, and ``cut``: whether there were more than the limit allows.
        """
        collector = Collector(self.limit, lambda: self._descriptors.hand_on(collector))
        task = None
        try:
            with self._descriptors.caught():
                try:
                    self._show_in(collector)
                    self.kernel.shell.display_formatter.draw = draw
                    with self.clock():
                        task = self.loop.create_task(self._execute(source), context=self.context)
                        reply = self.loop.run_until_complete(task)
                        self._turn()
                    self._complete(collector, reply)
                except BaseException as error:  # the clock may ring anywhere, in IPython's own code too
                    collector.error(type(error).__name__, text_of(error), [f"{type(error).__name__}: {error}"])
                self._descriptors.finish(collector)
        finally:
            self._show_in(None)
        if task is not None and not task.done():
            self._end(task)
        return {"outputs": collector.written(), "cut": collector.cut}

    def inside(self, function: Callable[[], Any]) -> Any:
        """Call a function where cells are executed: inside the event loop and with their context variables."""

        async def call() -> Any:
            return function()

        return self.loop.run_until_complete(self.loop.create_task(call(), context=self.context))

    def fork(self) -> int:
        """Fork this process, and make the fork independent: what needed threads or a shared pipe is made anew there.

        Returns
        -------
        int
            The process id of the fork; in the fork, 0.
        """
        threaded = threading.active_count() > 1  # in the fork, nothing tells: it has one thread
        with warnings.catch_warnings():
            # Python warns where there are other threads; as an error, which a cell may ask for, it would end this process.
            warnings.simplefilter("ignore", DeprecationWarning)
            process = os.fork()
        if process == 0:
            self._part(threaded)
        return process

    def _part(self, threaded: bool) -> None:
        self.loop.part()
        self.kernel._forward_input(False)
        magics = self.kernel.shell.magics_manager.registry.get("ScriptMagics")
        if getattr(magics, "event_loop", None) is not None:
            magics.event_loop = None
        if threaded:
            _revive_pools()

    async def _execute(self, source: str) -> dict:
        if source in self.compiled:
            return self._execute_compiled(source)
        return await self.kernel.do_execute(source, silent=False, store_history=True, allow_stdin=False)

    def _execute_compiled(self, source: str) -> dict:
        """Do what IPython does with a cell that shows no result, but for compiling it."""
        shell = self.kernel.shell
        shell.history_manager.store_inputs(shell.execution_count, source, source)
        shell.execution_count += 1
        shell.events.trigger("pre_execute")
        try:
            exec(self.compiled[source], shell.user_ns)
        except BaseException:
            shell.showtraceback()
        shell.events.trigger("post_execute")
        return {"status": "ok"}

    def _show_in(self, collector: Collector | None) -> None:
        self._count += 1
        self.kernel.session.collector = collector
        for stream in self._streams:
            stream.collector = collector
        header = {"msg_id": str(self._count), "msg_type": "execute_request"}
        self.context.run(self.kernel.set_parent, b"", {"header": header, "content": {}, "metadata": {}})

    def _turn(self) -> None:
        """Let tasks that the cell has left behind begin."""
        for _ in range(TURNS):
            if not asyncio.all_tasks(self.loop):
                return
            self.loop.run_until_complete(asyncio.sleep(0))

    @staticmethod
    def _complete(collector: Collector, reply: dict) -> None:
        """Add an error that was only printed, as nbgrader does."""
        errors = [output["ename"] for output in collector.outputs if output["output_type"] == "error"]
        if reply["status"] == "error" and reply["ename"] not in errors:
            collector.error(reply["ename"], reply["evalue"], reply["traceback"])

    def _end(self, task: asyncio.Task) -> None:
        """Cancel what was interrupted while it waited."""
        with contextlib.suppress(BaseException), self.clock():
            task.cancel()
            # The clock may have rung just when its next step was due: then nobody takes that any more.
            self.loop.run_until_complete(asyncio.wait([task], timeout=END))


@functools.cache
def compiled_cells() -> dict[str, CodeType]:
    """Return the cells that were compiled before this process was forked, by their text."""
    return {}


def compile_cell(source: str) -> None:
    """Compile a cell that many submissions share, so that they find it compiled; one that shows a result is left out.

    Parameters
    ----------
    source : str
        A locked cell of a set; its author is trusted.
    """
    try:
        tree = ast.parse(source)
        if tree.body and not isinstance(tree.body[-1], ast.Expr):
            compiled_cells()[source] = compile(tree, "<cell of the problem set>", "exec")
    except (SyntaxError, ValueError):  # a magic command, say
        pass


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that survives a fork, and that the clock of a cell ends wherever it rings."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Report an error of a callback; what the clock raises there is the cell's, which may be waiting for the callback."""
        if "handle" in context and isinstance(context.get("exception"), CellTimeoutError):
            raise context["exception"]
        super().call_exception_handler(context)

    def part(self) -> None:
        """Replace the pipe by which threads wake the loop: after a fork, two processes would read it."""
        shared, self._selector = self._selector, type(self._selector)()
        for key in shared.get_map().values():
            self._selector.register(key.fileobj, key.events, key.data)
        shared.close()
        self._close_self_pipe()
        self._make_self_pipe()


def _revive_pools() -> None:
    """Let thread pools start new threads: a fork has none of those that they had."""
    # Of an object, only its type is asked: a proxy of something that is gone answers isinstance with an error.
    for pool in [item for item in gc.get_objects() if issubclass(type(item), ThreadPoolExecutor)]:
        pool._threads = set()
        pool._idle_semaphore = threading.Semaphore(0)
