"""Grading on a Dask cluster: a task carries its notebook, and its result comes back as JSON bytes.

The workers need this package and a sandbox, and no files of the course or the class. A task holds hidden tests, so the
cluster belongs to those who may see them: on one machine, or over TLS.
"""

from __future__ import annotations

import functools
import ipaddress
import json
import sys
from dataclasses import asdict
from urllib.parse import urlsplit

import nbformat
from distributed import Client, KilledWorker
from nbformat import NotebookNode

from autograder.common.errors import AutograderError, SubmissionError
from autograder.engine.execution import ENGINE, Executed, SandboxExecutor, engine_name, executed_from
from autograder.engine.sandbox import require_sandbox
from autograder.engine.shared.isolation import Limits

#: Seconds to wait for the scheduler.
CONNECT = 20


@functools.cache
def _executor_here(limits: Limits, seed: int) -> SandboxExecutor:
    return SandboxExecutor(require_sandbox(), limits, seed)


def run_here(request: bytes) -> bytes:
    """Run one notebook on the worker that this is called on.

    Parameters
    ----------
    request : bytes
        JSON: ``notebook``, ``limits``, ``seed``, and ``engine``, the hash of the engine that asks.

    Returns
    -------
    bytes
        JSON: ``notebook``, ``notices`` and ``behaviour``; or ``failed``, a reason for the student; or ``broken``, one
        for the instructor.
    """
    task = json.loads(request)
    if task["engine"] != ENGINE:
        return json.dumps({"broken": "a worker of the cluster has another version of the autograder"}).encode()
    try:
        executed = _executor_here(Limits(**task["limits"]), task["seed"])(nbformat.from_dict(task["notebook"]))
        return json.dumps(executed._asdict()).encode()
    except SubmissionError as error:
        return json.dumps({"failed": str(error)}).encode()
    except AutograderError as error:
        return json.dumps({"broken": str(error).rstrip(".")}).encode()


class ClusterExecutor:
    """Run each submission on a Dask cluster, in a sandbox of the worker that takes it.

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
        # The same record as in a sandbox on this machine: where a submission ran does not change its grade.
        self.name = engine_name("bubblewrap", self.limits, seed)
        if not is_private(address):
            print(
                f"autograder: warning: tasks to {address} are not encrypted, and they hold hidden tests; use tls://.",
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
        """Do nothing: the cluster's workers run already."""

    def __call__(self, notebook: NotebookNode) -> Executed:
        """Run the notebook on some worker; if that one dies, on another."""
        task = {"notebook": notebook, "limits": asdict(self.limits), "seed": self.seed, "engine": ENGINE}
        future = self.client.submit(run_here, json.dumps(task).encode(), pure=False)
        try:
            answer = json.loads(future.result())
        except KilledWorker:
            raise SubmissionError("Every worker that took this submission died; hand it to your instructor.") from None
        return executed_from(answer, "The cluster cannot grade")

    def close(self) -> None:
        """Leave the cluster."""
        self.client.close()

    def __enter__(self) -> ClusterExecutor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_private(address: str) -> bool:
    """Whether what is sent there is encrypted, or stays on this machine."""
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
