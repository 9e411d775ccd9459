"""A library in; answers to the calls of a service out, in which nothing tells where on this machine its files lie."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stan.common import errors
from stan.common.progress import FileProgress
from stan.data import label_sets, prompts
from stan.library.places import names_of, places
from stan.library.roots import Roots

if TYPE_CHECKING:
    from stan.library import Entry, Filters, Library
    from stan.library.proxies import Proxies

MOST_SENTENCES = 4000
"""Labels times templates of one recognition."""
MOST_ALIKE = 100
"""Pairs of labels that are told to be too alike."""


class Unknown(ValueError):
    """Raised for a video or a job that is not there."""


class LibraryCalls:
    """The calls over one library. All may raise ValueError; `told` gives its message for others.

    roots: the folders that callers may have indexed. pictures: what callers may see of the videos, if anything.
    """

    def __init__(self, library: Library, roots: Roots, pictures: Proxies | None = None):
        self.library, self.roots, self.pictures = library, roots, pictures
        self._names: dict[str, str] = {}

    # ---- what there is

    def about(self) -> dict[str, Any]:
        """Return the model, the number of videos, and the folders that can be searched and that may be indexed."""
        made_by, entries = self.library.made_by, self.library.entries()
        return {
            "model": made_by and _model_name(made_by),
            "videos": len(entries),
            "folders": list(places(entries)),
            "may_be_indexed": self.roots.names,
            "pictures": self.pictures is not None,
        }

    def videos(self, first: int = 0, count: int = 100, folder: str | None = None) -> dict[str, Any]:
        """Return `count` of the library's videos from the `first` on, sorted by folder and name."""
        entries = self.library.entries()
        if folder is not None:
            below = self._place(folder, entries)
            entries = [one for one in entries if one.path.startswith(f"{below.rstrip('/')}/")]
        found = [self._video(entry) for entry in entries[first : first + count]]
        return {"total": len(entries), "videos": found}

    def video(self, id: str) -> dict[str, Any]:
        """Return what is known of one video. Raises Unknown."""
        return self._video(self._entry(id))

    # ---- searching

    def search(
        self,
        query: str,
        top: int = 10,
        gain: float = 1.0,
        where: Mapping[str, Any] | None = None,
        correct_hubs: bool = False,
    ) -> dict[str, Any]:
        """Return what `Library.search` finds. where: fields of `Filters`, the folder by its name."""
        found = self.library.search(
            query, top, gain=gain, where=self._filters(where), correct_hubs=correct_hubs
        )
        return found.document() | {"results": [self._public(one) for one in found]}

    def moments(
        self, query: str, top: int = 10, gain: float = 1.0, where: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what `Library.moments` finds."""
        found = self.library.moments(query, top, gain=gain, where=self._filters(where))
        return {"query": query, "moments": [self._public(one) for one in found]}

    def similar(
        self,
        to: str | Path,
        top: int = 10,
        start: float | None = None,
        end: float | None = None,
        gain: float = 1.0,
        where: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return what `Library.similar` finds for a video's id, or for the Path of an upload. Raises Unknown."""
        example = to if isinstance(to, Path) else self._entry(to).id
        found = self.library.similar(
            example, top, start=start, end=end, gain=gain, where=self._filters(where)
        )
        return found.document() | {"results": [self._public(one) for one in found]}

    # ---- looking at one video

    def recognise(
        self,
        video: str | Path,
        labels: Sequence[str] = (),
        label_set: str | None = None,
        top: int = 5,
        templates: Sequence[str] = ("{}",),
        pieces: int | None = None,
    ) -> dict[str, Any]:
        """Return what `Library.recognise` finds for a video's id, or for the Path of an upload. Raises Unknown."""
        wanted = [*labels, *(label_sets.named(label_set) if label_set else [])]
        sentences = prompts.checked(templates, "templates")
        if len(wanted) * len(sentences) > MOST_SENTENCES:
            raise ValueError(
                f"{len(wanted)} labels in {len(sentences)} templates are more than {MOST_SENTENCES} sentences:"
                " give fewer"
            )
        known = video if isinstance(video, Path) else self._entry(video).id
        found = self.library.recognise(known, wanted, top, templates=sentences, pieces=pieces)
        name = known.stem if isinstance(known, Path) else known
        return found | {"video": name, "alike": found["alike"][:MOST_ALIKE]}

    def explain(self, video: str, query: str, frames: int | None = None) -> dict[str, Any]:
        """Return what `stan.explain.explain` finds for a video of the library, without pictures. Raises Unknown."""
        from stan.explain import explain

        with self.library.file(self._entry(video).id) as path:
            return explain(self.library.model, path, query, frames).document()

    def picture(self, id: str, kind: str, part: int | None = None) -> Path:
        """Return a file that shows a video, as `stan.library.proxies.Proxies` makes it. Raises Unknown."""
        assert self.pictures is not None, "without pictures there is no route to them"
        try:
            return self.pictures.of(self.library, self._entry(id).id, kind, part)
        except FileNotFoundError:
            raise Unknown(f"the file of the video {id!r} is gone: index its folder again") from None

    # ---- adding videos

    def index(self, folder: str, below: str = "", progress: FileProgress | None = None) -> dict[str, Any]:
        """Index a folder of those that may be, or the folder `below` in it; return the report of `Library.add`."""
        report = self.library.add(self.roots.path(folder, below), progress)
        skipped = [{**one, "reason": self.without_folders(one["reason"])} for one in report["skipped"]]
        return report | {"skipped": skipped}

    # ---- what is told to others

    def told(self, error: Exception) -> str:
        """Return an error's message on one line, without the places of files."""
        if isinstance(error, OSError):  # its message names a file
            return errors.reason(error)
        return " ".join(self.without_folders(errors.told(error)).split())

    def without_folders(self, text: str) -> str:
        """Return the text with this machine's folders replaced by their names.

        A name alone, as of a library in the working directory, stays: it tells no place, and may be a word of the text.
        """
        known = {str(path): name for name, path in self.roots.items()}
        known |= {str(path): "library" for path in (self.library.path, Path(self.library.path).resolve())}
        known |= {tempfile.gettempdir(): "upload"}
        if made_by := self.library.made_by:
            known |= {made_by: _model_name(made_by)}
        longest_first = sorted((path for path in known if os.sep in path), key=len, reverse=True)
        paths = "|".join(map(re.escape, longest_first))
        return re.sub(rf"(?<![\w.-])({paths})(?![\w-]|\.\w)", lambda found: known[found[0]], text)

    def _entry(self, id: str) -> Entry:
        try:
            return self.library.entry(id)
        except ValueError:
            raise Unknown(f"the library has no video {id!r}: it may have been removed") from None

    def _filters(self, where: Mapping[str, Any] | None) -> Filters:
        from stan.library import Filters

        where = dict(where or {})
        if where.get("folder"):
            where["folder"] = self._place(where["folder"], self.library.entries())
        return Filters(**where)

    def _place(self, name: str, entries: list[Entry]) -> str:
        known = places(entries)
        if name not in known:
            raise ValueError(
                f"no video of the library lies in a folder {name!r}: ask for those that there are"
            )
        return known[name]

    def _named(self, folder: str) -> str:
        if folder not in self._names:
            self._names = names_of(entry.folder for entry in self.library.entries())
        return self._names.get(folder, "")

    def _public(self, result: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in result.items() if name != "video"} | {
            "folder": self._named(result["folder"])
        }

    def _video(self, entry: Entry) -> dict[str, Any]:
        told = {name: getattr(entry, name) for name in ("id", "name", "size", "duration")}
        return told | {"folder": self._named(entry.folder), "changed": entry.date}


def _model_name(name: str) -> str:
    """Return a model's name; of a file or folder, only the last part."""
    return re.sub(r"(^|:)/.*/", r"\1", name)
