"""Pictures: state their sizes, so that the text below does not jump when they arrive, and make their files small."""

import re
import shutil
from pathlib import Path

from PIL import Image
from sphinx.application import Sphinx

# The width at which a picture is shown: a figure of 6 inches fills the column, and a smaller one is smaller.
PIXELS_PER_INCH = 107

COLOURS = 256  # as many as a palette may have; a figure has few, and their shades at the edges of lines
KEPT = ".pictures"  # reduced pictures, beside the pages, for the next build


def shown_size(file: Path) -> tuple[int, int]:
    """Return the width and height at which a PNG picture is shown, in pixels of a page.

    A picture of Matplotlib knows its resolution, which is finer than that of a page; another has one pixel for each.
    """
    with Image.open(file) as picture:
        width, height = picture.size
        resolution = picture.info.get("dpi", (PIXELS_PER_INCH, PIXELS_PER_INCH))[0]
    scale = PIXELS_PER_INCH / resolution
    return round(width * scale), round(height * scale)


def size_pictures(app: Sphinx, page: str, template: str, context: dict, doctree: object | None) -> None:
    """State the size of each PNG picture of a page.

    The sizes become attributes; docutils would write a style, which the style sheet could not override on narrow
    screens.
    """
    files = {name: Path(app.srcdir, uri) for uri, name in app.builder.images.items()}

    def with_size(tag: re.Match[str]) -> str:
        file = files.get(tag["name"])
        if file is None or file.suffix != ".png" or re.search(r"\b(?:width|height)\b[=:]", tag[0]):
            return tag[0]
        width, height = shown_size(file)
        return f'<img width="{width}" height="{height}"{tag[0].removeprefix("<img")}'

    if doctree is not None:
        context["body"] = re.sub(r'<img [^>]*src="[^"]*/(?P<name>[^"/]+)"[^>]*>', with_size, context["body"])


def reduce(file: Path, result: Path) -> None:
    """Write a PNG picture with a palette, unless it moves or would become larger."""
    with Image.open(file) as picture:
        if getattr(picture, "is_animated", False):
            shutil.copyfile(file, result)
            return
        resolution = picture.info.get("dpi")
        few = picture.convert("RGBA").quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        few.save(result, format="PNG", optimize=True, **({"dpi": resolution} if resolution else {}))
    if result.stat().st_size >= file.stat().st_size:
        shutil.copyfile(file, result)


def reduce_pictures(app: Sphinx, error: Exception | None) -> None:
    """Reduce the pictures of the finished site; their names are digests of their content."""
    if error or app.builder.format != "html":
        return
    kept = Path(app.outdir).parent / KEPT
    kept.mkdir(exist_ok=True)
    pictures = sorted(Path(app.outdir, app.builder.imagedir).glob("*.png"))
    for picture in pictures:
        reduced = kept / picture.name
        if not reduced.is_file():
            reduce(picture, unfinished := reduced.with_suffix(".new"))
            unfinished.replace(reduced)
        shutil.copyfile(reduced, picture)
    for old in set(kept.iterdir()) - {kept / picture.name for picture in pictures}:
        old.unlink()


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx."""
    app.connect("html-page-context", size_pictures)
    app.connect("build-finished", reduce_pictures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
