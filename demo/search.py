"""A sentence in, cards of videos with their best moment out."""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from typing import Any

import gradio as gr

from demo.page import MODEL, failure, message

CARDS = 9
EXAMPLES = ["a red circle moves up", "a blue square moves to the right", "a green triangle grows"]
EMPTY = message(
    "Type what should be seen, then press Enter. The best moment of each video found is marked below it."
)
NOTHING = message(
    "The library holds no videos yet. Index a folder with "
    "<code>stan index FOLDER --library PATH</code>, then search again.",
    "warn",
)

Search = Callable[[str, int], list[dict[str, Any]]]
Proxy = Callable[[str], Any]


def tab(search: Search, proxy: Proxy) -> None:
    """Adds the tab's components. `search(query, top)` gives results with `.ms`, `proxy(id)` a file."""
    with gr.Row():
        query = gr.Textbox(
            label="What should be seen?",
            placeholder="a red circle moves up",
            elem_id="query",
            max_length=500,
            scale=5,
            min_width=240,
        )
        top = gr.Slider(1, CARDS, value=6, step=1, label="Results", scale=2, min_width=160)
        button = gr.Button("Search", variant="primary", scale=1, min_width=130, elem_classes="go")
    gr.Examples([[example] for example in EXAMPLES], inputs=query, label="For example")
    status = gr.HTML(EMPTY, elem_id="search-status")
    cards = _cards()
    outputs = [status, *(part for card in cards for part in card)]

    def run(words: str, count: int) -> list[Any]:
        return show(search, proxy, words, int(count))

    for trigger in (query.submit, button.click):
        trigger(run, [query, top], outputs, api_name=False, show_progress_on=status, **MODEL)


def _cards() -> list[tuple[gr.Column, gr.Video, gr.HTML]]:
    cards = []
    with gr.Row(elem_classes="cards"):
        for number in range(CARDS):
            with gr.Column(
                min_width=260, visible=False, elem_classes="card", elem_id=f"card-{number}"
            ) as card:
                player = gr.Video(interactive=False, buttons=[], height=220, loop=True)
                cards.append((card, player, gr.HTML()))
    return cards


def show(search: Search, proxy: Proxy, query: str, top: int) -> list[Any]:
    """Values for the status line and all cards; what the user can mend comes back as the status line."""
    try:
        found = search(query, top)
        started = time.perf_counter()
        cards = [_card(rank, result, proxy) for rank, result in enumerate(found, 1)]
    except ValueError as error:
        return [failure(error), *_hidden(CARDS)]
    if not found:
        return [NOTHING, *_hidden(CARDS)]
    times = {**found.ms, "render": round(1000 * (time.perf_counter() - started), 1)}
    return [
        _summary(query, len(found), times),
        *(p for card in cards for p in card),
        *_hidden(CARDS - len(found)),
    ]


def _card(rank: int, result: dict[str, Any], proxy: Proxy) -> list[Any]:
    try:
        path, problem = str(proxy(result["id"])), ""
    except (ValueError, OSError) as error:
        path, problem = None, failure(error)
    name = f"{rank}. {result['name']}"
    player = gr.Video(path, label=name, playback_position=result["start"])
    return [gr.Column(visible=True), player, problem + _caption(result)]


def _hidden(count: int) -> list[Any]:
    return [gr.Column(visible=False), gr.Video(None), ""] * count


def _caption(result: dict[str, Any]) -> str:
    length = max(result["duration"], result["end"], 1e-6)
    left, width = 100 * result["start"] / length, 100 * (result["end"] - result["start"]) / length
    moment = f"{result['start']:.1f}–{result['end']:.1f}&nbsp;s"
    return (
        f'<div class="moment" role="img" aria-label="best moment {moment} of {length:.1f}&nbsp;s">'
        f'<span style="left:{left:.1f}%;width:{width:.1f}%"></span></div>'
        f"<p class='facts'>best moment <b>{moment}</b><br>score <b>{result['score']:.3f}</b>, "
        f"at or above {result['percentile']:.0f}&nbsp;% of the library</p>"
    )


def _summary(query: str, count: int, milliseconds: dict[str, float]) -> str:
    times = ", ".join(f"{name} {value:.1f} ms" for name, value in milliseconds.items())
    return message(f"{count} best for <b>{html.escape(query)}</b> <span class='times'>{times}</span>", "done")
