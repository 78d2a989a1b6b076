"""Pages as visitors open them: the windows of two devices, what a page requests, and what is wrong on it."""

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PHONE = {"width": 360, "height": 800}
DESK = {"width": 1280, "height": 900}
PATIENCE = 120_000  # milliseconds that a busy machine may take to show a page


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without logging, two folders below the server's root, since a site may be anywhere."""

    PREFIX = "/a/b/"

    def translate_path(self, path: str) -> str:
        if not path.startswith(self.PREFIX):
            return str(Path(self.directory, "outside-the-site"))
        return super().translate_path("/" + path.removeprefix(self.PREFIX))

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve the site under a sub-path, so that no address may start at the server's root; yield its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{Quiet.PREFIX}"
        server.shutdown()


class Visit:
    """A page in a browser, with its requests and its console messages."""

    def __init__(self, page, address: str, name: str):
        self.page, self.name = page, name
        self.requested: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("response", self._note_answer)
        page.on("requestfailed", self._note_failure)
        page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        page.on("console", self._note_message)
        page.goto(f"{address}{name}.html")
        page.wait_for_load_state("load")

    def _note_failure(self, request) -> None:
        # Leaving a page stops what it was loading, as happens on the page that redirects to the first chapter.
        if "ERR_ABORTED" not in request.failure:
            self.complaints.append(f"failed: {request.url} ({request.failure})")

    def _note_answer(self, answer) -> None:
        if answer.status >= 400:
            self.complaints.append(f"{answer.status}: {answer.url}")

    def _note_message(self, message) -> None:
        # A browser requests an icon from the server's root before it has read that the page names one.
        asked = (message.location or {}).get("url", "")
        if message.type in ("error", "warning") and not asked.endswith("/favicon.ico"):
            self.complaints.append(f"{message.type}: {message.text}")


# What extends beyond the window with everything unfolded and is not in its own scrolling box; except copies of formulas
# for assistive technology, the strokes of roots, and lines cut off at the axes of a figure: all drawn long and cropped.
WIDER = """() => {
    document.querySelectorAll("main details").forEach(fold => { fold.open = true; });
    document.querySelectorAll("main .toggle-hidden").forEach(fold => { fold.classList.remove("toggle-hidden"); });
    const width = document.documentElement.clientWidth;
    const scrolls = e => e !== document.body && (["auto", "scroll"].includes(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
    const beyond = [...document.querySelectorAll("main *")].filter(e => {
        const box = e.getBoundingClientRect();
        return box.width && box.right > width + 1 && !e.closest(".katex-mathml, .katex svg, [clip-path]") && !scrolls(e);
    });
    const wide = document.documentElement.scrollWidth > width ? [`the page is ${document.documentElement.scrollWidth} wide`] : [];
    return [...wide, ...beyond.slice(0, 5).map(e => e.outerHTML.slice(0, 120))];
}"""


def violations(results) -> list[str]:
    """axe's findings in readable form."""
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:160]} at {node['target']}"
        for rule in results.response["violations"]
        for node in rule["nodes"]
    ]
