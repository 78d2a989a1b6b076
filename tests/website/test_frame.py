"""What stands around the text of a page: the glossary's links, parts, times, the line about the next chapter, the foot."""

import re
import tomllib
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from tests.support import ROOT
from tests.support.book_pages import chapters, glossary, html_of, pages
from tests.support.visits import DESK, PHONE

GLOSSARY = "book/reference/glossary"


def words(text: str) -> set[str]:
    """The words of a text, without endings that English varies."""
    return {re.sub(r"(?:ies|y|s|ed|ing|ation)$", "", word) for word in re.findall(r"[a-z]+", text.lower())}


def test_every_term_of_the_glossary_leads_to_a_section_that_mentions_it(site):
    terms = html_of(site, GLOSSARY).select("dl.glossary dt")
    assert len(terms) == len(glossary())
    for term in terms:
        name = term.get_text().strip().removesuffix("#").strip()
        (link,) = term.find_next_sibling("dd").select(".explained a")
        parts = urlsplit(link["href"])
        page = f"book/{unquote(parts.path).removeprefix('../').removesuffix('.html')}"
        assert page in chapters(), f"{name} is explained in {page}"
        section = html_of(site, page).find(id=unquote(parts.fragment))
        assert section.name == "section", f"{name} leads to a {section.name}"
        assert words(name) <= words(section.get_text(" ")), f"{name} is not mentioned where {link['href']} leads"


def test_a_term_that_leads_nowhere_is_a_warning(monkeypatch):
    from docutils import nodes
    from docutils.utils import new_document

    from book.extensions.site import glossary as extension

    warnings = []
    monkeypatch.setattr(extension.logger, "warning", lambda text, *values, **_: warnings.append(text % values))
    document = new_document("x")
    document += nodes.paragraph("", "", extension.explained("", "", label="sec-nowhere"))

    class App:
        places_of_labels: dict = {}  # noqa: RUF012

    extension.link(App(), document, "book/reference/glossary")
    assert warnings == ["no section is labelled sec-nowhere"]


@pytest.mark.parametrize("page", chapters())
def test_a_chapter_names_its_part_and_time_and_says_why_to_read_on(site, page):
    html = html_of(site, page)
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    part = next(part["caption"] for part in toc["parts"] if page in [chapter["file"] for chapter in part["chapters"]])
    above = html.select_one("article > .chapter-part")
    assert re.fullmatch(rf"{part} · about \d+ minutes", above.get_text())
    assert f"part-{part.lower()}" in above["class"]
    below = html.select_one("article > .next-why")
    following = html.select_one("a.right-next")
    assert below.select_one("a")["href"] == following["href"]
    assert len(below.get_text()) > 60


def test_parts_have_the_same_colours_in_the_contents_and_on_the_map(site):
    html = html_of(site, "book/index")
    captions = {caption.get_text(): caption["class"] for caption in html.select(".bd-links .caption-text")}
    for part in ("Information", "Likelihood", "Gradients", "Arrays", "Models"):
        assert f"part-{part.lower()}" in captions[part]
        assert f"var(--part-{part.lower()})" in str(html.select_one("article svg"))
    css = (ROOT / "book" / "static" / "reading.css").read_text(encoding="utf-8")
    style = (ROOT / "book" / "matplotlibrc").read_text(encoding="utf-8")
    colours = {colour.upper() for colour in re.findall(r"--part-\w+: #(\w{6});", css)}
    assert len(colours) == 10
    assert not colours & set(re.findall(r"#(\w{6})", style)), "a part has the colour of a concept"


@pytest.mark.parametrize("window", [DESK, PHONE], ids=["desk", "phone"])
def test_the_words_on_the_map_stay_in_their_boxes(opened, window):
    boxes = opened("book/index.html", window).locator("article svg:visible a")
    assert boxes.count() == len(chapters())
    beyond = boxes.evaluate_all("""all => all.flatMap(box => {
        const edge = box.querySelector("rect").getBBox();
        return [...box.querySelectorAll("text")].filter(line => {
            const words = line.getBBox();
            return words.x < edge.x || words.x + words.width > edge.x + edge.width;
        }).map(line => line.textContent);
    })""")
    assert beyond == []


def test_the_first_page_says_what_a_newcomer_asks(site):
    article = html_of(site, "book/index").select_one("article")
    leads_to = [link["href"] for link in article.select(".landing-actions a")]
    assert leads_to[0] == "information/surprisal.html"
    assert "practice/problem-sets.html" in leads_to
    assert article.select_one("figure .interactive"), "there is nothing to play with"
    assert article.select_one("figure img")["alt"]
    assert re.search(r"About \d+ hours to read, and \d+ more", article.get_text())
    order = [str(article).index(what) for what in ("landing-actions", "For whom", "<figure", "<h2")]
    assert order == sorted(order)


def test_every_page_says_what_may_be_done_with_it(site):
    for page in pages():
        foot = html_of(site, page).select_one("footer .course-footer")
        assert foot.select_one("a[rel=license]")["href"].startswith("https://creativecommons.org/")
        assert any(link["href"].endswith("about.html") or link["href"] == "#" for link in foot.select("a")), page


def test_the_address_for_mistakes_is_shown_where_it_is_configured():
    from jinja2 import Environment, FileSystemLoader

    foot = Environment(loader=FileSystemLoader(ROOT / "book" / "templates"), autoescape=True).get_template(
        "course-footer.html"
    )
    given = {"pathto": lambda page: page, "author": "A", "copyright": "2026"}
    assert "mistake" not in foot.render(**given, feedback_address="")
    assert 'href="mailto:a@example.org"' in foot.render(**given, feedback_address="mailto:a@example.org")


def test_the_citation_the_changes_and_the_package_agree_on_the_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert str(citation["version"]) == version
    assert re.findall(r"^### Version (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0] == version
    assert {"cff-version", "message", "title", "authors"} <= set(citation)


def test_a_figure_of_another_page_keeps_its_pictures_and_loses_its_number():
    from book.extensions.site.borrowed_figures import figure_of

    page = (
        '<figure class="a" id="fig-x"><img src="../../_images/x.png" alt="x"/><figcaption>'
        '<span class="caption-number">Fig. 3.1 </span>Text <a href="#eq">(1)</a> <a href="https://e.org">e</a>'
        '<a class="headerlink" href="#fig-x">#</a></figcaption></figure>'
    )
    assert figure_of(page, "fig-x", "information") == (
        '<figure class="a"><img src="../_images/x.png" alt="x"/><figcaption>'
        'Text <a href="#eq">(1)</a> <a href="https://e.org">e</a></figcaption></figure>'
    )
    with pytest.raises(ValueError, match="fig-y"):
        figure_of(page, "fig-y", "information")
