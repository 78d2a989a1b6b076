"""The size of the class that is graded once for all tests that need one."""

#: The class's problem sets.
SETS = ["ps0-warmup", "ps1-information"]
#: How many students handed in both.
STUDENTS = 12
#: The last of them, who handed in the notebooks as they were.
LAST = f"student-{STUDENTS:02d}"
