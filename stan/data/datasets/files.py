"""A data set's folder in; its annotation files as lines, rows and documents, and its video files by name, out."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from stan.common.files import read_text
from stan.common.json_values import Doubled, each_once, from_json
from stan.common.tables import records
from stan.data.video.extensions import VIDEOS

EXTENSIONS = VIDEOS | {"."}  # Flickr, and with it DiDeMo, names some videos `x.`


class Absent(ValueError):
    """Raised if an annotation file isn't there and must be fetched; other ValueErrors mean that one must be mended."""


@dataclass
class VideoFolder:
    """All video files under a folder, found by relative path, by name, or by either without the extension."""

    root: Path
    top: Path = field(init=False)
    """The folder `videos` in the root if there is one, else the root."""
    _files: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.top = self.root / "videos" if (self.root / "videos").is_dir() else self.root
        self._files = {}
        for relative in sorted(_video_files(self.top), key=lambda path: path.split("/")):
            stem, name = os.path.splitext(relative)[0], relative.rpartition("/")[2]
            for key in (relative, name, stem, stem.rpartition("/")[2]):
                self._files.setdefault(_composed(key), relative)

    def paths(self) -> list[Path]:
        """Return all video files, sorted."""
        return sorted({self.top / relative for relative in self._files.values()})

    def find(self, *names: str) -> Path | None:
        """Return the file that an annotation means; another extension will do, as sets are often re-encoded."""
        for video in names:
            name = _composed(video.removeprefix("./").removeprefix("videos/"))
            bare = Path(name).name
            for key in (name, bare, without_extension(name), without_extension(bare)):
                if key in self._files:
                    return self.top / self._files[key]
        return None


def without_extension(video: str) -> str:
    """Return a video's name without its extension; what follows the dot of an id such as `1.5` is none."""
    stem, extension = os.path.splitext(video)
    return stem if extension.lower() in EXTENSIONS else video


def annotation(root: Path, *names: str) -> Path:
    """Return the first of `names` that is in `root` or a folder in it. Raises Absent naming them all."""
    found = optional_annotation(root, *names)
    if found is None:
        raise Absent(f"{root}: there is no {' or '.join(names)}, neither here nor one folder down")
    return found


def optional_annotation(root: Path, *names: str) -> Path | None:
    """Return the same as `annotation`, but None if there is no file. Raises ValueError if `root` is no folder."""
    return next(
        (folder / name for name in names for folder in folders(root) if (folder / name).is_file()), None
    )


def folders(root: Path) -> list[Path]:
    """Return the folders that may hold annotation files: `root` and those directly in it.

    Raises ValueError if `root` is no folder.
    """
    if not root.is_dir():
        raise ValueError(f"{root} is no folder: give the one that holds the annotation files and the videos")
    return [root, *sorted(path for path in root.iterdir() if path.is_dir())]


def lines(path: Path) -> list[tuple[int, str]]:
    """Return (line number, text) of every line that is not blank. Raises ValueError if the file is no UTF-8 text."""
    numbered = enumerate(read_text(path).split("\n"), 1)
    return [(number, line.strip()) for number, line in numbered if line.strip()]


def listed_classes(path: Path) -> tuple[str, ...]:
    """Return the class names of a file with one per line. Raises ValueError for a name that stands twice."""
    names = tuple(text for _, text in lines(path))
    repeated = next((text for i, text in enumerate(names) if text in names[:i]), None)
    if repeated is not None:
        raise ValueError(f"{path}: class {repeated!r} stands twice, so the two could not be told apart")
    return names


def rows(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Return (line number, values by column) of every row of a CSV file with a header.

    Raises ValueError for missing columns and for rows that are too long or lack one of `columns`, naming the line.
    """
    told = records(path)
    line, header = next(told, (1, []))
    absent = [column for column in columns if column not in header]
    if absent:
        raise ValueError(f"{path}:{line}: no column {', '.join(absent)}; the header is {header}")
    return [(number, _row(f"{path}:{number}", header, values, columns)) for number, values in told]


def _row(where: str, header: list[str], values: list[str], columns: Sequence[str]) -> dict[str, str]:
    if len(values) > len(header):  # a caption with a comma would end there
        raise ValueError(
            f"{where}: {len(values)} values where the header has {len(header)}; quote those with commas"
        )
    row = dict(zip_longest(header, values, fillvalue=""))
    if not all(row[column] for column in columns):
        raise ValueError(f"{where}: a row without {', '.join(columns)}: {row}")
    return row


def document(path: Path, kind: type[dict] | type[list] | None = None) -> Any:
    """Return the JSON document.

    Raises ValueError naming the line where it is no JSON, for a name that stands twice in an object, and if it is not
    of the type `kind`.
    """
    try:
        found = from_json(read_text(path), object_pairs_hook=each_once)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}:{error.lineno}: is no JSON ({error.msg})") from error
    except Doubled as error:
        raise ValueError(f"{path}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: is no JSON ({error})") from error
    if kind is not None and not isinstance(found, kind):
        words = "an object" if kind is dict else "a list"
        raise ValueError(f"{path}: {words} is expected, not {type(found).__name__}")
    return found


def items(path: Path, convert: Callable[[dict[str, Any]], Any], values: Any | None = None) -> list[Any]:
    """Return `convert` of each object of the JSON list in `path`.

    values: the list, if it was read already. Raises ValueError naming the item that `convert` cannot use.
    """
    values = document(path) if values is None else values
    if not isinstance(values, list):
        raise ValueError(f"{path}: a list of objects is expected, not {type(values).__name__}")
    found = []
    for number, value in enumerate(values):
        try:
            found.append(convert(value))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: item {number} is unusable ({error!r}): {str(value)[:120]}") from error
    return found


def text(value: Any) -> str:
    """Return a caption. Raises ValueError for what is no text."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    return value


def name(value: Any) -> str:
    """Return an id or a file's name, which some files hold as a number. Raises ValueError for anything else."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError(f"{value!r} is no name")
    return str(value)


def _composed(name: str) -> str:
    """Return a name with each letter and its accent as one character: systems differ in how they store them."""
    return unicodedata.normalize("NFC", name)


def _video_files(top: Path) -> Iterator[str]:
    """Yield paths relative to `top`, as text because there may be hundreds of thousands."""
    for folder, _, names in os.walk(top):
        within = os.path.relpath(folder, top).replace(os.sep, "/")
        for name in names:
            if os.path.splitext(name)[1].lower() in EXTENSIONS:
                yield name if within == "." else f"{within}/{name}"
