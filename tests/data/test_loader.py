"""Batches follow from indices and draw; levels are computed once, whole, and are what the tower gives."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stan.config import DataConfig
from stan.data import loader as loading
from stan.data.datasets import VideoItem, VideoSet
from stan.data.loader import Loader, order
from stan.data.preprocessing import token_ids
from stan.data.video import decoding, transforms
from stan.data.world.writer import encode
from stan.models import level_cache as level_files
from stan.models.backbones import load_clip
from stan.models.level_cache import cache_levels
from stan.models.temporal import build
from stan.models.temporal.base import Temporal
from stan.models.video_encoder import VideoEncoder
from tests.support.moved_weights import moved

DATA = DataConfig(frames=4, words=16)


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return load_clip("tiny", "random").eval()


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> VideoSet:
    """Five clips of 12 noisy frames; the first has two captions."""
    folder, rng = tmp_path_factory.mktemp("videos"), np.random.default_rng(0)
    clips = []
    for i in range(5):
        path = folder / f"{i}.mp4"
        coarse = rng.integers(0, 256, (12, 6, 8, 3), np.uint8)
        encode(coarse.repeat(12, 1).repeat(12, 2), path)
        captions = (f"a number {i}", "a second caption, and a longer one")[: 2 if i == 0 else 1]
        clips.append(VideoItem(str(i), path, captions))
    return VideoSet("noise", "train", "retrieval", tuple(clips))


def test_equal_draws_give_equal_batches(clip, videos):
    loader = Loader(videos, clip.preprocessing, DATA, augment=True)
    first, again = loader.batch([0, 3], (7, 1)), loader.batch([0, 3], (7, 1))
    assert torch.equal(first["video"], again["video"]) and torch.equal(first["text"], again["text"])
    assert not torch.equal(first["video"], loader.batch([0, 3], (7, 2))["video"])
    assert not torch.equal(first["video"], loader.batch([0, 3], (8, 1))["video"])


def test_a_clip_is_drawn_alike_in_any_batch(clip, videos):
    loader = Loader(videos, clip.preprocessing, DATA, augment=True)
    assert torch.equal(loader.batch([0, 3], (7, 1))["video"][1], loader.batch([3], (7, 1))["video"][0])


def test_without_draw_it_is_the_evaluation_transform(clip, videos):
    batch = Loader(videos, clip.preprocessing, DATA, augment=True).batch([2])
    prepared = transforms.evaluation(clip.pixels)(decoding.frames(videos.clips[2].path, 4))
    assert torch.equal(batch["video"][0], torch.as_tensor(prepared))


def test_all_captions_are_drawn_in_training_and_the_first_otherwise(clip, videos):
    loader = Loader(videos, clip.preprocessing, DATA)
    loader._video = lambda index, rng=None: torch.zeros(1, 4, 3, 1, 1)
    drawn = {tuple(loader.batch([0], (0, epoch))["text"][0].tolist()) for epoch in range(20)}
    assert drawn == {tuple(ids.tolist()) for ids in loader.captions[:2]}
    assert torch.equal(loader.batch([0, 1])["text"], loader.captions[[0, 2]])


def test_batches_come_in_order_and_only_once(clip, videos):
    loader = Loader(videos, clip.preprocessing, DATA)
    assert [b["index"].tolist() for b in loader.in_order(2)] == [[0, 1], [2, 3], [4]]


def test_three_views_lie_side_by_side(clip, videos):
    batch = Loader(videos, clip.preprocessing, DATA, views=3).batch([1, 2])
    assert batch["video"].shape == (6, 4, 3, clip.image_size, clip.image_size)
    assert torch.equal(batch["video"][4], Loader(videos, clip.preprocessing, DATA).batch([2])["video"][0])


def test_several_clips_of_three_crops_take_frames_of_their_own(clip, videos):
    batch = Loader(videos, clip.preprocessing, DATA, views=12).batch([2])
    assert batch["video"].shape[:2] == (12, 4)
    denser = decoding.frames(videos.clips[2].path, 16)
    crops = transforms.views(clip.pixels)(denser[1::4])
    assert torch.equal(batch["video"][3:6], torch.as_tensor(crops))  # the second clip


def test_frames_are_taken_in_another_order(clip, videos, tmp_path):
    order = np.array([[3, 0], [1, 1], [2, 3], [0, 1], [3, 2]])
    plain, cached = (
        Loader(videos, clip.preprocessing, DATA, views=3),
        Loader(videos, clip.preprocessing, DATA),
    )
    frames, other = plain.batch([2, 0])["video"], plain.arranged(order).batch([2, 0])["video"]
    assert torch.equal(other[:3], frames[:3, [2, 3]]) and torch.equal(other[3:], frames[3:, [3, 0]])
    assert torch.equal(plain.batch([2])["video"], frames[:3])  # the loader itself is as it was
    cache_levels(cached, tmp_path, tower(clip))
    levels = cached.arranged(order).batch([2, 0])["levels"][5]
    assert torch.equal(levels[0], cached.batch([2])["levels"][5][0, [2, 3]])


def test_tokens_are_cut_to_the_longest_and_mean_the_same(clip):
    texts = ["a red square!", "a blue circle moves to the left"]
    ids = token_ids(clip.tokenize, texts, 32)
    assert ids.shape[1] < 32
    torch.testing.assert_close(clip.encode_text(ids).text, clip.encode_text(clip.tokenize(texts, 32)).text)


def test_an_epoch_is_a_permutation_less_what_is_left_over():
    alone = np.full(10, -1)
    batches = order(alone, 4, seed=1, epoch=0)
    assert [len(b) for b in batches] == [4, 4] and len(np.unique(np.concatenate(batches))) == 8
    assert not np.array_equal(np.concatenate(batches), np.concatenate(order(alone, 4, seed=1, epoch=1)))
    with pytest.raises(ValueError, match="batch of 12 from 10"):
        order(alone, 12, 0, 0)


def test_twins_follow_each_other():
    twins = np.array([1, 0, -1, 5, -1, 3])
    epochs = [np.concatenate(order(twins, 6, seed=0, epoch=epoch)).tolist() for epoch in range(8)]
    for clips in epochs:
        assert sorted(clips) == list(range(6))
        assert all(abs(clips.index(a) - clips.index(b)) == 1 for a, b in ((0, 1), (3, 5)))


def test_a_broken_video_is_named(clip, videos, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    loader = Loader(
        replace(videos, clips=(*videos.clips[:1], VideoItem("x", broken, ("a",)))), clip.preprocessing, DATA
    )
    with pytest.raises(decoding.VideoError, match="broken.mp4"):
        list(loader.in_order(2))


def tower(clip, *levels):
    temporal = Temporal(clip, 4)
    temporal.levels = levels or temporal.levels
    return VideoEncoder(clip, temporal)


def test_cached_levels_are_the_towers(clip, videos, tmp_path):
    live, cached = Loader(videos, clip.preprocessing, DATA), Loader(videos, clip.preprocessing, DATA)
    cache_levels(cached, tmp_path, tower(clip, 2, 5))
    batch = cached.batch([3, 1])
    assert "video" not in batch and set(batch["levels"]) == {2, 5}
    expected = tower(clip).levels(live.batch([3, 1])["video"])
    for i, level in batch["levels"].items():
        torch.testing.assert_close(level, expected[i].half().float(), rtol=2e-3, atol=2e-3)


def test_a_method_that_changes_the_first_tokens_has_those_as_its_level(clip, videos, tmp_path):
    encoder = VideoEncoder(clip, build("aim", clip, 4, {"time_before_norm": True})).eval()
    moved(encoder.temporal)
    loader = Loader(videos, clip.preprocessing, DATA)
    video = loader.batch([1, 4])["video"]
    cache_levels(loader, tmp_path, encoder)
    levels = loader.batch([1, 4])["levels"]
    assert set(levels) == {-2}
    with torch.no_grad():
        torch.testing.assert_close(encoder.from_levels(levels).video, encoder(video).video, atol=0.01, rtol=0)


def test_levels_are_computed_once_and_by_one_of_two(clip, videos, tmp_path, monkeypatch):
    decoded = []
    plain = decoding.decode
    monkeypatch.setattr(loading.decoding, "decode", lambda *a, **k: decoded.append(a) or plain(*a, **k))
    loaders = [Loader(videos, clip.preprocessing, DATA) for _ in range(2)]
    threads = [threading.Thread(target=cache_levels, args=(x, tmp_path, tower(clip))) for x in loaders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(decoded) == len(videos.clips)
    assert torch.equal(*(x.batch([1])["levels"][5] for x in loaders))
    cache_levels(Loader(videos, clip.preprocessing, DATA), tmp_path, tower(clip, 0, 1, 2))
    assert len(decoded) == len(videos.clips)  # another method's levels were kept along


def test_batches_are_prepared_as_the_clip_says(clip, videos):
    squashed = replace(clip.preprocessing, pixels=replace(clip.pixels, resize_mode="squash", mean=(0.5,) * 3))
    expected = transforms.evaluation(squashed.pixels)(decoding.frames(videos.clips[2].path, 4))
    assert np.array_equal(Loader(videos, squashed, DATA).batch([2])["video"][0], expected)
    assert all(
        np.array_equal(view, expected) for view in Loader(videos, squashed, DATA, views=3).batch([2])["video"]
    )
    plain, other = (Loader(videos, one, DATA, augment=True) for one in (clip.preprocessing, squashed))
    assert plain.batch([2], (0, 0))["video"].shape == other.batch([2], (0, 0))["video"].shape
    assert not torch.equal(plain.batch([2], (0, 0))["video"], other.batch([2], (0, 0))["video"])


def test_other_weights_frames_or_views_have_their_own_levels(clip, videos, tmp_path):
    torch.manual_seed(1)
    other = load_clip("tiny", "random").eval()
    for one, data, views in (
        (clip, DATA, 1),
        (other, DATA, 1),
        (clip, replace(DATA, frames=2), 1),
        (clip, DATA, 3),
    ):
        cache_levels(Loader(videos, one.preprocessing, data, views=views), tmp_path, tower(one))
    assert len([p for p in tmp_path.iterdir() if p.is_dir()]) == 4


def test_what_was_cut_off_is_computed_again(clip, videos, tmp_path, monkeypatch):
    def dies(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(level_files.os, "replace", dies)
        with pytest.raises(KeyboardInterrupt):
            cache_levels(Loader(videos, clip.preprocessing, DATA), tmp_path, tower(clip))
    assert list(Path(tmp_path).rglob("*.part")) and not list(Path(tmp_path).rglob("*.npy"))
    loader = Loader(videos, clip.preprocessing, DATA)
    cache_levels(loader, tmp_path, tower(clip))
    assert loader.batch([4])["levels"][5].abs().sum() > 0
    assert not list(Path(tmp_path).rglob("*.part"))


def test_large_towers_keep_only_what_is_asked_for(clip, videos, tmp_path, monkeypatch):
    monkeypatch.setattr(level_files, "ALL_LEVELS_BELOW", 0)
    cache_levels(Loader(videos, clip.preprocessing, DATA), tmp_path, tower(clip, 1, 5))
    assert sorted(p.name for p in tmp_path.rglob("*.npy")) == ["level1.npy", "level5.npy"]


def test_class_names_stand_in_templates(clip):
    classes = ("up", "down", "left", "right")
    known = VideoSet("known", "train", "recognition", (VideoItem("x", Path("x"), label=0),), classes)
    plain, wrapped = (
        Loader(known, clip.preprocessing, replace(DATA, templates=name)) for name in ("plain", "actionclip")
    )
    assert torch.equal(plain.class_texts((0, 0, 0)), plain.classes) and len(plain.classes) == 4
    assert len(wrapped.templates) == 16 and len(wrapped.classes) == 16 * 4
    sentences = [template.format(name) for template in wrapped.templates for name in classes]
    assert torch.equal(wrapped.classes, token_ids(clip.tokenize, sentences, 16))
    drawn = wrapped.class_texts((0, 1, 2))
    assert torch.equal(drawn, wrapped.class_texts((0, 1, 2)))
    assert not torch.equal(drawn, wrapped.class_texts((0, 1, 3)))
    for i, text in enumerate(drawn):
        assert (wrapped.classes[i::4] == text).all(1).sum() == 1  # some sentence about this very class
    with pytest.raises(ValueError, match="data.templates is 'many'; it can be plain, actionclip"):
        Loader(known, clip.preprocessing, replace(DATA, templates="many"))


def test_each_clip_may_have_its_class_in_a_sentence_of_its_own(clip):
    classes, labels = ("up", "down", "left", "right"), [3, 0, 0, 1, 0, 0]
    clips = tuple(VideoItem(str(i), Path(str(i)), label=label) for i, label in enumerate(labels))
    known = VideoSet("known", "train", "recognition", clips, classes)
    loader = Loader(known, clip.preprocessing, replace(DATA, templates="actionclip"))
    whole = loader.own_texts(np.arange(6), (0, 1))
    for label, text in zip(labels, whole, strict=True):
        assert (loader.classes[label::4] == text).all(1).any()
    assert len(whole[[1, 2, 4, 5]].unique(dim=0)) > 1  # one class, several sentences
    assert torch.equal(loader.own_texts(np.array([4, 1]), (0, 1)), whole[[4, 1]])
    assert not torch.equal(loader.own_texts(np.arange(6), (0, 2)), whole)
