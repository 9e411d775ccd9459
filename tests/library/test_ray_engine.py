"""Indexing by two workers of a local Ray cluster: the same rows as without, whatever breaks or dies."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from stan.config import ModelConfig
from stan.library import Library
from stan.library import ray_engine as clusters
from stan.models.dual_encoder import DualEncoder, build
from tests.support.small_clips import write_clip

ray = pytest.importorskip("ray", reason="Ray is the optional extra `cluster`")
pytestmark = pytest.mark.timeout(600)

COLOURS = [(220, 30, 30), (30, 220, 30), (30, 30, 220), (200, 200, 0), (0, 200, 200)]
LONG = 40


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def tiny() -> DualEncoder:
    torch.manual_seed(0)
    return build(ModelConfig(pretrained="random"), frames=4).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    for i, colour in enumerate(COLOURS):
        write_clip(root / f"{i}.mp4", colour, frames=LONG if i == 0 else 12)
    (root / "broken.mp4").write_text("no video")
    return root


@pytest.fixture(scope="module")
def alone(tmp_path_factory, folder):
    """The library as one process makes it."""
    library = Library(tmp_path_factory.mktemp("alone"), tiny())
    library.add(folder)
    return library


def rows(library):
    found = library._store.rows([entry.id for entry in library.entries()])
    return {row["path"]: row for row in found}


def assert_equal(library, expected):
    found, expected = rows(library), rows(expected)
    assert found.keys() == expected.keys() and len(found) == len(COLOURS)
    for path, row in expected.items():
        assert found[path].keys() == row.keys()
        for name, value in row.items():
            if isinstance(value, list | np.ndarray):
                assert np.allclose(found[path][name], value, atol=1e-3), (path, name)
            else:
                assert found[path][name] == value, (path, name)


def counts(report):
    return report["indexed"], report["unchanged"], report["removed"]


def test_two_workers_make_the_rows_that_one_process_makes(tmp_path, folder, alone):
    library = Library(tmp_path / "library", tiny())
    told = []
    report = library.add(folder, lambda *seen: told.append(seen[:2]), engine="ray")
    assert counts(report) == (5, 0, 0) and told == [(i, 6) for i in range(6)]
    (skipped,) = report["skipped"]
    assert skipped["file"] == "broken.mp4" and skipped["reason"] and skipped["remedy"]
    assert report["seconds_waiting"] > 0
    assert_equal(library, alone)
    assert counts(library.add(folder, engine="ray")) == (0, 5, 0)


def test_bytes_whose_row_is_replaced_meanwhile_are_embedded_after_all(tmp_path, folder):
    """Two files change places: the workers know both hashes, but one's row is replaced by the other's."""
    videos = shutil.copytree(folder, tmp_path / "videos")
    library = Library(tmp_path / "library", tiny())
    library.add(videos, engine="ray")
    contents = [(videos / name).read_bytes() for name in ("1.mp4", "2.mp4")]
    for name, content in zip(("2.mp4", "1.mp4"), contents, strict=True):
        (videos / name).write_bytes(content)
    assert counts(library.add(videos, engine="ray")) == (1, 4, 0)
    fresh = Library(tmp_path / "fresh", tiny())
    fresh.add(videos)
    assert_equal(library, fresh)


def test_a_list_of_addresses_is_embedded_by_the_workers(tmp_path, folder, alone):
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"{file.as_uri()}\n" for file in folder.iterdir()))
    library = Library(tmp_path / "library", tiny())
    report = library.add(listed, engine="ray", jobs=1)
    assert counts(report) == (5, 0, 0) and [one["file"] for one in report["skipped"]] == [
        str(folder / "broken.mp4")
    ]
    found = {path: row["video"] for path, row in rows(library).items()}
    for path, row in rows(alone).items():
        assert np.allclose(found[path], row["video"], atol=1e-3)


def killing(model: DualEncoder, marker: Path, dies: Callable[[torch.Tensor, int], bool]) -> DualEncoder:
    """A model that kills its process where `dies(video, times that it has done so)`."""
    levels = type(model.encoder).levels

    def levels_or_death(video):
        if dies(video, len(marker.read_bytes())):
            with marker.open("ab") as stream:
                stream.write(b".")
            os.kill(os.getpid(), signal.SIGKILL)
        return levels(model.encoder, video)

    marker.touch()
    model.encoder.levels = levels_or_death
    return model


def test_a_killed_workers_videos_are_embedded_by_another(tmp_path, folder, alone):
    marker = tmp_path / "died"
    library = Library(tmp_path / "library", killing(tiny(), marker, lambda video, times: times < 1))
    assert counts(library.add(folder, engine="ray")) == (5, 0, 0)
    assert marker.read_bytes().startswith(b".")
    assert_equal(library, alone)


def test_a_video_that_kills_every_worker_is_skipped_and_its_neighbours_are_not(tmp_path, folder, monkeypatch):
    """All videos go to one worker at once; then, since it is lost, one by one."""
    monkeypatch.setattr(clusters, "RETRIES", 0)
    monkeypatch.setattr(clusters, "BLOCKS_PER_WORKER", 1)
    model = killing(tiny(), tmp_path / "died", lambda video, times: video.shape[1] > 4)
    report = Library(tmp_path / "library", model).add(folder, engine="ray", jobs=1)
    assert counts(report) == (4, 0, 0) and (tmp_path / "died").read_bytes() == b".."
    reasons = {one["file"]: one["reason"] for one in report["skipped"]}
    assert reasons.keys() == {"0.mp4", "broken.mp4"} and "worker" in reasons["0.mp4"]
