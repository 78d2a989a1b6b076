"""The process that judges: it runs the test cells."""
