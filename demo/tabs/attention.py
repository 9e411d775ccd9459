"""A video of the library in, maps of raw attention over space and over time out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from demo.components import heatmaps
from demo.components.page import MODEL, failure, message
from demo.languages import label, translated
from demo.service.calls import Calls

if TYPE_CHECKING:
    from stan.explain import Attention

MEAN = "mean of all heads"
NO_BRANCH = "This model has no attention of its own within frames beside CLIP's: only CLIP's maps are shown."
NO_BLOCKS = "This CLIP's blocks have no attention that can be seen apart: only what its branch has is shown."
POOLING = "CLIP's pooling, mean of its heads"
NO_TIME = "This model has no attention across frames, so there is no matrix over time to show."


@dataclass(frozen=True)
class Views:
    """The components that show attention."""

    whole: gr.Accordion
    seen: gr.State
    note: gr.HTML
    choices: list[gr.components.Component]
    drawn: list[gr.components.Component]

    def run(self, calls: Calls, after: Any, asked: list[gr.components.Component]) -> None:
        """Run the model and draw when the event `after` has ended. asked: library, video and number of frames."""
        looked = after.then(
            lambda library, video, frames: start(calls, library, video, int(frames)),
            asked,
            [self.seen, self.note, self.whole, *self.choices],
            api_name=False,
            show_progress_on=self.note,
            **MODEL,
        )
        looked.then(draw, [self.seen, *self.choices], self.drawn, api_name=False)


def views() -> Views:
    """Add the components, which are hidden until there is something to see and redraw when their choices change."""
    seen = gr.State(None, time_to_live=3600)
    with gr.Accordion(label("Raw attention, layer by layer and head by head"), visible=False) as whole:
        note = gr.HTML(elem_id="attention-note")
        with gr.Row():
            block = gr.Dropdown([], label=label("CLIP block"), min_width=110)
            layer = gr.Dropdown([], label=label("Branch layer"), min_width=110)
            head = gr.Dropdown([], label=label("Head"), min_width=160)
        space = gr.HTML(elem_id="maps")
        with gr.Row():
            with gr.Column(min_width=280):
                place = gr.Image(
                    interactive=False,
                    label=label("Click a patch (middle frame)"),
                    buttons=[],
                    height=280,
                    elem_id="patch",
                )
                with gr.Row():
                    row = gr.Slider(1, 2, value=1, step=1, label=label("Patch row"), min_width=120)
                    column = gr.Slider(1, 2, value=1, step=1, label=label("Patch column"), min_width=120)
            with gr.Column(min_width=280):
                over_time = gr.Plot(show_label=False, elem_id="over-time")
                missing = gr.HTML()
    choices = [block, layer, head, row, column]
    drawn = [space, place, over_time, missing]
    for choice in choices:
        choice.input(draw, [seen, *choices], drawn, api_name=False, show_progress="hidden")
    picked = place.select(pick, seen, [row, column], api_name=False, show_progress="hidden")
    picked.then(draw, [seen, *choices], drawn, api_name=False, show_progress="hidden")
    return Views(whole, seen, note, choices, drawn)


def start(calls: Calls, library: str, video: str | None, frames: int) -> list[Any]:
    """Run the model and return the updates of the choices, or a message that says what to fix."""
    if not video:
        return [None, "", gr.Accordion(visible=False), *[gr.skip()] * 5]
    try:
        seen = calls.attention(library, video, frames)
    except ValueError as error:
        return [None, failure(error), gr.Accordion(visible=True), *[gr.skip()] * 5]
    blocks = 0 if seen.clip is None else len(seen.clip)
    layers = next((len(maps) for maps in (seen.branch, seen.temporal) if maps is not None), 0)
    heads = next((maps.shape[axis] for maps, axis in _by_head(seen) if maps is not None), 0)
    height, width = seen.grid
    lacking = translated(NO_BLOCKS) if not blocks else translated(NO_BRANCH) if seen.branch is None else ""
    return [
        seen,
        message(f"{seen.note} {lacking}".strip(), "warn"),
        gr.Accordion(visible=True),
        gr.Dropdown(list(range(1, blocks + 1)), value=blocks or None, visible=blocks > 0),
        gr.Dropdown(list(range(1, layers + 1)), value=layers or None, visible=layers > 0),
        gr.Dropdown([(translated(MEAN), MEAN), *((str(n), str(n)) for n in range(1, heads + 1))], value=MEAN),
        gr.Slider(1, height, value=(height + 1) // 2),
        gr.Slider(1, width, value=(width + 1) // 2),
    ]


def draw(
    seen: Attention | None, block: int | None, layer: int | None, head: str | None, row: int, column: int
) -> list[Any]:
    """Return the maps, the frame with the chosen patch marked, the matrix over time, and a message if there is none."""
    if seen is None:
        return ["", None, None, ""]
    rows = {}
    if seen.clip is not None:
        rows[translated("CLIP, block {number}", number=block)] = _of_head(
            seen.clip[int(block) - 1], head, axis=1
        )
    if seen.pooling is not None:
        rows[translated(POOLING)] = seen.pooling.mean(1)
    if seen.branch is not None:
        rows[translated("branch, layer {number}", number=layer)] = _of_head(
            seen.branch[int(layer) - 1], head, axis=1
        )
    grid = seen.grid
    row, column = min(int(row), grid[0]), min(int(column), grid[1])
    middle = seen.pixels[len(seen.pixels) // 2]
    place = heatmaps.patch(middle, grid, row - 1, column - 1)
    space = heatmaps.table(seen.pixels, seen.times, rows, translated("share of attention"))
    if seen.temporal is None:
        return [space, place, gr.Plot(None, visible=False), message(translated(NO_TIME), "warn")]
    weights = _of_head(seen.temporal[int(layer) - 1], head, axis=0)[row - 1, column - 1]
    title = f"across frames, layer {layer}, {head if head == MEAN else f'head {head}'}, patch {row}/{column}"
    return [space, place, gr.Plot(heatmaps.over_time(weights, seen.times, title), visible=True), ""]


def pick(seen: Any, event: gr.SelectData) -> tuple[Any, Any]:
    """Return row and column, from 1, of the clicked patch."""
    if seen is None:  # the result was forgotten after an hour
        return gr.skip(), gr.skip()
    height, width = seen.grid
    x, y = event.index
    side = heatmaps.patch(seen.pixels[0], (height, width), 0, 0).shape[0]
    return min(int(y * height / side), height - 1) + 1, min(int(x * width / side), width - 1) + 1


def _by_head(seen: Attention) -> list[tuple[np.ndarray | None, int]]:
    """Return the maps that have the chosen number of heads, with the axis of heads."""
    return [(seen.clip, 2), (seen.branch, 2), (seen.temporal, 1)]


def _of_head(weights: np.ndarray, head: str | None, axis: int) -> np.ndarray:
    return weights.mean(axis) if head in (None, MEAN) else weights.take(int(head) - 1, axis)
