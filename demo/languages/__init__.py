"""English texts of the page in, the same texts in the visitor's language out; each JSON file here is a language.

A file goes by the name that Gradio has for its language, and holds the translations by their English. `plural` is, as
in gettext, the C expression for which of a text's forms goes with n things.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache
from gettext import c2py
from pathlib import Path
from typing import NamedTuple

import gradio as gr
from gradio.context import LocalContext
from starlette.requests import Request

HEADER = 1000
"""Most characters of an Accept-Language header that are read."""
_PREFERENCE = re.compile(
    r"\s*([a-z]{1,8}(?:-[a-z0-9]{1,8})*)\s*(?:;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?",
    re.ASCII | re.IGNORECASE,
)


class Language(NamedTuple):
    """A language's translations by their English; a text that counts has a list of forms."""

    texts: dict[str, str | list[str]]
    form: Callable[[int], int]
    """form(n) -> which form of a text goes with n things."""


def _read(file: Path) -> Language:
    held = json.loads(file.read_text(encoding="utf-8"))
    return Language(held["texts"], c2py(held["plural"]))


LANGUAGES = {file.stem: _read(file) for file in sorted(Path(__file__).parent.glob("*.json"))}
ENGLISH = Language({}, c2py("n != 1"))
IN_BROWSER = gr.I18n(
    **{
        name: {english: text for english, text in language.texts.items() if isinstance(text, str)}
        for name, language in LANGUAGES.items()
    }
)
"""What `launch` takes as `i18n`."""
MARK_ENGLISH = f"""() => {{
  if (!{[*LANGUAGES]}.includes(document.documentElement.lang)) document.documentElement.lang = 'en'
}}"""
"""What `launch` takes as `js`: Gradio speaks more languages than the page, and would call its English one of them."""


def label(text: str) -> gr.i18n.I18nData:
    """Return what the browser shows as the translation of `text`: components are made once, for all visitors.

    The text must not hold `}`, at which Gradio takes it to end.
    """
    return IN_BROWSER(text)


def translated(text: str, /, **values: object) -> str:
    """Return `text` in the language of the visitor who is being answered, with `values` for its {names}."""
    return str(_visitors().texts.get(text, text)).format(**values)


def counted(count: int, one: str, many: str, /, **values: object) -> str:
    """Return what `translated` does for a text about `count` things, which is `one` or `many` in English."""
    language = _visitors()
    forms = language.texts.get(one, [one, many])
    return forms[language.form(count)].format(count=count, **values)


def _visitors() -> Language:
    """Return the language of the visitor who is being answered; English where nobody is."""
    request = LocalContext.request.get(None)
    name = preferred(request.headers.get("accept-language", "")[:HEADER]) if request else None
    return LANGUAGES[name] if name else ENGLISH


def answer(request: Request) -> None:
    """Take this request for that of the visitor who is being answered: Gradio tells so of its events only."""
    LocalContext.request.set(gr.Request(request))


@lru_cache(maxsize=256)
def preferred(header: str) -> str | None:
    """Return the one of `LANGUAGES` that an Accept-Language header asks for; None for English.

    Only the header's first choice counts, by its whole name or without its region, because the labels are chosen by it:
    Gradio goes by `navigator.language`, which is the same.
    """
    best, most = "", 0.0
    for one in header.split(","):
        found = _PREFERENCE.fullmatch(one)
        if found and float(found[2] or 1) > most:
            best, most = found[1].lower(), float(found[2] or 1)
    known = {name.lower(): name for name in LANGUAGES}
    return known.get(best) or known.get(best.partition("-")[0])
