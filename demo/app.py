"""A library and a model in, the demo's page out: python -m demo.app --library PATH [--model NAME].

Safe by default: listens on this machine only, serves only proxies of its own making, keeps nothing.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported

import gradio as gr  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402
from starlette.middleware.base import BaseHTTPMiddleware  # noqa: E402

from demo import attention as attention_tab  # noqa: E402
from demo import recognise as recognise_tab  # noqa: E402
from demo import search as search_tab  # noqa: E402
from demo.engine import Engine, open_library  # noqa: E402
from demo.page import STYLE, THEME, failure, guard, message  # noqa: E402

PASSWORD = "STAN_DEMO_AUTH"
LARGEST_UPLOAD = "200mb"
WAITING = 64
"""Requests that may queue for the model; more are told to come back."""


def build(
    videos: Callable[[], list[tuple[str, str]]],
    search: search_tab.Search,
    recognise: recognise_tab.Recognise,
    attention: attention_tab.Look,
    proxy: Callable[[str | Path], Any],
    labels: list[str],
) -> gr.Blocks:
    """The page over plain callables.

    videos() -> [(name, id)]; search(query, top), recognise(video, labels) and attention(id, frames) as in
    `stan.library` and `stan.explain`; proxy(id or upload) -> a file to play.
    All may raise ValueError: its words are shown.
    """
    with gr.Blocks(title="stan", analytics_enabled=False, delete_cache=(3600, 24 * 3600)) as page:
        gr.Markdown("# stan: search your videos", elem_id="title")
        state = gr.HTML(message("Opening the library and loading the model …"), elem_id="library-status")
        with gr.Tabs():
            with gr.Tab("Search"):
                search_tab.tab(search, proxy)
            with gr.Tab("Recognise"):
                recognised = recognise_tab.tab(recognise, proxy, labels)
            with gr.Tab("Look inside"):
                looked_into = attention_tab.tab(attention)
        page.load(partial(_fill, videos), outputs=[state, recognised, looked_into], api_name=False)
    return page.queue(max_size=WAITING)


def _fill(videos: Callable[[], list[tuple[str, str]]]) -> list[Any]:
    """What the library holds, for those who have just come."""
    try:
        known = videos()
    except ValueError as error:
        return [failure(error), gr.skip(), gr.skip()]
    told = f"{len(known)} videos in the library." if known else search_tab.NOTHING
    choices = gr.Dropdown(known, value=known[0][1] if known else None)
    return [message(told) if known else told, choices, choices]


def settings(host: str, port: int | None, proxies: Path) -> dict[str, Any]:
    """Arguments of `launch`: the security floor. Raises ValueError for an open address without a password."""
    return {
        "server_name": host,
        "server_port": port,
        "auth": _password(host),
        "share": False,
        "max_file_size": LARGEST_UPLOAD,
        "allowed_paths": [str(proxies)],
        "run_history": False,
        "enable_monitoring": False,
        "footer_links": [],
        "ssr_mode": False,
        "show_error": False,
        "theme": THEME,
        "css": STYLE,
        "app_kwargs": {"middleware": [Middleware(BaseHTTPMiddleware, dispatch=guard)], "docs_url": None},
    }


def _password(host: str) -> tuple[str, str] | None:
    name, _, word = os.environ.get(PASSWORD, "").partition(":")
    if name and word:
        return name, word
    if host != "localhost" and not _is_loopback(host):
        raise ValueError(
            f"--host {host} lets others in: set {PASSWORD}=NAME:PASSWORD first, or leave --host at 127.0.0.1"
        )
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def main(arguments: list[str] | None = None) -> int:
    """Serves the page until Ctrl-C. Exit code 2 and one line for what the user can mend."""
    parser = argparse.ArgumentParser(prog="python -m demo.app", description=__doc__.splitlines()[0])
    parser.add_argument("--library", type=Path, required=True, help="folder made by stan index")
    parser.add_argument(
        "--model", help="preset, run or checkpoint; the one that made the library if left out"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
    )
    parser.add_argument("--port", type=int, help="port (default: 7860 or the next free one)")
    given = parser.parse_args(arguments)
    proxies = given.library.resolve() / "proxies"
    try:
        options = settings(given.host, given.port, proxies)
        engine = Engine(partial(open_library, given.library, given.model), proxies)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    page = build(
        engine.videos, engine.search, engine.recognise, engine.attention, engine.proxy, engine.labels
    )
    page.launch(**options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
