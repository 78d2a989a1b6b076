"""Every number in the prose is computed on its page, or is an input of a cell there."""

import re

import pytest

from tests.support import ROOT
from tests.support.book_pages import code_cells, markdown_of, pages
from tests.support.prose_numbers import is_backed, literals_in_code, numbers_in_output, numbers_in_prose


def years() -> set[str]:
    """The years in the bibliography."""
    return set(re.findall(r"year\s*=\s*[{\"]?(\d{4})", (ROOT / "book/references.bib").read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", pages())
def test_every_number_in_the_prose_is_in_a_cell_of_the_page(site, page):
    sources: set[str] = set()
    captions = []
    for cell in code_cells(site, page):
        sources |= numbers_in_output(cell.printed) | literals_in_code(cell.source)
        figure = cell.metadata.get("mystnb", {})
        captions += [figure.get("figure", {}).get("caption", ""), figure.get("image", {}).get("alt", "")]
    prose = "\n\n".join([markdown_of(page), *captions])
    unbacked = [number for number in numbers_in_prose(prose, years()) if not is_backed(number, sources)]
    assert not unbacked, (
        f"{page}: no cell of the page prints or is given these numbers of its prose, captions or alt texts: {unbacked}; "
        "compute and print them, to as many digits"
    )


@pytest.mark.parametrize(
    ("markdown", "numbers"),
    [
        ("It is 0.721 bits, both ways.", ["0.721"]),
        ("It ends in 2.585.", ["2.585"]),
        ("Of 2201 people 711 survived; 17 children did not.", ["2201", "711"]),
        ("1,000 and 10\\,000 and 10{,}000 and 1\u2009000 steps", ["1000", "10000", "10000", "1000"]),
        ("(12,345)", ["12345"]),
        ("$D = 0.5$ and $-1.25$ and \u22121.5", ["0.5", "1.25", "1.5"]),
        ("$$\n1.75 = \\tfrac{7}{4}\n$$ (eq-x-100)", ["1.75"]),
        ("4.2e-18 and $9.08 \\cdot 10^{-5}$ and 1e-16", ["4.2e-18", "9.08", "1e-16"]),
        ("| 0.25 | 12 |", ["0.25"]),
        ("{numref}`fig-100` and {cite}`shannon1948` and {eq}`eq-1.5`", []),
        ("[a page](https://x.org/123/4.5) <https://x.org/678>", []),
        ("```{figure} 123.png\n:name: fig-1.5\n:width: 300px\nA caption with 0.75.\n```", ["0.75"]),
        ("```python\nx = 0.123\n```\n\nand 0.5", ["0.5"]),
        ("Shannon (1948) found in 1949", ["1949"]),
        ("p1.5 and x_{12} and ps1 and version 3.11.7", ["3.11"]),
        ("Step 12, page 7, 99 %", []),
        ("the codewords `0`, `110` and `1110`, but `112` and 110, under CC BY 4.0", ["112", "110"]),
    ],
)
def test_the_numbers_in_prose_are_found(markdown, numbers):
    assert numbers_in_prose(markdown, {"1948"}) == numbers


@pytest.mark.parametrize(
    ("number", "output", "backed"),
    [
        ("2.585", "2.584962500721156", True),
        ("2.585", "2.585", True),
        ("2.585", "2.58", False),
        ("2.585", "2.586", False),
        ("2.58", "2.584962500721156", True),
        ("2.59", "2.584962500721156", False),
        ("0.50", "0.5", True),
        ("0.7", "0.6931", True),
        ("0.75", "0.7", False),
        ("1000", "1,000 steps", True),
        ("1000", "1_000", True),
        ("1000", "1000.4", False),
        ("711", "7110", False),
        ("9.08", "9.08e-05", True),
        ("4.2e-18", "4.248354255291589e-18", True),
        ("4.2e-18", "4.248354255291589e-17", False),
        ("0.721", "[0.721 1.5]", True),
        ("0.5", "no number", False),
    ],
)
def test_a_number_agrees_to_the_digits_it_shows(number, output, backed):
    assert is_backed(number, numbers_in_output(output)) is backed


def test_literals_are_numbers_that_a_cell_was_given():
    source = 'x = 0.25  # 0.75 in a comment\ny = [1_000, 2e-3]\ntable = """adult,154\nchild,0.125"""'
    assert {"0.25", "1000", "2e-3", "154", "0.125"} <= literals_in_code(source)
    assert "0.75" not in literals_in_code(source)
    assert literals_in_code(f'PACKED = """{"QUJD+123/456" * 10}"""\nn = 7') == {"7"}
    assert literals_in_code("%timeit f(0.5)") == {"0.5"}  # a magic command is not Python, but can be read anyway
    assert literals_in_code('"""0.5') == set()  # what no reader can take apart was given nothing
