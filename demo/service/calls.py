"""The plain callables that the page stands on; `demo.service.backend` binds the real ones, tests made-up ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from demo.service.search_request import SearchRequest
from stan.common.jobs import Job
from stan.common.progress import FileProgress

if TYPE_CHECKING:
    from stan.explain import Attention, Explanation
    from stan.library import Results


class LibraryState(NamedTuple):
    """How a library stands at this moment."""

    videos: int | None
    """None while it is not open yet."""
    indexing: tuple[Job, ...] = ()
    """What is being added to it, by this process or another."""


@dataclass(frozen=True)
class Calls:
    """All take the name of a library first, where they need one; all may raise ValueError: its words are shown.

    A visitor names videos by their opaque ids; a `Path` is an upload of the visitor's own.
    """

    libraries: list[str]
    """Names, the first one chosen."""
    folders: list[str]
    """What the operator lets visitors index; empty: nothing but the folders that a library already holds."""
    labels: Mapping[str, list[str]]
    """Sets of labels to recognise, by name."""
    templates: Mapping[str, list[str]]
    """Sets of sentences with a gap for the label, by name."""
    state: Callable[[str], LibraryState]
    """state(library) -> how it stands now; never waits, never raises."""
    videos: Callable[[str], list[tuple[str, str]]]
    """videos(library) -> (name, id) of each."""
    places: Callable[[str], list[str]]
    """places(library) -> names of the folders that its videos lie in, for filters."""
    search: Callable[[SearchRequest], Results]
    """search(request) -> `stan.library.Results`."""
    recognise: Callable[..., dict[str, Any]]
    """recognise(library, video, labels, templates) -> as `stan.evaluation.zero_shot.recognise`."""
    explain: Callable[[str, str, str, int, Callable[[int, int], None]], Explanation]
    """explain(library, id, query, frames, progress) -> `stan.explain.Explanation`; progress(done, total)."""
    attention: Callable[[str, str, int], Attention]
    """attention(library, id, frames) -> `stan.explain.Attention`."""
    time: Callable[[str, str, str], dict[str, Any]]
    """time(library, id, query) -> as `stan.explain.frame_order.time_meter`."""
    index: Callable[[str, str | None, str, FileProgress], dict[str, Any]]
    """index(library, folder, below, progress) -> the report of `Library.add`; None: all folders it holds."""
    media: Callable[[str, str], Path]
    """media(id, kind) -> the file to play (mp4) or the strip to show (webp)."""
    admit: Callable[[Path], str]
    """admit(upload) -> an id by which `media` knows it, which tells nothing of where it lies."""
