"""A folder of videos in, an indexed library out: add, search by words, recognise.

A library is a folder that holds, per video, its embedding, its frames' embeddings and their time stamps.
Scores are exact: a search is one product with the matrix of all videos. Letters: T frames, E embedding width.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float

from stan import recognition
from stan.data import video as video_files
from stan.data.transforms import evaluation
from stan.models.dual_encoder import DualEncoder
from stan.models.presets import digest, load_model
from stan.recognition import EmbeddedVideo
from stan.similarity.cosine import Cosine
from stan.store import COLUMNS, Entry, Maker, Row, Store, is_id

EXTENSIONS = frozenset(
    [".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".wmv", ".3gp"]
)
DEFAULT_MODEL = "stan-tiny"
ROWS_PER_WRITE = 32
"""Videos per transaction: what an interruption can lose at most."""

Progress = Callable[[int, int, str], None]


class Results(list[dict[str, Any]]):
    """Results, best first: dicts of video (path), id, name, score, percentile, start, end, duration."""

    def __init__(self, query: str, found: list[dict[str, Any]], milliseconds: dict[str, float]):
        super().__init__(found)
        self.query = query
        self.ms = milliseconds
        self.no_match = not found

    def document(self) -> dict[str, Any]:
        """The same as one JSON document."""
        return {"query": self.query, "results": list(self), "no_match": self.no_match, "ms": self.ms}


@dataclass
class _Report:
    indexed: int = 0
    unchanged: int = 0
    held: set[str] = field(default_factory=set)
    """Paths of the files whose embeddings stand."""
    skipped: list[dict[str, str]] = field(default_factory=list)

    def skip(self, file: str, reason: str, remedy: str) -> None:
        self.skipped.append({"file": file, "reason": reason, "remedy": remedy})


class Library:
    """An indexed set of videos at `path`, searched with `model`.

    `model` is a name that `stan.load_model` knows, a model already loaded, or None: the one that made the
    library, `stan-tiny` for a new one. It is loaded when first needed; adding and searching raise ValueError
    when the library was made by another model or with another number of frames.
    """

    def __init__(self, path: str | Path, model: str | Path | DualEncoder | None = None):
        self._store = Store(Path(path))
        self._wanted = model
        self._model: DualEncoder | None = None
        self._maker: Maker | None = None

    @property
    def path(self) -> Path:
        return self._store.path

    @property
    def made_by(self) -> str | None:
        """Name of the model that made the library; None while it is empty."""
        maker = self._store.maker
        return maker.model if maker else None

    def entries(self) -> list[Entry]:
        """All videos, by folder and name."""
        return self._store.entries()

    def entry(self, id: str) -> Entry:
        """The video with this opaque id. Raises ValueError when there is none."""
        rows = self._store.rows([id], COLUMNS) if is_id(id) else []
        if not rows:
            raise ValueError(
                f"the library has no video {id!r}: it may have been removed; load the page again"
            )
        return Entry(**rows[0])

    # ---- adding

    def add(self, folder: str | Path, progress: Progress | None = None) -> dict[str, Any]:
        """Indexes what is new or changed below `folder` and drops what is gone from it or no longer decodes.

        Returns {"indexed", "unchanged", "removed", "skipped": [{"file", "reason", "remedy"}], "seconds"}.
        A file that was moved keeps its embeddings. `progress(done, total, name)` is called before each file.
        Raises ValueError when `folder` is no folder, or the library belongs to another model.
        """
        started = time.perf_counter()
        root = Path(folder).resolve()
        if not root.is_dir():
            raise ValueError(f"{folder} is not a folder: give a folder that holds videos")
        maker = self.require_model()
        report, known = _Report(), {entry.path: entry for entry in self.entries()}
        for rows in _batches(self._changed(root, known, report, progress), ROWS_PER_WRITE):
            self._store.write(rows, maker)
        gone = [
            e.id for e in known.values() if Path(e.path).is_relative_to(root) and e.path not in report.held
        ]
        self._store.drop(gone)
        self._store.tidy()
        return {
            "indexed": report.indexed,
            "unchanged": report.unchanged,
            "removed": len(gone),
            "skipped": report.skipped,
            "seconds": round(time.perf_counter() - started, 3),
        }

    def _changed(
        self, root: Path, known: dict[str, Entry], report: _Report, progress: Progress | None
    ) -> Iterator[Row]:
        """One row per file that is new, changed or moved; what became of each file goes into `report`."""
        by_hash = {entry.hash: entry for entry in known.values()}
        files = _video_files(root, report)
        for done, file in enumerate(files):
            name = str(file.relative_to(root))
            if progress:
                progress(done, len(files), name)
            try:
                row, embedded = self._row(root, file, known.get(str(file)), by_hash)
            except video_files.VideoError as error:
                report.skip(name, error.reason, error.remedy)
            except OSError as error:
                report.skip(name, error.strerror or str(error), "make the file readable, or take it away")
            else:
                report.held.add(str(file))
                report.indexed += embedded
                report.unchanged += not embedded
                if row:
                    yield row

    def _row(
        self, root: Path, file: Path, before: Entry | None, by_hash: dict[str, Entry]
    ) -> tuple[Row | None, bool]:
        """The file's row, None when the one there still holds; and whether it had to be embedded."""
        state = file.stat()
        if before and (before.size, before.mtime_ns) == (state.st_size, state.st_mtime_ns):
            return None, False
        digest = _digest(file)
        place = {
            "id": hashlib.sha256(str(file).encode()).hexdigest()[:16],
            "path": str(file),
            "folder": str(root),
            "name": str(file.relative_to(root)),
            "size": state.st_size,
            "mtime_ns": state.st_mtime_ns,
            "hash": digest,
        }
        if digest in by_hash:
            return {**self._store.rows([by_hash[digest].id])[0], **place}, False
        return {**self._embedded(file), **place}, True

    def _embedded(self, file: Path) -> Row:
        duration = float(video_files.probe(file).duration)
        video, frames, times = self._encode(file)
        columns = {"video": video.numpy(), "frames": frames.half().flatten().numpy()}
        return {"duration": duration, "times": times.astype(np.float32), **columns}

    @torch.inference_mode()
    def _encode(self, file: Path) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
        """Normalised embeddings of video (E,) and frames (T, E); the frames' times (T,) in seconds."""
        model = self.model
        decoded = video_files.decode(file, model.frames)
        pixels = evaluation(model.clip.image_size, model.clip.mean, model.clip.std)(decoded.frames)
        output = model.encode_video(torch.as_tensor(pixels)[None].to(model.device))
        video, frames = F.normalize(output.video[0], dim=-1), F.normalize(output.frames[0], dim=-1)
        return video.float().cpu(), frames.float().cpu(), np.asarray(decoded.times)

    # ---- searching

    @torch.inference_mode()
    def search(self, query: str, top: int = 10) -> Results:
        """The `top` videos that fit `query` best, each with the moment that fits best.

        score: cosine of text and video; percentile: how many percent of the library's videos score no higher;
        start and end: seconds. `.ms` holds the milliseconds spent on encoding the query and on searching.
        Raises ValueError for an empty query.
        """
        if not query.strip():
            raise ValueError("the query is empty: describe what should be seen")
        if top < 1:
            raise ValueError(f"top is {top}: ask for at least one result")
        self.require_model()
        started = time.perf_counter()
        text = self._encode_text([query])[0]
        encoded = time.perf_counter()
        found = self._best(text, top)
        ended = time.perf_counter()
        return Results(query, found, {"encode": _ms(encoded - started), "search": _ms(ended - encoded)})

    def _best(self, text: Float[torch.Tensor, " E"], top: int) -> list[dict[str, Any]]:
        matrix = self._store.matrix()
        if not matrix.entries:
            return []
        scores = (matrix.videos @ text.to(matrix.videos.dtype)).float()
        best = scores.topk(min(top, len(scores))).indices.tolist()
        moments = self._moments([matrix.entries[i] for i in best], text)
        return [_result(matrix.entries[i], i, scores, *moments[matrix.entries[i].id]) for i in best]

    def _moments(
        self, entries: list[Entry], text: Float[torch.Tensor, " E"]
    ) -> dict[str, tuple[float, float]]:
        durations = {entry.id: entry.duration for entry in entries}
        moments = {}
        for row in self._store.rows(list(durations), ["id", "frames", "times"]):
            frames = np.asarray(row["frames"], dtype=np.float32).reshape(len(row["times"]), -1)
            moments[row["id"]] = moment(frames @ text.numpy(), np.asarray(row["times"]), durations[row["id"]])
        return moments

    # ---- recognising

    def recognise(self, video: str | Path, labels: list[str], top: int = 5, **options: Any) -> dict[str, Any]:
        """How likely each of `labels` is for `video`: a path, or the id of a video of this library, not decoded again.

        What it returns, raises and what `options` there are: see `stan.recognition.recognise`.
        """
        return recognition.recognise(self.model, self._embedded_video(video), labels, top=top, **options)

    def _embedded_video(self, video: str | Path) -> str | Path | EmbeddedVideo:
        """What is stored of the library's own videos; any other as it is."""
        if not (isinstance(video, str) and is_id(video)):
            return video
        self.require_model()
        rows = self._store.rows([video], ["path", "video", "frames", "times"])
        if not rows:
            return video
        times = np.asarray(rows[0]["times"])
        frames = torch.from_numpy(np.asarray(rows[0]["frames"], np.float32)).reshape(len(times), -1)
        return EmbeddedVideo(video, rows[0]["path"], torch.tensor(rows[0]["video"]), frames, times)

    # ---- the model

    @property
    def model(self) -> DualEncoder:
        """The loaded model."""
        if self._model is None:
            self._model = self._load_model()
        return self._model

    def _load_model(self) -> DualEncoder:
        model = self._wanted.eval() if isinstance(self._wanted, DualEncoder) else load_model(self._name())
        if not isinstance(model.score, Cosine):
            raise ValueError(
                f"{self._name()} scores by {type(model.score).__name__}, but a library keeps one embedding per video"
                " and searches by cosine: take a model that was trained with similarity cosine"
            )
        return model

    def _name(self) -> str:
        """What `load_model` calls the model; a folder or file by its full path, found from anywhere."""
        if isinstance(self._wanted, DualEncoder):
            return type(self._wanted).__name__
        name = str(self._wanted or self.made_by or DEFAULT_MODEL)
        return str(Path(name).resolve()) if Path(name).exists() else name

    def _encode_text(self, texts: list[str]) -> Float[torch.Tensor, "N E"]:
        return F.normalize(self.model.encode_text(texts).text, dim=-1).float().cpu()

    def require_model(self) -> Maker:
        """Loads the model: who we are to the store. Raises ValueError when the library is another's."""
        if self._maker is None:
            frames = str(self.model.frames)
            self._maker = Maker(self._name(), frames, f"{digest(self.model.state_dict())}-{frames}")
        made = self._store.maker
        if made and made.signature != self._maker.signature:
            raise ValueError(
                f"the library {self.path} was made by {made.model} with {made.frames} frames per video, not "
                f"by {self._maker.model} with {self._maker.frames} and these weights; embeddings of two "
                "models cannot be compared. Use the model that made it, or index into a new library"
            )
        return self._maker


def moment(
    curve: Float[np.ndarray, " T"], times: Float[np.ndarray, " T"], duration: float
) -> tuple[float, float]:
    """Start and end, in seconds, of the stretch around the curve's peak that stays in its upper half.

    A frame stands for the time up to halfway to its neighbours; a flat curve gives the whole video.
    """
    edges = np.concatenate([[0.0], (times[1:] + times[:-1]) / 2, [max(duration, times[-1])]])
    high = curve >= (curve.max() + curve.min()) / 2
    first = last = int(curve.argmax())
    while first > 0 and high[first - 1]:
        first -= 1
    while last < len(curve) - 1 and high[last + 1]:
        last += 1
    return round(float(edges[first]), 3), round(float(edges[last + 1]), 3)


def _result(entry: Entry, index: int, scores: torch.Tensor, start: float, end: float) -> dict[str, Any]:
    return {
        "video": entry.path,
        "id": entry.id,
        "name": entry.name,
        "score": float(scores[index]),
        "percentile": round(100 * float((scores <= scores[index]).float().mean()), 2),
        "start": start,
        "end": end,
        "duration": entry.duration,
    }


def _video_files(root: Path, report: _Report) -> list[Path]:
    """Files with a video's extension below `root`; those not to be opened go into the report."""
    files = []
    for folder, _, names in os.walk(root):
        for file in (Path(folder, name) for name in names):
            if file.suffix.lower() not in EXTENSIONS:
                continue
            problem = _problem(file, root)
            if problem:
                report.skip(os.fsencode(file.relative_to(root)).decode(errors="replace"), *problem)
            else:
                files.append(file)
    return sorted(files)


def _problem(file: Path, root: Path) -> tuple[str, str] | None:
    """Why a file is not even opened, and what to do; None when it may be."""
    if not file.resolve().is_relative_to(root):
        return "it is a link that leads out of the folder", "copy the file into the folder"
    if not file.is_file():
        return "it is not a regular file", "take it away"
    try:
        str(file).encode()
    except UnicodeEncodeError:
        return "its name is not valid Unicode", "rename the file"
    return None


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _batches(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 2)
