"""Make the pages light: one style sheet of the rules in use, a font of the icons in use, deferred scripts and figures.

On a phone, a long page costs most in styling and layout, so elements that show nothing of their own are removed, the
colour mode is set before the first layout instead of after it, and nothing asks for the layout of what is not in sight
(reading.css leaves out the sections further down).

The theme brings 400 kB of styles, all icons of Font Awesome twice (as a script of 1.5 MB and as fonts), and scripts
that delay the first paint.
"""

import hashlib
import html
import json
import logging
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import tinycss2
from fontTools import subset
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from tinycss2.ast import AtRule, Node, QualifiedRule

NAME = "site"
ICON_SCRIPT = "scripts/fontawesome.js"
ICON_FONTS = "vendor/fontawesome/webfonts"
PRIVATE_USE = range(0xE000, 0xF900)  # where Font Awesome has its icons

# Scripts assemble these names from parts, so that no script contains a whole one.
COMPOSED_CLASSES = ("bs-tooltip-", "kind-")
NESTED = {"media", "supports", "layer", "container"}

# Names, punctuation and spaces in code have the same colour as the code itself (course.css), and are half of its
# elements.
PLAIN_CODE = re.compile(r'<span class="(?:n|nn|p|w)">([^<]*)</span>')
CODE = re.compile(r"(<pre>)<span></span>(?!\n)(.*?</pre>)", re.DOTALL)

# The theme starts in a mode that no style defines and corrects it when its scripts arrive: everything is styled twice,
# and a reader in dark mode sees a white page first.
MODE_AFTERWARDS = 'document.documentElement.dataset.theme = localStorage.getItem("theme") || "auto";'
MODE_AT_ONCE = (
    'document.documentElement.dataset.theme = ["light", "dark"].includes(document.documentElement.dataset.mode)'
    " ? document.documentElement.dataset.mode"
    ' : matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";'
    # Print on white: the theme's black headings for print would otherwise appear on the dark mode's background.
    ' addEventListener("beforeprint", () => { const root = document.documentElement.dataset, theme = root.theme;'
    ' root.theme = "light"; addEventListener("afterprint", () => { root.theme = theme; }, {once: true}); });'
)

# The theme asks every box that could scroll for its width, which lays out the whole page, closed folds included, three
# times as long as the rest of it takes on a phone. static/site.js asks when a box is shown.
THEME_SCRIPT = "scripts/pydata-sphinx-theme.js"
TAB_STOPS = re.compile(
    r'document\.querySelectorAll\(\["pre",[^\]]*\]\.join\(", "\)\)\.forEach\(\(?\(?(\w)\)?=>\{\1\.tabIndex=[^{}]*\}\)\)'
)

# Bootstrap is told to mark the section being read in contents (.bd-toc-nav) that this theme does not have. It then takes
# every link on the page and asks whatever it leads to for its place, which lays out the whole page. static/site.js marks
# the sections as they come into sight.
SECTION_MARKS = ' data-bs-spy="scroll"'

# What a page shows at first: not the sections after the first one, and not what is folded.
LATER = re.compile(r'(<section id="(?:(?!<section id=").)*)<section id=".*', re.DOTALL)
FOLD = re.compile(r"<details(?![^>]*\bopen\b).*?</details>", re.DOTALL)

# KaTeX's fonts, by what needs them at first. Each one that arrives late would cause formulas to be laid out again; one
# that nothing needs yet would delay the others.
FORMULA_FONTS = {
    "Main-Regular": 'class="katex"',
    "Math-Italic": "mathnormal",
    "AMS-Regular": r"\b(?:amsrm|mathbb)\b",
    "Size1-Regular": r"\b(?:small-op|delimsizing size1|delim-size1)\b",
    "Size2-Regular": r"\b(?:large-op|delimsizing size2)\b",
    "Size3-Regular": r"\bdelimsizing size3\b",
    "Size4-Regular": r"\b(?:delimsizing size4|delim-size4)\b",
}

LINK = re.compile(r'[ \t]*<link\b[^>]*\brel="stylesheet"[^>]*>\n?')
HREF = re.compile(r'\bhref="([^"]+)"')
SCRIPT = re.compile(r'<script\b(?P<attributes>[^>]*?)\bsrc="(?P<src>[^"]+)"(?P<rest>[^>]*)></script>')
ICON = re.compile(
    r'<(i|span) class="((?:[^"]* )?fa[bsr]? [^"]*|(?:[^"]* )?fa-(?:solid|regular|brands) [^"]*)"(?![^>]*aria-hidden)'
)


def pages_of(folder: Path) -> Iterator[Path]:
    """Yield the pages of a built site, except those in static folders and in JupyterLite."""
    for page in sorted(folder.rglob("*.html")):
        if page.relative_to(folder).parts[0] not in ("_static", "lite"):
            yield page


def static_name(address: str) -> str | None:
    """Return the name inside ``_static`` of the file at an address on a page, or None for other files."""
    _, found, name = urlsplit(html.unescape(address)).path.partition("_static/")
    return name if found else None


def names_in(pages: list[str], scripts: list[str]) -> set[str]:
    """Return what selectors may refer to: tags, classes and ids of the pages, and every word of the scripts."""
    names = {"html", "head", "body"}
    for page in pages:
        names.update(tag.lower() for tag in set(re.findall(r"<([a-zA-Z][\w-]*)", page)))
        for value in set(re.findall(r'\b(?:class|id)="([^"]*)"', page)):
            names.update(html.unescape(value).split())
    for script in scripts:
        names.update(re.findall(r"[A-Za-z_][\w-]*", script))
    return names


def is_used(selector: list[Node], names: set[str]) -> bool:
    """Whether the names include all tags, classes and ids in a selector; arguments of functions are not checked."""
    before = ""
    for token in selector:
        if token.type == "hash" and token.value not in names:
            return False
        if token.type == "ident" and before == "." and token.value not in names:
            return token.value.startswith(COMPOSED_CLASSES)
        if token.type == "ident" and before not in (".", ":") and token.value.lower() not in names:
            return False
        before = token.value if token.type == "literal" else ""
    return True


def selectors_of(prelude: list[Node]) -> Iterator[list[Node]]:
    """Split a rule's prelude at the commas."""
    selector: list[Node] = []
    for token in prelude:
        if token.type == "literal" and token.value == ",":
            yield selector
            selector = []
        elif token.type != "comment":
            selector.append(token)
    yield selector


def written(content: list[Node]) -> str:
    """Write the body of a rule on one line."""
    return re.sub(r"\s+", " ", tinycss2.serialize([token for token in content if token.type != "comment"])).strip()


def used_rules(rules: list[Node], names: set[str]) -> str:
    """Write the rules whose selectors are used, and those without a selector, such as fonts."""
    kept = []
    for rule in rules:
        if isinstance(rule, QualifiedRule):
            selectors = [tinycss2.serialize(s).strip() for s in selectors_of(rule.prelude) if is_used(s, names)]
            if selectors and (body := written(rule.content)):
                kept.append(f"{','.join(selectors)}{{{body}}}")
        elif isinstance(rule, AtRule) and rule.lower_at_keyword != "charset":
            head = f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude).rstrip()}"
            if rule.content is None:
                kept.append(f"{head};")
            elif rule.lower_at_keyword in NESTED:
                inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
                if body := used_rules(inner, names):
                    kept.append(f"{head}{{{body}}}")
            else:
                kept.append(f"{head}{{{written(rule.content)}}}")
    return "\n".join(kept)


def sheet_text(static: Path, name: str) -> str:
    """Read a style sheet with its imports, and make its addresses relative to the static folder."""
    folder = posixpath.dirname(name)

    def imported(match: re.Match[str]) -> str:
        return sheet_text(static, posixpath.normpath(posixpath.join(folder, match[1])))

    def moved(match: re.Match[str]) -> str:
        address = match[1].strip("\"' ")
        if address.startswith(("data:", "#", "/")) or urlsplit(address).scheme:
            return match[0]
        return f"url({posixpath.normpath(posixpath.join(folder, address))})"

    text = (static / name).read_text(encoding="utf-8")
    text = re.sub(r"url\(((?:\"[^\"]*\"|'[^']*'|[^)])*)\)", moved, text)
    return re.sub(r'@import\s+"([^":]+)";', imported, text)


def subset_icons(static: Path, css: str) -> str:
    """Make fonts of only the icons that the styles show, and make the styles load those."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it reports every table of a font
    shown = {int(code, 16) for code in re.findall(r"\\([ef][0-9a-f]{3})\b", css)}
    shown |= {ord(character) for character in css if ord(character) in PRIVATE_USE}

    def smaller(match: re.Match[str]) -> str:
        font = subset.load_font(static / ICON_FONTS / f"{match[1]}.ttf", subset.Options(flavor="woff"))
        worker = subset.Subsetter(subset.Options(flavor="woff", layout_features=[], notdef_outline=True))
        worker.populate(unicodes=shown & set(font.getBestCmap()))
        worker.subset(font)
        font.recalcTimestamp = False
        (static / "icons").mkdir(exist_ok=True)
        subset.save_font(font, static / "icons" / f"{match[1]}.woff", subset.Options(flavor="woff"))
        return f'src:url(icons/{match[1]}.woff) format("woff")'

    return re.sub(rf"src:\s*url\({ICON_FONTS}/([\w-]+)\.woff2\)[^;}}]*", smaller, css)


def bundle(static: Path, sheets: list[str], names: set[str]) -> str:
    """Write the style sheet of the site; return its name, which contains a digest of its content."""
    texts = [sheet_text(static, name) for name in sheets]
    digest = hashlib.sha256(json.dumps([texts, sorted(names)]).encode()).hexdigest()[:12]
    file = static / f"{NAME}-{digest}.css"
    rules = tinycss2.parse_stylesheet("\n".join(texts), skip_comments=True, skip_whitespace=True)
    file.write_text(subset_icons(static, used_rules(rules, names)), encoding="utf-8")
    return file.name


def lighter(page: str, static: Path, sheet: str) -> str:
    """Return a page with only the one style sheet, without the icon script, with scripts and figures deferred."""
    links = [link for link in LINK.finditer(page) if static_name(HREF.search(link[0])[1]) is not None]
    if links:
        root = HREF.search(links[0][0])[1].partition("_static/")[0]
        shown = FOLD.sub("", LATER.sub(r"\1", page))
        whole = {link[0] for link in links}
        one = "".join(
            f'    <link rel="preload" as="font" type="font/woff2" crossorigin'
            f' href="{root}_static/katex/fonts/KaTeX_{font}.woff2" />\n'
            for font, need in FORMULA_FONTS.items()
            if re.search(need, shown)
        )
        one += f'    <link rel="stylesheet" href="{root}_static/{sheet}" />\n'
        page = page[: links[0].start()] + "\0" + page[links[0].start() :]
        page = LINK.sub(lambda link: "" if link[0] in whole else link[0], page).replace("\0", one, 1)
    page = re.sub(r'[ \t]*<link rel="preload" as="script"[^>]*>\n?', "", page)
    page = re.sub(r"<img (?![^>]*\bloading=)(?=[^>]*/_images/)", '<img loading="lazy" ', page)
    page = ICON.sub(lambda tag: f'{tag[0]} aria-hidden="true"', page)
    page = CODE.sub(lambda code: code[1] + PLAIN_CODE.sub(r"\1", code[2]), page)
    page = page.replace(MODE_AFTERWARDS, MODE_AT_ONCE).replace(SECTION_MARKS, "")

    def waiting(script: re.Match[str]) -> str:
        name = static_name(script["src"])
        if name == ICON_SCRIPT:
            return ""
        if name == "documentation_options.js":  # short, and a later line on the page adds to it
            return f"<script>{(static / name).read_text(encoding='utf-8')}</script>"
        if re.search(r"\b(?:defer|async|type)\b", script["attributes"] + script["rest"]):
            return script[0]
        return f'<script defer{script["attributes"] or " "}src="{script["src"]}"{script["rest"]}></script>'

    return SCRIPT.sub(waiting, page)


def without_tab_stops(script: str) -> str:
    """Return the theme's script without the lines that ask boxes for their widths.

    Raises
    ------
    sphinx.errors.ExtensionError
        If a new release of the theme has other lines.
    """
    rest, found = TAB_STOPS.subn("", script)
    if found != 1:
        raise ExtensionError(f"{THEME_SCRIPT} no longer has the lines that {__name__} takes out; see TAB_STOPS there.")
    return rest


def lighten(app: Sphinx, error: Exception | None) -> None:
    """Rewrite the finished pages."""
    if error or app.builder.format != "html":
        return
    site, static = Path(app.outdir), Path(app.outdir, "_static")
    texts = {page: page.read_text(encoding="utf-8") for page in pages_of(site)}
    sheets: dict[str | None, None] = {}  # in the order in which the pages ask for them
    scripts = set()
    for text in texts.values():
        sheets |= dict.fromkeys(static_name(HREF.search(link[0])[1]) for link in LINK.finditer(text))
        scripts.update(static_name(script["src"]) for script in SCRIPT.finditer(text))
    wanted = [name for name in sheets if name is not None and (static / name).is_file()]
    inline = [code for text in texts.values() for code in re.findall(r"<script\b[^>]*>([^<]+)", text)]
    files = sorted(name for name in scripts - {None, ICON_SCRIPT} if (static / name).is_file())
    names = names_in(list(texts.values()), [*inline, *((static / n).read_text(encoding="utf-8") for n in files)])
    sheet = bundle(static, wanted, names)
    for page, text in texts.items():
        if (light := lighter(text, static, sheet)) != text:
            page.write_text(light, encoding="utf-8")
    theme = static / THEME_SCRIPT
    theme.write_text(without_tab_stops(theme.read_text(encoding="utf-8")), encoding="utf-8")
    for needless in [*static.glob("scripts/fontawesome.js*"), *static.rglob("*.map")]:
        needless.unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("build-finished", lighten, priority=900)  # all files are there by then
    return {"parallel_read_safe": True, "parallel_write_safe": True}
