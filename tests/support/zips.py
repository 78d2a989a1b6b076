"""Zips as platforms pack them."""

import io
import zipfile


def zipped(*files, date=(2026, 10, 12, 23, 50, 0)):
    """Write a zip of names and contents, all with one date; return its bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name, date), data)
    return made.getvalue()
