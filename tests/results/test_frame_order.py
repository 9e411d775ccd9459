"""Frames rearranged: which ones are shown, and what a model scores that reads the first frame alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stan.config import DataConfig, Experiment
from stan.data.datasets import VideoItem, VideoSet
from stan.data.loader import Loader
from stan.data.preprocessing import PixelSettings, Preprocessing
from stan.evaluation.frame_order import arrangements
from stan.models.similarity.cosine import Cosine
from stan.models.text_tower import TextOutput
from stan.models.video_encoder import VideoOutput
from stan.report import study_figures
from stan.results import frame_order

CLIPS, FRAMES = 3, 4


class FirstFrame(nn.Module):
    """Text i and a video whose first frame shows i have the same embedding."""

    def __init__(self):
        super().__init__()
        self.similarity, self.device = Cosine(None), torch.device("cpu")

    def encode_text(self, ids):
        text = F.one_hot(ids[:, 0], FRAMES).float()
        return TextOutput(text[:, None], text, torch.ones(len(text), 1, dtype=torch.bool))

    def encoder(self, video):
        found = F.one_hot(video[:, 0, 0, 0, 0].long(), FRAMES).float()
        return VideoOutput(found[:, None], found, torch.ones(len(found), 1, dtype=torch.bool))


@pytest.fixture
def probed(monkeypatch):
    """probed(...) -> document; clip i shows i first, (i + 1) % 3 last and 3 between."""
    clips = tuple(VideoItem(f"clip{i}", Path(), (str(i),)) for i in range(CLIPS))
    reads = Preprocessing(PixelSettings(size=1), lambda texts, words: torch.tensor([[int(t)] for t in texts]))
    loader = Loader(VideoSet("known", "test", "retrieval", clips), reads, DataConfig(frames=FRAMES))
    shown = torch.tensor([[i, 3, 3, (i + 1) % CLIPS] for i in range(CLIPS)]).float()
    loader._video = lambda i, rng=None: shown[None, i, :, None, None, None]
    experiment = Experiment("components", "stan")
    monkeypatch.setattr(frame_order, "stored", lambda run, tricks: (FirstFrame(), experiment))
    monkeypatch.setattr(frame_order, "open_split", lambda *given, **named: loader)
    return lambda *given: frame_order.probe(Path("a/b/c/d"), *given)


def test_every_arrangement_takes_the_frames_it_says():
    orders = arrangements(8, 5, seed=1)
    assert list(orders) == ["as given", "shuffled", "reversed", "frozen", "1 frame", "2 frames", "4 frames"]
    shown = {name: order[2].tolist() for name, order in orders.items()}
    assert shown["as given"] == list(range(8)) and shown["reversed"] == list(range(8))[::-1]
    assert shown["frozen"] == [3] * 8 and shown["1 frame"] == [3]
    assert shown["2 frames"] == [1, 5] and shown["4 frames"] == [0, 2, 4, 6]
    shuffled = orders["shuffled"]
    assert (np.sort(shuffled, axis=1) == np.arange(8)).all() and len(np.unique(shuffled, axis=0)) > 1
    assert (shuffled == arrangements(8, 5, seed=1)["shuffled"]).all()
    assert (shuffled != arrangements(8, 5, seed=2)["shuffled"]).any()


def test_a_model_of_the_first_frame_is_lost_when_it_moves(probed):
    found = probed()
    rows = {row["arrangement"]: row for row in found["arrangements"]}
    assert {name: row["value"] for name, row in rows.items() if name != "shuffled"} == {
        "as given": 100, "reversed": 0, "frozen": 0, "1 frame": 0, "2 frames": 100,
    }  # fmt: skip
    assert (rows["reversed"]["change"], rows["reversed"]["lost"], rows["reversed"]["won"]) == (-100, 3, 0)
    assert rows["as given"]["interval"] == [0, 0] and rows["2 frames"]["frames"] == 2
    assert [query["as given"] for query in found["queries"]] == [1, 1, 1]
    assert [query["frozen"] for query in found["queries"]] == [2, 2, 2]  # all the same: ties
    assert (found["queries"][0]["query"], found["headline"]) == ("clip0", "t2v.R@1")


def test_a_bank_has_no_frames_to_rearrange(probed):
    with pytest.raises(ValueError, match="can't take qbnorm"):
        probed("test", "worlds", ("qbnorm",))


def test_the_figure_has_a_place_for_every_arrangement(probed):
    rows = pd.DataFrame(probed()["arrangements"])
    low, high = zip(*rows["value_interval"], strict=True)
    figure = study_figures.time_probes(rows.assign(run="stan, seed 0", low=low, high=high), "R@1")
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == rows["arrangement"].tolist()
    assert axes.lines[0].get_xdata().tolist() == rows["value"].tolist()
