"""What every submission finds imported and used once: IPython, NumPy, SymPy and matplotlib."""

from __future__ import annotations

import os
import sys
import tempfile

from autograder.engine.student.display import Collector, display_hook_class, publisher_class


def warm_shell():
    """Return an IPython shell whose figures and results are collected, with the usual packages at work once."""
    os.environ.update(NBGRADER_EXECUTION="autograde", MPLBACKEND="module://matplotlib_inline.backend_inline")
    os.environ["IPYTHONDIR"] = tempfile.mkdtemp(prefix="ipython-")
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets import Type
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"

    class Shell(InteractiveShell):
        display_pub_class = Type(publisher_class())
        displayhook_class = Type(display_hook_class())

    shell = Shell.instance(config=config)
    import contourpy  # noqa: F401 (matplotlib imports it with the first contour)
    import matplotlib.pyplot as plt
    import numpy  # noqa: F401
    import sympy as sp
    from matplotlib_inline.backend_inline import configure_inline_support

    configure_inline_support(shell, "module://matplotlib_inline.backend_inline")
    # The first figure reads fonts, the first derivative fills caches: every submission would pay for them again.
    figure, axes = plt.subplots()
    axes.plot([0, 1], [0, 1], "o-", label="$x$")
    axes.set(xlabel="x", title="t")
    axes.legend()
    from IPython.core.pylabtools import print_figure

    print_figure(figure)
    plt.close(figure)
    x = sp.Symbol("x", positive=True)
    sp.N(sp.simplify(sp.diff(sp.log(x) * sp.exp(-x) / x, x)).subs(x, sp.Rational(1, 3)), 40)
    sp.solve(sp.log(x / (1 - x)), x)
    sp.lambdify(x, x**2)(2.0)
    # What IPython imports when it runs a cell, shows a result and formats an error.
    collector = Collector(100_000)
    collector.showing(shell, collector)
    kept, shell._showtraceback = shell._showtraceback, lambda *_: None
    for cell in ("x = 1\nx", "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nplt.show()", "x / 0"):
        shell.run_cell(cell, store_history=True)
    shell._showtraceback = kept
    shell.reset(new_session=True)
    # A module that a cell writes can be imported from the working directory, as in Jupyter, but stands in for no other.
    sys.path.append("")
    return shell
