"""The exit codes of every command."""

DONE, CANNOT_RUN, WRONG_USAGE, SOME_FAILED, INTERRUPTED = 0, 1, 2, 3, 130
