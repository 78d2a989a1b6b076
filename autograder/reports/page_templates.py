"""The templates of the pages in this room, which show what students wrote as text and refuse a value that is missing."""

from __future__ import annotations

import jinja2


def page_template(name: str) -> jinja2.Template:
    """Return a template of `templates/` by its file name."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("autograder.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    ).get_template(name)
