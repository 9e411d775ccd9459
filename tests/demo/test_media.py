"""What the demo plays is what was embedded: the decoder's pictures, at the times of the library's moments."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from demo.service.backend import Backend
from demo.service.search_request import SearchRequest
from stan.config import ModelConfig
from stan.data.video import decoding
from stan.data.video.decoding import VideoError
from stan.library import Library
from stan.library import proxies as small_videos
from stan.library.proxies import MOST, PART, PICTURE, PICTURES, STEP, Proxies
from stan.models.dual_encoder import build
from tests.support import films, painted_clips
from tests.support.file_server import serving
from tests.support.films import Film
from tests.support.played import shown
from tests.support.small_clips import write_clip


def test_a_proxy_is_ours_opaque_and_made_once(tmp_path):
    clip = write_clip(tmp_path / "secret name.mp4", (220, 30, 30), frames=12, rate=6)
    proxies = Proxies(tmp_path / "proxies")
    proxy = proxies(clip, "mp4")
    assert proxy.parent == tmp_path / "proxies" and "secret" not in proxy.name
    played = shown(proxy)
    assert played.times == pytest.approx(np.arange(12) / 6, abs=1e-4) and played.end == pytest.approx(2)
    assert played.pictures[0].shape == (96, 112, 3)
    before = proxy.stat().st_mtime_ns
    assert proxies(clip, "mp4") == proxy and proxy.stat().st_mtime_ns == before
    assert [file.name for file in proxy.parent.iterdir()] == [proxy.name]


def test_many_who_ask_at_once_make_one_file(tmp_path, monkeypatch):
    clip, made = write_clip(tmp_path / "a.mp4"), []
    monkeypatch.setitem(
        small_videos.MAKERS, "webp", lambda path, out: made.append(Path(out).write_bytes(b"x"))
    )
    proxies = Proxies(tmp_path / "proxies")
    asking = [threading.Thread(target=proxies, args=(clip, "webp")) for _ in range(8)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    assert len(made) == 1


def test_a_strip_shows_the_video_from_first_to_last(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", (220, 30, 30), frames=24)
    strip = np.asarray(Image.open(Proxies(tmp_path / "proxies")(clip, "webp")).convert("RGB")).astype(int)
    width, height = PICTURE
    assert strip.shape == (height, PICTURES * width, 3)
    red = strip[..., 0] - strip[..., 1] > 80
    places = [red[:, i * width : (i + 1) * width].nonzero()[1].mean() for i in range(PICTURES)]
    assert np.all(np.diff(places) > 5)  # the square moves to the right


@pytest.mark.slow
def test_a_long_video_is_thinned_at_its_own_pace(tmp_path):
    clip = write_clip(tmp_path / "long.mp4", frames=2 * MOST, rate=30)
    played = shown(Proxies(tmp_path / "proxies")(clip, "mp4"))
    assert len(played.times) == MOST and played.end == pytest.approx(2 * MOST / 30)
    assert np.abs(np.diff(played.times) - 1 / 15).max() <= 1 / 30 + 1e-3


def numbers(played) -> list[int]:
    return [films.number(picture) for picture in played.pictures]


def test_a_part_of_a_long_video_begins_at_its_own_time(tmp_path):
    """A frame a second, whose number is its second: parts of 60 s begin every 30 s."""
    clip = Film(name="long.mkv", stamps=range(200), frames=200).write(tmp_path)
    proxies = Proxies(tmp_path / "proxies")
    played = shown(proxies(clip, "mp4", 2))
    assert (PART, STEP) == (60, 30)
    assert numbers(played) == list(range(60, 120)) and played.end == pytest.approx(60, abs=0.2)
    assert played.times == pytest.approx(np.arange(60), abs=0.02)
    last = shown(proxies(clip, "mp4", 6))
    assert numbers(last) == list(range(180, 200)) and last.times[1] == pytest.approx(1, abs=0.02)
    for missing in (7, 10**9):
        with pytest.raises(ValueError, match="ends before its part"):
            proxies(clip, "mp4", missing)


def test_a_part_that_begins_amid_a_still_shows_it_from_the_start(tmp_path):
    clip = Film(name="still.mkv", stamps=[0, 50, 70, 71, 80], frames=5).write(tmp_path)
    played = shown(Proxies(tmp_path / "proxies")(clip, "mp4", 2))
    assert numbers(played) == [1, 2, 3] and played.times == pytest.approx([0, 10, 11], abs=0.02)


def test_a_large_video_is_made_small(tmp_path):
    clip = write_clip(tmp_path / "large.mp4", frames=3, size=(480, 642))
    picture = shown(Proxies(tmp_path / "proxies")(clip, "mp4")).pictures[0]
    assert picture.shape[0] == 240 and picture.shape[1] in (320, 321, 322)


@pytest.mark.parametrize("kind", ["mp4", "webp"])
def test_a_broken_video_leaves_nothing_behind(tmp_path, kind):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing")
    with pytest.raises(VideoError):
        Proxies(tmp_path / "proxies")(broken, kind)
    assert list((tmp_path / "proxies").iterdir()) == []


def assert_alike(clip: Path, folder: Path) -> None:
    """Assert that the proxy shows the decoder's pictures at the decoder's times, the first one from 0 on."""
    info = decoding.probe(clip)
    small = min(info.width, info.height, small_videos.SHORT_SIDE)
    embedded = decoding.decode(clip, range(info.frames), small)
    played = shown(Proxies(folder / "proxies")(clip, "mp4"))
    assert played.times[0] == 0 and played.times[1:] == pytest.approx(embedded.times[1:], abs=1e-4)
    assert played.end == pytest.approx(embedded.times[0] + info.duration, abs=1e-3)
    for picture, wanted in zip(played.pictures, embedded.frames, strict=True):
        even = wanted[: picture.shape[0], : picture.shape[1]]
        assert np.abs(picture.astype(int) - even).mean() < 6


@pytest.mark.parametrize("matrix", films.MATRICES)
def test_a_turned_or_mirrored_video_is_played_as_it_was_embedded(tmp_path, matrix):
    film = Film(frames=6, patch=films.with_matrix(matrix))
    clip = film.write(tmp_path)
    assert_alike(clip, tmp_path)
    picture = films.undone(matrix)(shown(Proxies(tmp_path / "proxies")(clip, "mp4")).pictures[5])
    assert np.abs(films.corners(picture) - film.shown_corners()).max() < 6 and films.number(picture) == 5


FILMS = {
    "untagged 720p": Film(size=(1280, 720), frames=4, matrix="bt709", tagged=False),
    "untagged 144p": Film(frames=4, tagged=False),
    "full range": Film(frames=4, full=True, pixels="yuvj420p"),
    "anamorphic": Film(frames=4, aspect=Fraction(4, 3)),
    "PQ": Film(frames=4, pixels="yuv420p10le", matrix="bt2020nc", transfer=16),
    "transport stream": Film(name="film.ts", frames=30),
    "GIF": Film(name="film.gif", codec="gif", pixels="rgb8", rate=10, options={}, frames=4),
    "open groups": Film(frames=30, options={"g": "12", "x264-params": "open-gop=1"}),
}


@pytest.mark.parametrize("film", FILMS.values(), ids=FILMS)
def test_colours_aspect_and_times_are_played_as_they_were_embedded(tmp_path, film):
    assert_alike(film.write(tmp_path), tmp_path)


def test_moments_of_a_video_of_variable_rate_are_where_they_were(tmp_path):
    stamps = [0, 10_000, 20_000, *(20_000 + 1000 * i // 60 for i in range(1, 20))]
    assert_alike(painted_clips.write(tmp_path / "a.mkv", len(stamps), stamps=stamps), tmp_path)


def test_a_start_offset_moves_no_moment(tmp_path):
    stamps = [2500, 2540, 3000, 3040]
    assert_alike(painted_clips.write(tmp_path / "a.mkv", len(stamps), stamps=stamps), tmp_path)


def test_a_film_that_starts_after_its_sound_is_played_where_it_was_embedded(tmp_path):
    clip = tmp_path / "a.mp4"
    with av.open(str(clip), "w") as container:
        film, sound = container.add_stream("libx264", rate=10), container.add_stream("aac", rate=8000)
        film.width, film.height, film.pix_fmt = 96, 80, "yuv420p"
        for i in range(5):
            picture = av.VideoFrame.from_ndarray(painted_clips.painted(i), format="rgb24")
            picture.pts = 20 + i
            container.mux(film.encode(picture))
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 24_000), np.float32), format="fltp", layout="mono")
        tone.sample_rate = 8000
        container.mux(sound.encode(tone))
        container.mux([*film.encode(), *sound.encode()])
    assert decoding.decode(clip, [0, 4]).times == pytest.approx([2, 2.4], abs=0.02)
    assert_alike(clip, tmp_path)


def test_odd_sides_are_played(tmp_path):
    assert_alike(painted_clips.write(tmp_path / "a.mp4", 4, (97, 81)), tmp_path)


# ---- videos at addresses


@pytest.fixture(scope="module")
def far(tmp_path_factory):
    """A server of one video, and a backend over a library that indexed it by a list of its address."""
    folder = tmp_path_factory.mktemp("far")
    content = write_clip(folder / "a.mp4", (30, 30, 220)).read_bytes()
    with serving({"/films/a.mp4": content}) as server:
        torch.manual_seed(0)
        library = Library(folder / "library", build(ModelConfig(pretrained="random"), frames=4))
        (folder / "list.txt").write_text(server.address("/films/a.mp4?signature=secret"))
        assert library.add(folder / "list.txt")["indexed"] == 1
        server.fetched.clear()
        backend = Backend({"mine": lambda: library}, folder / "proxies")
        [(name, id)] = backend.videos("mine")
        assert name == "a.mp4"
        yield server, backend, id, folder
        server.fetched.clear()


def test_a_video_at_an_address_is_played_as_a_local_one(far):
    server, backend, id, folder = far
    proxy = backend.media(id, "mp4")
    local = Proxies(folder / "local")
    assert proxy.read_bytes() == local(folder / "a.mp4", "mp4").read_bytes()
    assert backend.media(id, "webp").read_bytes() == local(folder / "a.mp4", "webp").read_bytes()
    assert server.fetched == {"/films/a.mp4": 1}


def test_the_model_looks_into_a_video_at_an_address(far):
    _, backend, id, _ = far
    assert backend.time("mine", id, "a blue square")["queries"]
    assert backend.attention("mine", id, 2).pixels.shape[0] == 2
    assert backend.explain("mine", id, "a blue square", 2, lambda *_: None).maps
    assert backend.recognise("mine", id, ["blue", "red"], [])["over_time"]["times"]


def test_a_folder_of_addresses_is_a_place_to_search_in(far):
    _, backend, id, _ = far
    [place] = backend.places("mine")
    assert place == "films"
    assert [found["id"] for found in backend.search(SearchRequest(q="a square", folder=place))] == [id]
    with pytest.raises(ValueError, match="no folder of this machine"):
        backend.index("mine", None, "", lambda *_: None)


def test_an_address_that_the_library_does_not_hold_is_not_fetched(far):
    server, backend, _, _ = far
    before = dict(server.fetched)
    for id in (server.address("/films/a.mp4"), "0" * 16):
        with pytest.raises(ValueError, match="no video"):
            backend.media(id, "mp4")
    assert server.fetched == before
