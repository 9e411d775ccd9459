"""What visitors mark and choose: what is kept, what the cards show of it, what is refused, hostile text."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import gradio as gr
import pytest

from demo.components import cards
from demo.service.backend import Backend
from demo.service.calls import KeptCalls
from demo.service.search_request import SearchRequest
from demo.tabs import choice, marks
from stan.library import Entry, clips
from stan.library.kept import Moment
from stan.library.marks import Mark
from stan.library.own_recall import OwnRecall
from tests.support.fake_calls import HOSTILE, ID, OTHER, calls, kept, refuse, results
from tests.support.small_clips import write_clip

ASKED = SearchRequest("mine", "a cat")
MOMENT = Moment(ID, "a.mp4", 1.0, 2.0)
CLICKED = {"id": ID, "start": "1.000", "end": "2.000"}


# ---- the callables


class SmallLibrary:
    """A library with one video of two seconds and searches that find it."""

    def __init__(self, folder: Path):
        self.path = folder
        self._video = write_clip(folder / "a.mp4")

    def entry(self, id: str) -> Entry:
        if id != ID:
            refuse()
        return Entry(id, str(self._video), str(self.path), "a.mp4", 1, 0, "", 2.0)

    def entries(self) -> list[Entry]:
        return [self.entry(ID)]

    def search(self, query: str, top: int) -> list[dict]:
        return refuse() if "-" in query else [{"id": ID, "start": 0.5, "end": 1.5}]

    def file(self, id: str):
        return nullcontext(Path(self.entry(id).path))


@pytest.fixture
def backend(tmp_path) -> Backend:
    return Backend({"mine": lambda: SmallLibrary(tmp_path)}, tmp_path / "proxies")


@pytest.fixture
def service(backend) -> KeptCalls:
    return backend.calls().kept


def test_marks_are_kept_beside_the_library_and_measured(service, tmp_path):
    moment = service.moment("mine", ID, 0.0, 1.0)
    service.mark("mine", "a cat", moment, True)
    assert service.marks("mine", "a cat") == [Mark(ID, "a.mp4", 0.0, 1.0, "a cat", True)]
    assert service.recall("mine").ranks == {"a cat": 1} and (tmp_path / "marks.json").exists()


@pytest.mark.parametrize(
    ("id", "start", "end", "says"),
    [
        ("/etc/hostname", 0.0, 1.0, "no such thing"),
        (ID, -1.0, 1.0, "no moment from"),
        (ID, 1.0, 0.5, "no moment from"),
        (ID, float("nan"), 1.0, "no moment from"),
        (ID, 0.0, float("inf"), "no moment from"),
        (ID, 2.5, 3.0, "no moment from"),
    ],
)
def test_a_visitor_names_moments_of_the_library_alone(service, id, start, end, says):
    with pytest.raises(ValueError, match=says):
        service.moment("mine", id, start, end)


def test_what_cannot_be_searched_for_is_not_marked(service, tmp_path):
    with pytest.raises(ValueError, match="no such thing"):
        service.mark("mine", "a -", MOMENT, True)
    assert not (tmp_path / "marks.json").exists()


def test_a_library_elsewhere_keeps_no_marks():
    remote = SimpleNamespace(path="s3://bucket/library", entry=refuse)
    service = Backend({"far": lambda: remote}).calls().kept
    for attempt in (lambda: service.marks("far", "a"), lambda: service.collections("far")):
        with pytest.raises(ValueError, match="beside a library on this machine"):
            attempt()


def test_clips_are_served_by_an_id_until_newer_ones_take_their_place(backend, service, monkeypatch):
    monkeypatch.setattr("demo.service.keeping.ARCHIVES", 1)
    cut = service.cut("mine", [service.moment("mine", ID, 0.5, 1.0)], lambda *_: None)
    with ZipFile(backend.media(cut.id, "zip")) as whole:
        assert whole.namelist() == ["001 a 0.5-1.0s.mp4"] and cut.failed == []
    newer = service.cut("mine", [service.moment("mine", ID, 1.0, 1.5)], lambda *_: None)
    assert backend.media(newer.id, "zip").exists()
    for unknown in (cut.id, ID, "../marks"):
        with pytest.raises(ValueError, match="no longer here"):
            backend.media(unknown, "zip")


def test_a_library_that_cannot_be_read_hides_no_other(tmp_path):
    def unreadable():
        raise PermissionError(13, "Permission denied", "/srv/private/library")

    backend = Backend({"locked": unreadable, "mine": lambda: SmallLibrary(tmp_path)}, tmp_path / "proxies")
    assert backend.videos("mine") == [("a.mp4", ID)]
    assert backend.media(ID, "webp").exists()
    with pytest.raises(ValueError, match=r"library 'locked' cannot be opened: Permission denied$"):
        backend.videos("locked")


def test_clips_that_fail_are_named_without_their_folder(backend, service, tmp_path):
    moments = [service.moment("mine", ID, 0.5, 1.0), Moment(ID, "a.mp4", 90.0, 91.0)]
    cut = service.cut("mine", moments, lambda *_: None)
    assert [name for name, _ in cut.failed] == ["a.mp4"]
    assert "ends after 2.0 s" in cut.failed[0][1] and str(tmp_path) not in cut.failed[0][1]
    with pytest.raises(ValueError, match=f"holds {clips.MOST} clips"):
        service.cut("mine", [MOMENT] * (clips.MOST + 1), lambda *_: None)


def test_a_full_disk_is_told_without_its_folder(service, monkeypatch):
    def full(source, start, end, target):
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(clips, "cut", full)
    with pytest.raises(ValueError, match=r"no clip can be written here \(No space left on device\)"):
        service.cut("mine", [service.moment("mine", ID, 0.0, 1.0)], lambda *_: None)


# ---- the cards' buttons


def test_results_of_words_can_be_marked_and_all_can_be_chosen():
    by_words, by_example = (
        cards.cards(results({"name": HOSTILE}), request) for request in (ASKED, SearchRequest(like=OTHER))
    )
    assert by_words.count('class="verdict"') == 2 and 'class="verdict"' not in by_example
    assert by_words.count('class="choose"') == by_example.count('class="choose"') == 1
    assert 'data-end="2.000"' in by_words and "<img src=x" not in by_words


@pytest.mark.parametrize(("clicked", "right"), [(True, True), (False, False), (None, None), ("yes", None)])
def test_a_verdict_is_kept_for_the_query_that_ran(clicked, right):
    told = []
    page = calls(kept=kept(mark=lambda *mark: told.append(mark)))
    choice.judge(page, ASKED, {}, {**CLICKED, "right": clicked})
    assert told == [("mine", "a cat", MOMENT, right)]


def test_the_cards_are_told_what_is_marked_and_chosen():
    marked = [Mark(ID, "a.mp4", 1.0, 2.0, "a cat", True), Mark(ID, "a.mp4", 3.0, 4.0, "a cat", False)]
    page = calls(kept=kept(marks=lambda library, query: marked))
    updated, told = choice.shown(page, ASKED, {"mine": (MOMENT,), "other": (MOMENT, MOMENT)})
    held = updated.props["held"]
    assert [(one["start"], one["right"]) for one in held["marks"]] == [(1.0, True), (3.0, False)]
    assert held["chosen"] == [{"id": ID, "name": "a.mp4", "start": 1.0, "end": 2.0}]
    assert "1 right, 1 wrong" in told and "chosen: 1" in told


def test_a_search_by_example_shows_no_marks():
    updated, told = choice.shown(calls(kept=kept(marks=refuse)), SearchRequest("mine", like=ID), {})
    assert updated.props["held"] == {**choice.NOTHING, "address": f"?library=mine&like={ID}"} and told == ""


def test_a_click_chooses_and_another_one_takes_back():
    chosen, _ = choice.toggle(calls(), ASKED, {"other": (MOMENT,)}, CLICKED)
    assert chosen == {"other": (MOMENT,), "mine": (MOMENT,)}
    assert choice.toggle(calls(), ASKED, chosen, CLICKED)[0] == {"other": (MOMENT,), "mine": ()}


def test_an_address_may_leave_the_library_out():
    told = []
    page = calls(kept=kept(mark=lambda *mark: told.append(mark)))
    choice.judge(page, SearchRequest(q="a cat"), {}, {**CLICKED, "right": True})
    assert told == [("mine", "a cat", MOMENT, True)]
    assert choice.toggle(page, SearchRequest(like=OTHER), {}, CLICKED)[0] == {"mine": (MOMENT,)}


def test_a_choice_has_a_limit(monkeypatch):
    monkeypatch.setattr(choice, "MOST_MOMENTS", 1)
    before = {"mine": (Moment(OTHER, "b.mp4", 1.0, 2.0),)}
    updated, told = choice.toggle(calls(), ASKED, before, CLICKED)
    assert updated == gr.skip() and "1 moments are chosen" in told


@pytest.mark.parametrize(
    "clicked", [{}, {**CLICKED, "start": None}, {**CLICKED, "end": "x"}, {**CLICKED, "end": 10**400}]
)
def test_what_is_no_moment_is_refused(clicked):
    for answer in (choice.judge, choice.toggle):
        assert "that is no moment" in answer(calls(), ASKED, {}, clicked)[1]


def test_what_the_library_refuses_is_said_as_text():
    page = calls(kept=kept(moment=refuse, marks=refuse))
    for _, told in (
        choice.judge(page, ASKED, {}, CLICKED),
        choice.toggle(page, ASKED, {}, CLICKED),
        choice.shown(page, ASKED, {}),
    ):
        assert "no such thing" in told and "<img" not in told and 'role="alert"' in told


# ---- the recall


def test_the_recall_is_shown_with_its_interval_and_what_is_left_out():
    found = OwnRecall(
        {HOSTILE: 2, "b": None}, {1: (0.0, 0.0, 0.0), 5: (50.0, 0.0, 100.0), 10: (50.0, 0.0, 100.0)}, 3, 0
    )
    said, drawn = marks.show(calls(kept=kept(recall=lambda _: found)), "mine")
    assert "N = 2" in said and "3 queries with wrong marks only" in said and "no longer has" not in said
    assert drawn.count("50.0&nbsp;% <small>(0.0–100.0)") == 2 and drawn.count("<i ") == 2
    assert "beyond 10" in drawn and "<img" not in said + drawn and "&lt;img" in drawn


def test_a_long_list_of_queries_is_cut():
    many = OwnRecall({str(i): 1 for i in range(marks.SHOWN + 3)}, {1: (100.0, 100.0, 100.0)}, 0, 0)
    _, drawn = marks.show(calls(kept=kept(recall=lambda _: many)), "mine")
    assert drawn.count("<tr>") == marks.SHOWN + 1 and "and 3 more" in drawn


def test_what_cannot_be_measured_is_said():
    said, drawn = marks.show(calls(kept=kept(recall=refuse)), "mine")
    assert "no such thing" in said and "<img" not in said and drawn == ""
