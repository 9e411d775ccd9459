"""What all tabs share: the model's queue, messages, theme, style and the headers of every answer."""

from __future__ import annotations

import html
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import gradio as gr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

MODEL = {"concurrency_limit": 1, "concurrency_id": "model"}
"""Given to every event that runs the model, so that one runs at a time and the rest queue."""

THEME = gr.themes.Default(
    primary_hue="teal",
    neutral_hue="slate",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
).set(
    color_accent="*primary_700",
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    border_color_accent="*primary_700",
    block_label_text_color="*body_text_color",
    block_title_text_color="*body_text_color",
)

STYLE = """
.html-container {padding: 0 !important}
.go {align-self: end; flex-grow: 0 !important; min-height: 44px; white-space: nowrap}
.message {padding: .6rem .9rem; border-left: 4px solid var(--border-color-accent); border-radius: 4px;
  background: var(--background-fill-secondary); color: var(--body-text-color); overflow-wrap: anywhere}
.message.error {border-left-color: #b91c1c}
.message.warn {border-left-color: #b45309}
.message .times {display: inline-block; margin-left: .6rem; font-variant-numeric: tabular-nums;
  color: var(--body-text-color)}
.cards {display: grid !important;
  grid-template-columns: repeat(auto-fill, minmax(min(280px, 100%), 1fr)); gap: 1.2rem}
.cards .card {gap: .5rem; min-width: 0 !important}
.moment {position: relative; height: 8px; border-radius: 4px; background: var(--border-color-primary)}
.moment span {position: absolute; top: 0; bottom: 0; min-width: 4px; border-radius: 4px; background: #0d9488}
.facts {margin: .4rem 0 0; font-size: .9rem; color: var(--body-text-color)}
.labels {display: grid; grid-template-columns: minmax(8rem, 2fr) 3fr 4rem; gap: .45rem .8rem;
  align-items: center}
.labels .bar {height: 14px; border-radius: 4px; background: var(--border-color-primary)}
.labels .bar span {display: block; height: 100%; border-radius: 4px; background: #0d9488}
.labels .chance {text-align: right; font-variant-numeric: tabular-nums}
.labels .label {overflow-wrap: anywhere}
.maps {overflow-x: auto; padding-bottom: .4rem}
.maps table {border: 0 !important; margin: 0 !important; border-collapse: separate;
  border-spacing: 4px; width: max-content}
.maps th, .maps td {border: 0 !important; padding: 0 !important; font-weight: 500; font-size: .85rem;
  color: var(--body-text-color)}
.maps th[scope=row] {position: sticky; left: 0; min-width: 5.2rem; max-width: 5.2rem; text-align: left;
  background: var(--body-background-fill); z-index: 1; white-space: normal}
.maps img {display: block; width: 116px; height: 116px; max-width: none; image-rendering: pixelated;
  border-radius: 3px}
.scale {display: flex; flex-wrap: wrap; align-items: center; gap: .6rem; font-size: .9rem;
  font-variant-numeric: tabular-nums}
.scale img {height: 12px; width: 160px; border-radius: 3px}
@media (max-width: 640px) {
  .go {flex-grow: 1 !important}
  .maps img {width: 92px; height: 92px}
  .labels {grid-template-columns: 1fr 4.5rem; grid-auto-flow: dense}
  .labels .bar {grid-column: 1 / -1; grid-row: auto}}
"""

_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self' blob:; frame-ancestors 'self'; base-uri 'self'; object-src 'none'"
)
_FILE_POLICY = "default-src 'none'; media-src 'self'; sandbox"


def message(text: str, kind: str = "note") -> str:
    """A line that screen readers announce. `text` is HTML: escape what comes from outside."""
    role = "alert" if kind == "error" else "status"
    return f'<div class="message {kind}" role="{role}">{text}</div>'


def failure(error: Exception) -> str:
    """What the user can mend, in words, without the folders of the operator's machine."""
    text = str(error)
    if hasattr(error, "reason"):
        reason = re.sub(r":? ?'/[^')]*'?", "", error.reason)
        text = f"{Path(error.path).name}: {reason}; {error.remedy}"
    return message(html.escape(text), "error")


async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Keeps the page from reaching out, and a served file from running; fetching through us is refused."""
    path = request.url.path
    if "/file=http" in path or "/proxy=" in path:
        return PlainTextResponse("not here", status_code=403)
    response = await call_next(request)
    response.headers["Content-Security-Policy"] = _FILE_POLICY if "/file=" in path else _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
