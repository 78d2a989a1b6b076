"""Before you hand in: run this cell and read what it prints. It changes nothing, and need not be read itself."""


@lambda cell: cell.__class__(cell.__code__, {"__name__": "before_you_hand_in"})()
def before_you_hand_in():
    """Print what the visible tests of this notebook say, and what would be different when it is graded."""
    import ast
    import builtins
    import contextlib
    import hashlib
    import io
    import json
    import os
    import re
    import symtable
    import sys
    import time
    from pathlib import Path

    from IPython import get_ipython

    #: What a notebook can import when it is graded, besides Python's own modules.
    packages = {"IPython", "matplotlib", "mpl_toolkits", "mpmath", "numpy", "sympy"}
    #: Seconds of processor time after which a cell is stopped when it is graded.
    limit = 20
    #: Where the files of one computer are; another has none there.
    elsewhere = re.compile(r"(?:[A-Za-z]:[\\/]|~[\\/]|/(?:content|drive|home|mnt|root|tmp|Users|Volumes)/)")

    shell = get_ipython()
    names = shell.user_ns
    ran = [text.rstrip() for text in shell.history_manager.input_hist_raw]

    # ---- what the notebook's file holds

    def cells_of(path):
        """Return the cells of a problem set's file, each with its text in one piece; none of any other file."""
        try:
            notebook = json.loads(Path(path).read_text(encoding="utf-8"))
            if "problem_set" not in notebook["metadata"]["autograder"]:
                return []
            return [cell | {"source": "".join(cell["source"]).rstrip()} for cell in notebook["cells"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def cells_of_this_notebook():
        """Return the cells of the file that the editor names, or else of the one that holds most of what has run."""
        for named in (names.get("__vsc_ipynb_file__"), os.environ.get("JPY_SESSION_NAME")):
            if named and (found := cells_of(named)):
                return found
        beside = [cells_of(path) for path in sorted(Path().glob("*.ipynb"))]
        return max(beside, key=lambda cells: sum(cell["source"] in ran for cell in cells), default=[])

    def marks(cell):
        return cell["metadata"].get("nbgrader", {})

    def item_of(test):
        """Return the answer that a test is about, which its own name begins with."""
        return marks(test)["grade_id"].rpartition("-")[0]

    def unchanged(cell):
        """Whether nbgrader's checksum of a locked cell is still that of its text."""
        kind = [str(marks(cell)[key]) for key in ("grade", "solution", "locked")]
        parts = [cell["source"], cell["cell_type"], *kind, marks(cell)["grade_id"], str(float(marks(cell)["points"]))]
        digest = hashlib.md5("".join(parts).encode(), usedforsecurity=False).hexdigest()
        return marks(cell).get("checksum") in (None, digest)

    # ---- what code means

    def plain(text):
        """Return a cell's code as plain Python; empty if it is none."""
        with contextlib.suppress(Exception):
            text = shell.transform_cell(text)
            ast.parse(text)
            return text
        return ""

    def symbols(table):
        yield from table.get_symbols()
        for inner in table.get_children():
            yield from symbols(inner)

    def bound_and_used(text):
        """Return the names that a cell binds, those that it reads at once, and those that it reads anywhere."""
        table = symtable.symtable(plain(text), "<cell>", "exec")
        outer = table.get_symbols()
        bound = {symbol.get_name() for symbol in outer if symbol.is_assigned() or symbol.is_imported()}
        bound |= {symbol.get_name() for symbol in symbols(table) if symbol.is_declared_global()}
        at_once = {symbol.get_name() for symbol in outer if symbol.is_referenced()} - bound
        inside = {symbol.get_name() for symbol in symbols(table) if symbol.is_global() and symbol.is_referenced()}
        return bound, at_once, (inside | at_once) - bound

    def begins(text):
        line = next((line for line in text.split("\n") if line.strip()), "")
        return f"the cell that begins “{line[:50]}”"

    # ---- the tests

    def result_of(test):
        """Run a visible test; say whether it passes, and how long it computed."""
        begun = time.process_time()
        passes = False
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                exec(compile(plain(test["source"]) or test["source"], "<test>", "exec"), names)
                passes = True
            except (Exception, SystemExit, KeyboardInterrupt):
                pass
        return passes, time.process_time() - begun

    def counted(number, what):
        return f"{number:g} {what}{'' if number == 1 else 's'}"

    def left_open(cell):
        """Whether nothing is written in a cell, or in an answer in code that ran without being saved."""
        if cell["cell_type"] != "code":
            return cell["source"] in ("", "YOUR ANSWER HERE")
        name = marks(cell)["grade_id"]
        # Of a class that several cells extend, the last to run need not be this one.
        ran_last = "YOUR CODE HERE" if name in extended else last.get(name, "YOUR CODE HERE")
        return all("YOUR CODE HERE" in text or not text for text in (cell["source"], ran_last))

    def row_of(answer, tests):
        """Return an item's row, its visible points, won and in all, and its hidden points."""
        name = marks(answer)["grade_id"]
        if marks(answer)["grade"]:
            written = "not attempted" if left_open(answer) else "written"
            return (name, "", "", f"{written}; {counted(marks(answer)['points'], 'point')} by hand"), 0, 0, 0
        visible = [test for test in tests if ast.parse(plain(test["source"])).body]
        hidden = sum(marks(test)["points"] for test in tests if test not in visible)
        most = sum(marks(test)["points"] for test in visible)
        if left_open(answer):
            remark, won = "not attempted", 0
        elif name not in names and name in bound_and_used(answer["source"])[0]:
            remark, won = "not run", 0
        else:
            results = {marks(test)["grade_id"]: result_of(test) for test in visible}
            slow.update({test: seconds for test, (_, seconds) in results.items() if seconds > limit / 2})
            fails = [test.removeprefix(f"{name}-") for test, (passes, _) in results.items() if not passes]
            remark = f"open: {', '.join(fails)}" if fails else "passes" if visible and not most else ""
            won = sum(marks(test)["points"] for test in visible if results[marks(test)["grade_id"]][0])
        shown = f"{won:g} of {most:g}" if most else ""  # the visible tests of some items carry no points
        row = (name, shown, f"{hidden:g}" if hidden else "", remark)
        return row, won, most, hidden

    def table():
        """Print a row for each item, and the sums."""
        rows = [("item", "visible points", "hidden", "")]
        sums = [0, 0, 0]
        for answer, tests in items:
            row, *points = row_of(answer, tests)
            rows.append(row)
            sums = [total + more for total, more in zip(sums, points, strict=True)]
        rows.append(("all", f"{sums[0]:g} of {sums[1]:g}", f"{sums[2]:g}", ""))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        for row in rows:
            line = f"{row[0]:{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:>{widths[2]}}  {row[3]}"
            print(line.rstrip())

    # ---- what would be different

    def about_cells():
        """Say which of the set's cells are missing, doubled or changed."""
        found = [marks(cell)["grade_id"] for cell in cells if marks(cell)]
        for name in sorted({name for name in found if found.count(name) > 1}):
            yield f"The cell {name} occurs more than once. Keep one copy, with your answer in it."
        tested = {item_of(test) for test in of_tests}
        for name in sorted(tested - set(found)):
            yield f"The cell for your answer {name} is missing. Take it from a fresh copy of the set."
        for test in of_tests:
            if not unchanged(test):
                yield f"The test {marks(test)['grade_id']} was changed. You are graded by the test as published."

    def about_names():
        """Say which names a fresh start would not find, or would find with another meaning."""
        known = {*vars(builtins), "In", "Out", "_", "__", "___", "get_ipython", "display", "exit", "quit"}
        known |= {"__name__", "__file__", "__vsc_ipynb_file__", "__annotations__", "__doc__"}
        parts = [bound_and_used(text) for text in texts]
        bound_somewhere = set().union(*(bound for bound, _, _ in parts))
        used = set().union(*(deep for _, _, deep in parts))
        # A star or a magic command may define anything, but for those commands that only show or set something.
        unknown = r"^\s*(?:from\s.*import\s*\*|%(?!(?:matplotlib|config|cd|pip|conda|precision|timeit|autoreload|load_ext)\b))"
        everywhere = (
            bound_somewhere | used if any(re.search(unknown, text, re.MULTILINE) for text in texts) else bound_somewhere
        )
        changed = sorted(name for name in used & everywhere & names.keys() & last.keys() if last[name] not in texts)
        if changed:
            yield (
                f"The cell that defined {', '.join(changed)} is not in the saved file: it was changed or deleted after it "
                "ran, or the notebook is not saved. Save, restart and run all cells, and run this one again."
            )
        for name in sorted(stopped & (used | bound_somewhere)):  # an answer may have done with the name since
            yield f"The cell of {name} stopped when it last ran: {name} is still what an earlier run made of it."
        for name, cells_of_name in extended.items():
            if last.get(name) in cells_of_name[:-1]:
                following = cells_of_name[cells_of_name.index(last[name]) + 1]
                yield f"{name} was defined anew without what later cells add: run them again, from {begins(following)}."
        for name in sorted(used - everywhere - known):
            yield f"No cell defines {name}, but one of your cells uses it: after a restart, it will be missing."
        for text, (bound, at_once, _) in zip(texts, parts, strict=True):
            for name in sorted((at_once & bound_somewhere) - known):
                yield f"{name} is used before the cell that defines it, in {begins(text)}."
            known |= bound

    def about_code():
        """Say which of the student's cells need what is not there when they are graded."""
        for cell in cells:
            if cell["cell_type"] != "code" or marks(cell).get("locked") or "def before_you_hand_in" in cell["source"]:
                continue
            for node in ast.walk(ast.parse(plain(cell["source"]))):
                match node:
                    case ast.Import(names=aliases):
                        modules = [alias.name for alias in aliases]
                    case ast.ImportFrom(module=str(module), level=0):
                        modules = [module]
                    case _:
                        modules = []
                for module in modules:
                    if (top := module.partition(".")[0]) not in packages | sys.stdlib_module_names:
                        yield f"{top} is missing when you are graded, but is imported in {begins(cell['source'])}."
                match node:
                    case ast.Call(func=ast.Name(id="input")):
                        yield f"input() fails when you are graded: nobody is there to answer, in {begins(cell['source'])}."
                    case ast.Constant(value=str(text)) if elsewhere.match(text):
                        yield f"{text[:50]!r} is a place on this computer only, in {begins(cell['source'])}."

    def about_time():
        for test, seconds in slow.items():
            yield f"The test {test} took {seconds:.0f} s. A cell is stopped after {limit} s when it is graded."
        for cell in cells:
            seconds = took.get(cell["source"], 0)
            if seconds > limit / 2 and not marks(cell).get("grade"):
                yield f"It took {seconds:.0f} s to run {begins(cell['source'])}. A cell is stopped after {limit} s when it is graded."

    cells = cells_of_this_notebook()
    if not cells:
        if sys.platform == "emscripten" or "JPY_SESSION_NAME" in os.environ:
            print(
                "This notebook cannot read its own file here (a private window of a browser keeps none), so nothing can be "
                "checked. Restart, run all cells, and look for errors."
            )
        return
    items, of_tests, slow = [], [], {}
    last = {name: text for text in ran for name in bound_and_used(text)[0]}  # what bound each name last
    texts = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    grown = {name for text in texts for name in re.findall(r"^class (\w+)\(\1\)", text, re.MULTILINE)}
    extended = {name: [text for text in texts if name in bound_and_used(text)[0]] for name in sorted(grown)}
    watch = getattr(sys.modules.get("checks_of_this_notebook"), "_check_watch", None)  # the first set has none
    stopped, took = (watch.stopped, watch.seconds) if watch else (set(), {})
    for cell in cells:
        if marks(cell).get("solution"):
            items.append((cell, []))
        elif marks(cell).get("grade"):
            of_tests.append(cell)
    for test in of_tests:
        for answer, tests in items:
            if item_of(test) == marks(answer)["grade_id"]:
                tests.append(test)
    table()
    warnings = list(dict.fromkeys([*about_cells(), *about_names(), *about_code(), *about_time()]))
    print(
        "\n" + "\n".join(f"- {warning}" for warning in warnings)
        if warnings
        else "\nNothing found that would be different when your work is graded."
    )


del before_you_hand_in
