"""The record of a proof, `proof.json` beside the bank: what was observed, and a hash of everything it depends on.

Proving the set again with the same source, bank, engine and packages writes the same bytes. A record that matches
therefore needs no new proof, and one that does not shows what to prove again: each known answer has its own hash.

The record covers the versions of packages but not that of Python: every supported version gives the same results.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from autograder.authoring.proof.dependence import Dependence
from autograder.common.atomic_files import write_text
from autograder.engine.execution import engine_source, package_versions
from autograder.problem_set.bank import BankEntry
from autograder.problem_set.known_behaviour import behaviour_path, recorded_behaviour
from autograder.problem_set.source import ProblemSet


@dataclass(frozen=True)
class Observation:
    """The result of a known answer.

    Attributes
    ----------
    loses : frozenset of str
        The test cells that it fails.
    says : dict of str to str
        For each hidden test cell among them, its own message.
    answers : dict of str to str
        For each test cell of a misconception's item, a digest of what the misconception answered; empty where its
        answer changes from run to run.
    """

    loses: frozenset[str]
    says: dict[str, str] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)


@dataclass
class Known:
    """What is known about a set as it is now, before it is proven.

    Attributes
    ----------
    dependence : Dependence
        What its known answers depend on.
    bank : list of BankEntry
        Its known answers.
    common : dict
        What all results depend on, as read before the proof: it does not cover what changes while the proof runs.
    complete : bool
        Whether nothing has changed since the set was proven.
    observed : dict of BankEntry to Observation
        The answers for which nothing that their result depends on has changed.
    reference : dict of str to str
        Test cells for which nothing has changed for the reference solution, and a digest of what it answered.
    before : dict of BankEntry to (dict of str to str)
        What a misconception of this name answered when its set was last proven, regardless of what has changed since.
    """

    dependence: Dependence
    bank: list[BankEntry]
    common: dict = field(default_factory=dict)
    complete: bool = False
    observed: dict[BankEntry, Observation] = field(default_factory=dict)
    reference: dict[str, str] = field(default_factory=dict)
    before: dict[BankEntry, dict[str, str]] = field(default_factory=dict)

    @cached_property
    def unknown(self) -> list[BankEntry]:
        """The answers that must be tried."""
        return [entry for entry in self.bank if entry not in self.observed]

    @cached_property
    def mixes(self) -> list[list[BankEntry]]:
        """The same answers, grouped by the notebook they share."""
        return self.dependence.mixes(self.unknown)


def record_path(problem_set: ProblemSet) -> Path:
    """Return where the record of a set's proof is kept."""
    return problem_set.folder / "proof.json"


def known(problem_set: ProblemSet, anew: bool = False) -> Known:
    """Read what the record of a set's proof says about the set as it is now.

    Parameters
    ----------
    problem_set : ProblemSet
        The set.
    anew : bool
        Whether to prove all of it, whatever the record says.
    """
    dependence = Dependence(problem_set)
    kept, behaviour = _read(record_path(problem_set)), recorded_behaviour(problem_set)
    nothing = Known(dependence, problem_set.bank, _common(dependence))
    try:
        nothing.before = _answers(problem_set, behaviour)
        needed = nothing.common | {"behaviour": _of_file(problem_set)}
        if anew or {key: kept.get(key) for key in needed} != needed:
            return nothing
        return _still_true(problem_set, nothing, kept, behaviour)
    except (AttributeError, KeyError, TypeError):  # not in the form that `record` writes
        return nothing


def _answers(problem_set: ProblemSet, behaviour: dict) -> dict[BankEntry, dict[str, str]]:
    digests = behaviour.get("misconceptions", {})
    return {
        entry: digests[entry.replaces][entry.name]
        for entry in problem_set.bank
        if entry.name in digests.get(entry.replaces, {})
    }


def _still_true(problem_set: ProblemSet, nothing: Known, kept: dict, behaviour: dict) -> Known:
    """Return what remains true of a record made with the same engine, packages and shared cells."""
    dependence = nothing.dependence
    found = Known(dependence, nothing.bank, nothing.common, before=nothing.before)
    texts = {test: {_short(text): text for text in said} for test, said in behaviour["messages"].items()}
    for entry in problem_set.bank:
        line = kept["entries"].get(_key(entry), {})
        if line.get("of") == dependence.of_entry(entry) and set(line["loses"]) == entry.loses:
            says = {test: texts[test][short] for test, short in line["says"].items()}
            found.observed[entry] = Observation(entry.loses, says, found.before.get(entry, {}))
    for name, line in kept["items"].items():
        if name in problem_set.items and line["of"] == dependence.of_item(name):
            found.reference |= line["answers"]
    found.complete = kept["set"] == dependence.of_set and not found.unknown
    return found


def record(
    problem_set: ProblemSet, given: Known, observed: dict[BankEntry, Observation], reference: dict[str, str]
) -> None:
    """Store what the proof of a set has observed; `behaviour.json` must be written first.

    Parameters
    ----------
    problem_set : ProblemSet
        The set, proven.
    given : Known
        What was known before the proof.
    observed : dict of BankEntry to Observation
        The result of each known answer.
    reference : dict of str to str
        For each test cell, a digest of what the reference solution answered.
    """
    dependence = given.dependence
    items = {
        item.name: {
            "of": dependence.of_item(item.name),
            "answers": {test: reference[test] for test in sorted(item.tests) if test in reference},
        }
        for item in problem_set.items.values()
        if not item.by_hand
    }
    entries = {
        _key(entry): {
            "of": dependence.of_entry(entry),
            "loses": sorted(observed[entry].loses),
            "says": {test: _short(text) for test, text in sorted(observed[entry].says.items())},
        }
        for entry in problem_set.bank
    }
    head = given.common | {"set": dependence.of_set, "behaviour": _of_file(problem_set)}
    parts = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    # One line for each item and each answer, so that a diff shows exactly those that a change concerns.
    parts += [f' "{key}": {{\n{_lines(lines)}\n }}' for key, lines in (("items", items), ("entries", entries))]
    write_text("{\n" + ",\n".join(parts) + "\n}\n", record_path(problem_set))


def _common(dependence: Dependence) -> dict:
    """Return what all results depend on."""
    return {
        "engine": engine_source(Path(__file__).parent),
        "packages": package_versions(),
        "shared": dependence.of_shared(),
    }


def _lines(content: dict[str, dict]) -> str:
    return ",\n".join(f"  {json.dumps(key)}: {json.dumps(content[key])}" for key in sorted(content))


def _key(entry: BankEntry) -> str:
    return f"{entry.replaces}/{entry.name}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8]


def _of_file(problem_set: ProblemSet) -> str:
    try:
        return hashlib.sha256(behaviour_path(problem_set).read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def _read(path: Path) -> dict:
    """Read a record; a file that is not one, such as after a failed merge, counts as empty."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def says_of(observed: Iterable[Observation]) -> dict[str, set[str]]:
    """Return everything that each hidden test cell said to known answers."""
    messages: dict[str, set[str]] = {}
    for observation in observed:
        for test, text in observation.says.items():
            messages.setdefault(test, set()).add(text)
    return messages
