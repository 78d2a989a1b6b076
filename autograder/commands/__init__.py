"""The command line: a module for each command, with its options, its help and its messages."""
