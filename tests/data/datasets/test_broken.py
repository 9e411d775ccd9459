"""A broken video stops a run by name; where a run may skip it, it is left out for good, counted and named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stan import results
from stan.config import with_parts
from stan.data.datasets import broken, load
from stan.data.datasets.broken import fault, without_broken
from stan.data.video.decoding import VideoError
from stan.models import checkpoint
from stan.training import trainer as training
from stan.training.trainer import CHECKPOINT, train
from tests.support import painted_clips
from tests.support.data_folders import put
from tests.support.tiny_experiment import tiny

CLIPS = {"train": 9, "val": 3, "test": 4}
BROKEN = {"train3": b"no video", "test1": b""}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A whole set in DiDeMo's layout."""
    root = tmp_path_factory.mktemp("whole")
    (root / "videos").mkdir()
    for split, count in CLIPS.items():
        names = [f"{split}{i}" for i in range(count)]
        items = [{"video": f"{name}.mp4", "description": f"a red circle {name}"} for name in names]
        put(root, {f"{split}_data.json": items})
        for i, name in enumerate(names):
            painted_clips.write(root / f"videos/{name}.mp4", 6 + i)
    return root


@pytest.fixture
def damaged(whole, tmp_path) -> Path:
    """The same set with one broken training video and an empty test video."""
    root = tmp_path / "damaged"
    (root / "videos").mkdir(parents=True)
    for file in [*whole.glob("*.json"), *whole.glob("videos/*.mp4")]:
        (root / file.relative_to(whole)).write_bytes(BROKEN.get(file.stem) or file.read_bytes())
    (root / "videos/test1.mp4").write_bytes(BROKEN["test1"])
    return root


def experiment(root: Path, **data: object):
    wanted = tiny("didemo", frozen="nothing", epochs=2, lr=3e-3)
    return with_parts(wanted, data={"root": str(root), **data})


def skipped(run: Path) -> dict:
    return json.loads((run / "run.json").read_text())["skipped"]


def same_weights(one: Path, other: Path) -> bool:
    a, b = (checkpoint.load(run / CHECKPOINT)[0] for run in (one, other))
    return all(torch.equal(a[key], b[key]) for key in a)


def test_by_default_it_is_an_error_by_name(damaged, tmp_path):
    with pytest.raises(VideoError, match=r"train3.mp4: is no video file"):
        train(experiment(damaged), tmp_path / "runs", tmp_path)
    record = results.read(tmp_path / "runs" / experiment(damaged).id)
    assert record["status"] == "failed" and "train3.mp4" in record["run"]["error"]


@pytest.mark.slow
def test_skipped_clips_are_counted_and_the_rest_trains_as_if_they_had_never_been_there(damaged, tmp_path):
    run = train(experiment(damaged, skip_broken=True), tmp_path / "runs", tmp_path)
    found = skipped(run)
    assert {split: told["count"] for split, told in found.items()} == {"train": 1, "val": 0, "test": 1}
    assert set(found["train"]["clips"]) == {"train3"} and "is empty" in found["test"]["clips"]["test1"]
    assert json.loads((run / "eval.json").read_text())["metrics"]["t2v"]["N"] == 3
    for split in ("train", "test"):
        items = json.loads((damaged / f"{split}_data.json").read_text())
        put(damaged, {f"{split}_data.json": [i for i in items if Path(i["video"]).stem not in BROKEN]})
    assert same_weights(run, train(experiment(damaged), tmp_path / "without", tmp_path))


@pytest.mark.slow
def test_a_resumed_run_leaves_out_the_same_clips(damaged, tmp_path, monkeypatch):
    wanted = experiment(damaged, skip_broken=True)
    straight = train(wanted, tmp_path / "straight", tmp_path)
    update, steps = training._update, []

    def interrupted(*given):
        steps.append(1)
        if len(steps) == 2:
            raise KeyboardInterrupt
        return update(*given)

    monkeypatch.setattr(training, "_update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(wanted, tmp_path / "runs", tmp_path, checkpoint_seconds=0)
    run = tmp_path / "runs" / wanted.id
    assert skipped(run)["train"]["count"] == 1
    monkeypatch.undo()
    with monkeypatch.context() as changed:  # where the answer is another, the run must not go on with it
        changed.setattr(broken, "fault", lambda *given: None)
        for kept in (tmp_path / "runs/.broken").glob("*.json"):
            kept.unlink()
        with pytest.raises(ValueError, match="began without 1 broken clips of test, now there are 0"):
            train(wanted, tmp_path / "runs", tmp_path)
    for kept in (tmp_path / "runs/.broken").glob("*.json"):
        kept.unlink()
    assert same_weights(straight, train(wanted, tmp_path / "runs", tmp_path))
    assert skipped(run) == skipped(straight)


def test_the_setting_is_a_part_of_the_identity_only_where_it_is_used(whole):
    plain = experiment(whole)
    assert experiment(whole, skip_broken=False).hash == plain.hash != experiment(whole, skip_broken=True).hash


def test_a_set_is_decoded_once(damaged, tmp_path, monkeypatch):
    videos, seen = load(f"didemo:{damaged}", "test"), []
    first = without_broken(videos, tmp_path / "kept", lambda done, total: seen.append((done, total)))
    assert seen[-1] == (4, 4) and [clip.id for clip in first.clips] == ["test0", "test2", "test3"]
    monkeypatch.setattr(broken, "faults", None)
    assert without_broken(videos, tmp_path / "kept") == first and first.hash != videos.hash


def test_a_set_of_broken_videos_alone_is_refused(damaged, tmp_path):
    videos = load(f"didemo:{damaged}", "test")
    broken_one = replace(videos, clips=tuple(clip for clip in videos.clips if clip.id == "test1"))
    with pytest.raises(ValueError, match="every video of didemo's test split is broken"):
        without_broken(broken_one, tmp_path / "kept")


def test_every_frame_is_decoded(tmp_path, monkeypatch):
    """A frame that a run may draw, and the centres of segments are not, is found to be broken."""
    path = painted_clips.write(tmp_path / "a.mp4", 24, options={"g": "1", "bf": "0"})
    monkeypatch.setattr(broken, "FRAMES_AT_ONCE", 10)
    asked = [chunk.indices.tolist() for chunk in broken.chunks(path, 64, 10)]
    assert [len(chunk) for chunk in asked] == [10, 10, 4] and sum(asked, []) == list(range(24))
    _damage_packet(path, 10)
    assert fault(path, 2) is None and "cannot be decoded" in str(fault(path))


def _damage_packet(path: Path, number: int) -> None:
    """Overwrites one frame's bytes, their length fields left alone."""
    import av

    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    position, size = packets[number]
    content = bytearray(path.read_bytes())
    content[position + 4 : position + size] = bytes(size - 4)
    path.write_bytes(content)
