"""What a browser fetches with a page: the addresses in its HTML and in its style sheets."""

import tinycss2
from bs4 import BeautifulSoup


def loaded(html: BeautifulSoup) -> list[str]:
    """Everything that a browser fetches by itself when it shows a page."""
    found = [
        tag["src"] for tag in html.select("script[src], img[src], iframe[src], source[src], video[src], audio[src]")
    ]
    found += [
        link["href"]
        for link in html.select("link[href]")
        if set(link["rel"])
        & {"stylesheet", "icon", "preload", "modulepreload", "preconnect", "dns-prefetch", "manifest"}
    ]
    for style in html.select("style"):
        found += addresses_in(style.get_text())
    for tag in html.select("[style]"):
        found += addresses_in(tag["style"])
    return found


def addresses_in(css: str) -> list[str]:
    """The addresses that a style sheet loads: url(…) and @import."""
    found: list[str] = []

    def walk(nodes: list) -> None:
        for place, node in enumerate(nodes):
            if node.type == "url":
                found.append(node.value)
            elif node.type == "function" and node.lower_name == "url":
                found.extend(argument.value for argument in node.arguments if argument.type == "string")
            elif node.type == "at-keyword" and node.lower_value == "import":
                found.extend(
                    following.value for following in nodes[place + 1 : place + 3] if following.type == "string"
                )
            walk(getattr(node, "content", None) or getattr(node, "arguments", None) or [])

    walk(tinycss2.parse_component_value_list(css))
    return found
