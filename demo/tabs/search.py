"""A sentence or an example video in; cards of videos with their best moment out."""

from __future__ import annotations

import html
import time
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from demo.components import cards, downloads
from demo.components.page import EXAMPLE, MODEL, empty_query, failure, message, sent, took
from demo.languages import counted, label, translated
from demo.service.calls import Calls
from demo.service.search_request import FILTERS, LARGEST_GAIN, LONGEST_QUERY, MORE, MOST, SearchRequest
from demo.tabs.choice import NOTHING as NOTHING_HELD
from demo.tabs.choice import choice
from demo.tabs.video_map import map_of_videos
from stan.library.query import parse

EXAMPLES = ["a red circle moves up", "a blue square moves to the right", "a green triangle grows"]
EMPTY = "Type what should be seen. The best moment of each video found is marked in its curve."
HELP = """\
| to ask for | type |
|---|---|
| one thing | `a red circle moves up` |
| several things at once | `a red circle + a blue square` |
| one of them more than the others | `2:a red circle + moves up` |
| something without something else | `a red circle - striped` |

A plus or minus needs a space on both sides. **/** goes to the query, arrow keys move between results, **Enter** plays.
**Branch gain** weighs what the temporal branch adds to CLIP: 0 is CLIP alone, 1 is as trained; moving it ranks
again at once, without encoding anything.
"""


@dataclass(frozen=True)
class Form:
    """The tab's components; `inputs` go by the names of the fields of `SearchRequest`."""

    inputs: dict[str, gr.components.Component]
    asked: gr.State
    """The last request that ran."""
    outputs: list[gr.components.Component]
    chosen: gr.State
    """The visitor's choice of moments."""

    def values(self, request: SearchRequest) -> list[Any]:
        """Return updates of `inputs` that make them show `request`."""
        shown = {name: getattr(request, name) for name in self.inputs}
        return list(
            (
                shown | {"folder": folders([request.folder] if request.folder else [], value=request.folder)}
            ).values()
        )


def folders(places: list[str], **value: str) -> gr.Dropdown:
    """Return the list of folders for the filter."""
    return gr.Dropdown([(translated("all"), ""), *((place, place) for place in places)], **value)


def tab(calls: Calls, library: gr.components.Component) -> Form:
    """Add the tab's components and return its form."""
    with gr.Row():
        query = gr.Textbox(
            label=label("What should be seen?"),
            placeholder=EXAMPLE,
            elem_id="query",
            max_length=LONGEST_QUERY,
            scale=5,
            min_width=240,
        )
        button = gr.Button(label("Search"), variant="primary", scale=1, min_width=130, elem_classes="go")
    with gr.Row():
        gain = gr.Slider(
            0,
            LARGEST_GAIN,
            value=1,
            step=0.05,
            label=label("Branch gain: 0 CLIP alone, 1 as trained"),
            min_width=240,
        )
        top = gr.Slider(1, MOST, value=6, step=1, label=label("Results"), min_width=160)
    with gr.Accordion(label("Filters"), open=False), gr.Row():
        filters = _filters()
    map_drawn, region = map_of_videos(calls, library)
    with gr.Accordion(label("How to ask"), open=False):
        gr.Markdown(label(HELP), elem_classes="plain")
    gr.Examples([[example] for example in EXAMPLES], inputs=query, label=label("For example"))
    status = gr.HTML(message(label(EMPTY)), elem_id="search-status")
    kept = gr.HTML("", elem_id="kept-status")
    found = gr.HTML("", elem_id="cards", js_on_load=cards.SCRIPT.read_text(), held=NOTHING_HELD)
    asked = gr.State(SearchRequest())
    chosen = gr.State({}) if "keeping" in calls.without else choice(calls, asked, found, kept)
    form = Form(
        {"q": query, "gain": gain, "top": top, **filters, "region": region}, asked, [status, found], chosen
    )
    _answering(calls, library, form, button, map_drawn)
    return form


def _answering(
    calls: Calls, library: gr.components.Component, form: Form, button: gr.Button, map_drawn: gr.HTML
) -> None:
    """Connect the events that search for something else.

    Enter and the button run a new search, and so do words that are being typed, whenever the typing rests; what is
    typed meanwhile cancels the search that waits. A card's "more like this" searches by that video.
    """
    names, inputs = ["library", *form.inputs], [library, *form.inputs.values()]
    status, found = form.outputs
    outputs = [form.asked, *form.outputs]

    def new(*values: Any) -> list[Any]:
        return _answer(calls, dict(zip(names, values, strict=True)))

    def typed(outdated: int, before: SearchRequest, event: gr.EventData, *values: Any) -> list[Any]:
        if not _typings(event) > outdated:
            return [gr.skip()] * 3
        return as_typed(calls, before, dict(zip(names, values, strict=True)))

    def similar(event: gr.EventData, *values: Any) -> list[Any]:
        # `SearchRequest.of` checks every value from the browser, as it does for an address.
        clicked = sent(event)
        like = {"like": clicked.get("id"), "start": clicked.get("start"), "end": clicked.get("end")}
        return _answer(calls, {**dict(zip(names, values, strict=True)), **like, "q": ""})

    asking = {"api_name": False, "show_progress_on": status, **MODEL}
    for trigger in (form.inputs["q"].submit, button.click):
        trigger(new, inputs, outputs, **asking)
    outdated = gr.State(0)
    every = {"api_name": False, "show_progress": "hidden", "trigger_mode": "multiple"}
    found.outdated(_typings, None, outdated, **every, concurrency_limit=None)
    found.typed(typed, [outdated, form.asked, *inputs], outputs, **every, **MODEL)
    found.similar(similar, inputs, outputs, **asking)
    _answering_again(calls, library, form, map_drawn)


def _answering_again(calls: Calls, library: gr.components.Component, form: Form, map_drawn: gr.HTML) -> None:
    """Connect the events that run the last search again with another value.

    They are all inputs but the query, a filter's chip, a rectangle on the map and the button for more results.
    """
    names, inputs = ["library", *form.inputs], [library, *form.inputs.values()]
    status, found = form.outputs
    outputs = [form.asked, *form.outputs]

    def again(before: SearchRequest, *values: Any) -> list[Any]:
        kept = {name: getattr(before, name) for name in ("q", "like", "start", "end")}
        if not before.asks:
            return [gr.skip()] * 3
        return _answer(calls, {**dict(zip(names, values, strict=True)), **kept})

    def brushed(before: SearchRequest, event: gr.EventData, *values: Any) -> list[Any]:
        region = str(sent(event).get("region"))
        return [*again(before, *values[:-1], region), region]

    def dropped(before: SearchRequest, event: gr.EventData) -> list[Any]:
        return without_filter(calls, before, str(sent(event).get("field")))

    asking = {"api_name": False, "show_progress_on": status, **MODEL}
    changing = {"api_name": False, "show_progress": "hidden", "trigger_mode": "always_last", **MODEL}
    for name, changed in form.inputs.items():
        if name not in ("q", "region"):
            changed.input(again, [form.asked, *inputs], outputs, **changing)
    found.more(lambda before: more_of(calls, before), form.asked, [*outputs, form.inputs["top"]], **asking)
    map_drawn.brushed(brushed, [form.asked, *inputs], [*outputs, form.inputs["region"]], **asking)
    narrowing = [form.inputs[name] for name in FILTERS]
    found.dropped(dropped, form.asked, [*outputs, *narrowing], **asking, trigger_mode="multiple")


def _typings(event: gr.EventData) -> int:
    """Return how often the visitor's words had changed when the event came; 0 for what no page of ours sends."""
    count = sent(event).get("typings")
    return count if isinstance(count, int) else 0


def _filters() -> dict[str, gr.components.Component]:
    """Add the filters' components and return them by the field names of `SearchRequest`."""
    return {
        "folder": gr.Dropdown([(label("all"), "")], value="", label=label("Folder"), min_width=180),
        "shortest": gr.Number(None, label=label("At least (seconds)"), minimum=0, min_width=130),
        "longest": gr.Number(None, label=label("At most (seconds)"), minimum=0, min_width=130),
        "since": gr.Textbox(
            label=label("Changed since"), placeholder="2026-01-31", max_length=10, min_width=130
        ),
        "until": gr.Textbox(
            label=label("Changed until"), placeholder="2026-12-31", max_length=10, min_width=130
        ),
    }


def _answer(calls: Calls, given: dict[str, Any]) -> list[Any]:
    """Return the request as understood, the status line and the cards."""
    try:
        request = SearchRequest.of(given)
    except ValueError as error:
        return [gr.skip(), failure(error), ""]
    return [request, *show(calls, request)]


def as_typed(calls: Calls, before: SearchRequest, given: dict[str, Any]) -> list[Any]:
    """Return what `_answer` does for words that are being typed; nothing changes while they cannot be read yet."""
    try:
        parse(given["q"])
        request = SearchRequest.of(given)
    except ValueError:
        return [gr.skip()] * 3
    return [gr.skip()] * 3 if request == before else [request, *show(calls, request)]


def more_of(calls: Calls, before: SearchRequest) -> list[Any]:
    """Return what `_answer` does for the last search with more results, and the form's number of results."""
    request = replace(before, top=min(before.top + MORE, MOST))
    return [request, *show(calls, request), request.top]


def without_filter(calls: Calls, before: SearchRequest, field: str) -> list[Any]:
    """Return what `_answer` does for the last search without one filter, and the form's filters."""
    if field not in before.filters:
        return [gr.skip()] * (3 + len(FILTERS))
    request = replace(before, **{field: getattr(SearchRequest(), field)})
    left = [getattr(request, name) if name == field else gr.skip() for name in FILTERS]
    return [request, *show(calls, request), *left]


def show(calls: Calls, request: SearchRequest) -> list[str]:
    """Return the status line and the cards; errors that the user can fix are shown in the status line."""
    if not request.asks:
        return [empty_query(), ""]
    try:
        found = calls.search(request)
        names = {id: name for name, id in calls.videos(request.library)} if request.like else {}
    except ValueError as error:
        return [failure(error), ""]
    if not found:
        return [_none_left() if request.filters else nothing(), cards.chips(request)]
    started = time.perf_counter()
    drawn = cards.cards(found, request, "keeping" not in calls.without)
    links = downloads.of_results(found, found.document())
    times = {**found.ms, "render": 1000 * (time.perf_counter() - started)}
    return [_summary(request, names.get(request.like, ""), found, links, times), drawn]


def _summary(request: SearchRequest, name: str, found: Any, links: str, times: dict[str, float]) -> str:
    link = translated("Link to this search")
    rest = f'<a class="permalink" href="{html.escape(request.address)}">{link}</a> {links}'
    return message(
        f'{_found(request, name, found)} <span class="links">{rest}</span><span class="times">{took(times)}</span>',
        "warn" if found.no_match else "done",
    )


def _found(request: SearchRequest, name: str, found: Any) -> str:
    """Return, as HTML, how many results there are for the query, or like the video `name`."""
    if request.like:
        part = "" if request.start is None else f", {request.start:.1f}–{request.end:.1f}&nbsp;s"
        video = f"<b><bdi>{html.escape(name)}</bdi></b>{part}"
        return counted(len(found), "{count} best like {video}", "{count} best like {video}", video=video)
    query = f"<b>{html.escape(request.q)}</b>"
    if found.no_match:
        return translated(
            "<b>No good match</b> for {query}: nothing here fits it better than it fits unrelated queries. "
            "Try other or fewer words; these are the nearest",
            query=query,
        )
    return counted(len(found), "{count} best for {query}", "{count} best for {query}", query=query)


def nothing() -> str:
    """Return what is said where there is no video to search."""
    told = translated(
        "The library holds no videos yet. Index a folder in the tab <b>Library</b>, or with "
        "<code>stan index FOLDER --library PATH</code>, then search again."
    )
    return message(told, "warn")


def _none_left() -> str:
    return message(translated("No video passes the filters: open <b>Filters</b> and widen them."), "warn")
