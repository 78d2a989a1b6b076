"""Executes a notebook's cells as a Jupyter kernel does, and collects their outputs."""

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
from concurrent.futures.thread import _worker
from contextlib import AbstractContextManager
from types import CodeType
from typing import Any

from autograder.engine.student.descriptors import Descriptors
from autograder.engine.student.display import Collector
from autograder.engine.student.kernel import Kernel, OutStream, text_of
from autograder.engine.student.service import CellTimeoutError

#: Turns of the event loop after a cell, for tasks that it left behind; a kernel gives them a few milliseconds.
TURNS = 50
#: Seconds that an interrupted cell has to clean up.
END = 1.0


class Cells:
    """Executes cells inside a running event loop, one after another.

    Parameters
    ----------
    kernel : Kernel
        From `kernel.new_kernel`; it may have been used before this process was forked.
    limit : int
        Maximum bytes of one cell's outputs.
    clock : callable, optional
        Returns a context manager in which a cell is executed. It may raise errors in the cell, even more than once.

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
        # This process's own loop: after a fork, two processes must not share a selector.
        self.loop = _Loop()
        asyncio.set_event_loop(self.loop)
        # What cells keep in context variables (as decimal does) persists from one to the next.
        self.context = contextvars.copy_context()
        self._descriptors = Descriptors(tempfile.gettempdir())
        self._streams = [OutStream("stdout"), OutStream("stderr")]
        self._count = 0
        self._abandoned: list[asyncio.Task] = []
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
            Whether figures are drawn; if not, a figure gets only its text, and ``NOT_DRAWN`` as metadata.

        Returns
        -------
        dict
            ``outputs`` in the notebook format, and ``cut``: whether they exceeded the limit.
        """
        collector = Collector(self.limit, lambda: self._descriptors.pass_on(collector))
        task = None
        try:
            with self._descriptors.captured():
                try:
                    self._show_in(collector)
                    self.kernel.shell.display_formatter.draw = draw
                    with self.clock():
                        task = self.loop.create_task(self._execute(source), context=self.context)
                        reply = self.loop.run_until_complete(task)
                        self._turn()
                    self._complete(collector, reply)
                except BaseException as error:  # the clock may interrupt anywhere, even in IPython's own code
                    collector.error(type(error).__name__, text_of(error), [f"{type(error).__name__}: {error}"])
                self._descriptors.finish(collector)
        finally:
            self._show_in(None)
        if task is not None and not task.done():
            self._end(task)
        return {"outputs": collector.written(), "cut": collector.cut}

    def inside(self, function: Callable[[], Any]) -> Any:
        """Call a function as cells are executed: inside the event loop and with their context variables."""

        async def call() -> Any:
            return function()

        return self.loop.run_until_complete(self.loop.create_task(call(), context=self.context))

    @staticmethod
    def has_threads() -> bool:
        """Whether the notebook has left threads running that a fork loses for good; a pool starts new ones."""
        others = (thread for thread in threading.enumerate() if thread is not threading.current_thread())
        return any(getattr(thread, "_target", None) is not _worker for thread in others)

    def fork(self) -> int:
        """Fork this process and make the copy independent: recreate there whatever needs threads or a shared pipe.

        Returns
        -------
        int
            The process ID of the copy; in the copy, 0.
        """
        threaded = threading.active_count() > 1  # asked before: the copy has only this thread
        # Since version 3.12, Python warns when there are other threads. Where a cell has turned warnings into errors, this one
        # would end the process; elsewhere the filters stay untouched, as a change lets old warnings appear once more.
        strict = threaded and any(action == "error" for action, *_ in warnings.filters)
        with warnings.catch_warnings(action="ignore") if strict else contextlib.nullcontext():
            process = os.fork()
        if process == 0:
            self._detach(threaded)
        return process

    def _detach(self, threaded: bool) -> None:
        self.loop.detach()
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
        """Do what IPython does with a cell that shows no result, except compile it."""
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
        """Let tasks that the cell left behind start."""
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
        """Cancel a task that was interrupted while waiting."""
        with contextlib.suppress(BaseException), self.clock():
            task.cancel()
            # If the clock rang just as the task's next step was due, that step is lost, and the task never ends.
            self.loop.run_until_complete(asyncio.wait([task], timeout=END))
        if not task.done():
            # Garbage collection would raise an error in it, whose traceback would appear in a later cell.
            self._abandoned.append(task)


@functools.cache
def compiled_cells() -> dict[str, CodeType]:
    """Return the cells compiled before this process was forked, by their text."""
    return {}


def compile_cell(source: str) -> None:
    """Compile in advance a cell that many submissions share, unless it shows a result.

    Parameters
    ----------
    source : str
        A set's locked cell; its author is trusted.
    """
    try:
        tree = ast.parse(source)
        if tree.body and not isinstance(tree.body[-1], ast.Expr):
            compiled_cells()[source] = compile(tree, "<cell of the problem set>", "exec")
    except (SyntaxError, ValueError):  # a magic command, say
        pass


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that survives a fork, and that a cell's clock can interrupt anywhere."""

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Report a callback's error, but let the clock's through: the cell may be waiting for that callback."""
        if "handle" in context and isinstance(context.get("exception"), CellTimeoutError):
            raise context["exception"]
        super().call_exception_handler(context)

    def detach(self) -> None:
        """Replace the pipe with which threads wake the loop: after a fork, two processes would read from it."""
        shared, self._selector = self._selector, type(self._selector)()
        for key in shared.get_map().values():
            self._selector.register(key.fileobj, key.events, key.data)
        shared.close()
        self._close_self_pipe()
        self._make_self_pipe()


def _revive_pools() -> None:
    """Let thread pools start new threads: a fork does not inherit the old ones."""
    # isinstance would ask the object too, and a weak proxy whose object is gone answers with an error.
    for pool in [item for item in gc.get_objects() if issubclass(type(item), ThreadPoolExecutor)]:
        pool._threads = set()
        pool._idle_semaphore = threading.Semaphore(0)
