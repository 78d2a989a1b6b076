"""Find the check cells of the pages and validate their metadata."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jupytext

KINDS = ("derivative", "gradient", "jacobian", "hessian", "identity")
REQUIRED = ("result", "kind", "function", "variables", "claim", "domain")
OPTIONAL = ("proved",)
# A claim made by one of these agrees with any function, right or wrong.
DIFFERENTIATORS = {"diff", "Derivative", "jacobian", "hessian", "gradient", "derive_by_array", "fdiff"}


class CheckError(ValueError):
    """A check cell cannot be used; one sentence says where and why."""


@dataclass(frozen=True)
class Check:
    """One check cell: a result of the book, and the names that its cell uses for function and claim.

    Attributes
    ----------
    page : str
        The page without its extension, for example ``book/information/entropy``.
    cell : int
        Which code cell of the page, from 1.
    source : str
        The text of the cell.
    result : str
        The label of the equation.
    kind : str
        One of `KINDS`.
    function, claim : str
        Names in the cell.
    variables : tuple of str
        Names of symbols, or of tuples of symbols, in the cell.
    domain : tuple of (str, float, float)
        For each variable and each other free symbol, the interval that the random points come from.
    proved : str
        The sizes for which the symbolic proof holds; "in general" if it holds for all.
    """

    page: str
    cell: int
    source: str
    result: str
    kind: str
    function: str
    claim: str
    variables: tuple[str, ...]
    domain: tuple[tuple[str, float, float], ...]
    proved: str = "in general"

    @property
    def where(self) -> str:
        """The words that begin every message about this check."""
        return f"{self.page}, code cell {self.cell}, check of {self.result}"


def check_of(page: str, cell: int, source: str, metadata: object) -> Check:
    """Make a check of a cell and its metadata.

    Parameters
    ----------
    page, cell, source
        As in `Check`.
    metadata : object
        The value of ``check`` in the metadata of the cell.

    Returns
    -------
    Check
        The validated check.

    Raises
    ------
    CheckError
        In one sentence, the first thing that is wrong.
    """
    where = f"{page}, code cell {cell}"
    if not isinstance(metadata, dict):
        raise CheckError(f"{where}: `check` has to be a mapping with the keys {', '.join(REQUIRED)}.")
    if not isinstance(metadata.get("result"), str):
        raise CheckError(f"{where}: `check` has no `result`; give the label of the equation that the cell proves.")
    where = f"{where}, check of {metadata['result']}"
    if not metadata["result"].startswith("eq-"):
        raise CheckError(f"{where}: the label of a result starts with `eq-`.")
    if missing := [key for key in REQUIRED if key not in metadata]:
        raise CheckError(f"{where}: the metadata lacks `{missing[0]}`.")
    if unknown := [key for key in metadata if key not in REQUIRED + OPTIONAL]:
        raise CheckError(f"{where}: the metadata has the unknown key `{unknown[0]}`.")
    if metadata["kind"] not in KINDS:
        raise CheckError(f"{where}: the kind `{metadata['kind']}` is not one of {', '.join(KINDS)}.")
    for key in ("function", "claim"):
        if not (isinstance(metadata[key], str) and metadata[key].isidentifier()):
            raise CheckError(f"{where}: `{key}` has to be the name of an expression in the cell.")
    variables = metadata["variables"]
    if not (isinstance(variables, list) and all(isinstance(name, str) for name in variables)):
        raise CheckError(f"{where}: `variables` has to be a list of names.")
    if not variables and metadata["kind"] != "identity":
        raise CheckError(f"{where}: `variables` is empty, so there is nothing to differentiate with respect to.")
    proved = metadata.get("proved", "in general")
    if not isinstance(proved, str):
        raise CheckError(f"{where}: `proved` has to be text such as `for k = 3`.")
    check = Check(
        page, cell, source, metadata["result"], metadata["kind"], metadata["function"], metadata["claim"],
        tuple(variables), _domain_of(where, metadata["domain"]), proved,
    )  # fmt: skip
    claim_statement(check)
    return check


def _domain_of(where: str, domain: object) -> tuple[tuple[str, float, float], ...]:
    """Validate the intervals of a check."""
    if not (isinstance(domain, dict) and domain):
        raise CheckError(f"{where}: `domain` has to map each variable and free symbol to an interval [low, high].")
    intervals = []
    for name, interval in domain.items():
        numbers = isinstance(interval, list) and len(interval) == 2 and all(
            isinstance(end, (int, float)) and not isinstance(end, bool) for end in interval
        )  # fmt: skip
        if not numbers or not interval[0] < interval[1]:
            raise CheckError(f"{where}: the domain of `{name}` has to be [low, high] with numbers low < high.")
        intervals.append((str(name), float(interval[0]), float(interval[1])))
    return tuple(intervals)


def claim_statement(check: Check) -> int:
    """Find the plain statement that assigns the claim, and refuse a cell whose assertion cannot mean anything.

    Parameters
    ----------
    check : Check
        The check.

    Returns
    -------
    int
        Index of the statement among the top-level statements of the cell.

    Raises
    ------
    CheckError
        If the cell is not plain Python, imports more than SymPy, asserts nothing, does not assign the claim exactly
        once by a plain statement, or computes the claim by differentiation.
    """
    try:
        body = ast.parse(check.source).body
    except SyntaxError as error:
        raise CheckError(f"{check.where}: the cell is not plain Python ({error.msg}, line {error.lineno}).") from None
    imported = {name for statement in body for name in _imports(statement)}
    if imported - {"sympy"}:
        raise CheckError(
            f"{check.where}: the cell imports {sorted(imported - {'sympy'})[0]}; it may import only SymPy."
        )
    if not any(isinstance(node, ast.Assert) for statement in body for node in ast.walk(statement)):
        raise CheckError(f"{check.where}: the cell asserts nothing, so it proves nothing.")
    places = []
    computed: set[str] = set()
    for place, statement in enumerate(body):
        if not isinstance(statement, ast.Assign):
            continue
        names = {node.id for target in statement.targets for node in ast.walk(target) if isinstance(node, ast.Name)}
        used = set(_names(statement.value))
        if used & (DIFFERENTIATORS | computed):
            computed |= names
        if check.claim in names:
            places.append(place)
            if len(statement.targets) != 1 or not isinstance(statement.targets[0], ast.Name):
                raise CheckError(
                    f"{check.where}: assign the claim `{check.claim}` alone, by a statement `{check.claim} = …`."
                )
    if len(places) != 1:
        raise CheckError(
            f"{check.where}: the claim `{check.claim}` is assigned {len(places)} times; assign it once, "
            f"by a plain statement `{check.claim} = …`."
        )
    if check.claim in computed:
        raise CheckError(
            f"{check.where}: the claim `{check.claim}` is computed by differentiation; write out what the equation says."
        )
    value = body[places[0]].value
    if isinstance(value, ast.Name) and value.id == check.function:
        raise CheckError(f"{check.where}: the claim `{check.claim}` is the function itself; write out the other side.")
    return places[0]


def _imports(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


def _names(expression: ast.expr) -> Iterator[str]:
    """All names and attributes that an expression mentions."""
    for node in ast.walk(expression):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def checks_in(text: str, page: str) -> list[Check]:
    """Collect the checks of one page.

    Parameters
    ----------
    text : str
        The MyST notebook.
    page : str
        Its name, for messages and links.

    Returns
    -------
    list of Check
        In the order of the page.

    Raises
    ------
    CheckError
        If a check cell cannot be used.
    """
    if "check" not in text:  # most pages have none, and parsing takes a while
        return []
    cells = [cell for cell in jupytext.reads(text, fmt="md:myst").cells if cell.cell_type == "code"]
    return [
        check_of(page, number, cell.source, cell.metadata["check"])
        for number, cell in enumerate(cells, start=1)
        if "check" in cell.metadata
    ]


def collect(pages: dict[str, Path]) -> list[Check]:
    """Collect the checks of all pages.

    Parameters
    ----------
    pages : dict
        The path of each page by its name; paths that do not end in ``.md`` are skipped.

    Returns
    -------
    list of Check
        In the order of `pages`.

    Raises
    ------
    CheckError
        If a check cell cannot be used, or if two of them name the same result.
    """
    checks: list[Check] = []
    seen: dict[str, Check] = {}
    for page, path in pages.items():
        if path.suffix != ".md":
            continue
        for check in checks_in(path.read_text(encoding="utf-8"), page):
            if check.result in seen:
                raise CheckError(f"{check.where}: {seen[check.result].where} checks the same result.")
            seen[check.result] = check
            checks.append(check)
    return checks
