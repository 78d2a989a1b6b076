"""The style of the bibliography: each entry is labelled by author and year, exactly as the text cites it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pybtex.database import Entry
from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style
from pybtex.style.labels import BaseLabelStyle
from pybtex.style.sorting.author_year_title import SortingStyle
from sphinx.application import Sphinx
from sphinxcontrib.bibtex.style.referencing import PersonStyle
from sphinxcontrib.bibtex.style.template import join, year

NAME = "author-year"


@dataclass
class Names:
    """What the templates ask for: how names are written."""

    person: PersonStyle


class AuthorYearLabels(BaseLabelStyle):
    """Labels such as `Kullback and Leibler, 1951`, made with the templates of the reference style `author_year`."""

    def format_labels(self, sorted_entries: Iterable[Entry]) -> Iterator[str]:
        """Yield the label of each entry."""
        person = PersonStyle()
        template = join(sep=", ")[person.author_or_editor_or_title(full=False), year]
        for entry in sorted_entries:
            yield str(template.format_data({"entry": entry, "style": Names(person)}))


class AuthorYearStyle(Style):
    """pybtex's plain style, with labels and sorting by author and year."""

    default_label_style = AuthorYearLabels
    default_sorting_style = SortingStyle


def setup(app: Sphinx) -> dict[str, bool]:
    """Make the style known to pybtex, where sphinxcontrib-bibtex looks for it."""
    register_plugin("pybtex.style.formatting", NAME, AuthorYearStyle)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
