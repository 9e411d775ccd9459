"""The study's table from hand-made maps, where a made world's objects are, and the whole on a few clips."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from stan import cli
from stan.config import ModelConfig
from stan.data.video.sampling import segments
from stan.data.world.render import HEIGHT, WIDTH, Background, Scene, Track, cover
from stan.data.world.suites import plans
from stan.data.world.writer import MARKER, encode
from stan.explain.explanation import Map
from stan.explain.faithfulness_study import faithfulness_study, inside, object_covers, summary
from stan.models.dual_encoder import build

CLIPS = 3


def track(x: float, opacity: float = 1.0) -> Track:
    one = np.ones(2)
    return Track("circle", x * one, 48 * one, 10 * one, 0 * one, np.zeros((2, 3)), opacity * one)


def covered(*tracks: Track) -> np.ndarray:
    return cover(Scene(Background("plain", np.zeros(3), np.ones(3), 10.0, 0.0, np.zeros((2, 2))), tracks))


def test_cover_is_the_area_of_the_shapes_together():
    alone = covered(track(30))
    assert alone.shape == (2, HEIGHT, WIDTH) and alone.max() == 1 and alone.min() == 0
    assert alone[0].sum() == pytest.approx(np.pi * 9**2, rel=0.01)  # a circle's edge lies at .9 of its radius
    np.testing.assert_allclose(covered(track(30), track(80)), alone + covered(track(80)), atol=1e-6)
    np.testing.assert_allclose(covered(track(30), track(30, 0.0)), alone, atol=1e-6)
    np.testing.assert_allclose(covered(track(30, 0.5)), alone / 2, atol=1e-6)


def test_share_of_a_map_inside():
    objects = np.array([[[1.0, 0.5], [0.0, 0.0]]])
    assert inside(np.array([[[2.0, 1.0], [1.0, 1.0]]]), objects) == pytest.approx(2.5 / 5)
    assert inside(np.zeros((1, 2, 2)), objects) == pytest.approx(1.5 / 4)


def made(values: list[float], deletion: float, insertion: float, better: bool) -> Map:
    tested = {
        "deletion": deletion,
        "insertion": insertion,
        "random_deletion": 0.5,
        "random_insertion": 0.4,
        "random_range": (0.3, 0.6),
        "better": better,
    }
    return Map("attention", "clip", np.array(values).reshape(1, 1, 2), tested, False)


def test_summary_of_hand_made_maps():
    found = [
        {"grad-eclip-both": made([1, 0], 0.2, 0.6, True), "attention-clip": made([1, 1], 0.5, 0.4, False)},
        {"grad-eclip-both": made([1, 1], 0.4, 0.2, False), "attention-clip": made([0, 1], 0.7, 0.6, False)},
    ]
    covers = [np.array([[[0.5, 0.0]]]), np.array([[[0.0, 1.0]]])]
    table = summary(found, covers)
    assert (table["random"], table["area"]) == ({"deletion": 0.5, "insertion": 0.4}, pytest.approx(0.375))
    first, raw = table["rows"]
    assert (first["map"], first["better"]) == ("grad-eclip-both", 0.5)
    assert (first["deletion"], first["insertion"]) == pytest.approx((0.3, 0.4))
    change = first["deletion_change"]
    assert change["change"] == pytest.approx(-0.2) and (change["won"], change["lost"]) == (2, 0)
    assert (change["low"], change["high"]) == pytest.approx((-0.3, -0.1))
    assert first["insertion_change"]["won"] == first["insertion_change"]["lost"] == 1
    assert first["inside"] == pytest.approx(0.5) and raw["inside"] == pytest.approx((0.25 + 1) / 2)
    assert first["inside_change"]["change"] == pytest.approx(0.5 - 0.375)
    assert first["inside_against_attention"]["change"] == pytest.approx(0.5 - 0.625)
    unknown = summary(found, [])
    assert unknown["area"] is None and unknown["rows"][0]["inside"] is None


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A made world's folder with a few test clips of it."""
    root = tmp_path_factory.mktemp("world")
    (root / "videos" / "test").mkdir(parents=True)
    rows = ["key,vid_key,video_id,sentence"]
    for i, plan in enumerate(plans("retrieval", "tiny")[:CLIPS]):
        encode(plan.frames(), root / "videos" / "test" / f"{plan.id}.mp4")
        rows.append(f"ret{i},{plan.id},{plan.id},{plan.captions()[0]}")
    (root / "MSRVTT_JSFUSION_test.csv").write_text("\n".join(rows) + "\n")
    (root / MARKER).write_text(json.dumps({"suite": "retrieval", "size": "tiny", "seed": 0, "version": 3}))
    return root


@pytest.fixture(scope="module")
def model():
    return build(ModelConfig(pretrained="random", temporal="stan"), 4).eval()


def test_objects_are_found_where_the_model_sees_them(world, model):
    """Every patch's share is that of the middle of the picture, which the model's centre crop keeps."""
    plan = plans("retrieval", "tiny")[0]
    patches = object_covers(world)(plan.id, model)
    assert patches.shape == (4, 4, 4)
    whole = np.concatenate([cover(scene) for scene in plan.scenes()])[segments(24, 4)]
    crop = whole[:, :, (WIDTH - HEIGHT) // 2 : (WIDTH + HEIGHT) // 2]
    np.testing.assert_allclose(patches, crop.reshape(4, 4, 24, 4, 24).mean((2, 4)), atol=0.02)
    assert patches.max() > 0.3


def test_objects_are_found_in_frames_that_are_read_whole(world, model, monkeypatch):
    """Squashed, every patch's share is that of a patch of the whole picture; padding holds no object."""
    plan = plans("retrieval", "tiny")[0]
    whole = np.concatenate([cover(scene) for scene in plan.scenes()])[segments(24, 4)]
    settings = model.clip.pixels
    monkeypatch.setattr(model.clip, "pixels", replace(settings, resize_mode="squash"))
    squashed = object_covers(world)(plan.id, model)
    shares = whole.reshape(4, 4, HEIGHT // 4, 4, WIDTH // 4).mean((2, 4))
    np.testing.assert_allclose(squashed, shares, atol=0.02)
    monkeypatch.setattr(model.clip, "pixels", replace(settings, resize_mode="longest", fill_color=255))
    padded = object_covers(world)(plan.id, model)
    assert padded.mean() == pytest.approx(whole.mean() * HEIGHT / WIDTH, abs=0.005)


def test_patches_that_do_not_divide_the_frame_have_covers_too(world, model, monkeypatch):
    """As those of SO400M at 384 pixels, whose 27 x 27 patches have 14 pixels a side."""
    monkeypatch.setattr(model.clip, "grid", (5, 5))
    plan = plans("retrieval", "tiny")[0]
    assert object_covers(world)(plan.id, model).shape == (4, 5, 5)


@pytest.mark.slow
def test_the_whole_study(world, model):
    counted = []
    found = faithfulness_study(
        model, f"world/retrieval:{world}", steps=2, draws=2, progress=lambda *count: counted.append(count)
    )
    assert (found["clips"], counted[-1]) == (CLIPS, (CLIPS, CLIPS))
    assert [row["map"] for row in found["rows"]][:3] == [
        "grad-eclip-both",
        "grad-eclip-clip",
        "grad-eclip-branch",
    ]
    assert 0 < found["area"] < 0.3
    for row in found["rows"]:
        assert 0 <= row["inside"] <= 1 and row["deletion_change"]["low"] <= row["deletion_change"]["high"]
    fewer = faithfulness_study(model, f"world/retrieval:{world}", clips=2, steps=2, draws=2)
    assert fewer["clips"] == 2


@pytest.mark.slow
def test_on_the_command_line(world, model, monkeypatch, capsys):
    import stan

    monkeypatch.setattr(stan, "load_model", lambda name: model, raising=False)
    command = ["faithfulness", "--data", f"world/retrieval:{world}", "--clips", "2"]
    assert cli.run([*command, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["clips"] == 2 and document["model"] == "stan-tiny" and len(document["rows"]) == 9
    assert cli.run(command) == 0
    printed = capsys.readouterr().out
    assert "objects cover" in printed and "gradient-attention-both" in printed


def test_classes_are_no_captions(tmp_path, capsys):
    (tmp_path / "label_map_k400.txt").write_text("running\nswimming\n")
    (tmp_path / "kinetics400_test_list_videos.txt").write_text("")
    assert cli.run(["faithfulness", "--data", f"kinetics:{tmp_path}"]) == 2
    assert "captions" in capsys.readouterr().err
