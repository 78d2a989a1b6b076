"""Where a label is: on which page, and in which section."""

from dataclasses import dataclass

from docutils import nodes
from sphinx.environment import BuildEnvironment


@dataclass(frozen=True)
class Place:
    """A section of the book.

    Attributes
    ----------
    page : str
        The page's name.
    section : str
        The id of the section.
    title : nodes.title
        Its heading.
    """

    page: str
    section: str
    title: nodes.title


def places(env: BuildEnvironment) -> dict[str, Place]:
    """Return the section of every label that an author has given, and the first section of every page by its name."""
    labels = {label: page for label, (page, _) in env.get_domain("std").anonlabels.items()}
    labels |= {label: entry["docname"] for label, entry in getattr(env, "proof_list", {}).items()}
    found: dict[str, Place] = {}
    for page in sorted(env.found_docs):
        for section in env.get_doctree(page).findall(nodes.section):
            title = section.next_node(nodes.title)
            if title is None or title.parent is not section:
                continue  # the body of a definition
            place = Place(page, section["ids"][0], title.deepcopy())
            found.setdefault(page, place)
            # Sections inside this one come later, and take their labels over.
            for node in section.findall(nodes.Element):
                found.update((name, place) for name in node["ids"] if labels.get(name) == page)
    return found
