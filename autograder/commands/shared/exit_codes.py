"""The exit codes of every command.

3 says that the same command has something left to do: it ran, and something failed, or the machine failed on the way.
"""

DONE, CANNOT_RUN, WRONG_USAGE, SOME_FAILED, INTERRUPTED = 0, 1, 2, 3, 130
MACHINE_FAILED = SOME_FAILED
