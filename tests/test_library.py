"""A library counts, keeps, finds and refuses what it says."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from stan.config import ModelConfig
from stan.data import video as video_files
from stan.library import Library
from stan.library.scoring import moment
from stan.models.dual_encoder import DualEncoder, build
from tests.small_clips import write_clip

COLOURS = {"red.mp4": (220, 30, 30), "green.mp4": (30, 220, 30), "blue.mp4": (30, 30, 220)}


def tiny(seed: int = 0) -> DualEncoder:
    torch.manual_seed(seed)
    return build(ModelConfig(pretrained="random"), frames=4).eval()


@pytest.fixture(scope="module")
def model() -> DualEncoder:
    return tiny()


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "videos"
    root.mkdir()
    for name, colour in COLOURS.items():
        write_clip(root / name, colour)
    return root


@pytest.fixture
def filled(tmp_path, folder, model):
    library = Library(tmp_path / "library", model)
    library.add(folder)
    return library


def counts(report):
    return report["indexed"], report["unchanged"], report["removed"]


def names(library):
    return [entry.name for entry in library.entries()]


def test_a_second_look_embeds_nothing(filled, folder):
    assert counts(filled.add(folder)) == (0, 3, 0)


def test_a_changed_file_costs_one_embedding(filled, folder, model, monkeypatch):
    write_clip(folder / "red.mp4", (200, 200, 0), frames=9)
    calls, real = [], model.encoder.from_levels
    monkeypatch.setattr(model.encoder, "from_levels", lambda levels: calls.append(1) or real(levels))
    assert counts(filled.add(folder)) == (1, 2, 0)
    assert len(calls) == 1
    assert len(names(filled)) == 3


def test_a_touched_file_is_not_embedded_again(filled, folder):
    os.utime(folder / "red.mp4", ns=(1, 1))
    assert counts(filled.add(folder)) == (0, 3, 0)
    assert {entry.mtime_ns for entry in filled.entries() if entry.name == "red.mp4"} == {1}


def test_a_moved_file_keeps_its_embedding(filled, folder):
    before = filled.search("a red square", top=3)
    (folder / "below").mkdir()
    (folder / "red.mp4").rename(folder / "below" / "moved.mp4")
    assert counts(filled.add(folder)) == (0, 3, 1)
    assert names(filled) == ["below/moved.mp4", "blue.mp4", "green.mp4"]
    after = filled.search("a red square", top=3)
    assert [r["score"] for r in after] == [r["score"] for r in before]


def test_what_is_gone_or_broken_is_dropped(filled, folder):
    (folder / "red.mp4").unlink()
    (folder / "blue.mp4").write_bytes(b"no video any more")
    report = filled.add(folder)
    assert counts(report) == (0, 1, 2)
    assert [skipped["file"] for skipped in report["skipped"]] == ["blue.mp4"]
    assert names(filled) == ["green.mp4"]


def test_another_folder_is_left_alone(filled, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    write_clip(other / "more.mp4", (90, 0, 90))
    assert counts(filled.add(other)) == (1, 0, 0)
    assert len(names(filled)) == 4


def test_every_skipped_file_has_a_reason_and_a_remedy(tmp_path, folder, model):
    outside = write_clip(tmp_path / "outside.mp4")
    (folder / "leads-out.mp4").symlink_to(outside)
    (folder / "empty.mp4").write_bytes(b"")
    os.mkfifo(folder / "pipe.mp4")
    (folder / "notes.txt").write_text("not a video, so not mentioned")
    report = Library(tmp_path / "library", model).add(folder)
    assert counts(report) == (3, 0, 0)
    skipped = {item["file"]: item for item in report["skipped"]}
    assert sorted(skipped) == ["empty.mp4", "leads-out.mp4", "pipe.mp4"]
    assert "out of the folder" in skipped["leads-out.mp4"]["reason"]
    assert all(item["reason"] and item["remedy"] for item in skipped.values())


def test_names_with_quotes_and_markup_are_only_names(tmp_path, folder, model):
    name = """it's "<b>bold</b>'; DROP.mp4""".replace("/", "∕")
    (folder / "red.mp4").rename(folder / name)
    library = Library(tmp_path / "library", model)
    library.add(folder)
    (found,) = [entry for entry in library.entries() if entry.name == name]
    assert library.entry(found.id) == found
    (folder / name).unlink()
    assert library.add(folder)["removed"] == 1


def test_an_interruption_loses_only_what_was_in_hand(tmp_path, folder, model):
    library = Library(tmp_path / "library", model)

    def interrupt(done: int, total: int, name: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library.add(folder, progress=interrupt)
    assert counts(library.add(folder)) == (1, 2, 0)
    assert names(library) == sorted(COLOURS)


def test_scores_are_the_models_own(filled, folder, model):
    query = "a blue square moves right"
    found = filled.search(query, top=3)
    paths = [folder / name for name in sorted(COLOURS)]
    with torch.no_grad():
        expected = model.similarity(model.encode_text([query]), model.encode_video(paths))[0]
    by_name = {result["name"]: result["score"] for result in found}
    assert [by_name[path.name] for path in paths] == pytest.approx(expected.tolist(), abs=1e-5)
    scores = [result["score"] for result in found]
    assert scores == sorted(scores, reverse=True)
    assert [result["percentile"] for result in found] == [100.0, 66.67, 33.33]
    assert found.ms.keys() == {"encode", "search"} and not found.no_match


def test_a_moment_lies_within_its_video(filled):
    for result in filled.search("a red square", top=3):
        assert 0 <= result["start"] < result["end"] <= result["duration"] == pytest.approx(2.0)


def test_half_precision_finds_the_same(filled, monkeypatch):
    exact = filled.search("a red square", top=3)
    monkeypatch.setattr("stan.library.scoring.HALF_PRECISION_FROM", 1)
    rounded = Library(filled.path, filled.model).search("a red square", top=3)
    assert {r["id"]: r["score"] for r in rounded} == pytest.approx(
        {r["id"]: r["score"] for r in exact}, abs=2e-3
    )


def test_what_another_process_added_is_found(filled, folder, model):
    filled.search("anything")
    write_clip(folder / "new.mp4", (200, 0, 200))
    Library(filled.path, model).add(folder)
    assert len(filled.search("anything")) == 4


def test_an_empty_library_has_no_match(tmp_path, model):
    found = Library(tmp_path / "nothing", model).search("a red square")
    assert list(found) == [] and found.no_match
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(("query", "top", "says"), [("  ", 3, "empty"), ("a square", 0, "at least one")])
def test_a_search_that_asks_nothing_is_refused(filled, query, top, says):
    with pytest.raises(ValueError, match=says):
        filled.search(query, top)


def test_recognition_of_a_stored_video_needs_no_decoding(filled, folder, monkeypatch):
    labels = ["red", "green", " red ", "", "blue"]
    entry = next(entry for entry in filled.entries() if entry.name == "red.mp4")
    fresh = filled.recognise(folder / "red.mp4", labels)
    monkeypatch.setattr(video_files, "decode", None)
    stored = filled.recognise(entry.id, labels)
    probabilities = {item["label"]: item["probability"] for item in stored["labels"]}
    assert probabilities == pytest.approx({i["label"]: i["probability"] for i in fresh["labels"]}, abs=1e-4)
    assert probabilities.keys() == {"red", "green", "blue"}
    assert sum(probabilities.values()) == pytest.approx(1)


def test_recognition_without_labels_is_refused(filled):
    with pytest.raises(ValueError, match="one per line"):
        filled.recognise(filled.entries()[0].id, ["", " "])


def test_another_models_library_is_refused(filled, folder):
    other = Library(filled.path, tiny(seed=1))
    for attempt in (lambda: other.search("a square"), lambda: other.add(folder)):
        with pytest.raises(ValueError, match="cannot be compared"):
            attempt()
    with pytest.raises(ValueError, match="cannot be compared"):
        other.recognise(filled.entries()[0].id, ["red"])


def test_a_library_remembers_who_made_it(filled):
    assert Library(filled.path).made_by == "DualEncoder"


def test_a_file_is_no_library_and_no_folder(tmp_path, model):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ValueError, match="is a file"):
        Library(file, model)
    with pytest.raises(ValueError, match="not a folder"):
        Library(tmp_path / "library", model).add(file)


def test_an_unknown_video_is_refused(filled):
    for id in ("0" * 16, "../videos/red.mp4", ""):
        with pytest.raises(ValueError, match="no video"):
            filled.entry(id)


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([0.0, 1.0, 0.9, 0.0], (1.0, 3.0)),
        ([1.0, 0.0, 0.0, 1.0], (0.0, 1.0)),
        ([0.0, 0.0, 0.1, 1.0], (3.0, 4.0)),
        ([0.5, 0.5, 0.5, 0.5], (0.0, 4.0)),
    ],
)
def test_moment_is_the_stretch_around_the_peak(curve, expected):
    assert moment(np.array(curve), np.array([0.5, 1.5, 2.5, 3.5]), 4.0) == expected


def test_moment_of_one_frame_is_the_whole_video():
    assert moment(np.array([0.3]), np.array([1.0]), 2.0) == (0.0, 2.0)


def test_a_model_that_scores_token_by_token_is_refused(tmp_path, folder):
    scores_tokens = build(ModelConfig(pretrained="random", similarity="mug_simple"), frames=4)
    with pytest.raises(ValueError, match="scores by MugSimple, but a library .* searches by cosine"):
        Library(tmp_path / "library", scores_tokens).add(folder)
