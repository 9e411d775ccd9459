"""Training on shards, here or at an address: a run that was stopped and resumed ends with the very same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stan import results
from stan.config import with_parts
from stan.models import checkpoint
from stan.training.trainer import CHECKPOINT, train
from tests.support.packed_shards import pack
from tests.support.small_clips import write_clip
from tests.support.tiny_experiment import tiny

COLOURS = {"red": (220, 30, 30), "green": (30, 220, 30), "blue": (30, 30, 220), "white": (240, 240, 240)}


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> dict[str, bytes]:
    """The files of forty clips by key; every other is a little longer than the one before."""
    folder = tmp_path_factory.mktemp("clips")
    names = [f"{colour}{i}" for i in range(10) for colour in COLOURS]
    return {
        name: write_clip(
            folder / f"{name}.mp4", COLOURS[name.rstrip("0123456789")], frames=8 + i % 2
        ).read_bytes()
        for i, name in enumerate(names)
    }


@pytest.fixture(params=["disk", "memory"])
def root(request, tmp_path, clips) -> str:
    place = str(tmp_path / "set") if request.param == "disk" else f"memory://{tmp_path.name}"
    Path(tmp_path / "set").mkdir()
    names = list(clips)
    parts = {"train-0": names[:12], "train-1": names[12:24], "val-0": names[24:32], "test-0": names[32:]}
    for shard, inside in parts.items():
        files = [
            (f"{name}.{kind}", content)
            for name in inside
            for kind, content in (("mp4", clips[name]), ("txt", f"a square, number {name}".encode()))
        ]
        pack(f"{place}/{shard}.tar", files)
    return place


def experiment(root: str):
    learnt = tiny("webdataset", "stan", frozen="nothing", epochs=3, lr=3e-3)
    return with_parts(learnt, data={"root": root, "size": "full"})


def weights(run: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load(run / CHECKPOINT)[0]


class Stopped(Exception):
    pass


@pytest.mark.slow
def test_a_resumed_run_ends_with_the_same_bits(root, tmp_path):
    straight = train(experiment(root), tmp_path / "straight")

    def stop(stage, done, total, *_):
        if stage == "training" and done in (2, 5) and done not in stopped:
            stopped.add(done)
            raise Stopped

    stopped: set[int] = set()
    for _ in range(2):
        with pytest.raises(Stopped):
            train(experiment(root), tmp_path / "stopped", progress=stop, checkpoint_seconds=0)
    resumed = train(experiment(root), tmp_path / "stopped", progress=stop)
    assert stopped == {2, 5} and results.read(resumed)["run"]["resumed"] == 2
    expected, found = weights(straight), weights(resumed)
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    losses = [results.history(run)["loss"].dropna().tolist() for run in (straight, resumed)]
    assert losses[0] == losses[1] and len(losses[0]) == 9


def test_a_broken_video_in_a_shard_is_left_out_and_named(tmp_path, clips):
    names = list(clips)
    for split, inside in (("train", names[:16]), ("val", names[16:24]), ("test", names[24:32])):
        files = [(f"{n}.mp4", b"broken" if n == names[3] else clips[n]) for n in inside]
        pack(f"{tmp_path}/{split}.tar", [*files, *((f"{n}.txt", n.encode()) for n in inside)])
    told = with_parts(experiment(str(tmp_path)), train={"epochs": 1}, data={"skip_broken": True})
    run = results.read(train(told, tmp_path / "runs"))["run"]
    assert list(run["skipped"]["train"]["clips"]) == [names[3]]
    assert run["skipped"]["test"]["count"] == 0


def test_a_video_folder_trains(tmp_path, clips):
    names = list(clips)
    for split, inside in (("train", names[:16]), ("validation", names[16:24]), ("test", names[24:32])):
        (tmp_path / "set" / split).mkdir(parents=True)
        for name in inside:
            (tmp_path / "set" / split / f"{name}.mp4").write_bytes(clips[name])
        table = "file_name,caption\n" + "".join(f"{name}.mp4,{name}\n" for name in inside)
        (tmp_path / "set" / split / "metadata.csv").write_text(table)
    learnt = tiny("videofolder", "stan", frozen="nothing")
    run = train(with_parts(learnt, data={"root": str(tmp_path / "set"), "size": "full"}), tmp_path / "runs")
    assert results.read(run)["evaluation"]["metrics"]["t2v"]["N"] == 8
