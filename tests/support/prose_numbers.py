"""Find the numbers in prose, and check whether a cell on the same page backs them."""

import io
import re
import tokenize

# 1,000 and 10\,000 and 10{,}000 and a thin space are one number; a comma before a space ends one.
GROUPED = r"\d{1,3}(?:(?:,|\\,|\{,\}|[\u00a0\u2009\u202f])\d{3})+(?!\d)(?:\.\d+)?"
PLAIN = r"\d+(?:\.\d+)?(?:[eE][+\-\u2212]?\d+)?"
NUMBER = re.compile(rf"(?<![\w.])(?:{GROUPED}|{PLAIN})")
OUTPUT_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")
SEPARATORS = re.compile(r"\\,|\{,\}|[,\u00a0\u2009\u202f]")

PACKED = re.compile(r"[A-Za-z0-9+/=]{80,}")

NOT_PROSE = [
    re.compile(r"^(?P<fence>`{3,}|~{3,})(?!\{).*?^(?P=fence)\s*$", re.MULTILINE | re.DOTALL),  # a listing, not executed
    re.compile(r"^\s*(?:`{3,}|:{3,})\{[\w:-]+\}[^\S\n]*\S+$", re.MULTILINE),  # a directive with a label or a file name
    re.compile(r"^\s*:[\w-]+:.*$", re.MULTILINE),  # options of a directive
    re.compile(r"<!--.*?-->", re.DOTALL),
    re.compile(r"^`{3}\{repair-this-one\}$.*?^`{3}$", re.MULTILINE | re.DOTALL),  # the build runs these examples
    re.compile(r"`[01]+`|(?:CC BY|Attribution) 4\.0"),  # codewords, and the name of a licence
    re.compile(r"\{[\w:-]+\}`[^`]*`"),  # roles: citations, references, terms
    re.compile(r"\]\([^)\s]*\)|<https?://[^>]*>"),  # addresses
    re.compile(r"^\([\w-]+\)=\s*$|\$\$\s*\([\w-]+\)", re.MULTILINE),  # labels
]


def numbers_in_prose(markdown: str, years: set[str]) -> list[str]:
    """List the numbers that need a source: every decimal number, and every whole number of three or more digits.

    Parameters
    ----------
    markdown : str
        MyST Markdown without code cells.
    years : set of str
        Years in the bibliography, which need no source.

    Returns
    -------
    list of str
        The numbers as written, without thousands separators, in order.
    """
    for pattern in NOT_PROSE:
        markdown = pattern.sub(" ", markdown)
    found = []
    for match in NUMBER.finditer(markdown):
        number = SEPARATORS.sub("", match[0]).replace("\u2212", "-")
        mantissa = re.split("[eE]", number)[0]
        if ("." in mantissa or len(mantissa) > 2 or mantissa != number) and number not in years:
            found.append(number)
    return found


def numbers_in_output(text: str) -> set[str]:
    """Collect the numbers in a text output, and the mantissas of those with an exponent."""
    text = re.sub(r"(?<=\d)[,_](?=\d{3}(?!\d))", "", text)
    numbers = set(OUTPUT_NUMBER.findall(text))
    return numbers | {re.split("[eE]", number)[0] for number in numbers}


def literals_in_code(source: str) -> set[str]:
    """Collect the numbers that a code cell was given: its literals, and numbers within its strings, such as a table.

    Packed data (long lines without a space) are left out: nobody reads their numbers, and they would back almost any.
    """
    numbers: set[str] = set()
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (tokenize.TokenError, SyntaxError):  # a magic command
        return numbers
    for token in tokens:
        if token.type in (tokenize.NUMBER, tokenize.STRING):
            numbers |= numbers_in_output(PACKED.sub("", token.string))
    return numbers


def is_backed(number: str, sources: set[str]) -> bool:
    """Whether a number agrees with one of the sources to the digits that it shows.

    Parameters
    ----------
    number : str
        The number as in the prose, without separators.
    sources : set of str
        Numbers in outputs and literals on the page.

    Returns
    -------
    bool
        True if a source equals it or rounds to it. A whole number must be equal.
    """
    value = float(number)
    if any(float(source) == value for source in sources):
        return True
    if "." not in number:
        return False
    mantissa, _, exponent = number.lower().partition("e")
    half = 0.5 * 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    # A source that shows fewer digits than the prose does not back the digits it lacks.
    return any(
        abs(float(source) - value) <= half * (1 + 1e-9) and _digits(source) > _digits(number) for source in sources
    )


def _digits(number: str) -> int:
    """The place of the last digit shown, counted after the point."""
    mantissa, _, exponent = number.lower().partition("e")
    return len(mantissa.partition(".")[2]) - int(exponent or 0)
