"""Grades on a Dask cluster: a task carries its notebook, and its result comes back as JSON bytes.

Workers need this package and a sandbox, but no files of the course or the class. Tasks contain hidden tests, so the
cluster must belong to people who may see them: on one machine, or over TLS.
"""

from __future__ import annotations

import functools
import ipaddress
import json
import sys
from collections.abc import Collection
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

import nbformat
from distributed import Client, KilledWorker
from nbformat import NotebookNode

from autograder.common.errors import AutograderError, MachineError, SubmissionError
from autograder.engine.execution import ENGINE, Executed, SandboxExecutor, as_answer, engine_name, executed_from
from autograder.engine.sandbox import require_sandbox
from autograder.engine.shared.limits import Limits

#: Seconds to wait for the scheduler.
CONNECT = 20


@functools.cache
def _executor_here(limits: Limits, seed: int) -> SandboxExecutor:
    return SandboxExecutor(require_sandbox(), limits, seed)


def run_here(request: bytes) -> bytes:
    """Run one notebook on the worker that calls this.

    Parameters
    ----------
    request : bytes
        JSON: ``notebook``, ``reference``, ``undrawn``, ``limits``, ``seed``, and ``engine``, the caller's hash.

    Returns
    -------
    bytes
        JSON that `execution.executed_from` reads.
    """
    task = json.loads(request)
    return json.dumps(_answer(task)).encode()


def _answer(task: dict[str, Any]) -> dict[str, Any]:
    if task["engine"] != ENGINE:
        return {"broken": "A cluster worker has a different version of the autograder or of its packages."}
    try:
        execute = _executor_here(Limits(**task["limits"]), task["seed"])
        return as_answer(execute(nbformat.from_dict(task["notebook"]), task["reference"], task["undrawn"]))
    except SubmissionError as error:
        return {"failed": str(error)}
    except MachineError as error:
        return {"machine": str(error)}
    except AutograderError as error:
        return {"broken": f"The cluster cannot grade: {error}"}


class ClusterExecutor:
    """Run each submission on a Dask cluster, in a sandbox on the worker that takes it.

    Parameters
    ----------
    address : str
        The scheduler: ``tcp://host:port``, or ``tls://host:port`` with certificates from Dask's configuration.
    limits : Limits
        What a submission may use.
    seed : int
        Seeds the global random generators that a notebook sees.

    Raises
    ------
    AutograderError
        No scheduler answers there, or it has no workers.
    """

    def __init__(self, address: str, limits: Limits | None = None, seed: int = 0):
        self.limits, self.seed = limits or Limits(), seed
        # The same record as for a sandbox on this machine: where a submission runs does not change its grade.
        self.name = engine_name("bubblewrap", self.limits, seed)
        if not is_private(address):
            print(
                f"autograder: warning: tasks to {address} contain hidden tests and are not encrypted; use tls://.",
                file=sys.stderr,
            )
        try:
            self.client = Client(address, timeout=CONNECT, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise AutograderError(f"No Dask scheduler answers at {address} ({error}); start one there.") from None
        self.workers = sum(
            worker["nthreads"] for worker in self.client.scheduler_info(n_workers=-1)["workers"].values()
        )
        if not self.workers:
            self.client.close()
            raise AutograderError(f"The Dask scheduler at {address} has no workers; start some: dask worker {address}")

    def start(self, jobs: int) -> None:
        """Do nothing: the cluster's workers are already running."""

    def __call__(
        self,
        notebook: NotebookNode,
        reference: dict[str, dict[str, float]] | None = None,
        undrawn: Collection[str] = (),
    ) -> Executed:
        """Run the notebook on a worker; if that worker dies, on another."""
        task = {
            "notebook": notebook,
            "reference": reference,
            "undrawn": list(undrawn),
            "limits": asdict(self.limits),
            "seed": self.seed,
        }
        future = self.client.submit(run_here, json.dumps({**task, "engine": ENGINE}).encode(), pure=False)
        try:
            answer = json.loads(future.result())
        except KilledWorker:
            raise MachineError("every cluster worker that took this submission died") from None
        return executed_from(answer)

    def close(self) -> None:
        """Leave the cluster."""
        self.client.close()

    def __enter__(self) -> ClusterExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_private(address: str) -> bool:
    """Whether traffic to this address is encrypted or stays on this machine."""
    parts = urlsplit(address)
    if parts.scheme == "tls":
        return True
    host = parts.hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
