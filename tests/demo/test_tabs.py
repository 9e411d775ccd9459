"""The demo's page over made-up calls: what it shows, what it says when things fail, how hostile text is shown."""

from __future__ import annotations

import html
import re
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest

from demo.app import _look
from demo.components import heatmaps
from demo.components.page import message
from demo.components.video_and_query import CHOOSE
from demo.service.calls import LibraryState
from demo.tabs import attention as attention_tab
from demo.tabs import explanation, frame_order, inside, recognise
from demo.tabs import library as library_tab
from stan.common.jobs import Job
from stan.data.video import decoding
from stan.data.video.decoding import VideoError
from stan.explain.frame_order import _measured
from tests.support import fake_calls
from tests.support.fake_calls import HOSTILE, ID, OTHER, calls, refuse
from tests.support.small_clips import write_clip

# ---- recognise


def test_recognition_shows_hostile_labels_as_text():
    text = recognise.result(fake_calls.recognised())
    assert "<img" not in text and text.count("&lt;img") == 3  # bar, alike, over time
    assert "75.0&nbsp;%" in text and "width:75.0%" in text and "12&nbsp;%" in text


def test_equal_neighbours_in_time_are_joined():
    text = recognise.result(fake_calls.recognised())
    assert text.count("<li") == 2 and "flex-grow:2" in text and "0.0–0.8" in text and "0.8–1.2" in text


def test_none_of_these_and_a_missing_calibration_are_said():
    none = {"probability": 0.9, "rejected": True}
    text = recognise.result(fake_calls.recognised(none=none, calibrated=False, alike=[]))
    assert "Probably <b>none of these</b>" in text and recognise.UNCALIBRATED in text and "apart" not in text


def test_recognition_asks_for_a_video_first():
    asked = message(recognise.CHOOSE, "warn")
    assert recognise.show(calls(), "mine", None, ["a"], []) == ["", asked]


def test_an_upload_must_be_named_like_a_video():
    player, said = recognise.show(calls(), "mine", Path("playlist.m3u8"), ["a"], [])
    assert player == "" and "does not look like a video" in said


def test_an_upload_is_played_under_an_id_of_its_own():
    player, _ = recognise.show(calls(), "mine", Path("/elsewhere/secret/mine.mp4"), ["a"], [])
    assert f'src="media/{OTHER}.mp4"' in player and "secret" not in player


def test_what_recognition_refuses_is_said():
    _, said = recognise.show(calls(recognise=refuse), "mine", ID, [], [])
    assert "no such thing" in said and "<img" not in said and 'role="alert"' in said


def test_a_failure_does_not_tell_where_the_file_lies():
    def gone(*_):
        raise VideoError("/srv/private/b.mp4", "is gone", "index again")

    _, said = recognise.show(calls(recognise=gone), "mine", ID, ["a"], [])
    assert "b.mp4: is gone; index again" in said and "private" not in said


# ---- look inside


def test_the_default_method_comes_first_and_what_explains_nothing_says_so():
    seen = fake_calls.explanation()
    assert explanation.methods(seen) == [
        ("grad-eclip", "grad-eclip"),
        ("attention (not an explanation)", "attention"),
    ]


def test_clip_branch_and_their_difference_stand_in_one_table():
    drawn = explanation.show(fake_calls.explanation(), "grad-eclip")
    assert drawn.count("<img") == 4 * 3 + 2  # video, CLIP, branch, difference; and two scales
    assert "one scale" in drawn and "branch − CLIP" in drawn and 'class="dim"' not in drawn
    assert drawn.count("<td>0.250</td>") == 8 and drawn.count("0.125 to 0.375") == 2
    assert drawn.count("better than every random map") == 2


def test_a_map_no_better_than_random_is_grey_and_says_so():
    maps = {
        "c": fake_calls.one_map("grad-eclip", "clip"),
        "b": fake_calls.one_map("grad-eclip", "branch", better=False),
    }
    drawn = explanation.show(fake_calls.explanation(maps=maps), "grad-eclip")
    assert drawn.count('<tr class="dim">') == 2  # the branch, and what is made of it
    assert "branch: Not better than random maps" in drawn and explanation.NO_BETTER in drawn


def test_words_that_help_and_harm_are_told_apart():
    text = explanation.words(fake_calls.explanation().words)
    assert "-0.200" in text and "+0.050" in text and text.count('class="bar less"') == 1
    assert "width:100.0%" in text and "width:25.0%" in text and "<img" not in text
    assert explanation.words([]) == ""


@pytest.mark.parametrize(
    ("video", "query", "says"),
    [(None, "a", CHOOSE), (ID, " ", inside.NO_QUERY), (ID, "a", "no such thing")],
)
def test_without_an_explanation_the_page_says_what_to_do(video, query, says):
    seen, said, shown, *_ = inside.start(calls(explain=refuse), "mine", video, query, 8, print)
    assert seen is None and says in said and shown.visible is False


def test_looking_offers_what_there_is():
    _, note, whole, block, layer, head, row, column = attention_tab.start(calls(), "mine", ID, 3)
    assert "not an explanation" in note and whole.visible
    values = (block.value, layer.value, head.value, row.maximum, column.maximum)
    assert values == (2, 1, attention_tab.MEAN, 6, 6)


def test_looking_without_a_branch_says_so():
    plain = calls(attention=lambda *_: fake_calls.attention(False, False))
    _, note, _, _, layer, *_ = attention_tab.start(plain, "mine", ID, 3)
    assert attention_tab.NO_BRANCH in note and layer.visible is False


def test_a_clip_of_convolutions_shows_its_branch_over_time():
    look = fake_calls.attention(False)
    look.clip = None
    _, note, whole, block, layer, head, row, _ = attention_tab.start(
        calls(attention=lambda *_: look), "mine", ID, 3
    )
    assert attention_tab.NO_BLOCKS in note and whole.visible and block.visible is False
    assert (layer.value, len(head.choices), row.maximum) == (1, 5, 6)
    space, _, plot, missing = attention_tab.draw(look, None, 1, "3", 1, 1)
    assert space.count("<img") == 3 + 1 and plot.visible and missing == ""  # the video; and the scale


def test_an_attention_pool_has_a_row_of_its_own():
    look = fake_calls.attention()
    look.pooling = look.clip[0][:, :2]
    space, *_ = attention_tab.draw(look, 2, 1, "3", 1, 1)
    assert space.count("<img") == 4 * 3 + 1 and html.escape(attention_tab.POOLING) in space


def test_maps_lie_over_pictures_that_patches_do_not_fill():
    heated = np.zeros((3, 3))
    heated[2, 0] = 1.0
    drawn = heatmaps.overlay(np.full((50, 50, 3), 100, np.uint8), heated, 1.0)
    assert drawn.shape == (150, 150, 3) and drawn[140, 10].sum() > drawn[10, 140].sum()


def test_attention_of_clip_and_branch_stands_in_one_table():
    space, place, plot, missing = attention_tab.draw(fake_calls.attention(), 2, 1, "3", 1, 1)
    assert space.count("<img") == 3 * 3 + 1  # video, CLIP, branch; and the scale
    assert "one scale" in space and missing == "" and plot.value is not None
    assert place.shape[0] == place.shape[1] >= 2 * heatmaps.SIDE


def test_a_model_without_time_draws_the_rest():
    seen = fake_calls.attention(True, False)
    space, _, plot, missing = attention_tab.draw(seen, 2, 1, attention_tab.MEAN, 1, 1)
    assert "branch" in space and plot.visible is False and attention_tab.NO_TIME in missing


def test_a_click_picks_the_patch_under_it():
    look = fake_calls.attention()
    side = heatmaps.patch(look.pixels[0], (6, 6), 0, 0).shape[0]
    at = lambda x, y: attention_tab.pick(look, SimpleNamespace(index=[x, y]))  # noqa: E731
    assert at(0, 0) == (1, 1) and at(side - 1, side - 1) == (6, 6)
    assert at(side // 2 + 1, 0) == (1, 4) and at(side, side) == (6, 6)


def cells(picture: np.ndarray) -> np.ndarray:
    """(6, 6, 3): mean colours of the patches."""
    step = len(picture) // 6
    return picture.astype(int).reshape(6, step, 6, step, 3).mean((1, 3))


def test_the_hottest_patch_is_the_brightest():
    heated = np.zeros((6, 6))
    heated[1, 4] = 2.0
    bright = cells(heatmaps.overlay(np.full((48, 48, 3), 100, np.uint8), heated, 2.0)).sum(-1)
    assert np.unravel_index(bright.argmax(), bright.shape) == (1, 4)


def test_a_difference_is_red_above_zero_and_blue_below():
    change = np.zeros((6, 6))
    change[0, 0], change[5, 5] = 1.0, -1.0
    red, _, blue = cells(heatmaps.difference(np.full((48, 48, 3), 100, np.uint8), change, 1.0)).transpose(
        2, 0, 1
    )
    assert red[0, 0] > blue[0, 0] + 50 and blue[5, 5] > red[5, 5] + 50 and abs(red[2, 2] - blue[2, 2]) < 5


def test_the_matrix_over_time_has_rows_from_and_columns_to():
    weights = np.array([[0.0, 1.0], [0.5, 0.5]])
    axes = heatmaps.over_time(weights, np.array([0.0, 1.0]), "title").axes[0]
    assert np.array_equal(axes.images[0].get_array(), weights)
    assert axes.get_ylabel().startswith("from") and axes.get_xlabel().startswith("to")


# ---- does time matter?


def test_orders_are_drawn_from_one_zero_with_the_spread_of_the_shuffled():
    said, bars = frame_order.show(calls(), "mine", ID, "a cat")
    assert "Time matters" in said and "<img" not in said
    widths = [float(width) for width in re.findall(r'<span style="width:([\d.]+)%', bars)]
    assert widths == [100.0, 60.0, 40.0, 0.0]  # 0.4, 0.2, 0.1 and -0.1 of a span of 0.5
    assert '<i style="left:50.0%;width:30.0%">' in bars and bars.count("<i ") == 1


@pytest.mark.parametrize(
    ("scores", "forwards"),
    [([0.1, 0.2], 0.9), ([0.7, 0.9], 0.1), ([0.1, 0.5], 0.3), ([0.25, 0.25], 0.25)],
    ids=["higher", "lower", "no different", "blind"],
)
def test_the_verdict_is_that_of_the_meter(scores, forwards):
    """The page says itself what `says` holds in English, so that it can be said in other languages."""
    orders = {"forwards": [forwards], "reversed": [forwards], "frozen": [0.2], "shuffled": scores * 20}
    measured = _measured("a cat", {name: np.array(values) for name, values in orders.items()})
    assert frame_order.verdict(measured) == measured["says"]


@pytest.mark.parametrize(
    ("video", "query", "says"),
    [(None, "a", CHOOSE), (ID, "", frame_order.NO_QUERY), (ID, "a", "no such thing")],
)
def test_without_a_measurement_the_page_says_what_to_do(video, query, says):
    said, bars = frame_order.show(calls(time=refuse), "mine", video, query)
    assert says in said and bars == ""


# ---- what is known of a file


def test_the_record_of_a_file_is_shown_or_said_to_be_unknown(tmp_path):
    facts = decoding.probe(write_clip(tmp_path / "a.mp4")).facts
    hostile = replace(facts, container=HOSTILE, warnings=(HOSTILE,))
    told = library_tab.record(calls(facts=lambda *_: hostile), "mine", ID)
    assert "112x96 as stored" in told and "h264" in told and facts.reason in html.unescape(told)
    assert "<img" not in told and told.count("&lt;img") == 2
    assert "earlier version" in library_tab.record(calls(), "mine", ID)
    assert "no such thing" in library_tab.record(calls(facts=refuse), "mine", ID)


# ---- indexing


REPORT = {"indexed": 2, "unchanged": 1, "removed": 0, "seconds": 1.0, "skipped": []}


def test_indexing_tells_how_far_it_is_and_what_was_skipped():
    skipped = [{"file": HOSTILE, "reason": "is no video", "remedy": "leave it out"}]

    def index(library, folder, below, progress):
        progress(0, 2, HOSTILE)
        progress(1, 2, "b.mp4")
        return {**REPORT, "skipped": skipped}

    told = list(library_tab.indexing(calls(index=index), "mine", None, ""))
    assert "Looking through" in told[0] and "<b>2</b> indexed" in told[-1] and "leave it out" in told[-1]
    assert not any("<img" in one for one in told)


def test_progress_gives_rate_and_remaining_time():
    told = library_tab.running(10, 40, "a.mp4", 5.0)
    assert (
        "10 of 40" in told and "2.0 per second" in told and "15&nbsp;s left" in told and 'value="10"' in told
    )
    assert "left" not in library_tab.running(0, 40, "a.mp4", 0.0)


def test_a_failing_index_is_said():
    assert "no such thing" in list(library_tab.indexing(calls(), "mine", None, ""))[-1]


def test_nobody_waiting_stops_the_indexing():
    stopped, go = threading.Event(), threading.Event()

    def index(library, folder, below, progress):
        progress(0, 2, "a.mp4")
        go.wait(30)
        try:
            progress(1, 2, "b.mp4")
        except library_tab.Stopped:
            stopped.set()
            raise

    news = library_tab.indexing(calls(index=index), "mine", None, "")
    assert "Looking through" in next(news) and "a.mp4" in next(news)
    news.close()
    go.set()
    assert stopped.wait(30)


def test_a_long_report_is_cut():
    one = {"file": "a", "reason": "b", "remedy": "c"}
    told = library_tab.report({**REPORT, "skipped": [one] * (library_tab.SHOWN + 3)})
    assert told.count("<tr>") == library_tab.SHOWN + 1 and "and 3 more" in told


# ---- a library that grows while its page is open


def looked(videos: int | None, shown: LibraryState | None, indexing: tuple[Job, ...] = ()) -> list:
    """The updates of one look at a library that now holds so many videos."""
    listed = [(f"{i}.mp4", f"{i:016x}") for i in range(videos or 0)]
    made = calls(state=lambda library: LibraryState(videos, indexing), videos=lambda library: listed)
    return _look(made, made.libraries[0], shown)


INDEXING = (Job("indexing <b>", done=3, total=9),)


@pytest.mark.parametrize("before", [None, LibraryState(2), LibraryState(None)])
def test_a_first_look_and_one_at_what_is_unchanged_or_not_open_update_nothing(before):
    now, *updates = looked(before.videos if before else 2, before)
    assert now.videos == (before.videos if before else 2)
    assert updates == [gr.skip()] * 7


def test_while_videos_are_added_their_progress_is_said_and_the_lists_stay():
    now, told, *lists = looked(5, LibraryState(2, INDEXING), INDEXING)
    assert now == LibraryState(5, INDEXING) and lists == [gr.skip()] * 6
    assert "5 videos in the library" in told and "indexing &lt;b&gt;: 3 of 9" in told


def test_added_videos_are_listed_and_a_choice_is_kept_if_there_was_one():
    for before, keeps in ((2, True), (0, False)):
        _, told, _, choices, *_ = looked(3, LibraryState(before, INDEXING))
        assert "3 videos in the library" in told and len(choices.choices) == 3
        assert ("value" not in choices.constructor_args) == keeps
