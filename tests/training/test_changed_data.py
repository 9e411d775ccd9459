"""A set of one's own that changes, or another one in its layout: no run passes for one on these videos and texts."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from stan import results
from stan.config import Experiment, with_parts
from stan.training.sweep import sweep
from stan.training.trainer import train
from tests.support.small_clips import write_clip
from tests.support.tiny_experiment import tiny


@pytest.fixture
def root(tmp_path) -> Path:
    """A video folder of eight training clips and two each to validate and to test."""
    for split, count in (("train", 8), ("val", 2), ("test", 2)):
        folder = tmp_path / "set" / split
        folder.mkdir(parents=True)
        clips = [write_clip(folder / f"{i}.mp4", (20 * i, 30, 200), frames=4 + i) for i in range(count)]
        lines = [f"{clip.name},square {clip.stem}\n" for clip in clips]
        (folder / "metadata.csv").write_text("".join(["file_name,caption\n", *lines]))
    return tmp_path / "set"


def on(root: Path, **changes) -> Experiment:
    learnt = tiny("videofolder", "stan", epochs=2)
    return replace(with_parts(learnt, data={"root": str(root), "size": "full"}), **changes)


def say(root: Path, split: str, before: str, after: str) -> None:
    file = root / split / "metadata.csv"
    file.write_text(file.read_text().replace(before, after))


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_done_run_is_not_taken_for_one_on_changed_captions(root, tmp_path, split):
    done = train(on(root), tmp_path / "runs")
    assert train(on(root), tmp_path / "runs") == done
    say(root, split, "square 1", "a square that moves")
    with pytest.raises(ValueError, match=rf"other videos or texts \({split}\) than {root} holds: .*--runs"):
        train(on(root), tmp_path / "runs")
    with pytest.raises(ValueError, match="row/[0-9a-f]{10}-s0 was trained and tested on other"):
        sweep.train_all([on(root)], tmp_path / "runs", tmp_path / "worlds")


def test_a_done_run_is_not_taken_over_for_another_set_nor_are_its_weights(root, tmp_path):
    done = train(on(root), tmp_path / "runs")
    moved = shutil.copytree(root, tmp_path / "moved")
    row = replace(on(moved), row="same set elsewhere")
    assert results.read(train(row, tmp_path / "runs"))["run"]["same_as"] == results.read(done)["id"]
    say(moved, "train", "square 1", "a square that moves")
    for other in (replace(row, row="other"), replace(row, row="other", test_time=("dsl",))):
        with pytest.raises(ValueError, match=r"other videos or texts \(train\)"):
            train(other, tmp_path / "runs")


def test_a_done_run_stands_when_its_data_are_gone(root, tmp_path):
    done = train(on(root), tmp_path / "runs")
    shutil.rmtree(root)
    assert train(on(root), tmp_path / "runs") == done


def test_a_run_is_resumed_on_the_same_data_only(root, tmp_path):
    def stop(stage, done, total, *_):
        if (stage, done) == ("training", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(on(root), tmp_path / "runs", progress=stop, checkpoint_seconds=0)
    say(root, "train", "square 1", "a square that moves")
    with pytest.raises(ValueError, match=r"this run began on other videos or texts \(train\)"):
        train(on(root), tmp_path / "runs")
    say(root, "train", "a square that moves", "square 1")
    say(root, "test", "square 1", "a square that moves")  # which no step has read
    assert results.read(train(on(root), tmp_path / "runs"))["run"]["resumed"] == 2


def test_a_run_that_failed_before_its_first_step_begins_anew_on_mended_data(root, tmp_path):
    (root / "train" / "3.mp4").write_bytes(b"broken")
    with pytest.raises(ValueError, match="3.mp4"):
        train(on(root), tmp_path / "runs")
    write_clip(root / "train" / "3.mp4")
    assert results.read(train(on(root), tmp_path / "runs"))["status"] == "done"
