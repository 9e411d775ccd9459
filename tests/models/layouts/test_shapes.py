"""Released files with a tensor of another shape: one line that names it, whatever the layout does with its tensors."""

from __future__ import annotations

import json
import re

import pytest
import torch

from stan.models import layouts
from stan.models.convert import convert
from tests.support.peers import PEERS, released, weights

SETS = sorted(folder.name for folder in PEERS.iterdir() if folder.name != "mug_heads")
CHANGES = {
    "flat": torch.flatten,
    "a half": lambda x: x[: max(1, len(x) // 2)],
    "nothing": lambda x: x[:0],
    "one channel": lambda x: x[..., :1],
    "one more dimension": lambda x: x[None],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_another_shape_is_an_error_that_names_a_tensor_or_left_to_the_model(name):
    """Shapes that a layout doesn't look at are compared with the model's later, see `checkpoint.fill`."""
    state, told = weights(name), json.loads((PEERS / name / "config.json").read_text())
    one_of_a_kind = {re.sub(r"\d+", "", key): key for key in sorted(state, reverse=True)}  # of block 0
    for key in one_of_a_kind.values():
        for change in CHANGES.values() if state[key].ndim else ():
            changed = {other: value.clone() for other, value in state.items()} | {key: change(state[key])}
            try:
                layouts.convert(changed, told)
            except ValueError as error:
                assert re.search("shape|lacks|table of times|positions|tubelets|counterpart", str(error))


@pytest.mark.parametrize(
    ("name", "key", "words"),
    [
        ("timesformer_divided", "pos_embed", r"another shape of pos_embed \(\d+,\) than TimeSformer"),
        ("evl", "backbone.blocks.1.attn.k_proj.weight", r"blocks\.1\.attn\.q_proj.*blocks\.1\.attn\.k_proj"),
        (
            "vtn",
            "temporal_encoder.encoder.layer.0.attention.self.key.weight",
            r"layer\.0\..*key\.weight \(\d+,\)",
        ),
        ("token_learner", "embedding/kernel", r"another shape of embedding/kernel \(\d+,\)"),
    ],
)
def test_the_tensor_is_named_and_nothing_is_written(tmp_path, name, key, words):
    state = weights(name)
    file = released(tmp_path, name, state | {key: state[key].flatten()})
    with pytest.raises(ValueError, match=rf"released\.pth: has {words}|{words}"):
        convert(file, tmp_path / "out" / "ours.safetensors")
    assert not (tmp_path / "out").exists()


def test_a_bias_that_would_be_spread_is_refused(tmp_path):
    state = weights("motionformer")
    file = released(tmp_path, "motionformer", state | {"patch_embed_3d.proj.bias": torch.ones(1)})
    with pytest.raises(ValueError, match=r"another shape of the patches' bias, \(1,\)"):
        convert(file, tmp_path / "ours.safetensors")


@pytest.mark.parametrize(("name", "part"), [("actionclip", "fusion"), ("vtn", "temporal")])
def test_settings_of_a_part_are_an_object(tmp_path, name, part):
    file = released(tmp_path, name, weights(name))
    told = json.loads((PEERS / name / "config.json").read_text()) | {part: 3}
    (tmp_path / "config.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match=rf"released\.pth: .*config .* {part} is 3; it must be an object"):
        convert(file, tmp_path / "ours.safetensors")


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [("actionclip_tsm", "divisor", 4), ("all_in_one", "share", 1 / 4)],
)
def test_a_flag_counts_at_the_top_and_under_flags(name, option, value):
    told = json.loads((PEERS / name / "config.json").read_text())
    for settings in (told, told.get("flags", {})):
        settings.pop("n_div", None)
    for with_flag in (told | {"n_div": 4}, told | {"flags": told.get("flags", {}) | {"n_div": 4}}):
        assert layouts.convert(weights(name), with_flag).design["options"][option] == value
