"""The process that runs what a student wrote."""
