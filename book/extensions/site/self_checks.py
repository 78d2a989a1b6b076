"""Questions in the flow of a chapter, and guesses that come back where the answer is.

A question has choices, each with a reason in its second paragraph, and the number of the right one:

    ```{self-check} check-fair-coin
    :answer: 1
    Which throw tells more on average?

    - That of a fair coin.

      Every throw tells one bit.
    - That of a loaded coin.

      Its rare side tells much, but comes seldom.
    ```

It is a list of choices and a fold with the reasons, and needs no script. Where scripts run,
``book/static/self-checks.js`` makes buttons of the choices. It keeps what was answered in the reader's browser, ticks
the chapter in the contents, and can forget it all; nothing is sent anywhere.

``{guess} NAME`` asks for the reader's guess in a line of text, and ``{guessed} NAME`` repeats it later on the same
page. Both are absent without scripts.
"""

import html

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

SCRIPT = "self-checks.js"
TITLE, FOLD = "Check yourself", "Answer"
VERDICTS = {True: "Right.", False: "No."}


class self_check(nodes.General, nodes.Element):  # noqa: N801, since docutils names its nodes like this
    """A question, the list of its choices, and their reasons."""


class self_check_reasons(nodes.General, nodes.Element):  # noqa: N801
    """The list of reasons, which is folded."""


class SelfCheck(SphinxDirective):
    """Ask a question with choices."""

    required_arguments = 1
    option_spec = {"answer": directives.positive_int}
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Part each item of the list into a choice and its reason."""
        name = self.arguments[0]
        body = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, body)
        items = list(body[-1]) if len(body) > 1 and isinstance(body[-1], nodes.bullet_list) else []
        answer = self.options.get("answer", 0)
        # A choice such as "9." is a list of its own in Markdown.
        formed = all(len(item) > 1 and isinstance(item[0], nodes.paragraph) for item in items)
        if len(items) < 2 or not 1 <= answer <= len(items) or not formed:
            raise self.error(
                f"{name}: a self-check has a question, a list of two or more choices, each followed by a paragraph with "
                "its reason, and the number of the right choice in `answer`"
            )
        choices, reasons = nodes.enumerated_list(enumtype="upperalpha"), nodes.enumerated_list(enumtype="upperalpha")
        for number, item in enumerate(items, start=1):
            choices += nodes.list_item("", item[0])
            first, *rest = item[1:]
            first.insert(0, [nodes.strong("", VERDICTS[number == answer]), nodes.Text(" ")])
            reasons += nodes.list_item("", first, *rest)
        check = self_check("", *body[:-1], choices, self_check_reasons("", reasons), ids=[name], answer=answer)
        self.state.document.note_explicit_target(check)
        self.env.metadata[self.env.docname].setdefault("self_checks", []).append(name)
        return [check]


class Guess(SphinxDirective):
    """Ask for a guess."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write the line in which it is typed."""
        name, words = html.escape(self.arguments[0]), html.escape(" ".join(self.content))
        line = f'<p class="guess" hidden><label>{words} <input type="text" data-guess="{name}" autocomplete="off" maxlength="80"></label></p>'
        return [nodes.raw("", line, format="html")]


class Guessed(SphinxDirective):
    """Repeat the guess."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the line that shows it."""
        name = html.escape(self.arguments[0])
        return [
            nodes.raw("", f'<p class="guessed" data-guessed="{name}" hidden>Your guess: <b></b></p>', format="html")
        ]


def _begin(writer: HTML5Translator, node: self_check) -> None:
    writer.body.append(writer.starttag(node, "div", CLASS="self-check", **{"data-answer": str(node["answer"])}))
    writer.body.append(f'<p class="self-check-title">{TITLE}</p>\n')


def _end(writer: HTML5Translator, node: self_check) -> None:
    writer.body.append("</div>\n")


def _begin_reasons(writer: HTML5Translator, node: self_check_reasons) -> None:
    writer.body.append(f"<details><summary>{FOLD}</summary>\n")


def _end_reasons(writer: HTML5Translator, node: self_check_reasons) -> None:
    writer.body.append("</details>\n")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension to Sphinx; every page shows the contents with their ticks, so every page has the script."""
    app.add_node(self_check, html=(_begin, _end))
    app.add_node(self_check_reasons, html=(_begin_reasons, _end_reasons))
    app.add_directive("self-check", SelfCheck)
    app.add_directive("guess", Guess)
    app.add_directive("guessed", Guessed)
    app.add_js_file(SCRIPT, loading_method="defer")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
