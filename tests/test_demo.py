"""The demo's page over made-up callables: what it shows, what it says when things fail, what it never serves."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import av
import gradio as gr
import numpy as np
import pytest

from demo import app, heat, recognise, search
from demo import attention as attention_tab
from demo.engine import Engine, open_library
from demo.media import LONGEST, Proxies
from stan.data.video import VideoError
from stan.library import Results
from tests.small_clips import write_clip

RESULT = {
    "id": "0" * 16,
    "name": "a.mp4",
    "score": 0.5,
    "percentile": 90.0,
    "start": 1.0,
    "end": 2.0,
    "duration": 4.0,
}
HOSTILE = "<img src=x onerror=alert(1)>"


def searcher(*results):
    return lambda query, top: Results(
        query, [{**RESULT, **result} for result in results[:top]], {"encode": 1.0}
    )


def refuse(*_):
    raise ValueError(f"no such thing {HOSTILE}")


def seen(branch: bool = True, temporal: bool = True) -> SimpleNamespace:
    rng = np.random.default_rng(0)
    return SimpleNamespace(
        pixels=rng.integers(0, 255, (3, 48, 48, 3), dtype=np.uint8),
        times=np.array([0.1, 0.5, 0.9]),
        clip=rng.random((2, 3, 4, 6, 6)),
        branch=rng.random((1, 3, 4, 6, 6)) if branch else None,
        temporal=rng.random((1, 4, 6, 6, 3, 3)) if temporal else None,
        note="attention, not an explanation",
    )


# ---- search


def test_results_fill_the_first_cards_and_hide_the_rest():
    status, *cards = search.show(searcher({}, {"name": HOSTILE}), lambda id: f"{id}.mp4", "a cat", 6)
    assert len(cards) == 3 * search.CARDS
    assert [column.visible for column in cards[::3]] == [True, True] + [False] * (search.CARDS - 2)
    assert cards[1].playback_position == 1.0
    assert "encode 1.0 ms" in status and "render" in status
    assert "1.0–2.0" in cards[2] and "0.500" in cards[2] and "left:25.0%;width:25.0%" in cards[2]


def test_the_query_is_escaped():
    status, *_ = search.show(searcher({}), lambda id: None, HOSTILE, 1)
    assert HOSTILE not in status and "&lt;img" in status


@pytest.mark.parametrize(("found", "says"), [(refuse, "no such thing"), (searcher(), "stan index")])
def test_a_search_without_results_says_what_to_do(found, says):
    status, *cards = search.show(found, lambda id: None, "a cat", 3)
    assert says in status and HOSTILE not in status
    assert not any(column.visible for column in cards[::3])


def test_a_video_that_cannot_be_played_leaves_the_others():
    def proxy(id: str) -> str:
        if id == "1" * 16:
            raise VideoError("/srv/private/b.mp4", "is gone", "index again")
        return "a.mp4"

    status, *cards = search.show(searcher({"id": "1" * 16}, {}), proxy, "a cat", 2)
    assert "b.mp4: is gone; index again" in cards[2] and "private" not in cards[2]
    assert "2 best" in status and "is gone" not in cards[5]


# ---- recognise


def test_bars_are_escaped_and_ordered():
    text = recognise.bars({"labels": [{"label": HOSTILE, "probability": 0.75}], "ms": {"encode": 2.0}})
    assert HOSTILE not in text and "75.0 %" in text and "width:75.0%" in text


def test_recognition_asks_for_a_video_first():
    player, said = recognise.show(refuse, refuse, None, ["a"])
    assert "first" in said and player.visible is False


def test_what_recognition_refuses_is_said():
    _, said = recognise.show(refuse, refuse, "0" * 16, [])
    assert "no such thing" in said and HOSTILE not in said and 'role="alert"' in said


# ---- attention


def test_looking_offers_what_there_is():
    _, note, views, block, layer, head, row, column = attention_tab.start(lambda id, n: seen(), "0" * 16, 3)
    assert "not an explanation" in note and views.visible
    assert (block.value, layer.value, head.value, row.maximum, column.maximum) == (
        2,
        1,
        attention_tab.MEAN,
        6,
        6,
    )


def test_looking_without_a_branch_says_so():
    _, note, _, _, layer, *_ = attention_tab.start(lambda id, n: seen(False, False), "0" * 16, 3)
    assert attention_tab.NO_BRANCH in note and layer.visible is False


@pytest.mark.parametrize(("video", "says"), [(None, "first"), ("0" * 16, "no such thing")])
def test_looking_at_nothing_says_what_to_do(video, says):
    state, said, views, *_ = attention_tab.start(refuse, video, 3)
    assert state is None and says in said and views.visible is False


def test_maps_of_clip_and_branch_stand_in_one_table():
    space, place, plot, missing = attention_tab.draw(seen(), 2, 1, "3", 1, 1)
    assert space.count("<img") == 3 * 3 + 1  # video, CLIP, branch; and the scale
    assert "one scale" in space and missing == "" and plot.value is not None
    assert place.shape[0] == place.shape[1] >= 2 * heat.SIDE


def test_a_model_without_time_draws_the_rest():
    space, _, plot, missing = attention_tab.draw(seen(True, False), 2, 1, attention_tab.MEAN, 1, 1)
    assert "branch" in space and plot.visible is False and attention_tab.NO_TIME in missing


def test_a_click_picks_the_patch_under_it():
    look = seen()
    side = heat.patch(look.pixels[0], (6, 6), 0, 0).shape[0]
    at = lambda x, y: attention_tab.pick(look, SimpleNamespace(index=[x, y]))  # noqa: E731
    assert at(0, 0) == (1, 1) and at(side - 1, side - 1) == (6, 6)
    assert at(side // 2 + 1, 0) == (1, 4) and at(side, side) == (6, 6)


def test_the_hottest_patch_is_the_brightest():
    heated = np.zeros((6, 6))
    heated[1, 4] = 2.0
    picture = heat.overlay(np.full((48, 48, 3), 100, np.uint8), heated, 2.0).astype(int).sum(-1)
    step = len(picture) // 6
    cells = picture.reshape(6, step, 6, step).mean((1, 3))
    assert np.unravel_index(cells.argmax(), cells.shape) == (1, 4)


def test_the_matrix_over_time_has_rows_from_and_columns_to():
    weights = np.array([[0.0, 1.0], [0.5, 0.5]])
    axes = heat.over_time(weights, np.array([0.0, 1.0]), "title").axes[0]
    assert np.array_equal(axes.images[0].get_array(), weights)
    assert axes.get_ylabel().startswith("from") and axes.get_xlabel().startswith("to")


# ---- media


def read(path) -> tuple[list[np.ndarray], float]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)], float(
            stream.average_rate
        )


def test_a_proxy_is_ours_opaque_and_made_once(tmp_path):
    clip = write_clip(tmp_path / "secret name.mp4", (220, 30, 30), frames=12, rate=6)
    proxies = Proxies(tmp_path / "proxies")
    proxy = proxies(clip)
    assert proxy.parent == tmp_path / "proxies" and "secret" not in proxy.name
    frames, rate = read(proxy)
    assert len(frames) == 12 and rate == 6 and frames[0].shape == (96, 112, 3)
    before = proxy.stat().st_mtime_ns
    assert proxies(clip) == proxy and proxy.stat().st_mtime_ns == before
    assert [file.name for file in proxy.parent.iterdir()] == [proxy.name]


def test_a_long_video_is_thinned_at_its_own_pace(tmp_path):
    clip = write_clip(tmp_path / "long.mp4", frames=2 * LONGEST, rate=30)
    frames, rate = read(Proxies(tmp_path / "proxies")(clip))
    assert len(frames) == LONGEST and rate == pytest.approx(15)


def test_a_large_video_is_made_small(tmp_path):
    clip = write_clip(tmp_path / "large.mp4", frames=3, size=(480, 642))
    frames, _ = read(Proxies(tmp_path / "proxies")(clip))
    assert frames[0].shape[0] == 240 and frames[0].shape[1] in (320, 321, 322)


def test_a_broken_video_leaves_nothing_behind(tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing")
    with pytest.raises(VideoError):
        Proxies(tmp_path / "proxies")(broken)
    assert list((tmp_path / "proxies").iterdir()) == []


# ---- the engine


def test_an_engine_says_why_it_has_no_library(tmp_path):
    engine = Engine(lambda: open_library(tmp_path / "none", None), tmp_path / "proxies")
    with pytest.raises(ValueError, match="stan index"):
        engine.videos()


def test_an_upload_must_be_named_like_a_video(tmp_path):
    engine = Engine(lambda: None, tmp_path / "proxies")
    with pytest.raises(ValueError, match="does not look like a video"):
        engine.recognise(Path("playlist.m3u8"), ["a"])


def test_a_visitor_cannot_name_a_path(tmp_path):
    entries = SimpleNamespace(entry=refuse)
    engine = Engine(lambda: entries, tmp_path / "proxies")
    for attempt in (engine.proxy, lambda v: engine.recognise(v, ["a"])):
        with pytest.raises(ValueError, match="no such thing"):
            attempt("/etc/hostname")


# ---- the floor


def test_an_open_address_needs_a_password(tmp_path, monkeypatch):
    monkeypatch.delenv(app.PASSWORD, raising=False)
    for host in ("0.0.0.0", "192.0.2.1", "example.org"):
        with pytest.raises(ValueError, match=app.PASSWORD):
            app.settings(host, None, tmp_path)
    for host in ("127.0.0.1", "localhost", "::1"):
        assert app.settings(host, None, tmp_path)["auth"] is None
    monkeypatch.setenv(app.PASSWORD, "me:secret")
    assert app.settings("0.0.0.0", None, tmp_path)["auth"] == ("me", "secret")


def test_an_open_address_ends_with_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv(app.PASSWORD, raising=False)
    assert app.main(["--library", str(tmp_path), "--host", "0.0.0.0"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_settings_keep_the_floor(tmp_path):
    settings = app.settings("127.0.0.1", None, tmp_path)
    assert settings["share"] is False and settings["run_history"] is False and settings["max_file_size"]
    assert settings["allowed_paths"] == [str(tmp_path)]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A running page over made-up callables: its address, and the folder of its proxies."""
    folder = tmp_path_factory.mktemp("demo")
    proxies = Proxies(folder / "proxies")
    blocks = app.build(lambda: [("a.mp4", "0" * 16)], searcher({}), refuse, refuse, refuse, ["one"])
    settings = app.settings("127.0.0.1", None, proxies.folder)
    _, address, _ = blocks.launch(**settings, prevent_thread_lock=True, quiet=True)
    yield address, folder, blocks
    blocks.close()


def fetch(address: str) -> tuple[int, dict[str, str]]:
    try:
        with urllib.request.urlopen(address, timeout=10) as reply:
            return reply.status, dict(reply.headers)
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers)


def test_the_page_may_not_reach_out(page):
    status, headers = fetch(page[0])
    assert status == 200
    assert headers["content-security-policy"].startswith("default-src 'self'")
    assert "http" not in headers["content-security-policy"]


def test_only_proxies_are_served(page):
    address, folder, _ = page
    original = write_clip(folder / "original.mp4")
    proxy = Proxies(folder / "proxies")(original)
    status, headers = fetch(f"{address}gradio_api/file={proxy}")
    assert status == 200 and "sandbox" in headers["content-security-policy"]
    for path in ("/etc/hostname", original, f"{folder}/proxies/../original.mp4", app.__file__):
        assert fetch(f"{address}gradio_api/file={path}")[0] in (403, 404)


def test_nothing_is_fetched_on_behalf_of_others(page):
    for path in (
        "gradio_api/file=http://127.0.0.1:1/",
        "gradio_api/file=https%3A//example.org/",
        "gradio_api/proxy=http://x/",
    ):
        assert fetch(page[0] + path)[0] == 403


def test_the_model_runs_one_at_a_time(page):
    events = [event for event in page[2].fns.values() if event.concurrency_id == "model"]
    assert len(events) == 4 and all(event.concurrency_limit == 1 for event in events)


def test_the_page_keeps_no_history_and_cleans_up(page):
    blocks = page[2]
    assert blocks.run_history is False and blocks.delete_cache and blocks.analytics_enabled is False
    assert isinstance(blocks, gr.Blocks) and not blocks.share
