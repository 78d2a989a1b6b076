"""Exceptions whose text is shown to the user of the command line."""


class AutograderError(Exception):
    """The command could not run (exit code 1). The text is one sentence: what is wrong, where, and what to do."""


class ProblemSetError(AutograderError):
    """One problem set cannot be used, but others can. The text names the set or its file."""


class UsageError(AutograderError):
    """The command was called wrongly (exit code 2)."""


class MachineError(Exception):
    """The machine failed, not the submission (exit code 3). The text tells the instructor why; the next run tries again."""


class SubmissionError(Exception):
    """One submission cannot be graded.

    Parameters
    ----------
    text : str
        A reason that the student can understand and act on.
    doubtful : bool
        Whether the machine may be partly to blame: the failure then counts only if it recurs when the submission runs
        alone.
    """

    def __init__(self, text: str, doubtful: bool = False):
        super().__init__(text)
        self.doubtful = doubtful
