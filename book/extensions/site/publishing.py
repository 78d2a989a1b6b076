"""Make the site ready for its address: what search engines need, and the page for addresses that lead nowhere.

The address is the setting ``html_baseurl`` in _config.yml, or the variable SITE_URL where a site is published. This
module also passes it to sphinxext.opengraph and notfound.extension.
"""

import html
import os
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from xml.sax.saxutils import escape

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

# The page for lost addresses may be shown for an address of any depth, so its own addresses begin at the server's root. A
# site in a folder of a server, whose address nobody has set, is found by trying the folders of the lost address.
FIND_THE_SITE = """<script>
addEventListener("load", async () => {
  const sheet = document.querySelector('link[rel="stylesheet"]');
  if (sheet.sheet?.cssRules.length) return;  // Chromium has an empty one for a file that is not there
  const folders = location.pathname.split("/").slice(1, -1);
  for (let depth = 1; depth <= folders.length; depth += 1) {
    const site = `/${folders.slice(0, depth).join("/")}`;
    const answer = await fetch(site + sheet.getAttribute("href"), { method: "HEAD" });
    if (!answer.ok) continue;
    for (const name of ["href", "src", "action"]) {
      for (const one of document.querySelectorAll(`[${name}^="/"]`)) one.setAttribute(name, site + one.getAttribute(name));
    }
    return;
  }
});
</script>
"""


def is_here(address: str) -> bool:
    """Whether an address is empty or points to this machine."""
    return urlsplit(address).hostname in (None, "localhost", "127.0.0.1")


def sitemap(base: str, pages: list[str]) -> str:
    """Write the sitemap of pages whose addresses are relative to the site's root."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">']
    lines += [f"  <url><loc>{escape(urljoin(base, page))}</loc></url>" for page in pages]
    return "\n".join([*lines, "</urlset>", ""])


def redirect(title: str, address: str) -> str:
    """Write a page that redirects to another."""
    title, address = html.escape(title), html.escape(address)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8" />\n<title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1" />\n'
        f'<meta name="description" content="The course {title} begins on another page, which opens by itself." />\n'
        f'<meta http-equiv="refresh" content="0; url={address}" />\n</head>\n<body>\n'
        f'<main>\n<h1>{title}</h1>\n<p><a href="{address}">Begin to read</a></p>\n</main>\n</body>\n</html>\n'
    )


def head_of_page(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Name no canonical address if that is on this machine, and let the 404 page find the site's root."""
    if is_here(app.config.html_baseurl):
        context["pageurl"] = None
    if page == app.config.notfound_pagename:
        context["content_root"] = app.config.notfound_urls_prefix  # for scripts; notfound.extension handles the links
        context["metatags"] = (
            f'{context.get("metatags", "")}\n<meta name="robots" content="noindex" />\n{FIND_THE_SITE}'
        )


def write_site_files(app: Sphinx, error: Exception | None) -> None:
    """Write the site's files other than its pages."""
    if error or app.builder.format != "html":
        return
    base, site = app.config.html_baseurl, Path(app.outdir)
    pages = [app.builder.get_target_uri(page) for page in sorted(app.env.found_docs)]
    (site / "sitemap.xml").write_text(sitemap(base, pages), encoding="utf-8")
    (site / "robots.txt").write_text(f"User-agent: *\nAllow: /\nSitemap: {urljoin(base, 'sitemap.xml')}\n")
    first = app.builder.get_target_uri(app.config.root_doc)
    if first != "index.html":
        (site / "index.html").write_text(redirect(app.config.html_title, first), encoding="utf-8")
    # When GitHub publishes a branch, it would otherwise leave out folders that begin with an underscore.
    (site / ".nojekyll").touch()


def take_address(app: Sphinx, config: Config) -> None:
    """Take the site's address from the environment, if set there, and pass it on to the extensions that need it."""
    address = os.environ.get("SITE_URL", "").strip() or config.html_baseurl
    config.html_baseurl = config.ogp_site_url = address if address.endswith("/") else f"{address}/"
    config.notfound_urls_prefix = urlsplit(config.html_baseurl).path
    config.ogp_site_name = config.html_title


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("config-inited", take_address, priority=400)  # before the extensions that need it
    app.connect("html-page-context", head_of_page)
    app.connect("build-finished", write_site_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
