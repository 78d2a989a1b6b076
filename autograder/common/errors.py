"""The exceptions whose text is shown to the person at the command line."""


class AutograderError(Exception):
    """The command could not run (exit code 1). The text is one sentence: what is wrong, where, what to do."""


class UsageError(AutograderError):
    """The command was called wrongly (exit code 2)."""


class SubmissionError(Exception):
    """One submission cannot be graded. The text is a reason its student can read and act on."""
