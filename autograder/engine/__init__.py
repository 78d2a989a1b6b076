"""Runs submissions in a sandbox and judges them from outside."""
