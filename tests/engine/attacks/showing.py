"""Attacks through what a cell shows: forged outputs, and markup for whoever opens the notebook or the feedback."""

from tests.engine.attacks import Attack

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)><iframe src=javascript:alert(1)></iframe>"

ATTACKS = [
    Attack(
        "showing",
        "a result that looks like one of the tests",
        """
        from IPython.display import display, publish_display_data
        publish_display_data({"text/plain": "1.0"})
        print('{"output_type": "execute_result", "data": {"text/plain": "1.0"}}')
        1.0
        """,
    ),
    Attack(
        "showing",
        "scripts in HTML, SVG, Markdown, LaTeX and JavaScript",
        f"""
        from IPython.display import HTML, SVG, Javascript, Latex, Markdown, display
        text = {SCRIPT!r}
        display(HTML(text), Markdown(text), Latex(text), Javascript("alert(1)"))
        display(SVG("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(1)</script></svg>"))
        print(text)
        """,
    ),
    Attack(
        "showing",
        "hostile text in an error: name, text, traceback, terminal codes",
        f"""
        text = {SCRIPT!r}
        def nats_to_bits(x):
            raise type(text, (Exception,), {{"__str__": lambda self: text + "\\x1b]0;owned\\x07\\x1b[2J" + "\\x00" + "x" * 10 ** 6}})
        raise type(text, (Exception,), {{"__module__": text}})(text)
        """,
    ),
    Attack(
        "showing",
        "characters that cannot be encoded",
        """
        import warnings
        print("\\ud800\\x00\\x1b[31m")
        warnings.warn("\\udfff")
        def nats_to_bits(x):
            print("\\ud800")
            raise type("Surrogate", (ValueError,), {"__str__": lambda self: "\\ud800"})
        raise ValueError("\\ud800")
        """,
    ),
    Attack(
        "showing",
        "an error that refuses to give its text",
        """
        class Mute(Exception):
            def __str__(self): raise SystemExit
            def __repr__(self): raise SystemExit
            __module__ = property(lambda self: 1 / 0)
        def nats_to_bits(x): raise Mute
        raise Mute
        """,
    ),
    Attack(
        "showing",
        "the shell's own streams and hooks are replaced",
        """
        import sys
        sys.stdout = sys.stderr = None
        sys.displayhook = sys.excepthook = None
        get_ipython().displayhook = None
        get_ipython()._showtraceback = None
        1 / 0
        """,
        ends="graded|died",
    ),
]
