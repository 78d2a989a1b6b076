"""Release, grade and report the problem sets of From Bits to Backprop.

The data goes one way: `solutions/` is released to `exercises/`; students' submissions, in a class directory outside the
course, are graded into nbgrader's gradebook; feedback, report and export read the gradebook.
"""

import sys

# `python -m` looks for modules in the current folder first. That may be a student's: a `json.py` there would run with the
# rights of whoever grades, before anything is in a sandbox. While the interpreter looks for the module, argv[0] is "-m".
if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    del sys.path[:1]

# jsonschema, which nbformat imports, compiles a grammar of internationalised addresses where that package is installed:
# 0.8 seconds and 30 MB at the start of each process, for a check that no schema of notebooks asks for.
sys.modules.setdefault("rfc3987_syntax", None)
