"""Plant an error in a claim, and report whether the checks notice."""

import random
from collections.abc import Callable
from dataclasses import replace

import sympy

from book.extensions.ledger.book_autodiff import BookAutodiff
from book.extensions.ledger.check_cells import Check
from book.extensions.ledger.derivations import METHODS, run_alone, statement_of

ERROR = sympy.Rational(1, 1000)


CHANGES: dict[str, Callable[[sympy.Expr], sympy.Expr]] = {
    "plus 1/1000": lambda entry: entry + ERROR,
    # A wrong sign is the commonest slip; the constant keeps the error visible where the entry is zero.
    "with its sign changed, plus 1/1000": lambda entry: ERROR - entry,
}


def at_entry(place: int, change: Callable[[sympy.Expr], sympy.Expr]) -> Callable[[object], object]:
    """Make a function that changes one entry of a claim and keeps its type: expression, list, tuple or matrix."""

    def changed(claim: object) -> object:
        if isinstance(claim, sympy.MatrixBase):
            wrong = claim.as_mutable()
            wrong[place] = change(wrong[place])
            return type(claim)(wrong)
        if isinstance(claim, (list, tuple, sympy.Tuple)):
            if claim and isinstance(claim[0], (list, tuple)):
                row, column = divmod(place, len(claim[0]))
                rows = [list(entries) for entries in claim]
                rows[row][column] = change(rows[row][column])
                return type(claim)(type(claim[0])(entries) for entries in rows)
            entries = [change(entry) if index == place else entry for index, entry in enumerate(claim)]
            return sympy.Tuple(*entries) if isinstance(claim, sympy.Tuple) else type(claim)(entries)
        return change(sympy.sympify(claim))

    return changed


def undetected_errors(check: Check, autodiff: BookAutodiff | None = None, most: int | None = None) -> list[str]:
    """List the planted errors that a check misses.

    Parameters
    ----------
    check : Check
        A check that passes.
    autodiff : BookAutodiff, optional
        The engine of the book.
    most : int, optional
        The number of entries of the claim in which errors are planted, one after the other; all by default. The
        result's label determines which.

    Returns
    -------
    list of str
        One sentence for each check, entry and planted error that goes unnoticed; empty if the check is sound.
    """
    statement = statement_of(check, run_alone(check))
    missed = []
    places = range(len(statement.claim))
    if most is not None and len(places) > most:
        places = sorted(random.Random(check.result).sample(places, most))
    for place in places:
        for name, change in CHANGES.items():
            wrong = f"entry {place + 1} of the claim `{check.claim}` {name}"
            if not _assertion_fails(check, at_entry(place, change)):
                missed.append(
                    f"{check.where}: the cell's own assertion holds with {wrong}; it has to compare `{check.claim}` itself."
                )
            entries = list(statement.claim)
            entries[place] = change(entries[place])
            missed.extend(
                f"{check.where}: the {method.name} check passes with {wrong}."
                for method in METHODS
                if (verdict := method.run(check, replace(statement, claim=entries), autodiff)) and verdict.passed
            )
    return missed


def _assertion_fails(check: Check, change_claim: Callable[[object], object]) -> bool:
    try:
        run_alone(check, change_claim)
    except AssertionError:
        return True
    return False
