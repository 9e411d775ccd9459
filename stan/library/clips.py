"""Moments of videos in; an archive of clips, each cut from its video by time, out.

The isolated decoder gives frames and sound, so that no video, whatever it holds, reaches another program. A clip has
the frames at their times, the sound, and no more pixels than its limit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import numpy as np

from stan.common.files import new_file
from stan.common.progress import FileProgress
from stan.data.video import decoding
from stan.data.video.transcode import WATCHED, small_pictures, write_h264
from stan.library.kept import Moment

MOST = 50
"""Number of clips in one archive."""
SECONDS = 300.0
"""Seconds that all clips of an archive may last together."""
SHORT_SIDE = 720
"""Pixels of the short side of a clip at most; larger videos are shrunk."""
LOOKED_AT = 2.0
"""Frames per second that are looked at to find where a clip begins and ends."""


def archive(
    moments: Sequence[Moment],
    file: Callable[[str], AbstractContextManager[Path]],
    target: Path,
    progress: FileProgress = lambda done, total, name: None,
) -> list[tuple[Moment, ValueError | OSError]]:
    """Write a zip file of the moments as MP4 files, whole or not at all; return those that could not be cut, and why.

    file: opens the video with an id, as `Library.file` does.
    Raises ValueError for no moments, for too many, for too many seconds, and if none of them can be cut.
    """
    _require_fitting(moments)
    failed: list[tuple[Moment, ValueError | OSError]] = []
    with tempfile.TemporaryDirectory(dir=target.parent) as folder, new_file(target) as part:
        clip = Path(folder) / "clip.mp4"
        with ZipFile(part, "w", ZIP_STORED) as whole:
            for number, moment in enumerate(moments, 1):
                progress(number - 1, len(moments), moment.name)
                try:
                    with file(moment.id) as path:
                        cut(path, moment.start, moment.end, clip)
                except (ValueError, OSError) as error:
                    failed.append((moment, error))
                else:
                    whole.write(clip, clip_name(number, moment))
        if len(failed) == len(moments):
            raise failed[0][1]
    return failed


def cut(source: Path, start: float, end: float, target: Path) -> None:
    """Write what `source` shows, and what is heard, from `start` to `end` seconds, as an MP4 file that begins at 0.

    Raises VideoError for a video that cannot be decoded, and ValueError for a moment after its end.
    """
    info = decoding.probe(source)
    if start >= info.duration:
        raise ValueError(
            f"{source.name} ends after {info.duration:.1f} s, before the moment begins: index it again"
        )
    end = min(end, info.duration)
    pictures = small_pictures(info, _around(source, info, start, end), SHORT_SIDE)
    seconds = max(end - start, 1 / info.fps)
    sound = decoding.sound(source, start, start + seconds)
    write_h264(target, _within(pictures, start, end), seconds, WATCHED, sound)


def clip_name(number: int, moment: Moment) -> str:
    """Return the name of a moment's file: letters, digits and what every file system takes."""
    stem = "".join(
        letter if letter.isalnum() or letter in " -_" else "_" for letter in Path(moment.name).stem
    )
    return f"{number:03} {stem[:80].strip()} {moment.start:.1f}-{moment.end:.1f}s.mp4"


def _require_fitting(moments: Sequence[Moment]) -> None:
    if not moments:
        raise ValueError("no moment is chosen: choose what is to be cut")
    seconds = sum(moment.end - moment.start for moment in moments)
    if len(moments) > MOST or seconds > SECONDS:
        raise ValueError(
            f"{len(moments)} moments of {seconds:.0f} s in all: an archive holds {MOST} clips and {SECONDS:.0f} s, "
            "choose fewer"
        )


def _around(source: Path, info: decoding.VideoInfo, start: float, end: float) -> np.ndarray:
    """Return the numbers of all frames shown from `start` to `end`, and of a few before and after."""
    near = decoding.sample(source, max(min(info.frames, round(LOOKED_AT * info.duration)), 1))
    first = near.indices[near.times <= start].max(initial=0)
    last = near.indices[near.times >= end].min(initial=info.frames - 1)
    return np.arange(first, last + 1)


def _within(
    pictures: Iterator[tuple[np.ndarray, float]], start: float, end: float
) -> Iterator[tuple[np.ndarray, float]]:
    """Yield what is shown from `start` to `end`, and since when, in seconds after `start`."""
    picture, _ = next(pictures)
    begins = start
    for following, seconds in pictures:
        if seconds >= end:
            break
        if seconds > start:
            yield picture, begins - start
            begins = seconds
        picture = following
    yield picture, begins - start
