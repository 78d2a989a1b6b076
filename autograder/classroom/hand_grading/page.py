"""The page on which people give points, served to the browser of this machine and to no one else.

The address holds a secret that is new for each run; whoever has it gets a cookie, and without that every request is
refused. What students wrote is shown as text, the course's own words as Markdown, and the page may neither load nor run anything but its own script.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import threading
from collections.abc import Callable
from importlib.resources import files
from types import TracebackType

import jinja2
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from autograder.classroom.class_lock import class_lock
from autograder.classroom.directory import ClassDirectory
from autograder.classroom.hand_grading.questions import Question, StaleAnswerError, give, read_questions
from autograder.classroom.pages.harmless_html import rendered
from autograder.common.errors import AutograderError, MachineError, UsageError
from autograder.common.text import number
from autograder.problem_set.source import ProblemSet

#: The one address that the page is served at: no other machine can reach it.
HOST = "127.0.0.1"
#: Bytes of one request: a comment, its points and their names.
MAX_REQUEST = 100_000


class _Page(RequestHandler):
    """What all requests share: who may ask, and what the answer may do."""

    def initialize(self, page: HandGrading) -> None:
        self.page = page

    def set_default_headers(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header(
            "Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'",
        )

    def prepare(self) -> None:
        """Refuse whoever does not know the secret, and a name under which another site could reach this page."""
        if self.request.host not in (self.page.host, f"localhost:{self.page.port}"):
            raise HTTPError(403, reason="Open the address that the command printed")
        secret = self.get_query_argument("token", "") or self.get_cookie(self.page.cookie, "")
        if not secrets.compare_digest(secret.encode(), self.page.token.encode()):
            raise HTTPError(403, reason="Open the address that the command printed")
        if self.get_query_argument("token", ""):
            # The secret leaves the address bar, and with it the browser's history.
            self.set_cookie(self.page.cookie, self.page.token, httponly=True, samesite="Strict", path="/")
            self.redirect(self.request.path)

    def write_error(self, status_code: int, **details: object) -> None:
        """Say what is wrong, as text."""
        error = details.get("exc_info", (None, None))[1]
        told = isinstance(error, AutograderError | MachineError)
        if told:  # the class is in use by another command, or the disk is full
            self.set_status(503)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(str(error) if told else f"{self._reason}.")

    def log_exception(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave to the page what is said there; anything else is a fault of ours."""
        if not isinstance(error, AutograderError | MachineError | HTTPError):
            super().log_exception(kind, error, trace)


class _Overview(_Page):
    def get(self) -> None:
        self.finish(self.page.overview())


class _OneQuestion(_Page):
    def get(self, name: str) -> None:
        self.finish(self.page.question(name))


class _File(_Page):
    def get(self, name: str) -> None:
        kinds = {"css": "text/css", "js": "text/javascript"}
        self.set_header("Content-Type", f"{kinds[name.rpartition('.')[2]]}; charset=utf-8")
        self.finish((files(__package__) / "templates" / name).read_bytes())


class _Grade(_Page):
    def put(self) -> None:
        """Record what was given for an answer."""
        # A page of another site can send a form, but not JSON, and its requests name it.
        if self.request.headers.get("Content-Type") != "application/json" or self.request.headers.get("Origin") not in (
            f"http://{self.page.host}",
            f"http://localhost:{self.page.port}",
        ):
            raise HTTPError(403, reason="Only the page itself gives points")
        try:
            self.page.give(json.loads(self.request.body))
        except (UsageError, ValueError, TypeError, KeyError, AttributeError) as error:
            self._refuse(400, str(error) if isinstance(error, UsageError) else "The request is not one of the page's.")
        except StaleAnswerError as error:
            self._refuse(409, str(error))
        except (AutograderError, MachineError) as error:
            self._refuse(503, str(error))
        else:
            self.finish({"saved": True})

    def _refuse(self, status: int, text: str) -> None:
        self.set_status(status)
        self.finish({"error": text})


class HandGrading:
    """Serves the questions of a set, and records what is given.

    Parameters
    ----------
    directory : ClassDirectory
        The class.
    problem_set : ProblemSet
        The set.
    port : int
        Where to listen; 0 for any free port.

    Attributes
    ----------
    saved : int
        How many times points or a comment were recorded.
    """

    def __init__(self, directory: ClassDirectory, problem_set: ProblemSet, port: int = 0):
        self.directory, self.problem_set = directory, problem_set
        self.token, self.saved = secrets.token_urlsafe(24), 0
        try:
            self._sockets = bind_sockets(port, HOST)
        except OSError as error:
            raise AutograderError(
                f"Port {port} cannot be used ({error.strerror}); choose another with --port."
            ) from None
        self.port = self._sockets[0].getsockname()[1]
        self.host = f"{HOST}:{self.port}"
        self.cookie = f"hand-{self.port}"  # cookies of one host are shared by its ports
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader(__package__),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        self._templates.filters["number"] = number
        self._templates.filters["rendered"] = rendered
        self._end = threading.Event()

    def address(self, question: str = "") -> str:
        """Return the address to open, with the secret."""
        return f"http://{self.host}/{question}?token={self.token}"

    def _questions(self) -> list[Question]:
        # Penalties for late work are brought up to date first, so that reading writes, too.
        with class_lock(self.directory.root, "hand"):
            return read_questions(self.directory, self.problem_set)

    def overview(self) -> str:
        """Write the page that lists the questions."""
        questions = self._questions()
        return self._templates.get_template("overview.html.j2").render(
            problem_set=self.problem_set, questions=questions
        )

    def question(self, name: str) -> str:
        """Write the page of a question."""
        questions = self._questions()
        found = next((question for question in questions if question.name == name), None)
        if found is None:
            raise HTTPError(404, reason="The set has no such question")
        others = [question for question in questions if question is not found and question.waiting]
        return self._templates.get_template("question.html.j2").render(
            problem_set=self.problem_set, question=found, others=others
        )

    def give(self, message: dict) -> None:
        """Record what the page sent."""
        points = message["points"]
        give(
            self.directory,
            self.problem_set,
            _text(message["question"]),
            _text(message["student"]),
            _text(message["digest"]),
            None if points is None else float(points),
            _text(message["comment"]).strip(),
            _texts(message.get("members", [])),
        )
        self.saved += 1

    def stop(self) -> None:
        """End `serve`; from any thread."""
        self._end.set()

    def serve(self, started: Callable[[], None] = lambda: None) -> None:
        """Serve the pages until `stop`, or Ctrl+C.

        Parameters
        ----------
        started : callable
            Called when the address can be opened.
        """
        asyncio.run(self._serve(started))

    async def _serve(self, started: Callable[[], None]) -> None:
        handlers = [
            (r"/", _Overview),
            (r"/files/(page\.css|page\.js)", _File),
            (r"/grade", _Grade),
            (r"/([^/]+)", _OneQuestion),
        ]
        application = Application([(path, handler, {"page": self}) for path, handler in handlers], log_function=_silent)
        server = HTTPServer(application, max_body_size=MAX_REQUEST, max_buffer_size=2 * MAX_REQUEST)
        server.add_sockets(self._sockets)
        if threading.current_thread() is threading.main_thread():
            for number_of in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number_of, self.stop)
        started()
        try:
            while not self._end.is_set():
                await asyncio.sleep(0.1)
        finally:
            server.stop()
            await server.close_all_connections()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _texts(value: object) -> list[str]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return [_text(each) for each in value]


def _silent(handler: RequestHandler) -> None:
    """Write no line for each request: the terminal says what was saved."""
