"""The examiner, the process that runs the test cells and judges."""
