"""Costs against the paper's printed numbers, against a formula worked out by hand, and what they are made of."""

import json

import pytest

from stan import cli
from stan.bench import flops
from stan.bench.flops import cost, of_model
from stan.config import ModelConfig
from stan.models.factory import PRESETS


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "layers", "of_8", "of_16"),
    [("stan-self-b16", 4, 593, 1187), ("stan-self-b16-k6", 6, 688, 1376)],
)
def test_linear_layers_of_three_views_are_what_the_paper_prints(preset, layers, of_8, of_16):
    """For 16 frames the paper prints twice its number for 8; counted, a view's one CLS doesn't double in the MLPs."""
    eight, sixteen = (cost(preset, frames, 3)["gmacs_linear"] for frames in (8, 16))
    assert (round(eight), round(2 * eight)) == (of_8, of_16)
    assert 2 * eight - sixteen == pytest.approx(3 * layers * 8 * 768**2 / 1e9)


@pytest.mark.slow
def test_the_parts_of_one_view_by_hand():
    """ViT-B/16: 12 blocks 768 wide, 196 patches and a CLS; 8 frames; K = 4."""
    frames, patches, d, blocks, k = 8, 196, 768, 12, 4
    parts = cost("stan-self-b16", frames)["parts"]
    tokens = frames * (1 + patches)
    tower = blocks * 12 * d * d * tokens + frames * (patches * 3 * 16 * 16 * d + d * 512)
    assert parts["clip"]["linear"] == pytest.approx(tower / 1e9)
    assert parts["clip"]["all"] == pytest.approx((tower + blocks * frames * 2 * (1 + patches) ** 2 * d) / 1e9)
    intra = 4 * d * d * tokens + 8 * d * d * (1 + frames * patches)  # the MLP sees one CLS a video
    cross = 5 * d * d * frames * patches  # queries, keys, values, output and temporal_fc
    assert parts["intra_frame"]["linear"] == pytest.approx(k * intra / 1e9)
    assert parts["cross_frame"]["linear"] == pytest.approx(k * cross / 1e9)
    assert parts["cross_frame"]["all"] == pytest.approx(k * (cross + 2 * patches * frames**2 * d) / 1e9)
    assert parts["head"] == {"linear": 0, "all": 0}
    assert 0 < parts["text"]["linear"] < parts["text"]["all"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "millions"), [("stan-self-b16", 40.2), ("stan-self-b16-k6", 60.3), ("stan-conv-b16", 29.1)]
)
def test_added_parameters(preset, millions):
    found = cost(preset)
    assert round(found["params_added"] / 1e6, 1) == millions
    assert found["params_trainable"]["clip"] == found["params_added"]
    assert found["params_trainable"]["nothing"] == found["params"] - 1  # the logit scale is a setting


@pytest.mark.slow
def test_the_convolutions_differ_in_their_cross_frame_part_alone():
    small, dense = (cost(name)["parts"] for name in ("stan-conv-b16", "stan-conv-dense-b16"))
    assert small.pop("cross_frame")["linear"] < 0.1 * dense.pop("cross_frame")["linear"]
    assert small == dense


@pytest.mark.slow
def test_the_dense_convolution_by_arithmetic():
    """27 matrices instead of three, and a projection, in each of four layers."""
    found, d = cost("stan-conv-dense-b16", 8, 3), 768
    assert round(found["params_added"] / 1e6, 1) == 94.5
    assert found["gmacs_linear"] == pytest.approx(848.56, abs=0.01)
    assert found["parts"]["cross_frame"]["linear"] == pytest.approx(3 * 4 * 28 * d * d * 8 * 196 / 1e9)


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_adds_up_and_grows_with_its_views(preset):
    one, three = cost(preset, 4), cost(preset, 4, views=3)
    for convention in ("linear", "all"):
        whole = sum(part[convention] for name, part in one["parts"].items() if name != "text")
        assert one[f"gmacs_{convention}"] == pytest.approx(whole)
        assert three[f"gmacs_{convention}"] == pytest.approx(3 * whole)
    assert one["gmacs_linear"] < one["gmacs_all"] and one["gmacs_run"] <= one["gmacs_all"]
    assert one["params"] > one["params_added"]


@pytest.mark.slow
def test_a_table_and_a_document(capsys):
    assert cli.run(["cost", "clip-b32", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["params_added"] == 0
    assert cli.run(["cost", "clip-b32"]) == 0
    assert "a video, all views" in capsys.readouterr().out


def test_an_unknown_preset_is_named(capsys):
    assert cli.run(["cost", "stan-b8"]) == 2
    assert "no preset 'stan-b8'; there are clip-tiny" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("method", ["x_clip", "aim", "center_clip", "temporal_difference"])
def test_work_is_counted_where_tensors_have_no_values(method):
    assert of_model(ModelConfig("tiny", temporal=method), frames=4)["gmacs_linear"] > 0


@pytest.mark.slow
def test_what_methods_add_is_the_difference_from_mean_pooling(monkeypatch):
    monkeypatch.setattr(
        flops, "METHODS", {name: flops.METHODS[name] for name in ("mean", "token_roll", "aim")}
    )
    found = flops.of_methods(frames=4)
    assert (
        found["temporal"]["mean"]
        == found["temporal"]["token_roll"]
        == {
            "params": 0,
            "gmacs_linear": 0,
            "gmacs_all": 0,
        }
    )
    with_aim = of_model(ModelConfig(flops.BACKBONE, temporal="aim"), 4)
    assert found["temporal"]["aim"]["params"] == with_aim["params_added"]
    assert found["similarity"]["cosine"] == {"params": 0}
    assert found["similarity"]["linear_classifier"] == {"params": (768 + 1) * 400}
