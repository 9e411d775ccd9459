"""Collections on the page: what is shown, added, taken out, removed and cut, over calls that keep them in memory."""

from __future__ import annotations

import base64
import re

import gradio as gr
import pytest

from demo.components.page import message
from demo.service.calls import Calls, Cut
from demo.tabs import collections
from demo.tabs.choice import Chosen
from stan.library.collections import Collections
from stan.library.kept import Moment
from tests.support.fake_calls import HOSTILE, ID, OTHER, calls, kept, refuse

ONE, TWO = Moment(ID, "a.mp4", 1.0, 2.0), Moment(OTHER, HOSTILE, 3.0, 4.5)
CHOSEN: Chosen = {"mine": (ONE, TWO), "other": (ONE,)}


@pytest.fixture
def page(tmp_path) -> Calls:
    there = Collections(tmp_path)
    return calls(
        kept=kept(
            collections=lambda library: there.all(),
            add=lambda library, name, moments: there.add(name, moments),
            take_out=lambda library, name, moment: there.take_out(name, moment),
            remove=lambda library, name: there.remove(name),
        )
    )


def test_the_choice_is_listed_with_names_as_text_and_videos_that_are_gone(page):
    listed, status, moments, _ = collections.show(page, "mine", "", CHOSEN)
    assert listed.choices == [(collections.CHOICE, "")] and "2 moments, 2.5&nbsp;s" in status
    assert moments.count("<li>") == 2 and "<img src=x" not in moments and "&lt;img" in moments
    assert moments.count("no longer has this video") == 1 and moments.count(".webp") == 1


def test_lists_for_other_programs_hold_what_is_shown(page):
    _, status, *_ = collections.show(page, "mine", "", CHOSEN)
    csv, edl = (base64.b64decode(one).decode() for one in re.findall(r"base64,(.*?)\"", status))
    assert csv.splitlines()[:2] == ["id,name,start,end", f"{ID},a.mp4,1.0,2.0"]
    assert edl.startswith("TITLE: chosen moments\r\n") and "* FROM CLIP NAME: a.mp4\r\n" in edl


def test_what_was_chosen_moves_into_a_collection(page):
    left, listed, status, *_ = collections.keep(page, "mine", "", CHOSEN, "best")
    assert left == {"mine": (), "other": (ONE,)} and listed.value == "best" and "2 moments" in status
    assert [one.moments for one in page.kept.collections("mine")] == [(ONE, TWO)]


def test_a_collection_is_copied_into_another_one_and_the_choice_stays(page):
    collections.keep(page, "mine", "", {"mine": (ONE,)}, "best")
    left, listed, *_ = collections.keep(page, "mine", "best", CHOSEN, "copy")
    assert left == CHOSEN and listed.value == "copy"
    assert [one.moments for one in page.kept.collections("mine")] == [(ONE,), (ONE,)]


def test_moments_are_taken_out_of_what_is_shown(page):
    left, *_ = collections.take_out(page, "mine", "", CHOSEN, collections.key(ONE))
    assert left == {"mine": (TWO,), "other": (ONE,)}
    collections.keep(page, "mine", "", CHOSEN, "best")
    left, listed, status, *_ = collections.take_out(page, "mine", "best", CHOSEN, collections.key(ONE))
    assert left == CHOSEN and listed.value == "best" and "1 moment," in status
    collections.take_out(page, "mine", "best", CHOSEN, "nothing like it")
    assert [one.moments for one in page.kept.collections("mine")] == [(TWO,)]


def test_an_empty_collection_can_be_removed(page):
    collections.keep(page, "mine", "", {"mine": (ONE,)}, "best")
    _, _, status, *_ = collections.take_out(page, "mine", "best", CHOSEN, collections.key(ONE))
    empty = "This collection is empty: remove it, or choose moments and add them to it."
    assert status == message(empty, "warn")
    _, listed, *_ = collections.drop(page, "mine", "best", CHOSEN)
    assert listed.value == "" and page.kept.collections("mine") == []
    assert collections.drop(page, "mine", "", CHOSEN)[0] == {"mine": (), "other": (ONE,)}


def test_what_others_removed_shows_the_choice(page):
    listed, status, *_ = collections.show(page, "mine", "gone", {})
    assert listed.value == "" and status == message(collections.EMPTY)


def test_refusals_are_said_as_text_and_lose_nothing():
    page = calls(kept=kept(collections=refuse, add=refuse, take_out=refuse, remove=refuse))
    answers = [
        collections.keep(page, "mine", "", CHOSEN, "a")[1:],
        collections.take_out(page, "mine", "a", CHOSEN, "k")[1:],
        collections.drop(page, "mine", "a", CHOSEN)[1:],
        collections.show(page, "mine", "", CHOSEN),
    ]
    for _, status, *_ in answers:
        assert "no such thing" in status and "<img" not in status
    assert collections.keep(page, "mine", "", CHOSEN, "a")[0] == gr.skip()
    assert "nothing to add" in collections.keep(page, "mine", "", {}, "a")[2]


def test_clips_are_linked_and_failures_named():
    asked, news = [], []

    def cut(library, moments, progress):
        asked.append((library, moments))
        progress(0, 2, "a.mp4")
        return Cut(OTHER, [(HOSTILE, f"is gone {HOSTILE}")])

    told = collections.cut(calls(kept=kept(cut=cut)), "mine", "", CHOSEN, lambda *now: news.append(now))
    assert asked == [("mine", (ONE, TWO))] and news == [(0, 2, "a.mp4")]
    assert f'href="media/{OTHER}.zip"' in told and "Download 1 clip (zip)" in told
    assert "<img" not in told and told.count("&lt;img") == 2 and "warn" in told


def test_clips_that_cannot_be_cut_say_why():
    told = collections.cut(calls(kept=kept(cut=refuse)), "mine", "", CHOSEN, print)
    assert "no such thing" in told and "href" not in told
