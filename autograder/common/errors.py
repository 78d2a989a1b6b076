"""The exceptions whose text is shown to the person at the command line."""


class AutograderError(Exception):
    """The command could not run (exit code 1). The text is one sentence: what is wrong, where, what to do."""


class ProblemSetError(AutograderError):
    """One problem set cannot be used, and others can. The text names the set, or its file."""


class UsageError(AutograderError):
    """The command was called wrongly (exit code 2)."""


class MachineError(Exception):
    """The machine, not the submission, failed. The text is a reason for the instructor; the next run tries again."""


class SubmissionError(Exception):
    """One submission cannot be graded.

    Parameters
    ----------
    text : str
        A reason that its student can read and act on.
    doubtful : bool
        Whether the machine may have had a part in it: then it is believed only if it happens again to a submission
        that runs alone.
    """

    def __init__(self, text: str, doubtful: bool = False):
        super().__init__(text)
        self.doubtful = doubtful
