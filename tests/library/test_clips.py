"""Clips cut from videos by time, read back by another reader than the suite's."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from zipfile import ZipFile

import av
import numpy as np
import pytest

from stan.data.video import decoding
from stan.data.video.decoding import VideoError
from stan.library import clips
from stan.library.kept import Moment
from tests.support.films_with_sound import write_with_sound
from tests.support.played import shown
from tests.support.small_clips import write_clip


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    """Two seconds, 12 frames, one every sixth of a second; a square moves from left to right."""
    return write_clip(tmp_path_factory.mktemp("clips") / "a.mp4")


@pytest.mark.parametrize(
    ("start", "end", "first", "times"),
    [
        (0.0, 0.5, 0, [0, 1 / 6, 2 / 6]),
        (0.5, 1.0, 3, [0, 1 / 6, 2 / 6]),
        (0.6, 1.1, 3, [0, 4 / 6 - 0.6, 5 / 6 - 0.6, 1 - 0.6]),
        (1.9, 9.0, 11, [0]),
        (0.55, 0.6, 3, [0]),
    ],
)
def test_a_clip_shows_what_its_video_shows_then(video, tmp_path, start, end, first, times):
    clips.cut(video, start, end, tmp_path / "clip.mp4")
    seen = shown(tmp_path / "clip.mp4")
    assert seen.times == pytest.approx(times, abs=1e-3)
    assert seen.end == pytest.approx(max(min(end, 2.0) - start, 1 / 6), abs=0.02)
    expected = decoding.frames(video, np.arange(first, first + len(times)))
    assert np.abs(np.stack(seen.pictures).astype(int) - expected).mean() < 3


def test_a_clip_is_heard_when_it_is_shown(tmp_path):
    """The tone begins at 1 s of the film, half a second after the clip does."""
    clips.cut(write_with_sound(tmp_path / "a.mp4"), 0.5, 1.7, tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        (track,) = container.streams.audio
        assert float(track.duration * track.time_base) == pytest.approx(1.2, abs=0.03)
        parts = [frame.to_ndarray()[0] for frame in container.decode(track)]
    begins = np.flatnonzero(np.abs(np.concatenate(parts)) > 0.1)[0] / track.rate
    assert begins == pytest.approx(0.5, abs=0.01)


def test_a_clip_of_a_silent_film_has_no_track_of_sound(video, tmp_path):
    clips.cut(video, 0.0, 1.0, tmp_path / "clip.mp4")
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_a_large_video_is_shrunk(tmp_path, monkeypatch):
    monkeypatch.setattr(clips, "SHORT_SIDE", 64)
    clips.cut(write_clip(tmp_path / "a.mp4", size=(128, 160)), 0.0, 0.5, tmp_path / "clip.mp4")
    assert shown(tmp_path / "clip.mp4").pictures[0].shape == (64, 80, 3)


def test_a_moment_after_the_end_and_a_damaged_video_are_refused(video, tmp_path):
    with pytest.raises(ValueError, match=r"a\.mp4 ends after 2\.0 s"):
        clips.cut(video, 2.0, 3.0, tmp_path / "clip.mp4")
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with pytest.raises(VideoError):
        clips.cut(tmp_path / "b.mp4", 0.0, 1.0, tmp_path / "clip.mp4")


def moment(id: str, start: float = 0.0, end: float = 0.5, name: str = "a.mp4") -> Moment:
    return Moment(id, name, start, end)


def test_an_archive_holds_a_clip_of_each_and_names_those_that_failed(video, tmp_path):
    files = {"one": video, "gone": video.with_name("gone.mp4"), "two": video}
    told: list[tuple] = []
    moments = [moment("one", name="../x/ü <b>.mp4"), moment("gone"), moment("two", 1.0, 1.5)]
    failed = clips.archive(
        moments, lambda id: nullcontext(files[id]), tmp_path / "all.zip", lambda *news: told.append(news)
    )
    assert [one for one, _ in failed] == [moments[1]] and "gone.mp4" in str(failed[0][1])
    assert told == [(0, 3, "../x/ü <b>.mp4"), (1, 3, "a.mp4"), (2, 3, "a.mp4")]
    with ZipFile(tmp_path / "all.zip") as whole:
        assert whole.namelist() == ["001 ü _b_ 0.0-0.5s.mp4", "003 a 1.0-1.5s.mp4"]
        assert whole.testzip() is None
    assert [one.name for one in tmp_path.iterdir()] == ["all.zip"]


def test_an_archive_of_nothing_is_refused(tmp_path):
    gone = lambda id: nullcontext(tmp_path / "gone.mp4")  # noqa: E731
    with pytest.raises(VideoError, match="gone"):
        clips.archive([moment("a")], gone, tmp_path / "all.zip")
    with pytest.raises(ValueError, match="no moment is chosen"):
        clips.archive([], gone, tmp_path / "all.zip")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moments", [[moment("a")] * 51, [moment("a", 0.0, 301.0)]])
def test_an_archive_has_limits_on_number_and_seconds(tmp_path, moments):
    with pytest.raises(ValueError, match="an archive holds 50 clips and 300 s"):
        clips.archive(moments, lambda id: nullcontext(tmp_path), tmp_path / "all.zip")
    assert list(tmp_path.iterdir()) == []
