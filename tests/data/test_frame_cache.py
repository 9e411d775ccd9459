"""Frames that are decoded once are those that training would decode anew, for all who read them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from stan.config import DataConfig, with_parts
from stan.data import frame_cache as cache
from stan.data import loader as loading
from stan.data.datasets import VideoItem, VideoSet
from stan.data.frame_cache import frame_cache
from stan.data.loader import Loader
from stan.data.video import decoding as video
from stan.data.world.writer import encode
from stan.evaluation import splits
from stan.models.backbones import load_clip
from stan.models.dual_encoder import build
from stan.training.trainer import check
from tests.support.films import Film, number
from tests.support.tiny_experiment import tiny


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> VideoSet:
    """Three clips of other sizes and lengths."""
    folder, rng, clips = tmp_path_factory.mktemp("videos"), np.random.default_rng(0), []
    for i, (frames, height, width) in enumerate([(12, 72, 96), (5, 96, 64), (20, 64, 64)]):
        coarse = rng.integers(0, 256, (frames, height // 8, width // 8, 3), np.uint8)
        encode(coarse.repeat(8, 1).repeat(8, 2), folder / f"{i}.mp4")
        clips.append(VideoItem(str(i), folder / f"{i}.mp4", (f"a number {i}",)))
    return VideoSet("noise", "train", "retrieval", tuple(clips))


@pytest.fixture
def kept(tmp_path, videos):
    with ThreadPoolExecutor(2) as pool:
        yield lambda count: frame_cache(tmp_path, videos, count, 64, pool)


@pytest.fixture(scope="module")
def clip():
    return load_clip("tiny", "random")


def test_every_frame_is_kept_once(kept, videos):
    found = kept(20)
    assert found.shapes[:, 0].tolist() == [12, 5, 20]
    for i, one in enumerate(videos.clips):
        assert np.array_equal(found.clip(i), video.frames(one.path, range(found.shapes[i, 0]), 64))


def test_of_longer_clips_some_are_kept_evenly(kept, videos):
    found = kept(6)
    assert found.shapes[:, 0].tolist() == [6, 5, 6]
    assert np.array_equal(found.clip(0), video.frames(videos.clips[0].path, [0, 2, 4, 6, 8, 10], 64))


def test_a_frame_that_is_shown_for_long_is_kept_as_often(tmp_path, videos):
    film = Film(frames=12, size=(96, 80), stamps=[0.0, *(2 + i / 25 for i in range(11))])
    held = replace(videos, clips=(VideoItem("held", film.write(tmp_path), ("a film",)),))
    with ThreadPoolExecutor(2) as pool:
        found = frame_cache(tmp_path, held, 12, 64, pool)
    assert [number(frame) for frame in found.clip(0)] == [0] * 10 + [4, 9]


def test_batches_are_those_of_decoding_anew(tmp_path, videos, clip, monkeypatch):
    anew, from_kept = (
        Loader(videos, clip.preprocessing, DataConfig(frames=4), augment=True) for _ in range(2)
    )
    from_kept.cache_frames(tmp_path, 20)
    wanted = [anew.batch([2, 0, 1], (0, epoch)) for epoch in range(2)]
    monkeypatch.setattr(loading.decoding, "decode", lambda *a: pytest.fail("decoded again"))
    for epoch in range(2):
        found = from_kept.batch([2, 0, 1], (0, epoch))
        assert torch.equal(found["video"], wanted[epoch]["video"])
    assert not torch.equal(wanted[0]["video"], wanted[1]["video"])


def test_a_second_reader_finds_them_and_one_that_died_leaves_none(kept, tmp_path, videos, monkeypatch):
    decode = cache.decoding.decode

    def dies(path, *given):
        if path == videos.clips[2].path:
            raise KeyboardInterrupt
        return decode(path, *given)

    monkeypatch.setattr(cache.decoding, "decode", dies)
    with pytest.raises(KeyboardInterrupt):
        kept(20)
    monkeypatch.setattr(cache.decoding, "decode", decode)
    first = kept(20)
    monkeypatch.setattr(cache.decoding, "decode", lambda *a: pytest.fail("decoded again"))
    assert np.array_equal(kept(20).clip(2), first.clip(2))
    assert isinstance(first.clip(0).base, np.memmap) or isinstance(first.clip(0), np.memmap)
    assert not first.clip(0).flags.writeable


def test_a_full_disk_is_said_before_it_is_full(kept, monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "CLIPS_AHEAD", 1)
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda folder: SimpleNamespace(free=10))
    with pytest.raises(ValueError, match="frames of 3 clips need some 0.0 GB .* lower data.kept_frames"):
        kept(20)
    assert not list(tmp_path.rglob("frames.bin"))


def test_only_training_on_frames_keeps_them(videos, tmp_path, monkeypatch):
    monkeypatch.setattr(splits, "readable", lambda data, split, *a: replace(videos, split=split))
    experiment = with_parts(tiny(frozen="nothing"), data={"kept_frames": 3})
    model = build(experiment.model, 4)
    for split, there in (("val", False), ("train", True)):
        splits.open_split(experiment, model, split, tmp_path, tmp_path / "runs")
        assert (tmp_path / "runs" / ".frames").exists() == there
    with pytest.raises(ValueError, match="data.kept_frames is -1"):
        check(with_parts(experiment, data={"kept_frames": -1}))
