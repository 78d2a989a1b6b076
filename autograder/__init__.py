"""Release, grade and report the problem sets of From Bits to Backprop.

The data goes one way: `solutions/` is released to `exercises/`; students' submissions, in a class directory outside the
course, are graded into nbgrader's gradebook; feedback, report and export read the gradebook.
"""

import sys

# jsonschema, which nbformat imports, compiles a grammar of internationalised addresses where that package is installed:
# 0.8 seconds and 30 MB at the start of each process, for a check that no schema of notebooks asks for.
sys.modules.setdefault("rfc3987_syntax", None)
