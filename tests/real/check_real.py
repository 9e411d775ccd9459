"""Folders of third-party clips and annotation files in, one line per file out; exit code 1 if any file is wrong.

`python tests/real/check_real.py [--clips FOLDER] [--annotations FOLDER]`. Clips in a folder named `hostile` may fail
with one clear VideoError; all others must decode, with the frames, time stamps and orientation that FFmpeg sees.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

import av
import numpy as np

from stan.data.datasets import SETS, SPLITS, Annotations, DataSet, kinetics, something
from stan.data.datasets.files import EXTENSIONS, Absent
from stan.data.video import decoding
from stan.data.video.container import ANY_TAGS
from stan.data.video.pool import POOL

ASKED = 12
CLOSE = 6.0
"""Largest mean difference of pixel values between two decoders that conversions of 10 bit and of colours may cause."""


class Wrong(Exception):
    """Raised by `require` for a result that is not as it must be."""


def require(condition: bool, what: str) -> None:
    if not condition:
        raise Wrong(what)


def reference(path: Path) -> tuple[list[float], list[np.ndarray]]:
    """Return the times (seconds) and shown frames of the main stream, all decoded in order by PyAV alone.

    They are upright, with square pixels.
    """
    times, frames = [], []
    with av.open(str(path), **ANY_TAGS) as container:
        stream = container.streams.best("video")
        stream.codec_context.thread_count = 1
        start = max(container.start_time or 0, 0) / av.time_base
        for frame in container.decode(stream):
            times.append(frame.time - start)
            frames.append(np.rot90(_with_square_pixels(frame, stream), round(frame.rotation / 90)))
    return times, frames


def _with_square_pixels(frame: av.VideoFrame, stream: av.VideoStream) -> np.ndarray:
    aspect, width, height = stream.sample_aspect_ratio or 1, frame.width, frame.height
    width, height = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    return frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="BILINEAR")


def check_exact(path: Path) -> str:
    """Compare probe and frames with the reference; return a summary."""
    times, frames = reference(path)
    info, decoded = decoding.probe(path), decoding.decode(path, ASKED)
    height, width = frames[0].shape[:2]
    require(info.frames == len(frames), f"{info.frames} frames, {len(frames)} expected")
    require(
        (info.width, info.height) == (width, height), f"{info.width}x{info.height}, {width}x{height} expected"
    )
    require(decoded.frames.shape == (ASKED, height, width, 3), f"frames of {decoded.frames.shape}")
    expected = np.array(times)[decoded.indices]
    require(np.allclose(decoded.times, expected, atol=1e-3), f"times {decoded.times}, {expected} expected")
    apart = [
        np.abs(frames[i].astype(int) - frame).mean()
        for i, frame in zip(decoded.indices, decoded.frames, strict=True)
    ]
    require(max(apart) < CLOSE, f"a frame is {max(apart):.1f} from the reference")
    small = decoding.decode(path, ASKED, 64)
    require(min(small.frames.shape[1:3]) == 64, f"short side 64 gave {small.frames.shape}")
    turn = f", turned by {info.rotation}" if info.rotation else ""
    return f"{info.frames} frames, {width}x{height}{turn}, {info.duration:.2f} s, {info.codec}, by {decoded.decoder}"


def check_hostile(path: Path) -> str:
    """Require one clear VideoError, or the frames of the reference; return a summary."""
    try:
        decoding.decode(path, ASKED)
    except decoding.VideoError as error:
        require(bool(error.reason and error.remedy) and "\n" not in str(error), f"unclear error {error!r}")
        return f"VideoError: {error.reason}; {error.remedy}"
    return check_exact(path)


def clips(folder: Path) -> Iterator[tuple[str, Callable[[], str]]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in EXTENSIONS:
            check = check_hostile if "hostile" in path.resolve().parts else check_exact
            yield str(path.relative_to(folder)), lambda path=path, check=check: check(path)


def annotations(folder: Path) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield checks of every split whose files are there, and of the class names that the package ships.

    Each is (name, function that checks).
    """
    for name, shipped in {"label_map_k400.txt": kinetics, "label_map_sthv2.txt": something}.items():
        if (folder / name).is_file():
            yield name, lambda path=folder / name, shipped=shipped: same_names(shipped.class_names(), path)
    for dataset in SETS.values():
        for split in SPLITS:
            try:
                told = dataset.annotations(folder, split)
            except Absent:
                continue
            except ValueError as error:
                yield f"{dataset.name} {split}", lambda error=error: fail(error)
            else:
                yield f"{dataset.name} {split}", lambda told=told, d=dataset, s=split: counted(told, d, s)


def fail(error: ValueError) -> str:
    raise error


def counted(told: Annotations, dataset: DataSet, split: str) -> str:
    """Require complete entries without repetition, as many as are known to be published; return a summary."""
    entries, known = told.entries, dataset.sizes.get(split)
    require(len({entry.id for entry in entries}) == len(entries), "videos repeat")
    require(all(entry.captions or entry.label is not None for entry in entries), "an entry says nothing")
    if known is None or told.held_out:  # part of the training list, with a size that follows from the names
        return f"{len(entries)} entries, of unknown size"
    require(len(entries) in known, f"{len(entries)} entries, {' or '.join(map(str, known))} expected")
    return f"{len(entries)} entries, as published"


def same_names(shipped: tuple[str, ...], path: Path) -> str:
    """Require that the class names in the file are those that the package ships; return a summary."""
    names = tuple(name.strip() for name in path.read_text(encoding="utf-8").split("\n") if name.strip())
    require(names == shipped, "other class names than shipped")
    return f"{len(names)} names, as shipped"


def run(checks: Iterator[tuple[str, Callable[[], str]]]) -> tuple[int, int]:
    """Run the checks, print a line for each, and return the numbers of files checked and of wrong ones."""
    looked, wrong = 0, 0
    for name, check in checks:
        looked += 1
        try:
            print(f"ok     {name}: {check()}", flush=True)
        except (Wrong, ValueError) as error:
            wrong += 1
            print(f"WRONG  {name}: {error}", flush=True)
    return looked, wrong


def remaining_children() -> list[str]:
    """Return the ids of this process's children, zombies included."""
    stats = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
    return [stat.split(" ", 1)[0] for stat in stats if stat.rsplit(")", 1)[1].split()[1] == str(os.getpid())]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--annotations", type=Path)
    arguments = parser.parse_args()
    checks = [clips(arguments.clips)] if arguments.clips else []
    checks += [annotations(arguments.annotations)] if arguments.annotations else []
    looked, wrong = run(chain.from_iterable(checks))
    workers = len(POOL.pids)
    decoding.close()
    left = remaining_children()
    print(f"{looked} files, {wrong} wrong; {workers} decoding processes ended, {len(left)} left behind")
    return int(wrong > 0 or bool(left) or looked == 0)


if __name__ == "__main__":
    sys.exit(main())
