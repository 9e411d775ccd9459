"""The moments that a visitor chose in; named collections, lists for cutting programs, and clips cut by time, out."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from demo.components import downloads
from demo.components.moments import SCRIPT, key, moments_list
from demo.components.page import failure, message, sent
from demo.languages import counted, label, translated
from demo.service.calls import Calls
from demo.tabs.choice import Chosen
from stan.common.progress import FileProgress
from stan.library.collections import LONGEST_NAME
from stan.library.kept import Moment

CUT = {"concurrency_limit": 1, "concurrency_id": "cut"}
"""Options of cutting: a queue separate from the model's, so that searches work while clips are cut."""
CHOICE = "what I chose"
"""The list's first entry: the visitor's own choice, which nobody else sees."""
EMPTY = "Nothing is chosen yet: search, then press <b>Choose</b> at the moments that belong together."


@dataclass(frozen=True)
class View:
    """The tab's components that change together."""

    shown: gr.Dropdown
    status: gr.HTML
    moments: gr.HTML
    cut: gr.HTML

    @property
    def outputs(self) -> list[gr.components.Component]:
        return [self.shown, self.status, self.moments, self.cut]


def tab(calls: Calls, library: gr.components.Component, chosen: gr.State, opened: gr.Tab) -> None:
    """Add the tab's components. chosen: the visitor's `Chosen`; opened: the tab, which is filled when it is opened."""
    with gr.Row():
        shown = gr.Dropdown(
            [(label(CHOICE), "")], value="", label=label("Show"), elem_id="collection", scale=2, min_width=200
        )
        name = gr.Textbox(
            label=label("Add what is shown to a collection"),
            max_length=LONGEST_NAME,
            scale=2,
            min_width=200,
        )
        add = gr.Button(label("Add"), variant="primary", min_width=130, elem_classes="go")
        remove = gr.Button(label("Remove"), min_width=130, elem_classes="go")
    status = gr.HTML(message(label(EMPTY)), elem_id="collection-status")
    moments = gr.HTML("", elem_id="moments", js_on_load=SCRIPT.read_text())
    cutting = gr.Button(label("Cut clips"), min_width=110)
    view = View(shown, status, moments, gr.HTML("", elem_id="cut-status"))
    _answering(calls, library, chosen, opened, view, name, add, remove)

    def run(
        library: str,
        shown: str,
        chosen: Chosen,
        bar: gr.Progress = gr.Progress(),  # noqa: B008 - gradio passes a progress bar for this default
    ) -> str:
        told = translated("cutting clips")
        return cut(calls, library, shown, chosen, lambda done, total, name: bar((done, total), desc=told))

    cutting.click(run, [library, shown, chosen], view.cut, api_name=False, **CUT)


def _answering(
    calls: Calls,
    library: gr.components.Component,
    chosen: gr.State,
    opened: gr.Tab,
    view: View,
    name: gr.Textbox,
    add: gr.Button,
    remove: gr.Button,
) -> None:
    """Connect the events that change what is shown."""
    asked = [library, view.shown, chosen]
    quietly = {"api_name": False, "show_progress": "hidden"}

    def take(library: str, shown: str, chosen: Chosen, event: gr.EventData) -> list[Any]:
        return take_out(calls, library, shown, chosen, str(sent(event).get("key")))

    opened.select(lambda *now: show(calls, *now), asked, view.outputs, **quietly)
    library.input(
        lambda library, chosen: show(calls, library, "", chosen), [library, chosen], view.outputs, **quietly
    )
    view.shown.input(lambda *now: show(calls, *now), asked, view.outputs, **quietly)
    view.moments.taken(take, asked, [chosen, *view.outputs], **quietly, trigger_mode="multiple")
    for trigger in (add.click, name.submit):
        trigger(lambda *given: keep(calls, *given), [*asked, name], [chosen, *view.outputs], **quietly)
    remove.click(lambda *now: drop(calls, *now), asked, [chosen, *view.outputs], **quietly)


def show(calls: Calls, library: str, shown: str, chosen: Chosen) -> list[Any]:
    """Return the updates that show a collection, or for "" the choice. A collection that is gone shows the choice."""
    try:
        known = {one.name: one.moments for one in calls.kept.collections(library)}
        videos = {id for _, id in calls.videos(library)}
    except ValueError as error:
        return [gr.skip(), failure(error), "", ""]
    name = shown if shown in known else ""
    moments = known[name] if name else chosen.get(library, ())
    listed = gr.Dropdown([(translated(CHOICE), ""), *((one, one) for one in known)], value=name)
    return [listed, _status(moments, name), moments_list(moments, videos) if moments else "", ""]


def _status(moments: Sequence[Moment], name: str) -> str:
    """Return how many moments are shown, and links to them, or what to do where there are none."""
    if not moments and name:
        told = translated("This collection is empty: remove it, or choose moments and add them to it.")
        return message(told, "warn")
    if not moments:
        return message(translated(EMPTY))
    told = counted(
        len(moments),
        "{count} moment, {seconds} in all",
        "{count} moments, {seconds} in all",
        seconds=f"{sum(moment.end - moment.start for moment in moments):.1f}&nbsp;s",
    )
    links = downloads.of_moments(moments, name or "chosen moments")
    return message(f"{told} <span class='links'>{links}</span>", "done")


def keep(calls: Calls, library: str, shown: str, chosen: Chosen, name: str) -> list[Any]:
    """Add what is shown to the collection `name` and show it. A choice that lies there is a choice no more."""
    try:
        moments = _moments(calls, library, shown, chosen)
        if not moments:
            raise ValueError(translated("there is nothing to add: search, then choose moments"))
        kept = calls.kept.add(library, name, moments)
    except ValueError as error:
        return [gr.skip(), *_refused(error)]
    left = chosen if shown else {**chosen, library: ()}
    return [left, *show(calls, library, kept.name, left)]


def take_out(calls: Calls, library: str, shown: str, chosen: Chosen, taken: str) -> list[Any]:
    """Take the moment with the key `taken` out of what is shown."""
    try:
        moments = _moments(calls, library, shown, chosen)
        for moment in moments:
            if shown and key(moment) == taken:
                calls.kept.take_out(library, shown, moment)
    except ValueError as error:
        return [gr.skip(), *_refused(error)]
    left = chosen if shown else {**chosen, library: tuple(one for one in moments if key(one) != taken)}
    return [left, *show(calls, library, shown, left)]


def drop(calls: Calls, library: str, shown: str, chosen: Chosen) -> list[Any]:
    """Remove the collection that is shown, or choose nothing any more."""
    if not shown:
        left = {**chosen, library: ()}
        return [left, *show(calls, library, "", left)]
    try:
        calls.kept.remove(library, shown)
    except ValueError as error:
        return [gr.skip(), *_refused(error)]
    return [gr.skip(), *show(calls, library, "", chosen)]


def cut(calls: Calls, library: str, shown: str, chosen: Chosen, progress: FileProgress) -> str:
    """Return a link to the clips of what is shown, and what could not be cut."""
    try:
        moments = _moments(calls, library, shown, chosen)
        made = calls.kept.cut(library, moments, progress)
    except ValueError as error:
        return failure(error)
    failed = "".join(
        f"<br><bdi>{html.escape(name)}</bdi>: {html.escape(reason)}" for name, reason in made.failed
    )
    count = len(moments) - len(made.failed)
    told = counted(count, "Download {count} clip (zip)", "Download {count} clips (zip)")
    link = f'<a download="clips.zip" href="media/{html.escape(made.id)}.zip">{told}</a>'
    return message(f"{link}{failed}", "warn" if failed else "done")


def _moments(calls: Calls, library: str, shown: str, chosen: Chosen) -> tuple[Moment, ...]:
    """Return the moments that are shown; none of a collection that is gone."""
    if not shown:
        return chosen.get(library, ())
    return next((one.moments for one in calls.kept.collections(library) if one.name == shown), ())


def _refused(error: ValueError) -> list[Any]:
    return [gr.skip(), failure(error), gr.skip(), gr.skip()]
