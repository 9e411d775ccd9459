"""A video or picture file in; embeddings of its windows and frames, by CLIP alone and by the model, out.

A short video is one window with the frames that the model itself takes. A longer video is cut into windows of equal
length, each overlapping the next by half. Letters: W windows, T frames of a window, F frames of the video, E embedding
width.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, UnidentifiedImageError

from stan.data.video import decoding
from stan.data.video.facts import VideoFacts
from stan.data.video.transforms import evaluation
from stan.models.dual_encoder import DualEncoder

SECONDS_PER_FRAME = 1.0
"""Length of a window per frame of the model, unless a length is given. MSR-VTT's clips last 10 to 30 s and are read as
12 frames."""
FRAMES_AT_ONCE = 64
"""Number of frames of a long video that are embedded at a time, so that memory use stays constant."""
PIECE = 128
"""Most frames that one request decodes. Each piece of a film begins at a key frame, and what lies between that and its
first frame is decoded twice."""
PIXELS_AT_ONCE = 4 << 30
"""Pixels of all frames between the first and the last that one request decodes: more would take it too long."""
DECODERS = 4
"""Most processes that decode one film."""
PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".bmp": "BMP"}


@dataclass(frozen=True)
class FileEmbeddings:
    """One file's embeddings, not normalised.

    CLIP's are `clip` and `frame_clip`, the whole model's are `video` and `frame_video`.
    """

    duration: float
    """Duration in seconds."""
    clip: Float[np.ndarray, "W E"]
    video: Float[np.ndarray, "W E"]
    times: Float[np.ndarray, " F"]
    """Time of each frame in seconds."""
    frame_clip: Float[np.ndarray, "F E"]
    frame_video: Float[np.ndarray, "F E"]
    """Mean over the windows that contain a frame."""
    facts: VideoFacts | None = None
    """What the file is and how it was read; None for a picture."""


@dataclass(frozen=True)
class Group:
    """Decoded windows of a video that are embedded together. Letters: f frames of the group, S pixels."""

    duration: float
    """Duration of the video in seconds."""
    total: int
    """Number of frames that are decoded of the video (F)."""
    starts: list[int]
    """Index among these frames at which each window of the video begins."""
    windows: range
    """Which of the video's windows are in the group."""
    pixels: Float[torch.Tensor, "f 3 S S"]
    times: Float[np.ndarray, " f"]
    facts: VideoFacts


def embed(model: DualEncoder, path: str | Path, window: float) -> FileEmbeddings:
    """Embed a video file in windows of `window` seconds, or a picture as a video in which nothing moves.

    Raises VideoError (a ValueError) for a file that cannot be decoded.
    """
    if Path(path).suffix.lower() in PICTURES:
        return _embed_picture(model, Path(path))
    return embed_groups(model, read(model, path, window))


def read(model: DualEncoder, path: str | Path, window: float) -> Iterator[Group]:
    """Yield a video file's windows of `window` seconds in groups, each decoded when asked for. Raises VideoError."""
    info = decoding.probe(path)
    count, starts = windows(info.duration, model.frames, window)
    sampled = decoding.sample(path, count)
    prepare = evaluation(model.clip.pixels)
    pixels, done = torch.empty(0), 0
    with closing(_squares(model, info, sampled.indices)) as squares:
        for group in _groups(starts, model.frames):
            begin, end = starts[group[0]], starts[group[-1]] + model.frames
            new = torch.as_tensor(prepare(np.stack([*islice(squares, end - done)])))
            pixels, done = torch.cat([pixels[begin - done :] if begin < done else new[:0], new]), end
            times = sampled.times[begin:end]
            yield Group(float(info.duration), count, starts, group, pixels, times, info.facts)


def embed_groups(model: DualEncoder, groups: Iterator[Group]) -> FileEmbeddings:
    """Embed a video, given all its groups in order."""
    first = next(groups)
    width = model.embedding_width
    times = np.empty(first.total, np.float32)
    clip, video = (np.empty((len(first.starts), width), np.float32) for _ in range(2))
    frame_clip, frame_video = (np.zeros((first.total, width), np.float32) for _ in range(2))
    covered = np.zeros((first.total, 1), np.float32)
    for group in chain([first], groups):
        starts = [group.starts[i] for i in group.windows]
        span = slice(starts[0], starts[-1] + model.frames)
        alone, whole, pooled = _both(model, group.pixels, [start - starts[0] for start in starts])
        times[span], frame_clip[span] = group.times, alone
        for i, start, frames, one in zip(group.windows, starts, whole, pooled, strict=True):
            span = slice(start, start + model.frames)
            clip[i], video[i] = frame_clip[span].mean(0), one
            frame_video[span] += frames
            covered[span] += 1
    return FileEmbeddings(first.duration, clip, video, times, frame_clip, frame_video / covered, first.facts)


def windows(duration: float, frames: int, window: float) -> tuple[int, list[int]]:
    """Return how many frames to decode (F), and at which of these each window of `frames` begins.

    The frames to decode are spread evenly over the video's time. Windows start half a window apart, and the last one
    ends with the video.
    """
    count = max(frames, round(frames * duration / window))
    return count, [*range(0, count - frames, max(1, frames // 2)), count - frames]


def _groups(starts: list[int], frames: int) -> Iterator[range]:
    """Return the windows, as ranges of their indices, that are embedded together."""
    size = max(1, (FRAMES_AT_ONCE - frames) // max(1, frames // 2) + 1)
    return (range(i, min(i + size, len(starts))) for i in range(0, len(starts), size))


def _squares(model: DualEncoder, info: decoding.VideoInfo, indices: np.ndarray) -> Generator[np.ndarray]:
    """Yield the frames as squares, uint8 (S, S, 3); several processes decode ahead, each another piece of the film.

    Raises VideoError.
    """
    between = info.width * info.height * info.frames / len(indices)
    most = min(PIECE, max(1, int(PIXELS_AT_ONCE / between)))
    pieces = [indices[i : i + most] for i in range(0, len(indices), most)]
    requests = [decoding.Request(info.path, piece, model.clip.pixels.scaling) for piece in pieces]
    for piece in decoding.decode_many(requests, min(DECODERS, decoding.POOL.size)):
        if isinstance(piece, decoding.VideoError):
            raise piece
        yield from piece.frames


@torch.inference_mode()
def _both(
    model: DualEncoder, pixels: Float[torch.Tensor, "F 3 S S"], starts: list[int]
) -> tuple[Float[np.ndarray, "F E"], Float[np.ndarray, "W T E"], Float[np.ndarray, "W E"]]:
    """Return CLIP's embedding of every frame, and the model's of every frame of every window and of every window.

    CLIP runs once per frame, unless it reads several frames at once: then a window may begin amid such a tubelet.
    """
    clip, encoder, together = model.clip, model.encoder, model.clip.visual.tubelet
    pixels = pixels.to(model.device)
    lacking = -len(pixels) % together  # until the last tubelet is whole
    filled = torch.cat([pixels, pixels[-1:].expand(lacking, -1, -1, -1)]) if lacking else pixels
    levels = encoder.levels(filled[None])
    alone = encoder.project(clip.visual.pool(levels[clip.layers - 1])[0])
    alone = alone.repeat_interleave(together, 0)[: len(pixels)]
    whole = encoder.picked(pixels, levels, torch.tensor(starts)[:, None] + torch.arange(model.frames))
    alone, frames, video = (x.float().cpu().numpy() for x in (alone, whole.frames, whole.video))
    return alone, frames, video


def _embed_picture(model: DualEncoder, path: Path) -> FileEmbeddings:
    try:
        with Image.open(path, formats=sorted(set(PICTURES.values()))) as picture:
            frame = np.asarray(picture.convert("RGB"))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or "is no picture that can be read"
        raise decoding.VideoError(path, reason, "give a PNG, JPEG, WebP or BMP file") from None
    pixels = evaluation(model.clip.pixels)(frame[None])
    alone, whole, video = _both(model, torch.as_tensor(pixels).expand(model.frames, -1, -1, -1), [0])
    frame_clip, frame_video = alone[:1], whole[0].mean(0, keepdims=True)
    return FileEmbeddings(0.0, frame_clip, video, np.zeros(1, np.float32), frame_clip, frame_video)
