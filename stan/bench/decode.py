"""Generated clips in; how fast they are read compared with bare decoders, and how long indexing waits for it, out."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch.nn.functional as F
from jaxtyping import UInt8

from stan import bench
from stan.data.video import decoding
from stan.data.video.sampling import segments
from stan.library.prefetch import LocalIndexEngine, Task, Video
from stan.library.sources import Source
from stan.models.dual_encoder import DualEncoder
from stan.results import provenance

SIZES = ((320, 240), (640, 360), (1280, 720))
"""Width and height of the clips, in pixels."""
CLIP_FRAMES, RATE = 250, 25
"""Number of frames and frames per second: ten seconds with one key frame, like short clips on the web."""
FILMS, FILM_SIZE = {"1 min": 60, "10 min": 600, "1 h": 3600}, (640, 360)
"""Seconds of the long files, which have a key frame every ten seconds, and their width and height."""
FRAMES, SHORT_SIDE = 12, 224
REPEATS = 5
WORKERS = (1, 2)
CLIPS_PER_WORKER = 4
INDEXED = 8
"""Number of clips to index. They are read ahead of the model, but it waits for every frame of the first one."""

Reader = Callable[[], UInt8[np.ndarray, "T H W 3"]]


def decode(
    sizes: Sequence[tuple[int, int]] = SIZES,
    repeats: int = REPEATS,
    model: DualEncoder | None = None,
    clip_frames: int = CLIP_FRAMES,
    films: Mapping[str, int] = FILMS,
) -> dict[str, Any]:
    """Time reading 12 of 250 frames, resized to a short side of 224, by size and decoder; the decoders take turns.

    Then the same of long files, which decoders do well to seek in.

    The first rows are `stan` (including its worker's timeline, checks and pipe), then bare decord, PyAV and torchcodec
    on one thread each. If one of them isn't installed, its row says so in the note and has no times. `relative`:
    decord's time over this decoder's. The next rows are `stan` with one and two workers on several clips. With a
    `model`, the last row tells which share of the time to index clips, as `stan index` does, the model waits for their
    frames; None leaves that row out.
    """
    rows = []
    with tempfile.TemporaryDirectory(prefix="stan-bench-") as folder:
        for size in sizes:
            clip = write_clip(Path(folder) / f"{size[0]}.mp4", size, clip_frames)
            rows += _by_decoder("clip", clip, size, repeats, clip_frames)
            rows += _by_workers(clip, size, repeats)
            if model is not None:
                rows.append(_waiting(clip, size, repeats, model))
        for name, seconds in films.items():
            film = write_clip(
                Path(folder) / f"{seconds}.mp4", FILM_SIZE, CLIP_FRAMES, times=seconds * RATE // CLIP_FRAMES
            )
            rows += _by_decoder(name, film, FILM_SIZE, repeats, seconds * RATE)
    peak = provenance.peak_memory_mb()
    return bench.document("decoding", "uint8", rows, frames=FRAMES, short_side=SHORT_SIDE, peak_mb=peak)


def write_clip(path: Path, size: tuple[int, int], frames: int, times: int = 1) -> Path:
    """Write an H.264 file and return `path`. It shows a drifting, finely textured picture, which is work to decode.

    The first of `frames` frames is a key frame; `times` repeats what was encoded.
    """
    width, height = size
    texture = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    picture = np.kron(texture, np.ones((8, 8, 1), np.uint8))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", RATE, options={"g": str(frames), "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        packets = []
        for i in range(frames):
            moved = np.ascontiguousarray(np.roll(picture, (i, 2 * i), (0, 1)))
            packets += stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24"))
        packets += stream.encode(None)
        whole = round(frames / RATE / packets[0].time_base)
        for _ in range(times):
            for packet in packets:
                container.mux(_copied(packet))
                packet.pts, packet.dts = packet.pts + whole, packet.dts + whole
    return path


def _copied(packet: av.Packet) -> av.Packet:
    """Return a packet for the container to keep, which changes times to its own unit."""
    copy = av.Packet(bytes(packet))
    copy.stream, copy.time_base, copy.is_keyframe = packet.stream, packet.time_base, packet.is_keyframe
    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
    return copy


def readers(clip: Path, size: tuple[int, int], clip_frames: int) -> dict[str, Reader | None]:
    """Return for each decoder a function that reads the frames that `stan` reads; None if it can't be loaded."""
    indices = segments(clip_frames, FRAMES)
    width, height = (round(length * SHORT_SIDE / min(size)) for length in size)
    bare = {"decord": _by_decord, "pyav": _by_pyav, "torchcodec": _by_torchcodec}
    modules = {"decord": "decord", "pyav": "av", "torchcodec": "torchcodec"}
    found: dict[str, Reader | None] = {"stan": partial(decoding.frames, clip, FRAMES, SHORT_SIDE)}
    for name, read in bare.items():
        found[name] = partial(read, str(clip), indices, (width, height)) if _loads(modules[name]) else None
    return found


def _loads(module: str) -> bool:
    """Tell whether a module can be imported: torchcodec may be installed and still find no FFmpeg."""
    try:
        importlib.import_module(module)
    except (ImportError, OSError, RuntimeError):
        return False
    return True


def _by_decord(clip: str, indices: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    decord = importlib.import_module("decord")
    reader = decord.VideoReader(clip, width=shape[0], height=shape[1], num_threads=1)
    return reader.get_batch(indices).asnumpy()


def _by_pyav(clip: str, indices: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Decode from the key frame before each wanted frame, or on from the last one if that lies nearer."""
    frames = []
    with av.open(clip) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        assert stream.time_base
        ticks = round(1 / RATE / stream.time_base)
        reached, decoded = 0, container.decode(stream)
        for index in indices.tolist():
            if index // CLIP_FRAMES > reached // CLIP_FRAMES:
                container.seek(index * ticks, stream=stream)
                decoded = container.decode(stream)
            frame = next(frame for frame in decoded if frame.pts >= index * ticks)
            reached = index
            frames.append(frame.reformat(*shape, format="rgb24", interpolation="BICUBIC").to_ndarray())
    return np.stack(frames)


def _by_torchcodec(clip: str, indices: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Decode at full size, then resize with torch."""
    torchcodec = importlib.import_module("torchcodec.decoders")
    frames = torchcodec.VideoDecoder(clip, num_ffmpeg_threads=1).get_frames_at(indices.tolist()).data
    resized = F.interpolate(frames, shape[::-1], mode="bilinear", antialias=True)
    return resized.permute(0, 2, 3, 1).contiguous().numpy()


def _by_decoder(
    what: str, clip: Path, size: tuple[int, int], repeats: int, clip_frames: int
) -> list[dict[str, Any]]:
    found = readers(clip, size, clip_frames)
    calls = {name: lambda _, read=read: read() for name, read in found.items() if read is not None}
    measured = {name: taken for name, (taken, _) in bench.interleaved(calls, repeats).items()}
    rows = []
    for name in found:
        facts = {
            "what": what,
            "decoder": name,
            "width": size[0],
            "height": size[1],
            "workers": 1,
            "note": "",
        }
        label = f"{size[0]}x{size[1]}, {name}" if what == "clip" else f"{size[0]}x{size[1]}, {what}, {name}"
        if name not in measured:
            absent = dict.fromkeys(("median", "spread", "clips_per_second", "relative"))
            facts["note"] = "not installed, or cannot be loaded"
            rows.append({"name": label} | absent | {"unit": "ms"} | facts)
            continue
        facts["clips_per_second"] = 1000 / float(np.median(measured[name]))
        decord = measured.get("decord")
        facts["relative"] = None if decord is None else float(np.median(decord / measured[name]))
        rows.append(bench.row(label, measured[name], **facts))
    return rows


def _by_workers(clip: Path, size: tuple[int, int], repeats: int) -> list[dict[str, Any]]:
    """Time the same number of clips with one worker and with several; `scaling`: one worker's time over theirs."""
    clips = CLIPS_PER_WORKER * max(WORKERS)
    requests = [decoding.Request(clip, FRAMES, SHORT_SIDE)] * clips
    calls = {
        str(workers): lambda _, workers=workers: list(decoding.decode_many(requests, workers))
        for workers in WORKERS
    }
    measured = {name: taken for name, (taken, _) in bench.interleaved(calls, repeats, warm_up=1).items()}
    return [
        bench.row(
            f"{size[0]}x{size[1]}, {clips} clips, stan, {name} {'worker' if name == '1' else 'workers'}",
            taken,
            what=f"{clips} clips by {name}",
            decoder="stan",
            width=size[0],
            height=size[1],
            workers=int(name),
            clips_per_second=1000 * clips / float(np.median(taken)),
            scaling=float(np.median(measured["1"] / taken)),
        )
        for name, taken in measured.items()
    ]


def _waiting(clip: Path, size: tuple[int, int], repeats: int, model: DualEncoder) -> dict[str, Any]:
    """Time indexing clips one after the other, and the share of that time in which the model waits for their frames."""
    tasks = [Task(Source(str(clip), str(clip.parent), clip.name), None)] * INDEXED
    local = LocalIndexEngine.of(model, decoding.probe(clip).duration)

    def index(_: int) -> float:
        return 1000 * sum(_waited(video) for video in local.videos(tasks, ()))

    taken, waited = bench.interleaved({"": index}, repeats, warm_up=1)[""]
    facts = {"what": f"{INDEXED} clips indexed", "decoder": "stan", "width": size[0], "height": size[1]}
    speed = {"workers": 1, "clips_per_second": 1000 * INDEXED / float(np.median(taken))}
    share = float(np.median(np.array(waited) / taken))
    return bench.row(f"{size[0]}x{size[1]}, {INDEXED} clips, indexed", taken, **facts, **speed, waiting=share)


def _waited(video: Video) -> float:
    """Embed a clip and return the seconds that the model waited for it."""
    video.look()
    video.embed()
    return video.waited
