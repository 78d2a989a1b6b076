"""The notebooks in the browser: JupyterLite's content, the links to it, and a problem set solved without a network.

The browser runs npm's Pyodide and pure Python wheels, which environment.sh fetches: the interpreter is the one that
readers get from the CDN. NumPy is not among the wheels (no registry has it for Pyodide), so only the warm-up, which
imports only ``math``, and a cell with SymPy run here. Nothing that needs NumPy is tested in the browser.
"""

import csv
import hashlib
import http.server
import json
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from jupyterlite_pyodide_kernel.constants import PYODIDE_VERSION
from playwright.sync_api import Browser, Page

from autograder.commands.main import main
from book.extensions.problem_sets.released_sets import read_released, released
from tests.support import ROOT
from tests.support.book_pages import chapters, html_of
from tests.support.browser import chromium
from tests.support.lite import add_notices, check_runtime, replace_notebooks
from tests.support.lite import build as build_lite
from tests.support.notebook_page import choose, restart_and_run_all

SETS = "book/practice/problem-sets"
FETCHED = ROOT / "_build" / "cache" / "pyodide"
PATIENCE = 400_000  # milliseconds; on a very busy machine, Python takes minutes to start in the browser


@pytest.fixture(scope="module")
def runtime(tmp_path_factory) -> Path:
    """A folder with Pyodide, as a builder may supply one: npm's files, and the wheels from Python's index.

    Pyodide's own copies of these wheels lack their tests, so the checksums in its list differ.
    """
    if not (FETCHED / "complete").is_file():
        pytest.fail("Pyodide is not there: run ./environment.sh pyodide")
    folder = tmp_path_factory.mktemp("pyodide")
    shutil.copytree(FETCHED / "node_modules" / "pyodide", folder, dirs_exist_ok=True)
    lock = json.loads((folder / "pyodide-lock.json").read_text())
    packages = {package["file_name"]: package for package in lock["packages"].values()}
    for wheel in (FETCHED / "wheels").glob("*.whl"):
        shutil.copyfile(wheel, folder / wheel.name)
        packages[wheel.name]["sha256"] = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (folder / "pyodide-lock.json").write_text(json.dumps(lock))
    return folder


@pytest.fixture(scope="module")
def lite(site, runtime, tmp_path_factory) -> Path:
    """JupyterLite, built with that Python."""
    output = tmp_path_factory.mktemp("site") / "lite"
    build_lite(site, output, runtime)
    return output


# What is in it


def test_the_python_of_the_tests_is_the_published_one():
    pinned = json.loads((ROOT / "tests" / "pyodide" / "package.json").read_text())["dependencies"]["pyodide"]
    assert pinned == PYODIDE_VERSION, "tests/pyodide pins another version than jupyterlite-pyodide-kernel"


def test_without_a_folder_python_comes_from_the_cdn_at_that_version(lite):
    [extension] = (lite / "extensions").glob("@*/*")
    code = "".join(file.read_text() for file in extension.glob("static/*.js"))
    assert set(re.findall(r"https://[\w.]+/pyodide/[^\"']*?pyodide\.m?js", code)) == {
        f"https://cdn.jsdelivr.net/pyodide/v{PYODIDE_VERSION}/full/pyodide.mjs"
    }
    assert "pyodideUrl" not in (ROOT / "book" / "lite" / "jupyter-lite.json").read_text()


def test_it_has_the_released_sets_and_the_chapters_and_nothing_else(site, lite):
    expected = {file.name: file for file in released(ROOT)}
    expected |= {f"chapters/{Path(page).name}.ipynb": site / f"{page}.ipynb" for page in chapters()}
    found = {
        path.relative_to(lite / "files").as_posix(): path for path in (lite / "files").rglob("*") if path.is_file()
    }
    assert set(found) == set(expected)
    for name, path in found.items():
        assert path.read_bytes() == expected[name].read_bytes(), f"{name} is not {expected[name]}"


def test_it_has_one_kernel_no_other_extension_and_no_source_maps(lite):
    settings = json.loads((lite / "jupyter-lite.json").read_text())["jupyter-config-data"]
    extensions = [extension["name"] for extension in settings["federated_extensions"]]
    assert extensions == ["@jupyterlite/pyodide-kernel-extension"]
    assert [
        path.relative_to(lite / "extensions").as_posix() for path in (lite / "extensions").glob("@*/*")
    ] == extensions
    assert not list((lite / "build").rglob("*.map")) + list((lite / "extensions").rglob("*.map"))


def files_in(folder: Path) -> dict[str, bytes]:
    """The files of JupyterLite, without dates in lists, the digest of a list with dates, and the order of notebooks."""
    found = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    texts = {name: file.read_bytes() for name, file in found.items()}
    for name in texts:
        if name == "jupyter-lite.json" or name.endswith("/all.json"):
            undated = re.sub(rb"(?<=\")[\d-]+T[\d:.]+Z(?=\")|(?<=all\.json\?sha256=)\w+", b"", texts[name])
            listed = json.loads(undated)
            if name.startswith("api/contents/"):
                listed["content"].sort(key=lambda entry: entry["path"])
            texts[name] = json.dumps(listed, sort_keys=True).encode()
    return texts


def test_replaced_notebooks_leave_what_a_new_build_makes(site, lite, runtime, tmp_path):
    for page in chapters():
        (tmp_path / page).parent.mkdir(parents=True, exist_ok=True)
        for kind in (".html", ".ipynb"):
            shutil.copyfile(site / f"{page}{kind}", tmp_path / f"{page}{kind}")
    changed = tmp_path / f"{chapters()[0]}.ipynb"
    changed.write_text(changed.read_text().replace("\n", " \n"))
    kept, new = tmp_path / "kept", tmp_path / "new"
    shutil.copytree(lite, kept)
    assert replace_notebooks(tmp_path, kept)
    assert (kept / "files" / "chapters" / changed.name).read_bytes() == changed.read_bytes()
    build_lite(tmp_path, new, runtime)
    assert files_in(kept) == files_in(new)

    changed.unlink()
    assert not replace_notebooks(tmp_path, kept), "another list of notebooks needs a new build"
    assert files_in(kept) == files_in(new)


def test_a_folder_without_pyodide_or_with_another_one_is_refused(site, tmp_path):
    with pytest.raises(SystemExit, match=r"has no pyodide\.mjs"):
        build_lite(site, tmp_path / "lite", tmp_path)
    (tmp_path / "pyodide.mjs").write_text('version = "0.1.0"')
    (tmp_path / "pyodide-lock.json").write_text("{}")
    with pytest.raises(SystemExit, match=f"another version of Pyodide: the kernel needs {PYODIDE_VERSION}"):
        build_lite(site, tmp_path / "lite", tmp_path)
    assert not (tmp_path / "lite").exists()


def test_a_folder_without_what_the_kernel_loads_is_refused(runtime, tmp_path):
    """Such as npm's, without its wheels: the page would open, but no cell would ever run."""
    core = FETCHED / "node_modules" / "pyodide"
    with pytest.raises(SystemExit, match=r"has no asttokens-[\d.]+-py3-none-any\.whl, without which no notebook runs"):
        check_runtime(core)
    shutil.copytree(runtime, tmp_path / "pyodide")
    check_runtime(tmp_path / "pyodide")
    [wheel] = (tmp_path / "pyodide").glob("pure_eval-*.whl")  # IPython's, in two steps
    wheel.unlink()
    with pytest.raises(SystemExit, match=r"has no pure_eval-"):
        check_runtime(tmp_path / "pyodide")
    (tmp_path / "pyodide" / "pyodide-lock.json").write_text("{}")
    with pytest.raises(SystemExit, match="is not Pyodide's list of its packages"):
        check_runtime(tmp_path / "pyodide")


def test_packages_that_only_notebooks_import_may_be_left_out_and_are_named(runtime, capsys):
    check_runtime(runtime)
    said = capsys.readouterr().out
    assert re.search(r"has no .*\bnumpy-[\d.]+-\S+wasm32\.whl.*: cells that import them will fail", said)
    assert "sympy" not in said


def opened(site: Path, lite: Path, page: str) -> list[str]:
    """The notebooks that a page offers to open, with each address resolved to its file."""
    names = []
    for link in html_of(site, page).select("article a.in-browser"):
        parts = urlsplit(link["href"])
        assert not parts.netloc
        assert not parts.path.startswith("/"), f"{page}: {link['href']} does not work under a sub-path"
        target = (site / page).parent.joinpath(unquote(parts.path)).resolve().relative_to(site.resolve() / "lite")
        assert (lite / target).is_file(), f"{page}: {link['href']} leads nowhere"
        [name] = parse_qs(parts.query)["path"]
        assert (lite / "files" / name).is_file(), f"{page}: {name} is not there to be opened"
        names.append(name)
    return names


def test_every_set_can_be_opened_from_the_table(site, lite):
    assert opened(site, lite, SETS) == [file.name for file in released(ROOT)]


@pytest.mark.parametrize("page", chapters())
def test_every_chapter_and_its_sets_can_be_opened_from_its_page(site, lite, page):
    sets = [file.name for file in released(ROOT) if page.removeprefix("book/") in read_released(file).chapters]
    assert opened(site, lite, page) == [f"chapters/{Path(page).name}.ipynb", *sets]


# It works, without a network

# The browser does not let pages, workers and service workers request other hosts, and reports attempts. (A proxy would
# also record the browser's own requests to its maker.)
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; report-uri /refused"


class Site(http.server.SimpleHTTPRequestHandler):
    """The website under a sub-path, with JupyterLite in it although it was built elsewhere."""

    site: Path
    lite: Path
    refused: list[str]

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def do_POST(self) -> None:
        report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["csp-report"]
        self.refused.append(report["blocked-uri"])
        self.send_response(204)
        self.end_headers()

    def translate_path(self, path: str) -> str:
        name = unquote(urlsplit(path).path).removeprefix("/course/")
        inside = name.removeprefix("lite/")
        return str(self.site / name if inside == name else self.lite / inside)

    def log_message(self, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    """Ignores a browser that no longer wants an answer."""

    def handle_error(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def refused() -> list[str]:
    """The requests to other hosts."""
    return []


@pytest.fixture(scope="module")
def address(site, lite, refused) -> Iterator[str]:
    """The address of the served site, with JupyterLite in it."""
    handler = type("Course", (Site,), {"site": site, "lite": lite, "refused": refused})
    with Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/course/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser that reaches no other host; one for the whole file, since a process can have only one Playwright."""
    with chromium("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1") as browser:
        yield browser


@pytest.fixture(scope="module")
def warmup_page(address, browser) -> Page:
    """The warm-up in a browser, opened by its link on the page of the problem sets."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()  # others join its context
    page.set_default_timeout(PATIENCE)
    page.goto(f"{address}{SETS}.html")
    page.locator("table.problem-set-table a.in-browser").first.click()
    page.locator(".jp-CodeCell").nth(2).wait_for()  # all of the notebook is there
    return page


def test_the_warm_up_is_solved_tested_downloaded_collected_and_graded(warmup_page, refused, tmp_path):
    page = warmup_page
    cell = page.locator(".jp-CodeCell").first
    cell.locator(".cm-line", has_text="YOUR CODE HERE").click()
    for key in ("Home", "Shift+ArrowDown", "Shift+End"):  # both lines of the stub
        page.keyboard.press(key)
    page.keyboard.type("return x / math.log(2)")
    assert "YOUR CODE HERE" not in cell.inner_text()
    choose(page, "File", "Save Notebook")
    [text] = restart_and_run_all(page)  # of the last cell; a visible test that says something has failed
    assert re.search(r"^nats_to_bits .* passes$", text, re.MULTILINE), text
    with page.expect_download() as download:
        choose(page, "File", "Download")
    assert download.value.suggested_filename == "ps0-warmup.ipynb"
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    room = tmp_path / "class"
    assert main(["collect", str(file), "--class", str(room), "--student", "reader"]) == 0
    assert main(["grade", "ps0-warmup", "--class", str(room)]) == 0
    assert main(["export", "ps0-warmup", "--class", str(room)]) == 0
    with open(room / "grades.csv", newline="", encoding="utf-8") as table:
        [row] = csv.DictReader(table)
    assert (row["student_id"], float(row["score"]), float(row["max_score"])) == ("reader", 1.0, 1.0)
    assert refused == [], "the notebook asks other hosts"


def test_a_cell_with_sympy_runs(warmup_page, refused):
    page = warmup_page
    page.locator('[data-jp-item-name="insert"] jp-button').click()
    cell = page.locator(".jp-CodeCell.jp-mod-active")
    cell.locator(".cm-content").click()
    page.keyboard.insert_text(
        'import sympy as sp\np = sp.symbols("p", positive=True)\nprint(sp.diff(-p * sp.log(p), p))'
    )
    page.keyboard.press("Control+Enter")
    output = cell.locator(".jp-OutputArea-output")
    output.wait_for()
    assert output.inner_text().strip() == "-log(p) - 1"
    assert refused == [], "SymPy came from another host"


# What JupyterLite does not say itself

#: Gives the saved copy of the warm-up the version of an earlier release.
MAKE_OLDER = """() => new Promise((done, fail) => {
    const request = indexedDB.open(`JupyterLite Storage - ${new URL("..", location.href).pathname}`);
    request.onerror = fail;
    request.onsuccess = () => {
        const change = request.result.transaction("files", "readwrite");
        change.oncomplete = () => { request.result.close(); done(); };
        const files = change.objectStore("files");
        files.get("ps0-warmup.ipynb").onsuccess = ({target}) => {
            target.result.content.metadata.autograder.version = "older";
            files.put(target.result, "ps0-warmup.ipynb");
        };
    };
})"""


def test_a_newer_version_of_a_set_is_announced_where_an_older_copy_is_kept(warmup_page):
    page = warmup_page.context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(warmup_page.url)
    page.locator(".jp-CodeCell").nth(2).wait_for()
    page.wait_for_load_state("networkidle")
    assert page.locator(".course-notice").count() == 0
    page.evaluate(MAKE_OLDER)
    page.reload()
    notice = page.locator(".course-notice")
    notice.get_by_text("A newer version of ps0-warmup.ipynb has been published").wait_for()
    notice.get_by_role("button", name="Close").click()
    assert notice.count() == 0
    page.close()


def test_only_a_site_without_its_own_python_asks_whether_the_cdn_can_be_reached(lite, tmp_path):
    plain = tmp_path / "notebooks" / "index.html"
    plain.parent.mkdir()
    plain.write_text("<html><body></body></html>")
    add_notices(tmp_path, None)
    assert f'data-python="https://cdn.jsdelivr.net/pyodide/v{PYODIDE_VERSION}/full/pyodide.mjs"' in plain.read_text()
    assert "data-python" not in (lite / "notebooks" / "index.html").read_text()


@pytest.fixture
def page_of_a_notebook(tmp_path) -> str:
    """The address of a page in which nothing but the notices is JupyterLite's."""
    plain = tmp_path / "notebooks" / "index.html"
    plain.parent.mkdir()
    plain.write_text("<html><body></body></html>")
    add_notices(tmp_path, None)
    return plain.as_uri()


@pytest.mark.parametrize("answer", ["none", "an error"])
def test_a_blocked_python_is_announced(page_of_a_notebook, browser, answer):
    context = browser.new_context(viewport={"width": 390, "height": 844}, service_workers="block")
    context.route("https://**/*", lambda one: one.abort() if answer == "none" else one.fulfill(status=403))
    page = context.new_page()
    page.goto(page_of_a_notebook)
    notice = page.get_by_role("alert")
    notice.get_by_text("Python cannot be loaded from cdn.jsdelivr.net, so no cell will run.").wait_for()
    box = notice.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    notice.get_by_role("button", name="Close").click()
    assert notice.count() == 0
    context.close()


def test_nothing_is_announced_where_python_answers(page_of_a_notebook, browser):
    context = browser.new_context(service_workers="block")
    context.route("https://**/*", lambda one: one.fulfill(headers={"access-control-allow-origin": "*"}, body=""))
    page = context.new_page()
    with page.expect_response(lambda answer: answer.url.endswith("/pyodide.mjs")):
        page.goto(page_of_a_notebook)
    page.evaluate("fetch('https://cdn.jsdelivr.net/').then(() => new Promise(requestAnimationFrame))")  # a later answer
    assert page.get_by_role("alert").count() == 0
    context.close()


def test_a_request_to_another_host_is_noticed(warmup_page, refused):
    worker = """() => new Promise(done => {
        const code = "fetch('https://example.com/').catch(() => 0).then(() => postMessage(0))";
        new Worker(URL.createObjectURL(new Blob([code]))).onmessage = done;
    })"""
    warmup_page.evaluate("fetch('https://example.org/').catch(() => 0)")
    warmup_page.evaluate(f"({worker})().then(() => 0)")
    deadline = time.monotonic() + 30  # the reports come in a separate request
    while len(refused) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert sorted(refused) == ["https://example.com/", "https://example.org/"]
    refused.clear()
