"""Runs a submission in a sandbox and judges it from outside."""
