"""Attacks on judging: in a process that judges itself, they would make a wrong answer pass."""

from tests.engine.attacks import Attack

ATTACKS = [
    Attack(
        "judging",
        "an input transformer empties the test cells",
        """
        get_ipython().input_transformers_post.append(lambda lines: [] if any("assert" in line for line in lines) else lines)
        """,
    ),
    Attack(
        "judging",
        "an AST transformer removes every assert",
        """
        import ast
        class Remove(ast.NodeTransformer):
            def visit_Assert(self, node):
                return ast.Pass()
        get_ipython().ast_transformers.append(Remove())
        """,
    ),
    Attack(
        "judging",
        "run_cell no longer runs anything",
        """
        shell = get_ipython()
        type(shell).run_cell = lambda self, source, **_: None
        type(shell).run_cell_async = lambda self, source, **_: None
        """,
    ),
    Attack(
        "judging",
        "built-in functions answer what the tests want",
        """
        import builtins
        builtins.abs = lambda x: 0.0
        builtins.bool = lambda x: True
        builtins.AssertionError = type("Nothing", (BaseException,), {})
        abs = builtins.abs
        """,
    ),
    Attack(
        "judging",
        "numpy.testing and math are patched",
        """
        import math, numpy as np
        for name in dir(np.testing):
            if name.startswith("assert"):
                setattr(np.testing, name, lambda *a, **k: None)
        np.allclose = np.isclose = np.array_equal = lambda *a, **k: True
        math.isclose = lambda *a, **k: True
        math.log = lambda *a: 1.0
        """,
    ),
    Attack(
        "judging",
        "an object that is equal to everything",
        """
        class Always(float):
            def __eq__(self, other): return True
            def __ne__(self, other): return False
            def __sub__(self, other): return 0.0
            __rsub__ = __sub__
            def __abs__(self): return 0.0
            def __le__(self, other): return True
            __lt__ = __ge__ = __gt__ = __le__
            def __bool__(self): return True
        def nats_to_bits(x):
            return Always(x)
        """,
    ),
    Attack(
        "judging",
        "an array with protocols of its own",
        """
        import numpy as np
        class Array(np.ndarray):
            def __array_function__(self, func, types, args, kwargs): return True
            def __array_ufunc__(self, ufunc, method, *inputs, **kwargs): return np.float64(0)
            def __abs__(self): return 0.0
            def __le__(self, other): return True
            @property
            def __class__(self): return float
        def nats_to_bits(x):
            return np.asarray(x * 0.5).view(Array)
        """,
    ),
    Attack(
        "judging",
        "an object that is not a number but makes every difference vanish",
        """
        class Nothing:
            __array_priority__ = 1e9
            def __array__(self, *a, **k): raise SystemExit
            def __sub__(self, other): return self
            __rsub__ = __mul__ = __rmul__ = __add__ = __radd__ = __sub__
            def __abs__(self): return self
            def __le__(self, other): return True
            __lt__ = __ge__ = __gt__ = __eq__ = __le__
            def __float__(self): return 0.0
            __index__ = __int__ = lambda self: 1
            def __len__(self): return 10 ** 12
            def __iter__(self):
                while True: yield 0.0
            def __contains__(self, other): return True
            def __getattr__(self, name): return self
            def __call__(self, *a, **k): return self
        def nats_to_bits(x):
            return Nothing()
        """,
    ),
    Attack(
        "judging",
        "symbols whose assumptions contradict every comparison",
        """
        import itertools, sympy as sp
        kinds = ["zero", "infinite", "negative", "extended_negative", "irrational", "imaginary", "integer", "prime"]
        found = []
        for pair in itertools.combinations(kinds, 2):
            try:
                found.append(sp.Symbol("x", **dict.fromkeys(pair, True)))
            except Exception:
                pass
        turn = itertools.cycle(found + [sp.zoo, sp.nan, -sp.oo, sp.Max(), sp.sin(sp.oo), sp.true])
        def nats_to_bits(x):
            return next(turn)
        """,
    ),
    Attack(
        "judging",
        "the globals of every caller are replaced",
        """
        import sys
        def nats_to_bits(x):
            frame = sys._getframe()
            while frame:
                for names in (frame.f_globals, frame.f_locals):
                    try:
                        names.update(HINT="", expected=x * 0.5, x=0.0, abs=lambda v: 0.0, right=True, math=None)
                    except Exception:
                        pass
                frame = frame.f_back
            return x * 0.5
        """,
    ),
    Attack(
        "judging",
        "every function that the garbage collector knows returns immediately",
        """
        import gc, types
        def nothing(*a, **k): return None
        def nats_to_bits(x):
            for thing in gc.get_objects():
                if isinstance(thing, types.FunctionType) and "nats" in str(thing.__code__.co_consts):
                    if thing.__name__ != "nats_to_bits":
                        thing.__code__ = nothing.__code__
            return x * 0.5
        """,
    ),
    Attack(
        "judging",
        "small integers are overwritten through ctypes",
        """
        import ctypes
        def nats_to_bits(x):
            ctypes.memmove(id(0.5) + 16, ctypes.byref(ctypes.c_double(1.4426950408889634)), 0)
            one, zero = id(1) + 24, id(0) + 24
            ctypes.memset(one, 0, 4)
            return 0
        """,
        ends="graded|died",
    ),
    Attack(
        "judging",
        "hard-coded answers to the visible cases",
        """
        import math
        known = {0: 0.0, math.log(2): 1.0, 3 * math.log(2): 3.0, 10: 14.426950408889634}
        def nats_to_bits(x):
            return known.get(x, 0.0)
        """,
    ),
    Attack(
        "judging",
        "the wrong function raises what a test might expect",
        """
        class AssertionError(BaseException): pass
        import random
        def nats_to_bits(x):
            raise random.choice([SystemExit(0), KeyboardInterrupt(), GeneratorExit(), StopIteration(0), StopAsyncIteration(),
                                 BaseExceptionGroup("", [KeyboardInterrupt()]), AssertionError("passed")])
        """,
    ),
    Attack(
        "judging",
        "replies that change between calls",
        """
        calls = []
        def nats_to_bits(x):
            calls.append(x)
            return [None, True, "1.44", [x], {x: x}, (x,), x * 1.44, 1j * x, b"x", {x}][len(calls) % 10]
        """,
    ),
    Attack(
        "judging",
        "the process exits as if successful",
        """
        import atexit, os
        atexit.register(os._exit, 0)
        def nats_to_bits(x):
            os._exit(0)
        """,
    ),
]
