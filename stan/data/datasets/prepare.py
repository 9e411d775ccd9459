"""A data set's name and folder in; a folder in one plain layout, with explicit splits and a manifest, out.

The new folder is read under the same name (`--data msrvtt:OUT`). It holds `{train,val,test}.jsonl`, with joined
paragraphs and the validation split that a set may lack; `videos/`, with links to the originals or smaller copies of
them; and `manifest.json`, with the hashes of the annotation files it was made from and of all its videos. The originals
are only read.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from stan.common.files import digest, new_file, read_settings, write_bytes
from stan.common.progress import Progress
from stan.data import datasets
from stan.data.datasets import SETS, SPLITS, Annotations, DataSet, prepared
from stan.data.datasets.files import VideoFolder
from stan.data.shards import Member
from stan.data.video.decoding import VideoError
from stan.data.video.pool import POOL
from stan.data.video.transcode import ENCODING, is_small, transcode

COST = (
    "compressing is lossy and costs accuracy: a model trained on compressed MSR-VTT was reported to lose on the"
    " original videos (CLIP4Clip's issue 63); train and test on the same files, and take the originals for numbers"
    " to report"
)
SETTINGS = "prepare.json"
"""Written before any video, so that a second call knows what it continues."""


def prepare(
    name: str, root: str | Path, out: str | Path, size: int | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Make the folder `out`, or continue to make it; return what was done.

    size: pixels of the short side to which larger videos are re-encoded; None links to the originals.
    The result is {"set", "out", "size", "splits": {split: entries}, "made", "kept", "missing", "skipped": [{"file",
    "reason"}], "bytes": {"before", "after"}, "manifest", "warning"}.
    progress: called with the videos done and the number of all videos.
    Raises ValueError for an unknown set, a size below 64, annotations that can't be used, and an `out` that can't be
    continued.
    """
    if name not in SETS:
        raise ValueError(f"there is no data set {name!r}; there are {', '.join(SETS)}")
    if size is not None and size < 64:
        raise ValueError(f"--size {size}: the short side must be 64 pixels or more")
    root, out, dataset = Path(root), Path(out), SETS[name]
    told = {split: datasets.annotations(dataset, root, split) for split in SPLITS}
    settings = {"set": name, "root": str(root.resolve()), "size": size}
    _refuse_other(out, root, settings)
    sources, missing = _sources(root, told)
    targets = {file: out / "videos" / _name(file, top, size) for file, top in sources.values()}
    if len(set(targets.values())) < len(targets):
        raise ValueError(
            f"{root}: videos differ in their endings alone, .mp4 would be the ending of both: rename some"
        )
    (out / "videos").mkdir(parents=True, exist_ok=True)
    _write(out / SETTINGS, [json.dumps(settings)])
    answers = list(_made(targets, size, progress))
    skipped = [
        {"file": str(file), "reason": answer} for file, answer in answers if answer not in ("made", "kept")
    ]
    broken = {one["file"] for one in skipped}
    videos = {file: target for file, target in targets.items() if str(file) not in broken}
    for split in SPLITS:
        _write(out / f"{split}.jsonl", _lines(told[split], sources, targets, out / "videos"))
    manifest = _manifest(dataset, told, size, out / "videos", videos)
    _write(out / prepared.MANIFEST, [json.dumps(manifest, indent=1)])
    return {
        "set": name,
        "out": out,
        "size": size,
        "splits": {split: len(told[split].entries) for split in SPLITS},
        "made": sum(answer == "made" for _, answer in answers),
        "kept": sum(answer == "kept" for _, answer in answers),
        "missing": missing,
        "skipped": skipped,
        "bytes": {
            "before": sum(file.stat().st_size for file in videos),
            "after": sum(one["bytes"] for one in manifest["videos"].values()),
        },
        "manifest": out / prepared.MANIFEST,
        "warning": None if size is None else COST,
    }


def _refuse_other(out: Path, root: Path, settings: dict[str, Any]) -> None:
    """Raise ValueError if `out` lies among the originals, or holds what these settings don't continue."""
    if out.resolve().is_relative_to(root.resolve()):
        raise ValueError(
            f"--out {out} lies in {root}, whose videos would be found twice: name a folder beside it"
        )
    begun = out / SETTINGS
    if begun.is_file():
        found = read_settings(begun)
        if found != settings:
            raise ValueError(
                f"{out} was prepared from other settings ({found}): name another --out, or remove it"
            )
    elif out.is_dir() and any(out.iterdir()):
        raise ValueError(f"{out} holds other files: name another --out")


def _sources(root: Path, told: dict[str, Annotations]) -> tuple[dict[str, tuple[Path, Path]], int]:
    """Return the file of each entry's video with the folder that it was found in, and how many are missing."""
    folder, sources, missing = VideoFolder(root), {}, 0
    for entry in (entry for split in SPLITS for entry in told[split].entries):
        file = entry.file(folder)
        if isinstance(file, Member):
            raise ValueError(
                f"{file.shard} is read in place: there is nothing to prepare; unpack it to re-encode"
            )
        if file is None:
            missing += 1
        else:
            sources[entry.video] = (file, folder.top)
    return sources, missing


def _name(file: Path, top: Path, size: int | None) -> Path:
    """Return a video's place in the new folder: as in the originals' folder, but ending in .mp4 if it is re-encoded."""
    name = file.relative_to(top)
    return name if size is None else name.with_name(name.name.removesuffix(name.suffix) + ".mp4")


def _made(
    targets: dict[Path, Path], size: int | None, progress: Progress | None
) -> Iterator[tuple[Path, str]]:
    """Yield each source with `made`, `kept` or the reason why it gives no video; several are made at once."""
    with ThreadPoolExecutor(POOL.size, thread_name_prefix="prepare") as threads:
        answers = threads.map(lambda pair: _make(*pair, size), targets.items())
        for done, (file, answer) in enumerate(zip(targets, answers, strict=True), 1):
            if progress:
                progress(done, len(targets))
            yield file, answer


def _make(source: Path, target: Path, size: int | None) -> str:
    if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
        return "kept"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        if size is None:
            target.symlink_to(source.resolve())
        elif is_small(source, size) and source.suffix == target.suffix:
            with new_file(target) as part:
                shutil.copyfile(source, part)
        else:
            transcode(source, target, size)
    except VideoError as error:
        return error.reason
    return "made"


def _lines(
    told: Annotations, sources: dict[str, tuple[Path, Path]], targets: dict[Path, Path], videos: Path
) -> Iterator[str]:
    """Yield a line for every entry, even if its video is missing, so that it is still counted."""
    for entry in told.entries:
        file = sources.get(entry.video, (None, None))[0]
        yield prepared.line(
            entry, entry.video if file is None else targets[file].relative_to(videos).as_posix()
        )


def _manifest(
    dataset: DataSet, told: dict[str, Annotations], size: int | None, videos: Path, made: dict[Path, Path]
) -> dict[str, Any]:
    files = dict.fromkeys(file for split in SPLITS for file in told[split].files)
    return {
        "set": dataset.name,
        "task": dataset.task,
        "classes": told["train"].classes,
        "held_out": told["train"].held_out,
        "made_from": {file.name: digest(file) for file in files},
        "size": size,
        "encoding": None if size is None else {"codec": "libx264", **ENCODING},
        "videos": {
            target.relative_to(videos).as_posix(): {"bytes": target.stat().st_size, "sha256": digest(target)}
            for target in made.values()
        },
    }


def _write(file: Path, lines: Iterator[str] | list[str]) -> None:
    write_bytes(file, "".join(line + "\n" for line in lines).encode())
