"""How much of a submission a page shows. The graded notebook itself holds it all.

A notebook of a few megabytes may hold a million headings or thousands of pictures; a page of them opens in no browser,
and takes a gigabyte to make. So each kind of thing has a number and a size.
"""

from __future__ import annotations

import html
import re

#: Characters of one text output; a page is read on a phone.
MAX_TEXT = 4_000
#: Characters of one answer; an honest one has some two thousand.
MAX_ANSWER = 20_000
#: Characters of all answers, of all outputs and of all messages, as they are written in HTML.
MAX_ANSWERS, MAX_OUTPUTS, MAX_MESSAGES = 150_000, 100_000, 300_000
#: Headings, and characters of one.
MAX_HEADINGS, MAX_HEADING = 100, 150
#: Cells, other than answers and tests, whose outputs are shown.
MAX_CELLS = 200
#: Pictures, and characters of one and of all: base64 of a figure has some fifty thousand.
MAX_PICTURES, MAX_PICTURE, MAX_ALL_PICTURES = 100, 2_000_000, 10_000_000
#: For the formgrader, where a person grades by hand: characters of all sources, and cells in addition to the set's.
MAX_SOURCES, MAX_FOREIGN_CELLS = 400_000, 200
#: Outputs of one cell.
MAX_OUTPUTS_OF_A_CELL = 50
#: Notices, and characters of one.
MAX_NOTICES, MAX_NOTICE = 50, 1_000

#: Replaces what was left out.
CUT = "… (cut)"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def short(text: str, most: int = MAX_TEXT) -> str:
    """Return a text without a terminal's colours, and no longer than this."""
    # A colour takes some characters more; what is far too long is not searched for them.
    text = _COLOURS.sub("", text[: 4 * most + 1_000])
    if len(text) <= most:
        return text
    return f"{text[:most]}\n{CUT}" if most else CUT


class Room:
    """What is left of the characters that a page has for one kind of text.

    Parameters
    ----------
    most : int
        Characters at the beginning.
    """

    def __init__(self, most: int):
        self.left = most

    def fit(self, text: str, most: int = MAX_TEXT) -> str:
        """Return as much of a text as there is room for, counted as HTML."""
        text = short(text, most)
        size = len(html.escape(text))
        if size > self.left:
            text = short(text, len(text) * self.left // size)
        self.left = max(0, self.left - size)
        return text


class PictureRoom:
    """What is left of the pictures that a page has."""

    def __init__(self):
        self.count, self.size = MAX_PICTURES, MAX_ALL_PICTURES

    def fits(self, data: str) -> bool:
        """Whether there is room for a picture, which then takes it."""
        if not self.count or len(data) > min(self.size, MAX_PICTURE):
            return False
        self.count, self.size = self.count - 1, self.size - len(data)
        return True
