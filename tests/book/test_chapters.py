"""The chapters: their parts, the length of their cells, and figures that everyone can read."""

import re

import pytest

from tests.support.book_pages import (
    chapters,
    code_cells,
    directives,
    glossary,
    html_of,
    linked_terms,
    markdown_of,
    median_of_visible_lines,
    pages,
    prose_of,
    sections,
    some_of,
)

LONGEST_CELL = 25  # lines; more does not fit on a screen beside its explanation
MEDIAN_CELL = 6
WORDS_OF_A_CHAPTER = (1400, 3200)  # exercises included; formulas, code and self-checks not
FIGURES_OF_A_CHAPTER = (3, 10)
WORDS_OF_ALT_TEXT = 12  # fewer can name a picture, but not tell what is to be seen in it

# Terms that are everyday words too, or abbreviations that a sentence may use in passing.
EVERYDAY = {"accuracy", "bit", "cache", "score", "support"}


def words(text: str) -> int:
    return len(re.findall(r"[^\W\d_]{2,}", text))


@pytest.mark.parametrize("page", chapters())
def test_a_chapter_opens_with_something_concrete(page):
    opening = sections(page)[""].split("```{admonition}")[0]
    body = re.sub(r"^# .*$", "", opening, flags=re.MULTILINE)
    assert words(body) >= 40, (
        f"{page}: begin with a puzzle or a scene before `What you will learn`; found: {body.strip()}"
    )


@pytest.mark.parametrize("page", chapters())
def test_a_chapter_says_what_you_will_learn(page):
    named = [argument for name, argument, _, _ in directives(page) if name == "admonition"]
    assert "What you will learn" in named, f"{page}: add an admonition `What you will learn` after the opening"


@pytest.mark.parametrize("page", chapters())
def test_a_chapter_has_exercises_with_folded_solutions(page):
    exercises = [
        options.get("label", "") for name, _, options, _ in directives(page) if name in ("exercise", "exercise-start")
    ]
    solutions = {a: options for name, a, options, _ in directives(page) if name in ("solution", "solution-start")}
    assert 6 <= len(exercises) <= 8, f"{page}: has {len(exercises)} exercises; write six to eight"
    for label in exercises:
        assert label.startswith("ex-"), f"{page}: the label of the exercise `{label}` starts with `ex-`"
        assert label in solutions, f"{page}: exercise {label} has no solution"
        assert "dropdown" in solutions[label].get("class", ""), (
            f"{page}: fold the solution of {label} (`:class: dropdown`)"
        )


@pytest.mark.parametrize("page", chapters())
def test_a_chapter_ends_with_its_summary_problem_sets_and_reading(page):
    headings = list(sections(page))
    for heading in ("Exercises", "Summary", "Further reading"):
        assert heading in headings, f"{page}: has no section `{heading}`; its sections are {headings[1:]}"
    listed = [argument for name, argument, _, _ in directives(page) if name == "problem-sets"]
    assert listed == [page.removeprefix("book/")], (
        f"{page}: list its problem sets once, with its own name; found {listed}"
    )


@pytest.mark.parametrize("page", pages())
def test_cells_are_short(site, page):
    cells = code_cells(site, page)
    long = [f"{cell.where}: {cell.lines} lines" for cell in cells if cell.is_in_view and cell.lines > LONGEST_CELL]
    assert not long, (
        f"split or fold these cells (tag hide-input); {LONGEST_CELL} lines is the most a reader sees: {long}"
    )
    median = median_of_visible_lines(cells)
    assert median <= MEDIAN_CELL, f"{page}: the median cell has {median} lines in view; {MEDIAN_CELL} is the most"


@pytest.mark.parametrize("page", pages())
def test_every_cell_was_executed_without_an_error_or_a_warning(site, page):
    for cell in code_cells(site, page):
        for output in cell.outputs:
            assert output["output_type"] != "error", f"{cell.where} ends with {output['ename']}: {output['evalue']}"
            assert output.get("name") != "stderr", f"{cell.where} writes to stderr: {output['text']}"


@pytest.mark.parametrize("page", pages())
def test_what_a_reader_sees_is_formatted(site, page):
    for cell in code_cells(site, page):
        shown = re.search(
            r"np\.(?:float|int|bool|str)\w*\(|<(?:Figure|Axes|matplotlib)\b[^>]*>|\[<matplotlib", cell.printed
        )
        only_figure = cell.has_image and shown and shown[0].startswith("<Figure")
        assert not shown or only_figure, (
            f"{cell.where} shows {shown[0]}; print the number formatted, end a plot with `;`"
        )


@pytest.mark.parametrize("page", chapters())
def test_a_chapter_has_figures(site, page):
    figures = [cell for cell in code_cells(site, page) if cell.has_image]
    least, most = FIGURES_OF_A_CHAPTER
    assert least <= len(figures) <= most, f"{page}: has {len(figures)} figures; {least} to {most} carry a chapter"


@pytest.mark.parametrize("page", chapters())
def test_a_chapter_can_be_read_in_one_sitting(page):
    text = re.sub(r"\{term\}`(?:([^`<]*)<[^`>]*>|([^`<]*))`", r"\1\2", prose_of(page, questions=False))
    text = re.sub(r"\{[\w:-]+\}`([^`<]*)[^`]*`", r"\1", text)
    count = len(re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", re.sub(r"`[^`]*`", "", text)))
    least, most = WORDS_OF_A_CHAPTER
    assert least <= count <= most, f"{page}: has {count} words of prose; {least} to {most} are what a reader takes in"


@pytest.mark.parametrize("page", chapters())
def test_a_chapter_links_the_terms_that_it_uses(page):
    """Each glossary term in the prose is linked at least once; a longer term hides a shorter one within it."""
    names = {form: term for term in glossary() for form in (term.lower(), f"{term.lower()}s", f"{term.lower()}es")}
    pattern = re.compile(
        rf"(?<![\w-])({'|'.join(map(re.escape, sorted(names, key=len, reverse=True)))})(?![\w-])", re.IGNORECASE
    )
    text = re.sub(r"\{[\w:-]+\}`[^`]*`|`[^`]*`", " ", prose_of(page))
    used = {names[match.lower()] for match in pattern.findall(text)}
    missing = sorted(term for term in used - EVERYDAY if term.lower() not in linked_terms(page))
    assert not missing, f"{page}: link these terms where they first appear, as {{term}}`…`: {missing}"


@pytest.mark.parametrize("page", pages())
def test_every_generated_figure_can_be_read_without_seeing_it(site, page):
    for cell in code_cells(site, page):
        if not cell.has_image:
            continue
        settings = cell.metadata.get("mystnb", {})
        alt = settings.get("image", {}).get("alt", "")
        assert words(alt) >= WORDS_OF_ALT_TEXT, (
            f"{cell.where}: say in mystnb.image.alt what is to be seen; it says: {alt!r}"
        )
        figure = settings.get("figure", {})
        assert figure.get("name", "").startswith("fig-"), f"{cell.where}: give the figure a mystnb.figure.name `fig-…`"
        assert words(figure.get("caption", "")) >= 4, f"{cell.where}: give the figure a mystnb.figure.caption"
        assert figure["caption"].strip() != alt.strip(), f"{cell.where}: the caption says why, the alt text says what"
        assert not cell.is_in_view, f"{cell.where}: fold the code of the figure (tag hide-input)"


@pytest.mark.parametrize("page", pages())
def test_every_other_image_has_alt_text(page):
    for name, argument, options, line in directives(page):
        if name in ("image", "figure"):
            assert words(options.get("alt", "")) >= WORDS_OF_ALT_TEXT, (
                f"{page}.md, line {line}: {argument} has no alt text"
            )
    for alt, address in re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", markdown_of(page)):
        assert words(alt) >= WORDS_OF_ALT_TEXT, f"{page}: {address} has no alt text that describes it"


@pytest.mark.parametrize("page", pages())
def test_every_picture_of_the_site_has_alt_text_and_a_size(site, page):
    html = html_of(site, page)
    for image in some_of(html, "article img") if page in chapters() else html.select("article img"):
        assert image.get("alt", "").strip(), f"{page}.html: {image['src']} has no alt text"
        assert not image["src"].endswith(".png") or (image.get("width") and image.get("height")), (
            f"{page}.html: {image['src']} has no width and height, so the text below it jumps"
        )


@pytest.mark.parametrize("page", chapters())
def test_every_figure_is_mentioned_in_the_text(site, page):
    text = "".join(markdown_of(other) for other in chapters())
    for cell in code_cells(site, page):
        name = cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
        assert not name or f"{{numref}}`{name}`" in text or f"<{name}>`" in text, (
            f"{cell.where}: no text refers to {name}"
        )
