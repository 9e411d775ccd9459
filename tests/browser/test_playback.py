"""A browser shows, at the times of a library's moments, the pictures that were embedded."""

from __future__ import annotations

import base64
import io
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from demo.service.backend import Backend
from stan.config import ModelConfig
from stan.data.video import decoding
from stan.library import Library
from stan.library.proxies import SHORT_SIDE
from stan.models.dual_encoder import build
from tests.support import films
from tests.support.demo_page import launched
from tests.support.file_server import serving
from tests.support.films import Film

pytestmark = pytest.mark.browser
STILL = [0, 10, *(20 + i / 60 for i in range(58))]
FILMS = {
    "mirrored.mp4": Film(patch=films.with_matrix("mirrored")),
    "transposed.mp4": Film(patch=films.with_matrix("transposed")),
    "anamorphic.mp4": Film(aspect=Fraction(2, 1)),
    "untagged.mp4": Film(size=(1280, 720), matrix="bt709", tagged=False),
    "hdr.mp4": Film(
        pixels="yuv420p10le",
        matrix="bt2020nc",
        transfer=16,
        corners=[(128, 0, 0), (0, 128, 0), (0, 0, 128)] * 2,
    ),
    "still.mp4": Film(stamps=STILL, frames=len(STILL)),
    "capture.ts": Film(muxer={"output_ts_offset": "100"}),
}
LONG = Film(name="long.mkv", stamps=range(0, 1000, 4), frames=250)
"""A picture every four seconds, for more than sixteen minutes: it is played in parts."""
FAR = "far.mp4"
SEEN = """async ([address, seconds]) => {
  const video = document.createElement('video')
  Object.assign(video, {muted: true, src: address})
  const happens = (event) => new Promise((done, failed) => {
    video.addEventListener(event, done, {once: true})
    video.addEventListener('error', () => failed(video.error.message), {once: true})
  })
  await happens('loadeddata')
  if (seconds) {  // a canvas may still get a black picture when the seek is over: wait until one is presented
    const presented = new Promise((done) => video.requestVideoFrameCallback(done))
    video.currentTime = seconds
    await Promise.all([happens('seeked'), presented])
  }
  const canvas = document.createElement('canvas')
  Object.assign(canvas, {width: video.videoWidth, height: video.videoHeight})
  canvas.getContext('2d').drawImage(video, 0, 0)
  return {picture: canvas.toDataURL('image/png'), duration: video.duration}
}"""
"""Returns what a video shows at a time, as a PNG, and how long it is."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("played")
    (folder / "videos").mkdir()
    for name, film in FILMS.items():
        replace(film, name=name).write(folder / "videos")
    LONG.write(folder / "videos")
    return folder


@pytest.fixture(scope="module")
def demo(folder):
    """The page's address, and the ids of its videos by name; one of them lies on a server."""
    torch.manual_seed(0)
    library = Library(folder / "library", build(ModelConfig(pretrained="random"), frames=4))
    with serving({f"/{FAR}": (folder / "videos" / "mirrored.mp4").read_bytes()}) as server:
        (folder / "list.txt").write_text(server.address(f"/{FAR}"))
        library.add(folder / "videos")
        library.add(folder / "list.txt")
        with launched(Backend({"mine": lambda: library}, folder / "proxies").calls()) as address:
            yield address, {entry.name: entry.id for entry in library.entries()}


def opened(address: str) -> np.ndarray:
    """Return the picture of a data address, (H, W, 3)."""
    content = base64.b64decode(address.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


@pytest.mark.parametrize("name", [*FILMS, FAR])
def test_what_is_played_is_what_was_embedded(folder, demo, open_page, name):
    address, ids = demo
    page = open_page(address)
    file = folder / "videos" / (name if name in FILMS else "mirrored.mp4")
    info = decoding.probe(file)
    embedded = decoding.sample(file, 5)
    small = min(info.width, info.height, SHORT_SIDE)
    for index, seconds in zip(embedded.indices.tolist(), embedded.times.tolist(), strict=True):
        seen = page.evaluate(SEEN, [f"media/{ids[name]}.mp4", seconds + 0.002])
        picture = opened(seen["picture"])
        wanted = decoding.frames(file, [index], small)[0][: picture.shape[0], : picture.shape[1]]
        assert seen["duration"] == pytest.approx(info.duration, abs=0.01)
        assert np.abs(picture.astype(int) - wanted).mean() < 7, (index, seconds)


SHOWN = """(card) => {
  const video = card.querySelector('video')
  const canvas = document.createElement('canvas')
  Object.assign(canvas, {width: video.videoWidth, height: video.videoHeight})
  canvas.getContext('2d').drawImage(video, 0, 0)
  return [canvas.toDataURL('image/png'), Number(video.dataset.begins) + video.currentTime]
}"""
"""Returns what a card's player shows, and the time in the whole video."""


def test_a_long_video_is_played_in_parts_from_where_one_clicks(demo, open_page):
    page = open_page(f"{demo[0]}?q=a+red+square&top=24")
    page.set_default_timeout(120_000)
    page.locator("#cards .card").first.wait_for()
    card = page.locator(".card", has=page.get_by_text(LONG.name))
    curve = card.locator(".curve")
    for share in (0.75, 0.1):
        box = curve.bounding_box()
        curve.click(position={"x": share * box["width"], "y": 10})
        page.wait_for_function(
            "v => v.readyState >= 2 && !v.seeking && v.currentTime > 0",
            arg=card.locator("video").element_handle(),
        )
        card.locator("video").evaluate("v => v.pause()")
        picture, seconds = card.evaluate(SHOWN)
        assert abs(seconds - share * 1000) < 30
        assert abs(films.number(opened(picture)) - seconds / 4) <= 1
