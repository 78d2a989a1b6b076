"""What to run next, as the last line of a command says it."""

from __future__ import annotations

import shlex
from pathlib import Path


def next_command(command: str, root: Path) -> str:
    """Word the line; it can be pasted into a shell as it is.

    Parameters
    ----------
    command : str
        The command, with the sets that it needs.
    root : Path
        The class directory.
    """
    return f"Next: autograder {command} --class {shlex.quote(str(root))}"
