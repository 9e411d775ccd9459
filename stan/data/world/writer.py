"""A suite, a size and a seed in, a folder of real H.264 files with annotation files in a real data set's format out.

retrieval is laid out as MSR-VTT, paragraph as DiDeMo, scenes as Kinetics, motions as Something-Something, so that the
readers of the real sets can read them. `clips.jsonl` beside them tells what only a made world knows of each clip: its
concepts (seen or unseen), its time-reversed twin, its kind of motion, and when each event starts and ends.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import numpy as np
from filelock import FileLock

from stan.common.cores import cores
from stan.common.jobs import job
from stan.common.progress import Progress
from stan.data.world.suites import EVENT_FRAMES, FPS, Plan, labels, plans, require

MARKER = "world.json"
"""Written last: a folder without it is not complete."""
VERSIONS = {"tiny": 3, "quick": 3, "full": 4}
"""By size; must change whenever equal arguments would give other files."""
ENCODING = {"crf": "18", "preset": "veryfast", "threads": "1", "bf": "0", "g": "12", "mbtree": "0"}
"""One thread and no macroblock tree: otherwise equal frames don't always give equal files."""


def write(
    suite: str,
    size: str,
    root: str | Path,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> Path:
    """Render the suite into `root/SUITE-SIZE` (with `-sSEED` for a seed other than 0) and return that folder.

    A complete folder is left as it is; an incomplete one is made anew. While one process renders, another one that
    wants the same world waits. `progress(done, total)` is called as clips are finished. Raises ValueError for an
    unknown suite or size, and if the folder holds another world.
    """
    require(suite, size)
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f".{suite}-{size}-{seed}.lock"):
        return _written(suite, size, root, seed, progress)


def _written(suite: str, size: str, root: Path, seed: int, progress: Progress) -> Path:
    folder = root / name(suite, size, seed)
    made = {"suite": suite, "size": size, "seed": seed, "version": VERSIONS[size]}
    if (folder / MARKER).is_file():
        _require_same(folder, made)
        return folder
    clips = plans(suite, size, seed)
    shutil.rmtree(folder, ignore_errors=True)
    for split in ("train", "val", "test"):
        (folder / "videos" / split).mkdir(parents=True)
    with job(root, f"rendering {suite}, {size}") as told:
        for done, _ in enumerate(_render_all(clips, folder / "videos"), 1):
            told.tell(done, len(clips))
            progress(done, len(clips))
    ANNOTATE[suite](folder, clips)
    _write_lines(folder / "clips.jsonl", (json.dumps(_facts(plan)) for plan in clips))
    _write_json(folder / MARKER, made)
    return folder


def name(suite: str, size: str, seed: int = 0) -> str:
    """Return the name of a suite's folder among the worlds."""
    return f"{suite}-{size}" + (f"-s{seed}" if seed else "")


def encode(frames: np.ndarray, path: str | Path, fps: int = FPS) -> None:
    """Write uint8 frames (T, H, W, 3) as H.264 in MP4; height and width must be even."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options=ENCODING)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def _require_same(folder: Path, made: dict[str, Any]) -> None:
    found = json.loads((folder / MARKER).read_text())
    if found != made:
        raise ValueError(
            f"{folder} holds another world ({found}) than asked for ({made}): remove it or choose another --out"
        )


def _render_all(clips: Sequence[Plan], videos: Path) -> Iterator[None]:
    """Render on all cores, in threads: drawing and encoding don't hold Python's lock most of the time."""
    paths = [videos / plan.split / f"{plan.id}.mp4" for plan in clips]
    with ThreadPoolExecutor(cores()) as pool:
        yield from pool.map(_render_one, clips, paths)


def _render_one(plan: Plan, path: Path) -> None:
    encode(plan.frames(), path)


def _facts(plan: Plan) -> dict[str, Any]:
    seconds = EVENT_FRAMES / FPS
    return {
        "id": plan.id,
        "split": plan.split,
        "seen": plan.seen,
        "twin": plan.twin,
        "kind": plan.kind,
        "events": [
            {"sentence": sentence, "start": i * seconds, "end": (i + 1) * seconds}
            for i, sentence in enumerate(plan.sentences(plan.wording))
        ],
    }


def _of(clips: Iterable[Plan], split: str) -> list[Plan]:
    return [plan for plan in clips if plan.split == split]


def _as_msrvtt(folder: Path, clips: list[Plan]) -> None:
    _write_csv(folder / "MSRVTT_train.9k.csv", ("video_id",), [(plan.id,) for plan in _of(clips, "train")])
    for name, split in (("MSRVTT_val.csv", "val"), ("MSRVTT_JSFUSION_test.csv", "test")):
        rows = [(f"ret{i}", plan.id, plan.id, plan.captions()[0]) for i, plan in enumerate(_of(clips, split))]
        _write_csv(folder / name, ("key", "vid_key", "video_id", "sentence"), rows)
    sentences = [{"video_id": plan.id, "caption": caption} for plan in clips for caption in plan.captions()]
    videos = [{"video_id": plan.id, "url": f"videos/{plan.split}/{plan.id}.mp4"} for plan in clips]
    _write_json(folder / "MSRVTT_data.json", {"videos": videos, "sentences": sentences})


def _as_didemo(folder: Path, clips: list[Plan]) -> None:
    for split in ("train", "val", "test"):
        own = _of(clips, split)
        _write_lines(folder / f"{split}_list.txt", (f"{plan.id}.mp4" for plan in own))
        items = [
            {
                "video": f"{plan.id}.mp4",
                "description": sentence,
                "times": [[i, i]],
                "num_segments": len(plan.events),
            }
            for plan in own
            for i, sentence in enumerate(plan.sentences(plan.wording))
        ]
        _write_json(folder / f"{split}_data.json", items)


def _as_kinetics(folder: Path, clips: list[Plan]) -> None:
    names = labels("scenes")
    _write_lines(folder / "label_map_k400.txt", names)
    for split in ("train", "val", "test"):
        lines = (f"{plan.id}.mp4 {names.index(plan.label)}" for plan in _of(clips, split))
        _write_lines(folder / f"kinetics400_{split}_list_videos.txt", lines)


def _as_something(folder: Path, clips: list[Plan]) -> None:
    _write_json(folder / "labels.json", {name: str(i) for i, name in enumerate(labels("motions"))})
    for split, name in (("train", "train"), ("val", "validation"), ("test", "test")):
        items = [
            {
                "id": plan.id,
                "label": plan.captions()[0],
                "template": plan.label,
                "placeholders": [str(look) for look in plan.events[0].named],
            }
            for plan in _of(clips, split)
        ]
        _write_json(folder / f"{name}.json", items)


ANNOTATE = {
    "retrieval": _as_msrvtt,
    "paragraph": _as_didemo,
    "scenes": _as_kinetics,
    "motions": _as_something,
}


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(line + "\n" for line in lines))


def _write_json(path: Path, values: Any) -> None:
    path.write_text(json.dumps(values, indent=1) + "\n")
