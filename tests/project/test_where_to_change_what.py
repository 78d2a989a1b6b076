"""The tables in CONTRIBUTING that say where to change what: every file is there, and every name is in one of its row's files."""

import re

import pytest

from tests.support import ROOT

SECTION = re.search(
    r"^## Where to change what$(.+?)^## ",
    (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)[1]
ROWS = re.findall(r"^\| (.+?) \| (.+?) \|$", SECTION.replace("| what | where |\n| --- | --- |", ""), re.MULTILINE)


def test_all_rows_are_read():
    assert len(ROWS) > 50
    assert len(re.findall(r"^\| (?!what \||---)", SECTION, re.MULTILINE)) == len(ROWS)
    assert len({what for what, _ in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("what", "where"), ROWS)
def test_what_a_row_names_exists(what, where):
    files, names, folder = [], [], ROOT
    for word in re.findall(r"`([^`]+)`", where):
        if "/" in word or re.search(r"\w\.\w+$", word):
            # A file without a folder is beside the one before it.
            path = next((path for path in (ROOT / word, folder / word) if path.exists()), None)
            assert path, f"{what}: there is no {word}"
            files.append(path)
            folder = path if path.is_dir() else path.parent
        elif re.fullmatch(r"_?[A-Za-z]\w*_\w+|[A-Z]{4,}", word):
            names.append(word)
    texts = [path.read_text(encoding="utf-8") for path in files if path.is_file()]
    for name in names:
        assert any(re.search(rf"^(?:def )?{name}\b", text, re.MULTILINE) for text in texts), f"{what}: no {name} there"
