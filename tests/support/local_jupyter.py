"""A Jupyter server on this machine, as students and instructors start one."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

TOKEN = "for-this-test"
OPTIONS = (
    "--no-browser",
    "--allow-root",
    "--ip=127.0.0.1",
    "--port=0",  # any that is free
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",  # JupyterLab asks the package index otherwise
)


@contextmanager
def jupyter(application: str, folder: Path, home: Path) -> Iterator[str]:
    """Run Jupyter, and stop it afterwards.

    Parameters
    ----------
    application : str
        What to start: ``server``, ``lab`` or ``notebook``.
    folder : Path
        Where it runs, and what it shows.
    home : Path
        A folder elsewhere, for its settings, its log and its runtime files.

    Yields
    ------
    str
        Its address, without a trailing slash; TOKEN opens it.
    """
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_TOKEN": TOKEN,
    }
    command = [sys.executable, "-m", "jupyter", application, *OPTIONS]
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            yield _address(server, home)
        finally:
            server.terminate()
            try:
                server.wait(timeout=60)
            except subprocess.TimeoutExpired:
                server.kill()  # a busy machine takes long to stop its kernels; they end once it is gone
                server.wait()


def _address(server: subprocess.Popen, home: Path) -> str:
    """Wait until the server answers, and return its address."""
    note = home / "runtime" / f"jpserver-{server.pid}.json"  # it chooses its port, and writes it down
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert server.poll() is None, (home / "log").read_text()
        try:
            address = json.loads(note.read_text())["url"].rstrip("/")
            if requests.get(f"{address}/api", timeout=5).ok:
                return address
        except (FileNotFoundError, json.JSONDecodeError, requests.ConnectionError):
            pass
        time.sleep(0.2)
    raise AssertionError(f"Jupyter does not answer:\n{(home / 'log').read_text()}")
