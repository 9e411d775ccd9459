"""Parts that all tabs share: the model's queue, HTML messages and bars, the theme."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from demo.languages import translated
from stan.common.errors import told

EXAMPLE = "a red circle moves up"
"""What empty fields for a query show."""
MODEL = {"concurrency_limit": 1, "concurrency_id": "model"}
"""Options of every event that runs the model: one event runs at a time, the others queue."""

STYLE = Path(__file__).with_name("style.css")
THEME = gr.themes.Default(
    primary_hue="teal",
    neutral_hue="slate",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
).set(
    color_accent="*primary_700",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_800",
    border_color_accent="*primary_700",
    block_label_text_color="*body_text_color",
    block_title_text_color="*body_text_color",
    block_info_text_color="*body_text_color",
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    input_placeholder_color="*neutral_500",
    input_placeholder_color_dark="*neutral_400",
)


def sent(event: gr.EventData) -> dict[str, Any]:
    """Return the values that the page's script sent with an event; none for what no page of ours sends."""
    return event._data if isinstance(event._data, dict) else {}


def message(text: str, kind: str = "note") -> str:
    """Return a line that screen readers announce. `text` is HTML: the caller escapes what comes from outside."""
    role = "alert" if kind == "error" else "status"
    return f'<div class="message {kind}" role="{role}">{text}</div>'


def empty_query() -> str:
    """Return what is said to someone who searches for nothing."""
    return message(translated("The query is empty: describe what should be seen, in a few words."), "warn")


def failure(error: Exception) -> str:
    """Return `told` as an HTML message."""
    return message(html.escape(told(error)), "error")


def took(milliseconds: dict[str, float]) -> str:
    """Return the times spent, each with what it was spent on, as HTML."""
    names = {
        "encode": translated("encode"),
        "search": translated("search"),
        "score": translated("score"),
        "labels": translated("labels"),
        "render": translated("render"),
    }
    told = ((names.get(name) or html.escape(name), value) for name, value in milliseconds.items())
    return ", ".join(f"{name} {value:.1f}&nbsp;ms" for name, value in told)


def bar(label: str, share: float, value: str, kind: str = "", low: float = 0.0, high: float = 0.0) -> str:
    """Return one row of `<div class="bars">`: a label, a bar of length `share` (0 to 1), and the text `value` (HTML).

    low, high: ends of a whisker over the bar, in shares; no whisker unless `high` is above `low`.
    """
    whisker = f'<i style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></i>' if high > low else ""
    width = 100 * min(max(share, 0.0), 1.0)
    return (
        f'<div class="label"><bdi>{html.escape(label)}</bdi></div>'
        f'<div class="bar {kind}" aria-hidden="true"><span style="width:{width:.1f}%"></span>{whisker}</div>'
        f'<div class="value">{value}</div>'
    )


def table(label: str, rows: str, head: Sequence[str] = (), kind: str = "") -> str:
    """Return a table that scrolls by itself where it is too wide. rows: the lines of its body; all texts are HTML."""
    names = "".join(f'<th scope="col">{name}</th>' for name in head)
    top = f"<thead><tr>{names}</tr></thead>" if head else ""
    return (
        f'<div class="plain {kind}" tabindex="0" role="region" aria-label="{label}">'
        f"<table>{top}<tbody>{rows}</tbody></table></div>"
    )
