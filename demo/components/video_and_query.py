"""Nothing in; a list of the library's videos and a line for a query beside it, which two tabs ask by, out."""

from __future__ import annotations

import gradio as gr

from demo.service.search_request import LONGEST_QUERY


def video_and_query(name: str, asked: str) -> tuple[gr.Dropdown, gr.Textbox]:
    """Adds both to the row that is open; name: of their ids in the page; asked: the query's label."""
    video = gr.Dropdown([], label="Video", scale=3, min_width=220, elem_id=f"{name}-video")
    query = gr.Textbox(
        label=asked,
        placeholder="a red circle moves up",
        max_length=LONGEST_QUERY,
        scale=3,
        min_width=220,
        elem_id=f"{name}-query",
    )
    return video, query
