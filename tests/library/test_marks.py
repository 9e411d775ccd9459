"""Marks: what replaces what, where they are kept, what damage and limits do; and the recall that they give."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from stan.evaluation.statistics import proportion
from stan.library import kept, marks
from stan.library.kept import Moment
from stan.library.marks import Mark, Marks
from stan.library.own_recall import own_recall

A, B, C = "a" * 16, "b" * 16, "c" * 16


def moment(id: str = A, start: float = 1.0, end: float = 2.0) -> Moment:
    return Moment(id, f"{id[0]}.mp4", start, end)


def test_marks_are_kept_in_the_folder_and_read_again(tmp_path):
    Marks(tmp_path).set("a  cat ", moment(), True)
    Marks(tmp_path).set("a dog", moment(B), False)
    assert Marks(tmp_path).of(" a cat") == [Mark(A, "a.mp4", 1.0, 2.0, "a cat", True)]
    assert [mark.right for mark in Marks(tmp_path).all()] == [True, False]
    assert {file.name for file in tmp_path.iterdir()} <= {"marks.json", ".marks.lock"}


@pytest.mark.parametrize(
    ("start", "end", "replaces"),
    [(1.0, 2.0, True), (1.9, 3.0, True), (0.0, 1.1, True), (2.0, 3.0, False), (0.0, 1.0, False)],
)
def test_a_mark_replaces_those_that_it_shares_time_with(tmp_path, start, end, replaces):
    kept = Marks(tmp_path)
    kept.set("q", moment(), True)
    kept.set("q", moment(start=start, end=end), False)
    assert [mark.right for mark in kept.of("q")] == ([False] if replaces else [True, False])


def test_a_mark_is_removed_and_others_stay(tmp_path):
    kept = Marks(tmp_path)
    for query, id in (("q", A), ("q", B), ("r", A)):
        kept.set(query, moment(id), True)
    kept.set("q", moment(start=1.5, end=1.6), None)
    assert [(mark.query, mark.id) for mark in kept.all()] == [("q", B), ("r", A)]


def test_a_moment_without_length_meets_itself():
    assert moment(end=1.0).meets(A, 1.0, 1.0) and not moment(end=1.0).meets(B, 1.0, 1.0)


def test_marks_have_a_limit_at_which_earlier_ones_can_still_be_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(marks, "MOST", 2)
    kept = Marks(tmp_path)
    for id in (A, B):
        kept.set("q", moment(id), True)
    with pytest.raises(ValueError, match="2 marks and no more"):
        kept.set("q", moment(C), True)
    kept.set("q", moment(A), False)
    assert {mark.id: mark.right for mark in kept.all()} == {A: False, B: True}
    with pytest.raises(ValueError, match="501 characters"):
        kept.set("q" * 501, moment(A), True)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"marks": 3}', '{"marks": [{"id": 1}]}', '{"marks": [null]}', "\xff"],
)
def test_a_damaged_file_is_named_and_left_as_it_is(tmp_path, content):
    file = tmp_path / "marks.json"
    file.write_bytes(content.encode("latin-1"))
    for attempt in (Marks(tmp_path).all, lambda: Marks(tmp_path).set("q", moment(), True)):
        with pytest.raises(ValueError, match=r"marks\.json is damaged: repair it") as told:
            attempt()
        assert "\n" not in str(told.value) and str(tmp_path.parent) not in str(told.value)
    assert file.read_bytes() == content.encode("latin-1")


@pytest.mark.parametrize(
    ("query", "start", "name"),
    [("\ud800", 1.0, "a.mp4"), ("r", 1.0, "\ud800.mp4"), ("r", float("nan"), "a.mp4"), ("r", 3.0, "a.mp4")],
)
def test_what_could_not_be_read_again_is_not_kept(tmp_path, query, start, name):
    Marks(tmp_path).set("q", moment(), True)
    with pytest.raises(ValueError, match=r"marks\.json cannot keep this .*: what it held stands"):
        Marks(tmp_path).set(query, Moment(B, name, start, 2.0), True)
    assert [mark.query for mark in Marks(tmp_path).all()] == ["q"]


@pytest.mark.parametrize("start", ["NaN", "-1", "3", "Infinity", "null", '"x"'])
def test_a_mark_of_no_moment_is_damage(tmp_path, start):
    Marks(tmp_path).set("q", moment(), True)
    file = tmp_path / "marks.json"
    file.write_text(file.read_text().replace('"start": 1.0', f'"start": {start}'))
    with pytest.raises(ValueError, match="damaged"):
        Marks(tmp_path).all()


def test_a_mark_that_is_neither_right_nor_wrong_is_damage(tmp_path):
    Marks(tmp_path).set("q", moment(), True)
    file = tmp_path / "marks.json"
    file.write_text(file.read_text().replace("true", '"yes"'))
    with pytest.raises(ValueError, match="damaged"):
        Marks(tmp_path).all()


def test_many_change_the_marks_at_once_and_none_is_lost(tmp_path):
    ids = [f"{i:016x}" for i in range(24)]
    threads = [threading.Thread(target=Marks(tmp_path).set, args=("q", moment(id), True)) for id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(mark.id for mark in Marks(tmp_path).all()) == ids


def test_who_waits_too_long_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "PATIENCE", 0.05)
    held = kept.KeptList(tmp_path, "marks", Mark.of)
    with held.changing(), pytest.raises(ValueError, match="changed by others: try again"):
        Marks(tmp_path).set("q", moment(), True)


def test_a_folder_that_cannot_be_written_to_is_told_without_its_place(tmp_path):
    with pytest.raises(ValueError, match=r"mine/marks\.json cannot be written \(File exists\)") as told:
        (tmp_path / "mine").write_text("a file")
        Marks(tmp_path / "mine").set("q", moment(), True)
    assert str(tmp_path) not in str(told.value)


def test_nothing_is_kept_of_a_change_that_fails(tmp_path):
    Marks(tmp_path).set("q", moment(), True)
    before = (tmp_path / "marks.json").read_bytes()
    with pytest.raises(ZeroDivisionError), kept.KeptList(tmp_path, "marks", Mark.of).changing() as items:
        items.clear()
        raise ZeroDivisionError
    assert (tmp_path / "marks.json").read_bytes() == before and json.loads(before)["marks"][0][
        "right"
    ] is True


# ---- recall


def result(id: str, start: float = 1.0, end: float = 2.0) -> dict:
    return {"id": id, "start": start, "end": end}


def found(query: str, top: int) -> list[dict]:
    """First a moment of A, then one of B, then one of C; beyond that, what nobody marked."""
    assert top == 10
    return [result(A), result(B), result(C)]


def mark(query: str, id: str, right: bool = True, start: float = 1.0, end: float = 2.0) -> Mark:
    return Mark(id, "x.mp4", start, end, query, right)


def test_the_rank_is_that_of_the_first_right_moment():
    marks = [
        mark("first", A),
        mark("third", C),
        mark("third", A, right=False),
        mark("both", C),
        mark("both", B),
        mark("elsewhere in the video", A, start=5.0, end=6.0),
        mark("wrong", A, right=False),
        mark("gone", "d" * 16),
        mark("partly gone", "d" * 16),
        mark("partly gone", B),
    ]
    told = own_recall(marks, found, {A, B, C})
    assert told.ranks == {
        "first": 1,
        "third": 3,
        "both": 2,
        "elsewhere in the video": None,
        "partly gone": 2,
    }
    assert {k: value for k, (value, _, _) in told.recall.items()} == {1: 20.0, 5: 80.0, 10: 80.0}
    assert (told.only_wrong, told.gone) == (1, 2)


def test_recall_has_the_interval_of_its_queries():
    told = own_recall([mark("a", A), mark("b", B)], found, {A, B})
    assert told.recall[1] == proportion(1, 2) and told.recall[5] == proportion(2, 2)
    assert told.recall[5][1] < 50, "two queries are no proof"


@pytest.mark.parametrize("marks", [[], [mark("q", A, right=False)], [mark("q", "d" * 16)]])
def test_without_right_marks_there_is_no_recall(marks):
    with pytest.raises(ValueError, match="mark what is right"):
        own_recall(marks, found, {A})


def test_marks_of_a_folder_that_is_not_there_are_none(tmp_path: Path):
    assert Marks(tmp_path / "none").all() == []
