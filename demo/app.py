"""Libraries and a model in, the demo's page out: python -m demo.app --library PATH [--model NAME].

It is safe by default: it listens on this machine only, serves only small videos and pictures that it made itself, and
keeps nothing.
"""

from __future__ import annotations

import argparse
import html
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio reads it on import

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware

from demo.components.page import MODEL, STYLE, THEME, failure, message
from demo.languages import IN_BROWSER, MARK_ENGLISH, counted, label, translated
from demo.service import media
from demo.service.access import guard
from demo.service.backend import Backend, open_library
from demo.service.calls import READ_ONLY, Calls, LibraryState
from demo.service.search_request import SearchRequest
from demo.tabs import collections as collections_tab
from demo.tabs import frame_order as time_tab
from demo.tabs import inside
from demo.tabs import library as library_tab
from demo.tabs import marks as marks_tab
from demo.tabs import recognise as recognise_tab
from demo.tabs import search as search_tab
from demo.tabs import side_by_side as both_tab
from stan.common.hosts import is_loopback
from stan.common.jobs import Job
from stan.library.places import distinct

PASSWORD = "STAN_DEMO_AUTH"
LARGEST_UPLOAD = "200mb"
WAITING = 64
"""Requests that may queue for the model; further ones are asked to come back later."""
SESSIONS = 256
"""Visitors whose state is kept, about 0.3 MB each. A visitor who comes back after that many others starts anew."""
LOOK_SECONDS = 2.0
"""Seconds between two checks for changes of the library."""
KEPT = (15 * 60, 60 * 60)
"""Seconds between two deletions of old uploads, and the age in seconds from which an upload is deleted."""


def build(calls: Calls) -> gr.Blocks:
    """Return the page, which only needs these plain callables."""
    with gr.Blocks(title="stan", analytics_enabled=False, delete_cache=KEPT) as page:
        gr.Markdown(label("# stan: search your videos"), elem_id="title")
        state = gr.HTML(
            message(label("Opening the library and loading the model …")), elem_id="library-status"
        )
        library = gr.Radio(calls.libraries, value=calls.libraries[0], label=label("Library"), render=False)
        with gr.Tabs():
            with gr.Tab(label("Search")):
                form = search_tab.tab(calls, library)
            if "keeping" not in calls.without:
                with gr.Tab(label("Collections")) as collected:
                    collections_tab.tab(calls, library, form.chosen, collected)
                with gr.Tab(label("Marks")):
                    marks_tab.tab(calls, library)
            if len(calls.libraries) > 1:
                with gr.Tab(label("Side by side")):
                    both_tab.tab(calls)
            with gr.Tab(label("Recognise")):
                recognised = recognise_tab.tab(calls, library)
            looks_inside = "inside" not in calls.without
            with gr.Tab(label("Look inside"), visible=looks_inside):
                looked_into = inside.tab(calls, library)
            with gr.Tab(label("Library")):
                holds, recorded, indexed = library_tab.tab(calls, library)
            with gr.Tab(label("Does time matter?"), visible=looks_inside):
                timed = time_tab.tab(calls, library)
        lists = [state, holds, recorded, recognised, looked_into, timed, form.inputs["folder"]]
        fill = partial(_fill, calls)
        library.input(fill, library, lists, api_name=False)
        if indexed is not None:
            indexed.then(fill, library, lists, api_name=False)

        def open_address(request: gr.Request) -> list[Any]:
            return _open(calls, form, dict(request.query_params))

        opened = page.load(open_address, None, [library, form.asked, *form.inputs.values()], api_name=False)
        filled = opened.then(fill, library, lists, api_name=False)
        first = partial(_first, calls)
        filled.then(first, form.asked, form.outputs, api_name=False, show_progress="hidden", **MODEL)
        shown = gr.State(None)
        looking = {"api_name": False, "show_progress": "hidden", "concurrency_limit": None}
        gr.Timer(LOOK_SECONDS).tick(partial(_look, calls), [library, shown], [shown, *lists], **looking)
    return page.queue(max_size=WAITING)


def _open(calls: Calls, form: search_tab.Form, address: dict[str, str]) -> list[Any]:
    """Return library, request and form values that the address asks for; the defaults if it is invalid."""
    try:
        request = SearchRequest.of(address)
    except ValueError as error:
        gr.Warning(translated("The address cannot be read: {error}", error=error))
        request = SearchRequest()
    name = request.library if request.library in calls.libraries else calls.libraries[0]
    return [name, request, *form.values(request)]


def _first(calls: Calls, request: SearchRequest) -> list[Any]:
    return search_tab.show(calls, request) if request.asks else [gr.skip(), gr.skip()]


def _look(calls: Calls, library: str, shown: LibraryState | None) -> list[Any]:
    """Return the updates since the last look. New videos appear in the lists, which keep the visitor's choices."""
    now = calls.state(library)
    if shown is None or now == shown or now.videos is None:
        return [now, *[gr.skip()] * 7]
    if now.videos != shown.videos and not now.indexing:
        return [now, *_fill(calls, library, keep_choices=bool(shown.videos))]
    return [now, _told(now.videos, now.indexing), *[gr.skip()] * 6]


def _fill(calls: Calls, library: str, keep_choices: bool = False) -> list[Any]:
    """Return the updates that show what the library holds, for a visitor who just came or chose another library."""
    try:
        known, places = calls.videos(library), calls.places(library)
    except ValueError as error:
        return [failure(error), failure(error), *[gr.skip()] * 5]
    told = _told(len(known), calls.state(library).indexing)
    value = {} if keep_choices else {"value": known[0][1] if known else None}
    choices = gr.Dropdown(known, **value)
    return [told, library_tab.holding(known, places), *[choices] * 4, search_tab.folders(places)]


def _told(videos: int, indexing: Sequence[Job]) -> str:
    """Return, as HTML, how many videos there are to search and what is being added."""
    if not videos and not indexing:
        return search_tab.nothing()
    parts = [counted(videos, "{count} video in the library", "{count} videos in the library")]
    parts += [f"<bdi>{html.escape(job.words)}</bdi>" for job in indexing]
    return message("; ".join(parts))


def settings(
    calls: Calls, host: str = "127.0.0.1", port: int | None = None, without_password: bool = False
) -> dict[str, Any]:
    """Return the arguments of `launch`, which set the minimum of security.

    Raises ValueError for a host that others can reach if neither a password is set nor `without_password`.
    """
    password = _password(host, without_password)
    check = guard(password, local_only=is_loopback(host) and not password)
    return {
        "server_name": host,
        "server_port": port,
        "share": False,
        "max_file_size": LARGEST_UPLOAD,
        "state_session_capacity": SESSIONS,
        "allowed_paths": [],
        "run_history": False,
        "enable_monitoring": False,
        "footer_links": [],
        "ssr_mode": False,
        "show_error": False,
        "mcp_server": False,
        "i18n": IN_BROWSER,
        "js": MARK_ENGLISH,
        "theme": THEME,
        "css_paths": STYLE,
        "app_kwargs": {
            "middleware": [Middleware(BaseHTTPMiddleware, dispatch=check)],
            "routes": media.routes(calls.media),
            "docs_url": None,
        },
    }


def _password(host: str, without: bool) -> tuple[str, str] | None:
    name, _, word = os.environ.get(PASSWORD, "").partition(":")
    if name and word:
        return name, word
    if not is_loopback(host) and not without:
        raise ValueError(
            f"--host {host} lets others in: set {PASSWORD}=NAME:PASSWORD first, or leave --host at 127.0.0.1; "
            "--without-password if everyone there may see the library's videos and use this machine"
        )
    return None


def named(libraries: list[str]) -> dict[str, str]:
    """Return the libraries by the names of their folders; repeated names get a number."""
    return dict(zip(distinct([Path(one).resolve().name for one in libraries]), libraries, strict=True))


def main(arguments: list[str] | None = None) -> int:
    """Serve the page until Ctrl-C or SIGTERM, and remove what visitors uploaded.

    For errors that the user can fix, print one line and return exit code 2.
    """
    given = _parser().parse_args(arguments)
    try:
        calls = _over_services(given) if given.api else _over_libraries(given)
        options = settings(calls, given.host, given.port, given.without_password)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    _before_sigterm(calls.end)
    build(calls).launch(**options)
    return 0


def _before_sigterm(end: Callable[[], None]) -> None:
    """Call `end` when SIGTERM comes, which ends Python as it stands: nothing that waits for the exit would run."""

    def ended(number: int, _: FrameType | None) -> None:
        end()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, ended)


def _over_libraries(given: argparse.Namespace) -> Calls:
    """Return the calls over libraries that this process opens."""
    known = named(given.library)
    libraries: dict[str, Callable[[], Any]] = {
        name: partial(open_library, address, given.model, bool(given.allow_folders))
        for name, address in known.items()
    }
    if given.first is not None:
        name, address = next(iter(known.items()))
        libraries[name] = partial(open_library, address, given.model, True, given.first)
    first = given.library[0]
    cache = None if given.read_only or "://" in first else Path(first).resolve() / "proxies"
    local = {name: Path(address) for name, address in known.items() if "://" not in address}
    calls = Backend(libraries, cache, given.allow_folders, local).calls()
    return replace(calls, without=READ_ONLY) if given.read_only else calls


def _over_services(given: argparse.Namespace) -> Calls:
    """Return the calls over libraries that `stan api` serves, here or elsewhere."""
    from demo.service.services import Services
    from stan.service.access import words_of
    from stan.service.client import Client

    token = words_of(given.token_file)[0] if given.token_file else None
    clients = [Client(address, token) for address in given.api]
    names = [urlsplit(address).netloc for address in given.api]
    return Services(dict(zip(names, clients, strict=True)), given.read_only).calls()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo.app", description=__doc__.splitlines()[0])
    searched = parser.add_mutually_exclusive_group(required=True)
    searched.add_argument(
        "--library",
        action="append",
        help="folder made by stan index, or an address on object storage; may be repeated",
    )
    searched.add_argument(
        "--api",
        action="append",
        help="address of a running stan api, whose library is searched; may be repeated",
    )
    parser.add_argument("--token-file", type=Path, help="text file with the token for the services of --api")
    parser.add_argument(
        "--read-only",
        action="store_true",
        help="offer no marks, collections or indexing: nothing that writes",
    )
    parser.add_argument(
        "--model",
        help="preset, clip:ARCHITECTURE/TAG, run or checkpoint; the one that made the library if left out",
    )
    parser.add_argument(
        "--allow-folders",
        type=Path,
        action="extend",
        nargs="+",
        default=[],
        help="folders that visitors may index, with all below them (default: none)",
    )
    parser.add_argument(
        "--first", type=Path, help="folder of videos to index into the first library where that is new"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
    )
    parser.add_argument("--port", type=int, help="port (default: 7860 or the next free one)")
    parser.add_argument(
        "--without-password", action="store_true", help="serve others although STAN_DEMO_AUTH is not set"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
