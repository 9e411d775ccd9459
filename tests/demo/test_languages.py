"""The page's languages: every text is translated, plurals are right, and a header's first choice decides."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import gradio
import pytest
from gradio.context import LocalContext

from demo import languages
from demo.components import cards
from demo.languages import HEADER, LANGUAGES, counted, label, preferred, translated
from demo.service.search_request import SearchRequest
from demo.tabs import library as library_tab
from tests.support.fake_calls import HOSTILE, calls, results

DEMO = Path(languages.__file__).parents[1]
SAYS = {"Tab", "Button", "Accordion", "Markdown"}
"""Components whose first argument is shown."""
NAMES = re.compile(r"\{(\w*)\}")
TAGS = re.compile(r"</?\w+>")


# ---- the texts


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for file in sorted(DEMO.rglob("*.py")):
        yield file, ast.parse(file.read_text())


def calls_of(tree: ast.Module) -> Iterator[tuple[str, list[str | None]]]:
    """Yield what is called to translate, and its texts: literals or the module's constants, None for anything else."""
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    texts = {"label": slice(0, 1), "translated": slice(0, 1), "counted": slice(1, 3)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in texts:
            given = node.args[texts[node.func.id]]
            yield (
                node.func.id,
                [
                    one.value if isinstance(one, ast.Constant) else constants.get(ast.unparse(one))
                    for one in given
                ],
            )


USED = [call for file, tree in sources() for call in calls_of(tree)]
PLURALS = {texts[0]: texts[1] for name, texts in USED if name == "counted"}
KEYS = {texts[0] for _, texts in USED}


def test_texts_are_written_where_they_are_translated():
    assert None not in KEYS and None not in PLURALS.values()
    assert len(KEYS) > 200


def test_labels_end_where_gradio_takes_them_to_end():
    assert [texts for name, texts in USED if name == "label" and "}" in texts[0]] == []


def test_no_component_says_what_is_not_translated():
    plain = []
    for file, tree in sources():
        for node in (one for one in ast.walk(tree) if isinstance(one, ast.Call)):
            name = ast.unparse(node.func)
            shown = [one.value for one in node.keywords if one.arg == "label"]
            if name == "message" or name.removeprefix("gr.") in SAYS:
                shown += node.args[:1]
            plain += [(file.name, ast.unparse(one)) for one in shown if isinstance(one, ast.Constant)]
    assert plain == []


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_language_has_every_text_and_no_other(name):
    assert LANGUAGES[name].texts.keys() == KEYS


@pytest.mark.parametrize("name", LANGUAGES)
def test_a_translation_has_the_names_and_tags_of_its_text(name):
    for english, said in LANGUAGES[name].texts.items():
        for form in said if isinstance(said, list) else [said]:
            assert sorted(NAMES.findall(form)) == sorted(NAMES.findall(english)), form
            assert sorted(TAGS.findall(form)) == sorted(TAGS.findall(english)), form
            assert '"' not in form, "attributes of the page's HTML end at it"


@pytest.mark.parametrize("name", LANGUAGES)
def test_texts_that_count_have_all_forms_and_no_others_have_any(name):
    language = LANGUAGES[name]
    forms = {language.form(count) for count in range(200)}
    for english, said in language.texts.items():
        assert isinstance(said, list) == (english in PLURALS), english
        assert isinstance(said, str) or forms == set(range(len(said))), english


@pytest.mark.parametrize("name", LANGUAGES)
def test_gradio_speaks_the_language_by_the_same_name(name):
    """Only then it shows the labels: it chooses among its own languages."""
    assert list(Path(gradio.__file__).parent.glob(f"templates/frontend/assets/{name}-*.js"))


# ---- who is answered in which language


@pytest.fixture
def visitor():
    """visitor(header) -> answers a visitor with this Accept-Language header from now on."""
    before = LocalContext.request.get(None)
    yield lambda header: languages.answer(SimpleNamespace(headers={"accept-language": header}))
    LocalContext.request.set(before)


def test_without_a_visitor_texts_are_english():
    assert translated("in {folder}", folder="a") == "in a"
    assert counted(1, "{count} moment", "{count} moments") == "1 moment"


@pytest.mark.parametrize(
    ("header", "none", "one", "two"),
    [
        ("en", "0 moments", "1 moment", "2 moments"),
        ("de-AT", "0 Momente", "1 Moment", "2 Momente"),
        ("fr", "0 moment", "1 moment", "2 moments"),
        ("es", "0 momentos", "1 momento", "2 momentos"),
        ("zh-CN", "0 个时刻", "1 个时刻", "2 个时刻"),
    ],
)
def test_plurals_are_those_of_the_language(visitor, header, none, one, two):
    visitor(header)
    assert [counted(n, "{count} moment", "{count} moments") for n in range(3)] == [none, one, two]


def test_values_are_not_taken_for_texts(visitor):
    visitor("de")
    assert translated("score {score}", score="{count}{0}") == "Wert {count}{0}"
    drawn = cards.cards(results({"name": HOSTILE}), SearchRequest(q=HOSTILE, folder=HOSTILE))
    assert "Mehr Ergebnisse" not in drawn and "Auswählen" in drawn and "Filter entfernen" in drawn
    assert "<img src=x" not in drawn and "onerror" in re.sub(r"<[^<>]*>", "", drawn)


def test_a_report_from_another_thread_is_in_the_visitors_language(visitor):
    visitor("de")
    report = {"indexed": 2, "unchanged": 1, "removed": 0, "seconds": 1.0, "skipped": []}
    *_, told = library_tab.indexing(calls(index=lambda *_: report), "mine", None, "")
    assert "<b>2</b> indexiert" in told


def test_a_label_is_left_to_the_browser(visitor):
    visitor("de")
    assert label("Search").key == "Search"
    assert languages.IN_BROWSER.translations["de"]["Search"] == "Suchen"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de", "de"),
        ("de-DE,de;q=0.9,en;q=0.8", "de"),
        ("DE-at", "de"),
        ("zh-CN,zh;q=0.9", "zh-CN"),
        ("zh-cn", "zh-CN"),
        ("en-US,en;q=0.9,de;q=0.8", None),
        ("en;q=0.5, fr;q=0.7, es;q=0.6", "fr"),
        ("en;q=0.5 , es ; q=1.000", "es"),
        ("fr;q=0, es;q=0.001", "es"),
        ("es, fr", "es"),  # the first of equals
        ("pl, de;q=0.9", None),  # Gradio's labels are English, too: it knows navigator.language alone
        ("zh-TW", None),
        ("zh", None),  # as Gradio, which has no such language
        ("*, fr;q=0.5", "fr"),
        ("", None),
        ("*", None),
    ],
)
def test_the_first_choice_of_a_header_decides(header, language):
    assert preferred(header) == language


@pytest.mark.parametrize(
    "header",
    [
        "de;q=2",
        "de;q=-1",
        "de;q=nan",
        "de;q=0.1234",
        "de;q=",
        "de;level=1",
        "de_DE",
        "../de",
        "de.json",
        "d\0e",
        "ſ",
        ";;;,,,q=1",
        "de-" * 10_000,
        ",".join(["x"] * 10_000),
        "__class__",
        "{folder}",
    ],
)
def test_what_is_no_language_is_english(visitor, header):
    assert preferred(header) is None
    visitor(header)
    assert translated("in {folder}", folder="a") == "in a"


def test_a_long_header_is_read_to_some_length(visitor):
    visitor("x;q=0.1," * HEADER + "de")
    assert translated("Choose") == "Choose"
    visitor("de," + "x;q=0.1," * HEADER)
    assert translated("Choose") == "Auswählen"
