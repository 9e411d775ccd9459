"""Every kind of clip decodes exactly or is one clear VideoError, and no file harms the process that asks."""

import os
import runpy
import sys
import types
from pathlib import Path

import av
import numpy as np
import pytest

from stan.data.preprocessing import RESIZE_MODES, PixelSettings
from stan.data.video import backends, decoding, reading, timeline, worker
from stan.data.video.extensions import VIDEOS
from stan.data.video.transforms import evaluation
from tests.support.films import Film, number
from tests.support.painted_clips import painted, read, write


def refused(path: Path, **arguments) -> decoding.VideoError:
    with pytest.raises(decoding.VideoError) as caught:
        decoding.decode(path, 2, **arguments)
    error = caught.value
    assert str(error) == f"{path}: {error.reason}; {error.remedy}" and "\n" not in str(error)
    return error


@pytest.mark.parametrize("name", ["a.mp4", "b.mkv", "snow ☃ 雪.mov"])
def test_frames_are_exact(tmp_path, name):
    clip = write(tmp_path / name, 60)
    order = [59, 0, 17, 17, 33, 9, 10, 11]
    decoded = decoding.decode(clip, order)
    assert [read(frame) for frame in decoded.frames] == order == decoded.indices.tolist()
    assert decoded.times == pytest.approx(np.array(order) / 25, abs=1e-3)
    assert decoded.decoder == "pyav" and decoded.frames.dtype == np.uint8
    every = decoding.decode(clip, np.arange(60))
    assert every.decoder == "decord" and np.array_equal(every.frames[order], decoded.frames)
    info = decoding.probe(clip)
    assert (info.frames, info.width, info.height, info.rotation, info.codec) == (60, 96, 80, 0, "h264")
    assert (info.fps, info.duration) == (pytest.approx(25, rel=1e-2), pytest.approx(2.4, abs=0.05))


def test_a_count_takes_segment_centres_or_draws(tmp_path):
    clip = write(tmp_path / "a.mp4", 24)
    assert decoding.decode(clip, 8).indices.tolist() == [1, 4, 7, 10, 13, 16, 19, 22]
    first, again = (decoding.decode(clip, 8, rng=np.random.default_rng(3)) for _ in range(2))
    assert first.indices.tolist() == again.indices.tolist() == [read(frame) for frame in first.frames]
    assert (first.indices // 3).tolist() == list(range(8))


@pytest.mark.parametrize("count", [1, 3])
def test_short_clips_repeat_frames(tmp_path, count):
    decoded = decoding.decode(write(tmp_path / "a.mp4", count), 6)
    assert decoded.frames.shape == (6, 80, 96, 3)
    assert [read(frame) for frame in decoded.frames] == decoded.indices.tolist()
    assert set(decoded.indices.tolist()) == set(range(count))


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_both_decoders_turn_frames_alike(tmp_path, rotation):
    clip = write(tmp_path / "a.mov", 12, (128, 80), rotation=rotation)
    info = decoding.probe(clip)
    shown = (80, 128) if rotation % 180 else (128, 80)
    assert (info.width, info.height, info.rotation) == (*shown, -rotation % 360)
    by_decord = decoding.decode(clip, [0, 3, 5, 7, 9, 11])
    times = timeline.read_timeline(str(clip), 2 << 20)
    by_pyav = backends.by_pyav(str(clip), by_decord.indices, times, None)
    assert by_decord.decoder == "decord"
    assert by_decord.frames.shape == by_pyav.shape == (6, shown[1], shown[0], 3)
    np.testing.assert_array_equal(by_decord.frames, by_pyav)
    for index, frame in zip(by_decord.indices, by_pyav, strict=True):
        expected = np.rot90(painted(index, 128, 80), rotation // 90).astype(int)
        assert np.abs(expected - frame).mean() < 6


@pytest.mark.parametrize("size", [(101, 77), (130, 66), (65, 131)])
def test_odd_sizes(tmp_path, size):
    frames = decoding.frames(write(tmp_path / "a.mp4", 9, size), [0, 8])
    assert frames.shape == (2, size[1], size[0], 3) and [read(frame) for frame in frames] == [0, 8]


def test_narrow_pictures_are_exact_by_the_second_decoder(tmp_path):
    decoded = decoding.decode(write(tmp_path / "a.mp4", 9, (48, 40)), [0, 5, 8])
    assert decoded.decoder == "pyav" and decoded.frames.shape == (3, 40, 48, 3)
    assert [read(frame) for frame in decoded.frames] == [0, 5, 8]


@pytest.mark.parametrize("size", [32, 64, 160])
def test_size_is_the_short_side(tmp_path, size):
    decoded = decoding.decode(write(tmp_path / "a.mp4", 9, (192, 96)), [1, 6], size)
    assert decoded.frames.shape == (2, size, 2 * size, 3)
    assert [read(frame) for frame in decoded.frames] == [1, 6]


@pytest.mark.parametrize(("wanted", "decoder"), [([1, 20], "pyav"), (list(range(5, 21)), "decord")])
@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_squares_are_those_of_whole_frames(tmp_path, mode, wanted, decoder):
    clip = write(tmp_path / "a.mp4", 24, (192, 96))
    settings = PixelSettings(resize_mode=mode, fill_color=9, size=48)
    whole, squares = (decoding.decode(clip, wanted, size) for size in (None, settings.scaling))
    assert squares.decoder == decoder and squares.frames.shape == (len(wanted), 48, 48, 3)
    prepare = evaluation(settings)
    np.testing.assert_array_equal(prepare(squares.frames), prepare(whole.frames))


def test_variable_rate_keeps_the_files_own_stamps(tmp_path):
    stamps = [0, 40, 50, 300, 310, 900, 1000, 1040, 2000, 2500]
    clip = write(tmp_path / "a.mkv", 10, stamps=stamps)
    decoded = decoding.decode(clip, list(range(10)))
    assert [read(frame) for frame in decoded.frames] == list(range(10))
    assert decoded.times == pytest.approx(np.array(stamps) / 1000, abs=2e-3)
    assert decoding.probe(clip).duration == pytest.approx(2.54, abs=0.1)


def test_segments_of_a_variable_rate_are_equal_in_time(tmp_path):
    stamps = [0, 10_000, *(20_000 + 40 * i for i in range(25))]
    clip = write(tmp_path / "a.mkv", 27, stamps=stamps)
    decoded, sample = decoding.decode(clip, 7, 64), decoding.sample(clip, 7)
    assert not decoded.facts.constant_rate
    assert [read(frame) for frame in decoded.frames] == [0, 0, 0, 1, 1, 1, 1]
    assert decoded.indices.tolist() == sample.indices.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert decoded.times == pytest.approx((np.arange(7) + 0.5) * 3, abs=0.01)
    assert sample.times.tolist() == decoded.times.tolist()
    drawn = decoding.decode(clip, 3, 64, np.random.default_rng(0))
    assert [read(frame) for frame in drawn.frames] == drawn.indices.tolist()
    assert (drawn.times // 7.001).tolist() == [0, 1, 2]


def test_one_dropped_frame_is_no_variable_rate(tmp_path):
    clip = write(tmp_path / "a.mkv", 24, stamps=[40 * (i + (i > 12)) for i in range(24)])
    assert decoding.probe(clip).facts.constant_rate and decoding.decode(clip, 8).indices.tolist()[0] == 1


def test_seeks_end_at_the_key_frame_meant(tmp_path, monkeypatch):
    """Nothing of the groups before is decoded."""
    clip, decoded = str(write(tmp_path / "a.mp4", 60, options={"g": "10", "sc_threshold": "0"})), []
    times = timeline.read_timeline(clip, 1 << 20)
    frames_of = backends.Film.frames_of
    monkeypatch.setattr(backends.Film, "frames_of", lambda *a: decoded.append(a[1].pts) or frames_of(*a))
    frames = backends.by_pyav(clip, np.array([31]), times, None)
    assert read(frames[0]) == 31 and min(pts for pts in decoded if pts is not None) == times.pts[30]


def test_seeking_is_exact_in_both(tmp_path):
    clip = write(tmp_path / "a.mp4", 250, options={"g": "30", "bf": "3"})
    wanted = np.array([0, 29, 30, 31, 99, 100, 180, 249])
    assert [read(f) for f in decoding.frames(clip, wanted)] == wanted.tolist()
    times = timeline.read_timeline(str(clip), 1 << 20)
    assert times.regular and len(times.pts) == 250
    assert [read(f) for f in backends.by_pyav(str(clip), wanted, times, None)] == wanted.tolist()


def test_streams_without_usable_stamps_decode_in_order(tmp_path):
    raw = write(tmp_path / "a.h264", 20)
    decoded = decoding.decode(raw, [0, 7, 19])
    assert [read(frame) for frame in decoded.frames] == [0, 7, 19]


def test_the_second_decoder_serves_what_decord_cannot_open(tmp_path):
    clip = tmp_path / "a.gif"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 80, "rgb8"
        for i in range(6):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(painted(i), format="rgb24").reformat(format="rgb8"))
            )
        container.mux(stream.encode())
    decoded = decoding.decode(clip, [0, 5])
    assert decoded.decoder == "pyav" and [read(frame) for frame in decoded.frames] == [0, 5]


@pytest.mark.parametrize(
    ("version", "used"), [("0.6.0", True), ("0.6.1", True), ("3.4.0", False), (None, False)]
)
def test_of_packages_named_decord_only_the_tested_one_is_used(monkeypatch, version, used):
    """decord2 lies in the same folder; what is left of both where one was removed has no version."""
    module = types.ModuleType("decord")
    if version is not None:
        module.__version__ = version
    monkeypatch.setitem(sys.modules, "decord", module)
    assert (runpy.run_path(backends.__file__)["decord"] is module) == used


def test_still_scenes_may_repeat_frames(tmp_path):
    decoded = decoding.decode(write(tmp_path / "a.mp4", 20, still=True), 12)
    assert decoded.decoder == "decord" and all((decoded.frames == decoded.frames[0]).all(axis=(1, 2, 3)))


def test_repeats_that_pyav_tells_apart_are_replaced(tmp_path, monkeypatch):
    clip = write(tmp_path / "a.mp4", 20)
    monkeypatch.setattr(
        backends, "by_decord", lambda *_: np.stack([painted(3)] * 4)
    )  # what decord gives where frames are damaged
    request = {"what": "decode", "path": str(clip), "count": 4, "indices": None, "seed": None}
    request |= {"size": None, "scaling": None}
    limits = {"seconds": 9, "memory": 1 << 62, "pixels": 1 << 30, "duration": 100}
    monkeypatch.setattr(worker.resource, "setrlimit", lambda *_: None)
    header, frames = worker.answer({**request, "decoder": "any", "limits": limits})
    assert header["decoder"] == "pyav" and [read(frame) for frame in frames] == header["indices"] == [
        2,
        7,
        12,
        17,
    ]


def test_frames_that_differ_in_one_pixel_are_no_repeats():
    frames = np.zeros((4, 80, 96, 3), np.uint8)
    frames[2, 33, 47, 1] = 1
    assert reading.equal_to_next(frames).tolist() == [True, False, False]


@pytest.mark.parametrize("rotation", [0, 90])
def test_headers_without_doubt_tell_what_a_decoder_would(tmp_path, rotation):
    clip = str(write(tmp_path / "a.mp4", 40, (128, 80), rotation=rotation, options={"g": "10", "bf": "3"}))
    scan = timeline._scanned_by_headers(clip, 1 << 20)
    assert scan == timeline._scanned(clip, 1 << 20)
    shown = scan.first.geometry(scan.headers.crop).displayed
    assert shown == ((80, 128) if rotation else (128, 80))


def test_a_size_that_the_headers_have_wrong_is_found(tmp_path):
    clip = tmp_path / "a.mp4"
    data = bytearray(write(clip, 12, (128, 80)).read_bytes())
    entry = data.index(b"avc1", data.index(b"stsd"))
    data[entry + 28 : entry + 32] = (640).to_bytes(2, "big") + (320).to_bytes(2, "big")
    shown = data.index(b"tkhd") + 80
    data[shown : shown + 8] = (640 << 16).to_bytes(4, "big") + (320 << 16).to_bytes(4, "big")
    clip.write_bytes(data)
    assert timeline._scanned_by_headers(str(clip), 1 << 20) is None
    info = decoding.probe(clip)
    assert (info.width, info.height) == (128, 80)
    assert decoding.frames(clip, 2, 72).shape == (2, 72, round(128 * 72 / 80), 3)


def test_a_packet_that_cannot_be_read_ends_the_file_where_ffmpeg_stops(tmp_path):
    """With the headers alone FFmpeg looks for a frame beyond the gap, and what follows would count."""
    clip = tmp_path / "a.mp4"
    data = bytearray(write(clip, 40).read_bytes())
    samples = data.index(b"stsz") + 16
    data[samples + 4 * 20 : samples + 4 * 21] = b"\x7f\xff\xff\xff"
    clip.write_bytes(data)
    assert timeline._scanned_by_headers(str(clip), 1 << 20) is None
    frames = decoding.probe(clip).frames
    assert frames < 40 and frames == len(timeline._scanned(str(clip), 1 << 20).packets)


def hostile(folder: Path, kind: str) -> Path:
    path = folder / f"{kind}.mp4"
    good = write(folder / "good.mp4").read_bytes()
    contents = {
        "empty": b"",
        "text": b"no video at all, only words\n" * 50,
        "png": b"\x89PNG\r\n\x1a\n" + bytes(2000),
        "avif": b"\0\0\0\x18ftypavif\0\0\0\0avifmif1" + bytes(2000),
        "playlist": b"#EXTM3U\n#EXTINF:2,\ngood.mp4\n#EXT-X-ENDLIST\n",
        "concat": b"ffconcat version 1.0\nfile good.mp4\n",
        "zeros": bytes(5000),
        "truncated": good[: len(good) // 2],
    }
    if kind in contents:
        path.write_bytes(contents[kind])
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "audio":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("aac", rate=16000)
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
            sound.sample_rate = 16000
            container.mux(stream.encode(sound))
            container.mux(stream.encode())
    return path


RATE = {"b": "8M"}
WRITTEN = {
    **dict.fromkeys([".avi", ".divx"], {"codec": "mpeg4", "options": RATE}),
    **dict.fromkeys([".mpg", ".mpeg", ".m2v", ".vob", ".mxf"], {"codec": "mpeg2video", "options": RATE}),
    **dict.fromkeys([".wmv", ".asf"], {"codec": "wmv2", "options": RATE}),
    **dict.fromkeys([".h265", ".hevc"], {"codec": "libx265", "options": {"crf": "4"}}),
    **dict.fromkeys([".webm", ".ivf"], {"codec": "libvpx-vp9"}),
    ".dv": {"codec": "dvvideo", "size": (720, 576)},
    ".y4m": {"codec": "wrapped_avframe", "options": {}},
    ".gif": {"codec": "gif", "pixels": "rgb8"},
    ".apng": {"codec": "apng", "pixels": "rgb24"},
}
"""How films are written that don't hold H.264, by the ending of their names."""
MUXED = {".divx": ".avi", ".qt": ".mov"}
"""Endings that PyAV doesn't know, and those by which it writes such a file."""


@pytest.mark.parametrize("ending", sorted(VIDEOS - {".ogv"}))  # which PyAV doesn't write: see test_truth.py
def test_what_is_named_as_a_video_is_read(tmp_path, ending):
    film = Film(name=f"film{MUXED.get(ending, ending)}", frames=12, **WRITTEN.get(ending, {}))
    path = film.write(tmp_path).rename(tmp_path / f"film{ending}")
    assert [number(frame) for frame in decoding.decode(path, range(12)).frames] == list(range(12))


REASONS = {
    "missing": "no such file",
    "empty": "is empty",
    "folder": "is a folder",
    "pipe": "no regular file",
    "text": "no video file",
    "zeros": "no video file",
    "png": "is a picture",
    "avif": "is a picture",
    "playlist": "is a playlist",
    "concat": "is a playlist",
    "audio": "no video stream",
    "truncated": "no video file",
}


@pytest.mark.parametrize("kind", REASONS)
def test_what_is_no_video_is_one_clear_error(tmp_path, kind):
    path = hostile(tmp_path, kind)
    assert REASONS[kind] in refused(path).reason
    with pytest.raises(decoding.VideoError, match=REASONS[kind]):
        decoding.probe(path)


def test_names_that_look_like_addresses_are_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "no such file" in refused(Path("http://127.0.0.1:9/a.mp4")).reason
    write(tmp_path / "a.mp4").rename(tmp_path / "concat:x.mp4")
    assert decoding.frames("concat:x.mp4", 1).shape == (1, 80, 96, 3)


def test_the_readable_part_of_a_cut_file_is_read(tmp_path):
    whole = write(tmp_path / "whole.mp4", 100, movflags="faststart", options={"g": "10", "crf": "1"})
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])
    frames = decoding.probe(cut).frames
    assert 20 < frames < 100
    decoded = decoding.decode(cut, 5)
    assert [read(frame) for frame in decoded.frames] == decoded.indices.tolist()
    with pytest.raises(decoding.VideoError, match=f"has {frames} frames, frame 99"):
        decoding.decode(cut, [99])


def test_damaged_bytes_give_frames_or_one_error(tmp_path):
    good = bytearray(write(tmp_path / "good.mp4", 60, movflags="faststart").read_bytes())
    rng, outcomes = np.random.default_rng(0), []
    for trial in range(6):
        damaged = good.copy()
        for place in rng.integers(len(good) // 3, len(good), 40):
            damaged[place] = int(rng.integers(256))
        path = tmp_path / f"{trial}.mp4"
        path.write_bytes(damaged)
        outcomes.append(next(decoding.decode_many([decoding.Request(path, 12)])))
    assert len(outcomes) == 6
    assert all(isinstance(o, decoding.VideoError) or o.frames.shape == (12, 80, 96, 3) for o in outcomes)


def test_limits(tmp_path):
    clip = write(tmp_path / "a.mp4", 50, (128, 96))
    assert "above the limit of 100 pixels" in refused(clip, limits=decoding.Limits(pixels=100)).reason
    assert "lasts 2 s" in refused(clip, limits=decoding.Limits(duration=1)).reason
    with pytest.raises(decoding.VideoError, match="need .* MiB"):
        decoding.decode(clip, [0] * 1_000_000)
    assert decoding.frames(clip, 1).shape == (1, 96, 128, 3)


def test_the_limit_of_memory_holds_for_its_request_only(tmp_path):
    # Two such frames are more than an allocator keeps back, so a worker cannot have them at hand from before.
    clip = write(tmp_path / "a.mp4", 3, (3840, 2160))
    assert refused(clip, limits=decoding.Limits(memory=128 << 20)).remedy
    assert decoding.frames(clip, 1).shape == (1, 2160, 3840, 3)


def test_wrong_arguments_are_named(tmp_path):
    clip = write(tmp_path / "a.mp4", 5)
    for indices, size in ((0, None), ([], None), (2, 0)):
        with pytest.raises(ValueError, match="at least one frame"):
            decoding.decode(clip, indices, size)
    with pytest.raises(decoding.VideoError, match="has 5 frames, frame -1"):
        decoding.decode(clip, [2, -1])
