"""Imports and exercises what every submission needs: ipykernel, NumPy, SymPy and matplotlib."""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from typing import TYPE_CHECKING

from autograder.engine.student import packages

if TYPE_CHECKING:
    from autograder.engine.student.kernel import Kernel

#: What is exercised, beside the kernel.
_PACKAGES = ("numpy", "sympy", "matplotlib")
#: Executed like cells before the first fork. They contain nothing of any problem set, only what all notebooks do.
_CELLS = (
    "x = 1\nx",
    "print('text')",
    "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nplt.show()",
    "def f(x):\n    return 1 / x\nf(0)",
    "import sympy as sp\nsp.Symbol('x') ** 2 / 3",
)


def warm_kernel() -> Kernel:
    """Return a kernel whose messages are collected, after using the common packages once."""
    os.environ.update(NBGRADER_EXECUTION="autograde", MPLBACKEND="module://matplotlib_inline.backend_inline")
    os.environ["IPYTHONDIR"] = tempfile.mkdtemp(prefix="ipython-")
    # Several of these import what else they find (SymPy imports SciPy), which few sets offer.
    packages.offer(_PACKAGES)
    from autograder.engine.student.cells import Cells
    from autograder.engine.student.kernel import new_kernel

    kernel = new_kernel()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _use_numpy()
        _use_sympy()
        _use_matplotlib()
        streams = sys.stdout, sys.stderr
        cells = Cells(kernel, 1_000_000)
        for cell in _CELLS:
            cells.run(cell)
        cells.loop.close()
        sys.stdout, sys.stderr = streams
        kernel.shell.reset(new_session=True)
        _forget_figures()
    # A module that a cell writes can be imported from the working directory, as in Jupyter, but shadows no other.
    sys.path.append("")
    return kernel


def _forget_figures() -> None:
    """Make pyplot forget that it has drawn: otherwise, %run would show an empty figure."""
    import matplotlib.pyplot as plt

    plt.close("all")
    if hasattr(plt.draw_if_interactive, "called"):
        plt.draw_if_interactive.called = False


def _use_numpy() -> None:
    import numpy as np

    square = np.array([[2.0, 1.0], [1.0, 3.0]])
    np.linalg.eigh(square), np.linalg.solve(square, square), np.linalg.svd(square), np.linalg.inv(square)
    np.random.default_rng(0).normal(size=3), np.random.RandomState(0).rand(2)
    np.array2string(square), np.einsum("ij,jk->ik", square, square), square.mean(axis=0)


def _use_sympy() -> None:
    """Use the machinery that fills caches and imports lazily; no problem set contains these expressions."""
    import sympy as sp

    # No integrals, limits, series or matrices: they take 2 MB of memory and saved no time in any set.
    x, y, z = sp.Symbol("x", positive=True), sp.Symbol("y", positive=True), sp.Symbol("z", real=True)
    product = sp.log(x) * sp.exp(-x) / x + sp.sqrt(y)
    sp.N(sp.simplify(sp.diff(product, x)).subs({x: sp.Rational(1, 3), y: 2}), 40)
    sp.simplify(sp.diff(sp.log(1 + sp.exp(z)), z) - 1 / (1 + sp.exp(-z)))
    sp.solve(sp.log(x / (1 - x)), x), sp.solve(z**2 - 3 * z + 1, z)
    sp.expand_log(sp.log(x**2 * y), force=True), sp.logcombine(sp.log(x) + 2 * sp.log(y), force=True)
    sp.expand((x + y) ** 2), sp.factor(x**2 - y**2), sp.together(1 / x + 1 / y)
    sp.lambdify((x, y), product)(2.0, 3.0), sp.Piecewise((x, x > 1), (1, True)).subs(x, 2)
    str(product), sp.latex(product), sp.srepr(product)


def _use_matplotlib() -> None:
    """Draw each common kind of figure as a cell does, so that fonts are read and the formula parser is loaded."""
    import matplotlib.pyplot as plt
    import numpy as np
    from IPython.core.pylabtools import print_figure

    line = np.linspace(0.1, 1, 5)
    figure, axes = plt.subplots(2, 2, figsize=(3, 3))
    axes[0, 0].plot(line, line, "o-", label=r"$\frac{x_i}{2} \log_2 p$")
    axes[0, 0].set(xlabel="x", ylabel="y", title="t")
    axes[0, 0].legend()
    axes[0, 1].contourf(np.outer(line, line))
    axes[0, 1].contour(np.outer(line, line))
    axes[1, 0].scatter(line, line, c=line)
    axes[1, 0].set(xscale="log", yscale="log")
    axes[1, 1].bar([0, 1], [1, 2])
    axes[1, 1].imshow(np.eye(2))
    axes[1, 1].annotate("a", (0, 0), (1, 1), arrowprops={"arrowstyle": "->"})
    axes[1, 1].axhline(0.5)
    axes[1, 1].grid()
    figure.colorbar(axes[1, 0].collections[0])
    figure.tight_layout()
    print_figure(figure, base64=True)
    plt.close(figure)
