"""A label in; a list of the library's videos with a query field beside it out, as two tabs need it."""

from __future__ import annotations

import gradio as gr

from demo.components.page import EXAMPLE, message
from demo.languages import label, translated
from demo.service.search_request import LONGEST_QUERY

CHOOSE = "Choose a video of the library first."


def video_and_query(name: str, asked: gr.i18n.I18nData) -> tuple[gr.Dropdown, gr.Textbox]:
    """Add both to the open row and return them. name: prefix of their ids in the page; asked: label of the query."""
    video = gr.Dropdown([], label=label("Video"), scale=3, min_width=220, elem_id=f"{name}-video")
    query = gr.Textbox(
        label=asked,
        placeholder=EXAMPLE,
        max_length=LONGEST_QUERY,
        scale=3,
        min_width=220,
        elem_id=f"{name}-query",
    )
    return video, query


def no_video() -> str:
    """Return what is said to someone who has chosen none."""
    return message(translated(CHOOSE), "warn")
