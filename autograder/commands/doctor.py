"""`autograder doctor`: says whether this machine can grade."""

from __future__ import annotations

import argparse

from autograder.commands.shared.exit_codes import CANNOT_RUN, DONE

SUMMARY = "Say whether this machine can grade, and what to do if not."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options: there are none."""


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit code."""
    from autograder.engine.doctor import examine_machine

    findings = examine_machine()
    for finding in findings:
        print(finding)
    return DONE if all(finding.good for finding in findings) else CANNOT_RUN
