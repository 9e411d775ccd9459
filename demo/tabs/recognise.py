"""A video of the library or an upload, and labels in; bars of probabilities and a strip of labels over time out."""

from __future__ import annotations

import html
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import gradio as gr

from demo.components.page import MODEL, bar, failure, message, took
from demo.languages import counted, label, translated
from demo.service.calls import Calls
from demo.service.media import require_video_name
from stan.data.video.extensions import READABLE

EMPTY = "Choose a video or upload one, choose labels, then press <b>Recognise</b>."
CHOOSE = "Choose a video of the library or upload one first."
OWN = "my own"
ALIKE = 6
"""Most pairs of labels named that the model can hardly tell apart."""
UNCALIBRATED = "Nobody has calibrated this model: its probabilities compare these labels, no more."


def tab(calls: Calls, library: gr.components.Component) -> gr.Dropdown:
    """Add the tab's components and return its list of videos, which the page fills."""
    with gr.Row():
        with gr.Column(min_width=280):
            chosen = gr.Dropdown([], label=label("Video of the library"), elem_id="recognise-video")
            upload = gr.File(
                label=label("or upload one: it is used while it is here"),
                file_types=sorted(READABLE),
                height=140,
            )
            words = _labels(calls)
            templates = _sentences(calls)
            button = gr.Button(label("Recognise"), variant="primary")
        with gr.Column(min_width=280):
            result = gr.HTML(message(label(EMPTY)), elem_id="labels")
            player = gr.HTML("", elem_id="recognised")

    def run(library: str, video: str | None, file: str | None, labels: str, sentences: str) -> list[str]:
        return show(calls, library, Path(file) if file else video, _lines(labels), _lines(sentences))

    button.click(
        run,
        [library, chosen, upload, words, templates],
        [player, result],
        api_name=False,
        show_progress_on=result,
        **MODEL,
    )
    return chosen


def _labels(calls: Calls) -> gr.Textbox:
    """Add a list of label sets and the labels, which a visitor may change, and return these."""
    first = next(iter(calls.labels))
    sets = [*((name, name) for name in calls.labels), (label(OWN), OWN)]
    known = gr.Dropdown(sets, value=first, label=label("Labels"), elem_id="label-set")
    words = gr.Textbox(
        "\n".join(calls.labels[first]),
        label=label("Labels, one per line"),
        lines=6,
        max_lines=12,
        elem_id="labels-text",
    )
    quietly = {"api_name": False, "show_progress": "hidden"}
    known.input(lambda name: "\n".join(calls.labels.get(name, [])), known, words, **quietly)
    words.input(lambda: OWN, None, known, **quietly)
    return words


def _sentences(calls: Calls) -> gr.Textbox:
    """Add a list of sets of templates and the templates, which a visitor may change, and return these."""
    with gr.Accordion(label("Sentences around the labels"), open=False):
        style = gr.Dropdown(list(calls.templates), label=label("Ready-made"))
        templates = gr.Textbox(
            "\n".join(next(iter(calls.templates.values()))),
            label=label("One per line; their embeddings are averaged, and the label takes the place of")
            + " {}",
            elem_id="sentences",
            lines=4,
            max_lines=12,
        )
    ready = {"api_name": False, "show_progress": "hidden"}
    style.input(lambda name: "\n".join(calls.templates[name]), style, templates, **ready)
    return templates


def show(
    calls: Calls, library: str, video: str | Path | None, labels: list[str], templates: list[str]
) -> list[str]:
    """Return the player and the result; for errors that the user can fix, a message replaces the result."""
    if not video:
        return ["", message(translated(CHOOSE), "warn")]
    try:
        if isinstance(video, Path):
            require_video_name(video)
        found = calls.recognise(library, video, labels, templates)
        id = calls.admit(video) if isinstance(video, Path) else video
    except ValueError as error:
        return ["", failure(error)]
    return [player(id), result(found)]


def player(id: str) -> str:
    """Return a video element that plays the proxy of the video with this id."""
    return (
        f'<video controls playsinline muted preload="metadata" aria-label="{translated("the recognised video")}" '
        f'style="width:100%;max-height:300px;background:#000" src="media/{html.escape(id)}.mp4"></video>'
    )


def result(found: dict[str, Any]) -> str:
    """Return the labels with their probabilities, best first, warnings, labels over time, and the times taken."""
    rows = "".join(
        bar(one["label"], one["probability"], f"{100 * one['probability']:.1f}&nbsp;%")
        for one in found["labels"]
    )
    told = "" if found["calibrated"] else translated(UNCALIBRATED)
    return (
        f"{_none(found['none'])}<div class='bars'>{rows}</div>{_alike(found['alike'])}"
        f"{_over_time(found['over_time'])}<p class='facts'>{told} {took(found['ms'])}</p>"
    )


def _over_time(found: dict[str, Any]) -> str:
    """Return a strip of the best label at each moment, with equal neighbours joined."""
    moments = list(zip(pairwise(_edges(found["times"])), found["best"], strict=True))
    stretches = [list(part) for _, part in groupby(moments, key=lambda moment: moment[1])]
    items = "".join(
        f'<li style="flex-grow:{len(part)}"><bdi>{html.escape(part[0][1])}</bdi><br>'
        f"{part[0][0][0]:.1f}–{part[-1][0][1]:.1f}&nbsp;s</li>"
        for part in stretches
    )
    told = f'<p class="facts">{translated("The best label at each moment:")}</p>'
    return f'{told}<ol class="track" tabindex="0" aria-label="{translated("labels over time")}">{items}</ol>'


def _edges(times: list[float]) -> list[float]:
    """Return the start, in seconds, of the time that each frame stands for, and the end of the last one's."""
    edges = [0.0, *((before + after) / 2 for before, after in pairwise(times))]
    return [*edges, 2 * times[-1] - edges[-1]]


def _none(found: dict[str, Any] | None) -> str:
    """Return a message that says how likely it is that no label fits; nothing for a classifier of its own classes."""
    if found is None:
        return ""
    chance = f"<b>{100 * found['probability']:.0f}&nbsp;%</b>"
    if found["rejected"]:
        told = translated(
            "Probably <b>none of these</b> ({chance}): give other labels, or another video.", chance=chance
        )
        return message(told, "warn")
    return message(translated("Chance that none of these fits: {chance}.", chance=chance))


def _alike(pairs: list[Any]) -> str:
    if not pairs:
        return ""
    named = [
        translated(
            "{one} and {other}", one=f"<bdi>{html.escape(a)}</bdi>", other=f"<bdi>{html.escape(b)}</bdi>"
        )
        for a, b, _ in pairs[:ALIKE]
    ]
    if (more := len(pairs) - ALIKE) > 0:
        named.append(counted(more, "{count} more pair", "{count} more pairs"))
    told = translated("The model can hardly tell these labels apart: {pairs}.", pairs="; ".join(named))
    return message(told, "warn")


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
