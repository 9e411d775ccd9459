"""The operator's libraries in; their contents, what each file is, and indexing with progress and report, out."""

from __future__ import annotations

import contextvars
import html
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from demo.components.page import failure, message, table
from demo.languages import counted, label, translated
from demo.service.calls import Calls
from stan.data.video.summary import summary

INDEX = {"concurrency_limit": 1, "concurrency_id": "index"}
"""Options of indexing events: a queue separate from the model's, so that searches work while a folder is indexed."""
SHOWN = 500
"""Maximum number of skipped files listed."""
HELD = "what the library holds already"
EMPTY = "Choose a folder, then press <b>Index</b>: what is new or changed is embedded, what is gone dropped."
CLOSED = (
    "The page may only look through the folders that the library holds already. Who started it can let it index "
    "others: <code>stan demo --allow-folders FOLDER</code>."
)


class Stopped(Exception):
    """Raised inside the indexing when nobody waits for it any more; videos embedded by then are kept."""


def tab(calls: Calls, library: gr.Radio) -> tuple[gr.HTML, gr.Dropdown, gr.events.Dependency | None]:
    """Add the tab's components.

    Return the description of the chosen library, its list of videos, which the page fills, and the event of an
    indexing, if the page offers that.
    """
    library.render()
    holds = gr.HTML(elem_id="library-holds")
    chosen = gr.Dropdown(
        [],
        label=label("What is known of a video's file"),
        elem_id="record-video",
        visible="facts" not in calls.without,
    )
    known = gr.HTML(elem_id="record")
    if "facts" not in calls.without:
        chosen.change(
            lambda library, id: record(calls, library, id) if id else "",
            [library, chosen],
            known,
            api_name=False,
            show_progress="hidden",
        )
    return holds, chosen, None if "indexing" in calls.without else _indexing_form(calls, library)


def _indexing_form(calls: Calls, library: gr.Radio) -> gr.events.Dependency:
    """Add the components by which a folder is indexed and return that event."""
    with gr.Row():
        folder = gr.Dropdown(
            [(label(HELD), HELD), *((one, one) for one in calls.folders)],
            value=HELD,
            label=label("Folder to index"),
            min_width=220,
            scale=2,
        )
        below = gr.Textbox(
            label=label("Only the folder below it named (optional)"),
            max_length=300,
            visible=bool(calls.folders),
            min_width=220,
            scale=2,
        )
        start = gr.Button(label("Index"), variant="primary", min_width=130, elem_classes="go")
        stop = gr.Button(label("Stop"), min_width=110, elem_classes="go")
    status = gr.HTML(message(label(EMPTY) if calls.folders else label(CLOSED)), elem_id="index-status")

    def run(library: str, folder: str, below: str) -> Iterator[str]:
        yield from indexing(calls, library, None if folder == HELD else folder, below)

    running = start.click(
        run, [library, folder, below], status, api_name=False, show_progress="hidden", **INDEX
    )
    stop.click(_stopped, None, status, cancels=running, api_name=False, show_progress="hidden")
    return running


def _stopped() -> str:
    return message(translated("Stopped: what is embedded is kept, <b>Index</b> goes on from there."))


def holding(videos: list[tuple[str, str]], places: list[str]) -> str:
    """Return a message that says how much a library holds."""
    if not videos:
        return message(translated("This library holds no videos yet: index a folder."), "warn")
    told = translated(
        "{videos} in {folders}.",
        videos=counted(len(videos), "{count} video", "{count} videos"),
        folders=counted(len(places), "{count} folder", "{count} folders"),
    )
    return message(told)


def record(calls: Calls, library: str, id: str) -> str:
    """Return what a video's file is and how it was read, as a table."""
    try:
        facts = calls.facts(library, id)
    except ValueError as error:
        return failure(error)
    if facts is None:
        told = translated(
            "Not known: an earlier version of stan embedded it. Files that change are looked at anew."
        )
        return message(told, "warn")
    rows = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(text)}</td></tr>'
        for name, text in summary(facts).items()
    )
    return table(translated("what is known of the file"), rows, kind="record")


def indexing(calls: Calls, library: str, folder: str | None, below: str) -> Iterator[str]:
    """Yield messages while a folder is indexed in a separate thread, and the report at the end.

    Closing this iterator stops the indexing after the current file.
    """
    news: queue.SimpleQueue[Any] = queue.SimpleQueue()
    stopped = threading.Event()

    def progress(done: int, total: int, name: str) -> None:
        if stopped.is_set():
            raise Stopped
        news.put((done, total, name))

    def work() -> None:
        try:
            news.put(report(calls.index(library, folder, below, progress)))
        except ValueError as error:
            news.put(failure(error))
        except Exception as error:  # it is raised again in the waiting thread
            news.put(error)

    started = time.monotonic()
    ours = contextvars.copy_context()  # it knows the visitor, in whose language the report is
    threading.Thread(target=ours.run, args=(work,), name="index", daemon=True).start()
    try:
        yield message(translated("Looking through the folder …"))
        while isinstance(now := _latest(news), tuple):
            yield running(*now, time.monotonic() - started)
        if isinstance(now, Exception):
            raise now
        yield now
    finally:
        stopped.set()


def _latest(news: queue.SimpleQueue[Any]) -> Any:
    """Wait for the next message, then skip to the latest one that is already there; never skip past the result."""
    now = news.get()
    while isinstance(now, tuple) and not news.empty():
        now = news.get()
    return now


def running(done: int, total: int, name: str, seconds: float) -> str:
    """Return a progress bar with the rate and the remaining time at this rate."""
    rate = done / seconds if seconds > 0 else 0.0
    parts = [
        counted(total, "{done} of {count} file", "{done} of {count} files", done=done),
        translated("{rate} per second", rate=f"{rate:.1f}"),
    ]
    if rate > 0:
        parts.append(translated("about {duration} left", duration=_duration((total - done) / rate)))
    return message(
        f"{', '.join(parts)}: <bdi>{html.escape(name)}</bdi>"
        f'<progress max="{max(total, 1)}" value="{done}" aria-label="{translated("files looked at")}"></progress>'
    )


def report(found: dict[str, Any]) -> str:
    """Return what was indexed, and a table of the skipped files with reasons and remedies."""
    skipped = found["skipped"]
    counts = {name: f"<b>{found[name]}</b>" for name in ("indexed", "unchanged", "removed")}
    told = translated(
        "{indexed} indexed, {unchanged} unchanged, {removed} removed, {skipped} skipped in {seconds}.",
        **counts,
        skipped=f"<b>{len(skipped)}</b>",
        seconds=f"{found['seconds']:.1f}&nbsp;s",
    )
    return message(told, "done") + (_table(skipped) if skipped else "")


def _table(skipped: list[dict[str, str]]) -> str:
    rows = "".join(
        f"<tr><td><bdi>{html.escape(one['file'])}</bdi></td><td>{html.escape(one['reason'])}</td>"
        f"<td>{html.escape(one['remedy'])}</td></tr>"
        for one in skipped[:SHOWN]
    )
    count = len(skipped) - SHOWN
    more = f"<p class='facts'>{translated('and {count} more', count=count)}</p>" if count > 0 else ""
    names = (translated("skipped"), translated("why"), translated("what to do"))
    return table(translated("skipped files"), rows, names) + more


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f}&nbsp;s" if seconds < 90 else f"{minutes}&nbsp;min"
