"""A library counts, keeps, finds and refuses what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import lancedb
import numpy as np
import pytest
import torch
from PIL import Image

from stan.config import ModelConfig
from stan.data.video import decoding
from stan.data.video.transforms import evaluation
from stan.library import Library
from stan.library.embedding import embed
from stan.library.entries import FACTS
from stan.library.store import TABLE
from stan.models.convert import load_released
from stan.models.dual_encoder import DualEncoder, build
from tests.support.films import Film
from tests.support.peers import PEERS
from tests.support.small_clips import write_clip

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


def test_a_model_that_judges_pairs_says_how_well_each_video_fits(filled, model, monkeypatch):
    assert "match" not in filled.search("a red square")[0]
    monkeypatch.setattr(model.clip, "logit_bias", torch.nn.Parameter(torch.tensor(-2.0)))
    monkeypatch.setattr(model, "judges_pairs", True)
    found, scale = filled.search("a red square"), model.logit_scale.exp().item()
    expected = [1 / (1 + np.exp(2 - scale * one["score"])) for one in found]
    assert [one["match"] for one in found] == pytest.approx(expected)


def test_a_changed_file_costs_one_embedding(filled, folder, model, monkeypatch):
    write_clip(folder / "red.mp4", (200, 200, 0), frames=9)
    calls, real = [], model.encoder.from_levels
    monkeypatch.setattr(model.encoder, "from_levels", lambda levels: calls.append(1) or real(levels))
    assert counts(filled.add(folder)) == (1, 2, 0)
    assert len(calls) == 1
    assert len(names(filled)) == 3


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
    assert found.ms.keys() == {"encode", "search"}


def test_a_moment_lies_within_its_video(filled):
    for result in filled.search("a red square", top=3):
        assert 0 <= result["start"] < result["end"] <= result["duration"] == pytest.approx(2.0)


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
    monkeypatch.setattr(decoding, "decode", None)
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


def test_a_library_of_the_same_weights_on_other_pixels_is_refused(filled, folder):
    other = tiny()
    other.clip.pixels = replace(other.clip.pixels, resize_mode="squash")
    with pytest.raises(ValueError, match="with these weights and this preprocessing"):
        Library(filled.path, other).add(folder)


def test_a_library_remembers_who_made_it(filled):
    assert Library(filled.path).made_by == "DualEncoder"


@pytest.mark.slow
def test_a_new_library_warns_of_nothing(tmp_path, folder):
    command = [sys.executable, "-m", "stan", "index", str(folder), "--library", str(tmp_path / "new")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "indexed" in done.stdout + done.stderr and "WARN" not in done.stderr


def test_a_file_is_no_library_and_no_folder(tmp_path, model):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ValueError, match="is a file"):
        Library(file, model)
    with pytest.raises(ValueError, match="not a folder"):
        Library(tmp_path / "library", model).add(file)


def test_an_unknown_engine_is_refused_before_a_library_is_made(tmp_path, folder, model):
    with pytest.raises(ValueError, match="no engine 'spark'; there are local, ray"):
        Library(tmp_path / "library", model).add(folder, engine="spark")
    assert not (tmp_path / "library").exists()


def test_an_unknown_video_is_refused(filled):
    for id in ("0" * 16, "../videos/red.mp4", ""):
        with pytest.raises(ValueError, match="no video"):
            filled.entry(id)


@pytest.mark.parametrize(
    ("similarity", "options"), [("mug_simple", {}), ("linear_classifier", {"classes": 3})]
)
def test_a_model_without_vectors_of_sentences_searches_by_example(tmp_path, folder, similarity, options):
    config = ModelConfig(pretrained="random", similarity=similarity, similarity_options=options)
    model = build(config, frames=4)
    library = Library(tmp_path / "library", model)
    assert library.add(folder)["indexed"] == len(COLOURS)
    red = next(entry for entry in library.entries() if entry.name == "red.mp4")
    found = library.similar(red.id, top=len(COLOURS))
    vectors = [model.encode_video(folder / name).video[0] for name in ("red.mp4", found[0]["name"])]
    cosine = torch.nn.functional.cosine_similarity(*vectors, dim=0).item()
    assert found[0]["score"] == pytest.approx(cosine, abs=1e-5)
    assert found[0]["percentile"] is None and not found.no_match
    with pytest.raises(
        ValueError, match=f"scores by {type(model.score).__name__}, so a sentence has no vector"
    ):
        library.search("a red square")


def test_without_gain_the_score_is_clips_alone(filled, folder, model):
    paths = [folder / name for name in sorted(COLOURS)]
    with torch.no_grad():
        text = torch.nn.functional.normalize(model.encode_text(["a red square"]).text[0], dim=0)
        pixels = torch.stack([model.decode(path)[0] for path in paths])
        frames = model.clip.encode_image(pixels.flatten(0, 1)).unflatten(0, pixels.shape[:2])
        expected = torch.nn.functional.normalize(frames.mean(1), dim=-1) @ text
    found = {result["name"]: result["score"] for result in filled.search("a red square", gain=0)}
    assert [found[path.name] for path in paths] == pytest.approx(expected.tolist(), abs=1e-5)


def test_another_gain_encodes_nothing(filled, model, monkeypatch):
    first = filled.search("2:a red square - blue", gain=0.5)
    monkeypatch.setattr(model, "encode_text", None)
    assert [one["score"] for one in filled.search("2:a red square - blue", gain=2)] != [
        one["score"] for one in first
    ]


def test_weighted_terms_are_added(filled, model):
    texts = torch.nn.functional.normalize(model.encode_text(["a red square", "a cat"]).text, dim=-1)
    wanted = torch.nn.functional.normalize(2 * texts[0] - texts[1], dim=0)
    for result in filled.search("2:a red square - a cat"):
        video = model.encode_video(result["video"]).video[0]
        expected = torch.nn.functional.normalize(video, dim=0) @ wanted
        assert result["score"] == pytest.approx(float(expected), abs=1e-5)
    with pytest.raises(ValueError, match="cancel each other out"):
        filled.search("a cat - a cat")


@pytest.mark.parametrize("at_once", [64, 4])
def test_a_long_video_is_embedded_in_windows(tmp_path, model, monkeypatch, at_once):
    monkeypatch.setattr("stan.library.embedding.FRAMES_AT_ONCE", at_once)
    clip = write_clip(tmp_path / "long.mp4", frames=39)  # 6.5 s
    embedded = embed(model, clip, window=2.0)
    grid, starts = 13, [0, 2, 4, 6, 8, 9]
    with torch.no_grad():
        decoded = decoding.decode(clip, grid)
        prepare = evaluation(model.clip.pixels)
        pixels = torch.as_tensor(prepare(decoded.frames))
        windows = [model.encode_video(pixels[None, start : start + 4]) for start in starts]
        alone = model.clip.encode_image(pixels)
    assert embedded.times == pytest.approx(decoded.times) and embedded.duration == pytest.approx(6.5)
    assert np.allclose(embedded.video, torch.cat([window.video for window in windows]), atol=1e-5)
    assert np.allclose(embedded.clip, torch.stack([alone[s : s + 4].mean(0) for s in starts]), atol=1e-5)
    assert np.allclose(embedded.frame_clip, alone, atol=1e-5)
    for frame in range(grid):
        covering = [
            w.frames[0, frame - s] for w, s in zip(windows, starts, strict=True) if 0 <= frame - s < 4
        ]
        assert np.allclose(embedded.frame_video[frame], torch.stack(covering).mean(0), atol=1e-5)


@torch.no_grad()
def test_a_window_that_begins_amid_a_tubelet_has_tubelets_of_its_own(tmp_path):
    model = load_released(PEERS / "motionformer" / "checkpoint.safetensors")
    clip, count, starts = write_clip(tmp_path / "long.mp4", frames=39), 13, [0, 3, 6, 7]
    embedded = embed(model, clip, window=3.0)
    pixels = torch.as_tensor(evaluation(model.clip.pixels)(decoding.decode(clip, count).frames))
    windows = [model.encode_video(pixels[None, start : start + 6]).video[0] for start in starts]
    assert np.allclose(embedded.video, torch.stack(windows), atol=1e-5)
    assert embedded.frame_clip.shape == embedded.frame_video.shape == (count, model.clip.width)
    assert np.array_equal(embedded.frame_clip[:-1:2], embedded.frame_clip[1::2])


def test_windows_of_a_variable_rate_are_spread_over_time(tmp_path, model):
    """A still that is held for 8 s, then a second of other pictures: nearly all windows are the still's."""
    film = Film(frames=26, stamps=[0.0, *(8 + i / 25 for i in range(25))])
    embedded = embed(model, film.write(tmp_path), window=2.0)
    assert embedded.times == pytest.approx(np.arange(18) * 0.5 + 0.25, abs=0.01)
    assert np.ptp(embedded.frame_clip[:16], axis=0).max() < 1e-5
    assert np.ptp(embedded.frame_clip[15:], axis=0).max() > 1e-3


def test_a_library_keeps_its_windows(tmp_path, folder, model):
    library = Library(tmp_path / "library", model, window=1.0)
    library.add(folder)
    assert Library(library.path, model).require_model() == library.require_model()
    with pytest.raises(ValueError, match="windows of 1 s, not by .* windows of 2 s"):
        Library(library.path, model, window=2.0).search("a square")
    with pytest.raises(ValueError, match="above 0"):
        Library(library.path, model, window=0)


def test_videos_like_another(filled, folder, tmp_path):
    entries = {entry.name: entry for entry in filled.entries()}
    red = entries["red.mp4"]
    by_id = filled.similar(red.id)
    assert by_id.query == "red.mp4" and {one["name"] for one in by_id} == {"green.mp4", "blue.mp4"}
    by_file = filled.similar(folder / "red.mp4")
    assert (by_file[0]["name"], by_file[0]["score"]) == ("red.mp4", pytest.approx(1, abs=1e-5))
    assert [one["score"] for one in by_file[1:]] == pytest.approx([one["score"] for one in by_id], abs=1e-5)
    times = by_file[0]["curve"]["times"]
    moments = [filled.similar(red.id, start=at, end=at, gain=0)[0]["score"] for at in (times[0], times[-1])]
    assert moments[0] != moments[1]
    assert moments[1] == filled.similar(red.id, start=red.duration, end=99, gain=0)[0]["score"]


@pytest.mark.parametrize(
    ("moment", "says"),
    [
        (
            {"start": 99.0, "end": 99.0},
            "red.mp4 has no moment with start 99.0 and end 99.0: it lasts 2 seconds",
        ),
        ({"start": 99.0}, "no moment with start 99.0"),
        ({"start": 1.0, "end": 0.5}, "no moment with start 1.0 and end 0.5"),
        ({"start": -1.0}, "no moment with start -1.0"),
        ({"end": -1.0}, "no moment with start None and end -1.0"),
        ({"start": float("nan")}, "start is nan; it must be a finite number or null"),
        ({"start": 0.0, "end": float("inf")}, "end is inf"),
        ({"start": "1"}, "start is '1'"),
    ],
)
def test_a_moment_that_a_video_does_not_have_is_refused(filled, folder, moment, says):
    red = next(entry.id for entry in filled.entries() if entry.name == "red.mp4")
    for example in (red, folder / "red.mp4"):
        with pytest.raises(ValueError, match=says):
            filled.similar(example, **moment)


def test_a_picture_is_a_video_in_which_nothing_moves(filled, folder, tmp_path, model):
    frame = decoding.frames(folder / "green.mp4", [6])
    Image.fromarray(frame[0]).save(tmp_path / "still.png")
    pixels = torch.as_tensor(evaluation(model.clip.pixels)(frame))
    still = embed(model, tmp_path / "still.png", 4.0)
    with torch.no_grad():
        repeated = model.encode_video(pixels.expand(model.frames, -1, -1, -1)[None])
        assert np.allclose(still.clip, model.clip.encode_image(pixels), atol=1e-5)
        assert np.allclose(still.video, repeated.video, atol=1e-5)
    found = filled.similar(tmp_path / "still.png")
    assert found.query == "still.png" and {one["name"] for one in found} == set(COLOURS)
    (tmp_path / "broken.png").write_text("no picture")
    with pytest.raises(decoding.VideoError, match="no picture that can be read"):
        filled.similar(tmp_path / "broken.png")


def test_the_record_of_each_file_is_kept(tmp_path, model, folder):
    library = Library(tmp_path / "library", model)
    library.add(folder)
    for again in (library, Library(tmp_path / "library", model)):  # from the database, and from its copy
        for entry in again.entries():
            assert again.facts(entry.id) == decoding.probe(entry.path).facts
    with pytest.raises(ValueError, match="no video"):
        library.facts("0" * 16)


def test_a_library_of_an_earlier_version_goes_on_without_records(tmp_path, model, folder):
    """It has no column for them; what was embedded then stays unknown, what is embedded now is kept."""
    Library(tmp_path / "library", model).add(folder)
    lancedb.connect(tmp_path / "library").open_table(TABLE).drop_columns([FACTS])
    earlier = Library(tmp_path / "library", model)
    assert [earlier.facts(entry.id) for entry in earlier.entries()] == [None] * 3
    assert len(earlier.search("a red square")) == 3
    write_clip(folder / "new.mp4", (220, 220, 30))
    assert earlier.add(folder)["indexed"] == 1
    known = {entry.name: earlier.facts(entry.id) for entry in earlier.entries()}
    assert [name for name, facts in known.items() if facts] == ["new.mp4"]
    assert known["new.mp4"] == decoding.probe(folder / "new.mp4").facts


def test_a_still_that_lasts_is_embedded_for_as_long_as_it_is_shown(tmp_path, model):
    """As screen recordings are: two frames last twenty seconds, sixty frames the last one."""
    held = [0, 10, *(20 + i / 60 for i in range(60))]
    shown = [0] * 10 + [1] * 10 + [2 + 31]  # in the middle of each second
    film = Film(name="held.mkv", stamps=held, frames=len(held)).write(tmp_path)
    found = embed(model, film, 4.0)
    assert found.times == pytest.approx(np.arange(21) + 0.5, abs=0.03)
    pictures = decoding.frames(film, shown)
    prepare, clip = evaluation(model.clip.pixels), model.clip
    with torch.inference_mode():
        levels = model.encoder.levels(torch.as_tensor(prepare(pictures))[None])
        expected = model.encoder.project(clip.visual.pool(levels[clip.layers - 1])[0])
    assert found.frame_clip == pytest.approx(expected.numpy(), abs=2e-5)


def test_a_folder_that_is_gone_is_named_and_can_be_forgotten(filled, folder):
    moved = folder.rename(folder.parent / "moved")
    with pytest.raises(
        ValueError, match=r"videos is gone, and .*library holds 3 videos of it: index the folder"
    ):
        filled.add(folder)
    assert filled.forget(folder / "red.mp4") == 1
    assert filled.forget(folder) == 2 and len(filled) == 0
    with pytest.raises(ValueError, match="holds no video of .*; the folders that it holds: none"):
        filled.forget(folder)
    assert counts(filled.add(moved)) == (3, 0, 0)


def test_nothing_is_made_where_there_is_nothing_to_forget(tmp_path, folder):
    with pytest.raises(ValueError, match="holds no video of"):
        Library(tmp_path / "none").forget(folder)
    assert not (tmp_path / "none").exists()


def test_what_a_list_names_is_forgotten_and_the_files_stay(filled, folder):
    listed = folder.parent / "list.txt"
    listed.write_text("videos/red.mp4\nvideos/blue.mp4\n")
    assert filled.forget(listed) == 2
    assert names(filled) == ["green.mp4"] and len(list(folder.iterdir())) == 3
    with pytest.raises(ValueError, match="holds no video of .*; the folders that it holds: .*videos"):
        filled.forget(folder / "none")
