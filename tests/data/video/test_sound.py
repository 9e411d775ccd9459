"""Small films with a tone in; what is heard of them, and when, out."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from stan.data.video import decoding
from stan.data.video.decoding import VideoError
from stan.data.video.sound import RATE
from tests.support.films_with_sound import ONSET, SECONDS, write_with_sound
from tests.support.small_clips import write_clip

LOUD = 3000


def onset(samples: np.ndarray, start: float) -> float:
    """The second of the film at which the tone begins, or the span if it is in the tone."""
    return start + float(np.flatnonzero(np.abs(samples[:, 0].astype(int)) > LOUD)[0]) / RATE


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {}),
        ("a.mkv", {"codec": "libopus", "rate": 48_000}),
        ("a.ts", {}),
        ("a.mpg", {"codec": "mp2"}),
        ("a.avi", {"codec": "mp3"}),
        ("late.mp4", {"begins": 0.8}),
    ],
)
def test_sound_is_heard_when_it_is_played(tmp_path, name, options):
    film = write_with_sound(tmp_path / name, **options)
    for start, end in ((0.0, 3.0), (0.5, 1.5), (1.2, 2.0), (2.8, 4.0)):
        samples = decoding.sound(film, start, end)
        assert samples.shape == (round((end - start) * RATE), 2) and samples.dtype == np.int16
        # tracks without an edit list are late by what their encoder puts first, 26 ms at most
        assert onset(samples, start) == pytest.approx(max(start, ONSET), abs=0.03)
        assert 11_000 < samples.max() < 13_000
        after = round((SECONDS + 0.05 - start) * RATE)
        assert not samples[after:].any()


def test_one_channel_stays_one(tmp_path):
    samples = decoding.sound(write_with_sound(tmp_path / "a.mp4", layout="mono"), 0.5, 1.5)
    assert samples.shape == (RATE, 1)
    assert onset(samples, 0.5) == pytest.approx(ONSET, abs=0.01)


def test_a_track_may_change_its_form(tmp_path):
    """As a broadcast does between films and advertisements: here from two channels to one, and to another rate."""
    film = write_with_sound(tmp_path / "a.ts")
    behind = {"output_ts_offset": str(SECONDS)}
    more = write_with_sound(tmp_path / "b.ts", layout="mono", rate=48_000, muxer=behind)
    film.write_bytes(film.read_bytes() + more.read_bytes())
    samples = decoding.sound(film, 2.0, 6.0)
    loud = 2.0 + np.flatnonzero(np.abs(samples[:, 1].astype(int)) > LOUD) / RATE
    assert np.diff(loud).max() == pytest.approx(ONSET, abs=0.1) and loud[-1] > 5.9


def test_the_track_that_is_marked_is_the_one_that_is_heard(tmp_path):
    """A commentary in front of the film's own sound; without a mark it would be the first."""
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        film = container.add_stream("libx264", rate=25)
        film.width, film.height, film.pix_fmt = 64, 64, "yuv420p"
        tracks = [container.add_stream("aac", rate=RATE, layout="mono") for _ in range(2)]
        tracks[1].disposition = av.stream.Disposition.default
        container.mux([*film.encode(av.VideoFrame(64, 64, "yuv420p")), *film.encode()])
        for track, level in zip(tracks, (0, 12_000), strict=True):
            tone = level * np.sin(np.arange(RATE) / 10)
            frame = av.AudioFrame.from_ndarray(tone.astype(np.int16)[None], format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
            container.mux([*track.encode(frame), *track.encode()])
    assert decoding.sound(tmp_path / "a.mkv", 0.0, 1.0).max() > 11_000


def test_a_film_without_sound_has_none_and_what_is_no_film_is_refused(tmp_path):
    assert decoding.sound(write_clip(tmp_path / "a.mp4"), 0.0, 1.0) is None
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with pytest.raises(VideoError, match=r"b\.mp4"):
        decoding.sound(tmp_path / "b.mp4", 0.0, 1.0)


def test_damaged_sound_is_silence_and_the_rest_is_heard_in_time(tmp_path):
    film = write_with_sound(tmp_path / "a.mkv", codec="mp2", rate=48_000)
    content = bytearray(film.read_bytes())
    with av.open(str(film)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.size]
    for packet in packets[60:75]:
        place = content.index(bytes(packet), packet.pos)
        content[place : place + packet.size] = bytes(packet.size)
    film.write_bytes(content)
    samples = decoding.sound(film, 0.5, 3.0)
    assert onset(samples, 0.5) == pytest.approx(ONSET, abs=0.03)
    heard = np.abs(samples[:, 0].astype(int)) > LOUD
    seconds = 0.5 + np.flatnonzero(heard) / RATE
    gap = np.diff(seconds).max()
    assert 0.2 < gap < 0.5 and seconds[-1] > 2.9
