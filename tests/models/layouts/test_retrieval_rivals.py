"""Released files of retrieval rivals: told apart by names, converted, and refused by name where they do not fit."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch
from safetensors.torch import save_file

import stan
from stan.bench.parity.golden import read
from stan.models import checkpoint
from stan.models.convert import convert, load_released
from tests.support.peers import PEERS

LAYOUTS = {
    "clip4clip_meanp": "CLIP4Clip (meanP)",
    "clip4clip_seqtransf": "CLIP4Clip (seqTransf)",
    "clip4clip_tighttransf": "CLIP4Clip (tightTransf)",
    "drl_wti": "DRL (wti)",
    "clip2video_tdb_tab": "CLIP2Video",
    "centerclip_kmedoids": "CenterCLIP",
    "x_pool": "X-Pool",
    "efficient_prompt": "Efficient-Prompt",
}
SCORES = {
    "drl_wti": "full.wti",
    "centerclip_kmedoids": "exact.full.logits",
    "efficient_prompt": "logits",
    "x_pool": "logits",
}
"""The output that scores all pairs; `full.logits` elsewhere."""
WRAPPED: dict[str, Callable[[dict], dict]] = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "optimizer": {"lr": 0.1}, "epoch": 3},
    "module": lambda state: {"state_dict": {f"module.{key}": x for key, x in state.items()}, "epoch": 3},
    "model": lambda state: {"model": state, "iteration": 7},
}


@pytest.fixture(params=LAYOUTS)
def name(request):
    return request.param


@pytest.fixture
def file(name, tmp_path):
    """A released file of this kind, with its config beside it; returns what writes it with other tensors."""
    (tmp_path / "config.json").write_bytes((PEERS / name / "config.json").read_bytes())
    state = released(name)

    def written(**changed: torch.Tensor | None):
        kept = {key: x for key, x in (state | changed).items() if x is not None}
        torch.save(kept, tmp_path / "pytorch_model.bin.4")
        return tmp_path / "pytorch_model.bin.4"

    return written


def released(name: str) -> dict[str, torch.Tensor]:
    return checkpoint.load(PEERS / name / "checkpoint.safetensors")[0]


def scores(model, io) -> torch.Tensor:
    with torch.no_grad():
        return model.similarity(model.encode_text(io["token_ids"]), model.encode_video(io["video"]))


@pytest.mark.parametrize("wrapped", WRAPPED)
def test_a_converted_file_gives_the_released_scores(name, wrapped, tmp_path):
    torch.save(WRAPPED[wrapped](released(name)), tmp_path / "pytorch_model.bin.4")
    (tmp_path / "config.json").write_bytes((PEERS / name / "config.json").read_bytes())
    report = convert(tmp_path / "pytorch_model.bin.4", tmp_path / "ours.safetensors")
    assert report["layout"] == LAYOUTS[name] and report["frames"] == 6
    model, (io, _) = (
        stan.load_model(tmp_path / "ours.safetensors"),
        checkpoint.load(PEERS / name / "io.safetensors"),
    )
    found, expected = scores(model, io), io[SCORES.get(name, "full.logits")]
    if name != "drl_wti":  # its scores are cosines, the others' are logits
        found = model.logit_scale.exp() * found
    expected = expected.T if name == "efficient_prompt" else expected
    torch.testing.assert_close(found, expected, atol=1e-5 * expected.abs().max().item(), rtol=0)


def test_x_pool_on_openais_clip(tmp_path):
    """Without --huggingface, its source keeps the CLIP in OpenAI's own names."""
    model, io = load_released(PEERS / "x_pool" / "checkpoint.safetensors"), read(PEERS / "x_pool").io
    clip = {f"clip.{key.removeprefix('text.')}": x for key, x in model.clip.state_dict().items()}
    pooling = {key: x for key, x in released("x_pool").items() if key.startswith("pool_frames.")}
    torch.save({"state_dict": clip | pooling}, tmp_path / "model_best.pth")
    (tmp_path / "config.json").write_bytes((PEERS / "x_pool" / "config.json").read_bytes())
    found = scores(load_released(tmp_path / "model_best.pth"), io)
    torch.testing.assert_close(found, io["similarity"], atol=1e-5, rtol=0)


def own_tensors(name: str) -> list[str]:
    """One name each of CLIP's towers and of what the source adds, if it adds anything."""
    keys = sorted(released(name))
    added = [key for key in keys if not key.startswith(("clip.", "clipmodel."))]
    return [
        next(key for key in keys if key.endswith(("visual.ln_post.weight", "post_layernorm.weight"))),
        *added[:1],
        *added[-1:],
    ]


@pytest.mark.slow
def test_what_does_not_fit_is_named_and_nothing_is_written(name, file, tmp_path):
    target = tmp_path / "ours.safetensors"
    for key in own_tensors(name):
        with pytest.raises(ValueError, match="misses|lacks|of no layout"):
            convert(file(**{key: None}), target)
        with pytest.raises(ValueError, match="has another shape of|misses|has unknown"):
            convert(file(**{key: torch.ones(3, 2)}), target)
    with pytest.raises(ValueError, match="novelty.weight has no counterpart: this is not"):
        convert(file(**{"novelty.weight": torch.ones(1)}), target)
    assert not target.exists()


def test_another_methods_tensors_are_refused(tmp_path):
    foreign = {"visual.transformer.resblocks.0.T_Adapter.D_fc1.weight": torch.ones(2, 2)}
    save_file(released("drl_wti") | foreign, tmp_path / "mixed.safetensors")
    with pytest.raises(
        ValueError, match=r"T_Adapter.D_fc1.weight has no counterpart: this is not DRL \(wti\)"
    ):
        convert(tmp_path / "mixed.safetensors", tmp_path / "ours.safetensors")


def settings(name: str) -> dict:
    return json.loads((PEERS / name / "config.json").read_text())


def test_centerclips_own_settings_file_says_where_it_clusters(tmp_path):
    config = settings("centerclip_kmedoids")
    hparams = config.pop("flags") | {"max_frames": 6, "vision": config["vision"], "text": config["text"]}
    hparams |= {"target_frames_blocks": [6, 2, 2, 2], "cluster_num_blocks": [16, 7, 7, 7]}
    save_file(released("centerclip_kmedoids"), tmp_path / "ckpt.safetensors")
    (tmp_path / "hparams_train.json").write_text(json.dumps(hparams))
    method = load_released(tmp_path / "ckpt.safetensors").temporal
    assert (method.frames, method.segment, method.clusters, method.block) == (6, 3, 7, 1)
    assert method.normalised and method.unmasked


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"cluster_algo": "spectral"}, "cluster_algo='spectral'; here it can only be 'kmediods"),
        ({"minkowski_norm_p": 1.0}, "minkowski_norm_p=1.0"),
        ({"target_frames_blocks": [6, 6, 4, 4]}, "into segments of equal length"),
        ({"target_frames_blocks": [6, 3, 3, 1]}, r"before blocks \[1, 2, 3\]: this method merges them once"),
        ({"cluster_num_blocks": None}, "it also needs cluster_num_blocks"),
    ],
)
def test_clusterings_that_ours_does_not_have_are_named(tmp_path, flags, message):
    config = settings("centerclip_kmedoids")
    config["flags"] = {key: x for key, x in (config["flags"] | flags).items() if x is not None}
    save_file(released("centerclip_kmedoids"), tmp_path / "ckpt.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=message):
        load_released(tmp_path / "ckpt.safetensors")


def test_a_clustering_shows_in_the_config_alone(tmp_path):
    """CLIP4Clip's meanP has the same weights; without a config, the file's name for positions gives CenterCLIP away."""
    state = released("centerclip_kmedoids")
    config = settings("centerclip_kmedoids")
    for ids in (True, False):
        kept = {key: x for key, x in state.items() if ids or not key.endswith("position_ids")}
        save_file(kept, tmp_path / "ckpt.safetensors")
        (tmp_path / "config.json").write_text(json.dumps(config))
        assert load_released(tmp_path / "ckpt.safetensors").temporal.clusters == 10
    config["flags"]["cluster_inter"] = 0
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert not hasattr(load_released(tmp_path / "ckpt.safetensors").temporal, "clusters")


def test_settings_come_from_the_config_else_from_the_release(tmp_path):
    config, state = settings("efficient_prompt"), released("efficient_prompt")
    save_file(state, tmp_path / "ckpt.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({part: config[part] for part in ("vision", "text")}))
    model = load_released(tmp_path / "ckpt.safetensors")
    method = model.temporal
    assert (method.leading, method.trailing, method.blocks[0].attn.num_heads) == (16, 16, 8)
    assert model.logit_scale.exp().item() == pytest.approx(1 / 0.07)
    flags = {"prefix": 2, "postfix": 3, "tfm_heads": 2, "temperature": 0.5}
    (tmp_path / "config.json").write_text(json.dumps(config | {"flags": flags}))
    model = load_released(tmp_path / "ckpt.safetensors")
    method = model.temporal
    assert (method.leading, method.trailing, method.blocks[1].attn.num_heads) == (2, 3, 2)
    assert model.logit_scale.exp().item() == pytest.approx(2)
    (tmp_path / "config.json").write_text(json.dumps(config | {"flags": {"featnorm": 0}}))
    with pytest.raises(ValueError, match="featnorm=0; here it can only be 1"):
        load_released(tmp_path / "ckpt.safetensors")


def test_eps_comes_from_the_config_else_from_the_release(tmp_path):
    config = settings("clip4clip_seqtransf")
    save_file(released("clip4clip_seqtransf"), tmp_path / "ckpt.safetensors")
    for given, eps in (({"clip": 1e-5}, 1e-12), ({"cross, transformerClip": 1e-3}, 1e-3), (1e-4, 1e-4)):
        (tmp_path / "config.json").write_text(json.dumps(config | {"layer_norm_eps": given}))
        blocks = load_released(tmp_path / "ckpt.safetensors").temporal.blocks
        assert {blocks[1].ln_1.eps, blocks[0].ln_2.eps} == {eps}


def test_more_blocks_than_the_text_tower_has(tmp_path):
    state = released("clip4clip_seqtransf")
    third = {
        key.replace("s.1.", "s.2."): x.clone()
        for key, x in state.items()
        if key.startswith("transformerClip.resblocks.1.")
    }
    save_file(state | third, tmp_path / "ckpt.safetensors")
    (tmp_path / "config.json").write_bytes((PEERS / "clip4clip_seqtransf" / "config.json").read_bytes())
    convert(tmp_path / "ckpt.safetensors", tmp_path / "ours.safetensors")
    blocks = stan.load_model(tmp_path / "ours.safetensors").temporal.blocks
    assert len(blocks) == 3 and torch.equal(blocks[2].ln_1.weight, blocks[1].ln_1.weight)


def test_weighers_of_one_layer(tmp_path):
    state = {key: x for key, x in released("drl_wti").items() if "_weight_fc.0." not in key}
    state = {key.replace("_weight_fc.2.", "_weight_fc."): x for key, x in state.items()}
    save_file(state, tmp_path / "ckpt.safetensors")
    (tmp_path / "config.json").write_bytes((PEERS / "drl_wti" / "config.json").read_bytes())
    score = load_released(tmp_path / "ckpt.safetensors").score
    x = torch.randn(2, 48)
    expected = x @ state["text_weight_fc.weight"].T + state["text_weight_fc.bias"]
    torch.testing.assert_close(score.text(x), expected)


def test_another_similarity_leaves_the_files_own_out(tmp_path):
    source = PEERS / "drl_wti" / "checkpoint.safetensors"
    report = convert(source, tmp_path / "ours.safetensors", similarity="mug_simple")
    assert report["similarity"] == "mug_simple" and len(report["left_out"]) == 8
    assert stan.load_model(tmp_path / "ours.safetensors").temporal.normalised


def test_the_released_stan_with_its_head(tmp_path):
    golden = PEERS.parent / "stan_released_tiny"
    state = checkpoint.load(golden / "checkpoint.safetensors")[0]
    head = checkpoint.load(PEERS / "mug_heads" / "checkpoint.safetensors")[0]
    save_file(state | head, tmp_path / "ckpt.safetensors")
    (tmp_path / "config.json").write_bytes((golden / "config.json").read_bytes())
    report = convert(tmp_path / "ckpt.safetensors", tmp_path / "ours.safetensors")
    assert report["layout"] == "the released STAN with the head drl_wti" and not report["left_out"]
    score = stan.load_model(tmp_path / "ours.safetensors").score
    assert torch.equal(score.video[0].weight, head["adapter.video_weight_fc.weight"]) and score.padded_as_zero
    save_file(
        state | head | {"adapter.text_weight_fc.weight": torch.ones(1, 3)}, tmp_path / "ckpt.safetensors"
    )
    with pytest.raises(ValueError, match="has another shape of score.text.0.weight"):
        load_released(tmp_path / "ckpt.safetensors")
