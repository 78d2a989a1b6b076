"""Release, grade and report the problem sets of From Bits to Backprop.

The data goes one way: `solutions/` is released to `exercises/`; students' submissions, in a class directory outside the
course, are graded into nbgrader's gradebook; feedback, report and export read the gradebook.
"""

import sys

# `python -m` looks for modules in the current folder first. That folder may be a student's: a `json.py` in it would run
# with the grader's rights, before any sandbox exists. While the interpreter looks for the module, argv[0] is "-m".
if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    del sys.path[:1]

# Where this package is installed, jsonschema (imported by nbformat) compiles a grammar of internationalised addresses:
# 0.8 seconds and 30 MB at the start of each process, for a check that no notebook schema asks for.
sys.modules.setdefault("rfc3987_syntax", None)
