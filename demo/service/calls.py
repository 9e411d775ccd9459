"""The plain callables that the page needs. `demo.service.backend` supplies the real ones, tests supply fake ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from demo.service.search_request import SearchRequest
from stan.common.jobs import Job
from stan.common.progress import FileProgress
from stan.data.video.facts import VideoFacts
from stan.library.collections import Collection
from stan.library.kept import Moment
from stan.library.marks import Mark

if TYPE_CHECKING:
    from stan.explain import Attention, Explanation
    from stan.library import Results
    from stan.library.own_recall import OwnRecall
    from stan.library.video_map import Map


Part = Literal["map", "keeping", "inside", "facts", "indexing"]
"""A part of the page that may be left out: the map of the library; marks and collections; what looks into the model;
what is known of a video's file; indexing."""
READ_ONLY: frozenset[Part] = frozenset({"keeping", "indexing"})
"""The parts that write to a library."""


class LibraryState(NamedTuple):
    """The current state of a library."""

    videos: int | None
    """Number of videos; None while the library is not open yet."""
    indexing: tuple[Job, ...] = ()
    """Jobs that add to it, in this process or another."""


class Cut(NamedTuple):
    """An archive of clips."""

    id: str
    """`media` serves it by this id, as `zip`."""
    failed: list[tuple[str, str]]
    """Names of videos that could not be cut, each with the reason."""


@dataclass(frozen=True)
class KeptCalls:
    """Callables for what visitors keep beside a library, whose name comes first. All may raise ValueError."""

    moment: Callable[[str, str, float, float], Moment]
    """moment(library, id, start, end) -> that moment of a video that the library holds."""
    marks: Callable[[str, str], list[Mark]]
    """marks(library, query) -> what was marked for it."""
    mark: Callable[[str, str, Moment, bool | None], None]
    """mark(library, query, moment, right); None takes the mark away. It may run the model."""
    recall: Callable[[str], OwnRecall]
    """recall(library) -> how well marked moments are found; this searches once per query."""
    collections: Callable[[str], list[Collection]]
    """collections(library) -> all of them, by name."""
    add: Callable[[str, str, Sequence[Moment]], Collection]
    """add(library, name, moments) -> the collection with the moments added."""
    take_out: Callable[[str, str, Moment], None]
    """take_out(library, name, moment) takes a moment out of a collection."""
    remove: Callable[[str, str], None]
    """remove(library, name) removes a collection."""
    cut: Callable[[str, Sequence[Moment], FileProgress], Cut]
    """cut(library, moments, progress) -> the clips in an archive."""


@dataclass(frozen=True)
class Calls:
    """Callables of the page. Those that need a library take its name first.

    All may raise ValueError, whose message the page shows. Videos are named by their opaque ids; a `Path` is an upload
    of the visitor.
    """

    libraries: list[str]
    """Names of the libraries; the first one is selected at the start."""
    folders: list[str]
    """Folders that visitors may index; if empty, only the folders that a library already holds."""
    labels: Mapping[str, list[str]]
    """Label sets for recognition, by name."""
    templates: Mapping[str, list[str]]
    """Sets of prompt templates, sentences with {} for the label, by name."""
    state: Callable[[str], LibraryState]
    """state(library) -> its current state; never waits, never raises."""
    videos: Callable[[str], list[tuple[str, str]]]
    """videos(library) -> (name, id) of each."""
    places: Callable[[str], list[str]]
    """places(library) -> names of the folders that hold its videos, for filters."""
    facts: Callable[[str, str], VideoFacts | None]
    """facts(library, id) -> what the video's file is and how it was read; None if that is unknown."""
    map: Callable[[str], Map]
    """map(library) -> where its videos lie, alike ones together."""
    search: Callable[[SearchRequest], Results]
    """search(request) -> `stan.library.Results`."""
    recognise: Callable[..., dict[str, Any]]
    """recognise(library, video, labels, templates) -> the result of `stan.evaluation.zero_shot.recognise`."""
    explain: Callable[[str, str, str, int, Callable[[int, int], None]], Explanation]
    """explain(library, id, query, frames, progress) -> `stan.explain.Explanation`; progress(done, total)."""
    attention: Callable[[str, str, int], Attention]
    """attention(library, id, frames) -> `stan.explain.Attention`."""
    time: Callable[[str, str, str], dict[str, Any]]
    """time(library, id, query) -> the result of `stan.explain.frame_order.probe`."""
    index: Callable[[str, str | None, str, FileProgress], dict[str, Any]]
    """index(library, folder, below, progress) -> the report of `Library.add`; None: all folders of the library."""
    media: Callable[[str, str, int | None], Path]
    """media(id, kind, part) -> the file to play (mp4; of a long video, that part of it), the strip to show (webp), or
    an archive of clips (zip)."""
    admit: Callable[[Path], str]
    """admit(upload) -> an id by which `media` knows it; the id does not reveal where the file is."""
    end: Callable[[], None]
    """end() removes what visitors uploaded; nothing is called after it."""
    kept: KeptCalls
    """What visitors mark, collect and cut."""
    without: frozenset[Part] = frozenset()
    """Parts that the page does not have, whose callables it does not call."""
