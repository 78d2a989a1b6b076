"""What the feedback page says, in the language of its set: in English as written there, else from the course's catalogue.

A set names its language in its header, ``autograder: {language: de}``. The catalogue is `solutions/locale/de.po`, in the
format of gettext, for which there are editors. What the set's author wrote stays as it is.
"""

from __future__ import annotations

import gettext
import io
import re
from functools import cache
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po

from autograder.common.errors import ProblemSetError
from autograder.problem_set.bank import BankEntry
from autograder.problem_set.known_behaviour import known_behaviour
from autograder.problem_set.source import ProblemSet

ENGLISH = "en"
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")


class Wording:
    """The sentences of one language.

    Parameters
    ----------
    language : str
        As HTML names it.
    translations : gettext.NullTranslations
        Its catalogue; the sentences themselves where it has none.
    """

    def __init__(self, language: str, translations: gettext.NullTranslations):
        self.language = language
        self._translate = translations.gettext

    def __call__(self, sentence: str, **values: object) -> str:
        """Return a sentence in this language, with these values in it."""
        return self._translate(sentence) % values if values else self._translate(sentence)


def wording_of(problem_set: ProblemSet) -> Wording:
    """Return the sentences in the language of a set.

    Raises
    ------
    ProblemSetError
        The header names no language, or the course has no catalogue of it that can be read.
    """
    language = problem_set.notebook.metadata["autograder"].get("language", ENGLISH)
    if not isinstance(language, str) or not _LANGUAGE.fullmatch(language):
        raise ProblemSetError(
            f"{problem_set.source_path}: the language in its header is {language!r}, but must be such as de."
        )
    if language == ENGLISH:
        return Wording(ENGLISH, gettext.NullTranslations())
    return Wording(language, _catalogue(problem_set.folder.parent / "locale" / f"{language}.po", problem_set.name))


@cache
def _catalogue(path: Path, name: str) -> gettext.GNUTranslations:
    compiled = io.BytesIO()
    try:
        with open(path, "rb") as file:
            write_mo(compiled, read_po(file, abort_invalid=True))
    except FileNotFoundError:
        raise ProblemSetError(f"{name}: its language has no catalogue; write {path}, or take language out.") from None
    except (OSError, ValueError, PoFileError) as error:
        raise ProblemSetError(f"{name}: the catalogue {path} cannot be read: {error}.") from None
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def diagnosis_sentence(problem_set: ProblemSet, item: str, name: str, say: Wording) -> str:
    """Word a diagnosis for the student; nothing where the bank has no such entry any more.

    Other misconceptions that answered all tests in the same way are named, too: nothing tells them apart.
    """
    entries = {entry.name: entry for entry in problem_set.bank if entry.replaces == item}
    if name not in entries:
        return ""
    found, answered = entries[name], known_behaviour(problem_set).get(item, {})
    text = say("Your %(item)s behaves as one that %(does)s. The idea to revisit: %(idea)s.", item=item, **_told(found))
    for other in entries.values():
        alike = answered.get(name) and answered.get(other.name) == answered[name] and other.loses == found.loses
        if alike and other.diagnosis != found.diagnosis:
            text += " " + say(
                "The tests cannot tell it from one that %(does)s. Then revisit: %(idea)s.", **_told(other)
            )
    return text


def _told(entry: BankEntry) -> dict[str, str]:
    idea, _, place = entry.revisit.partition(": ")
    return {"does": entry.diagnosis.rstrip("."), "idea": f"{idea} ({place})" if place else idea}
