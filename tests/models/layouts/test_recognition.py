"""Files of methods for recognition, such as X-CLIP: as their authors save them, and with what they can't be."""

from __future__ import annotations

import json
import re
import sys
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file

import stan
from stan.bench.parity.golden import read
from stan.data.preprocessing import PixelSettings
from stan.models.convert import convert, load_released
from stan.models.similarity.cosine import Cosine
from tests.support.peers import PEERS, released, weights

SETS = {
    "x_clip": "the released X-CLIP",
    "actionclip": "the released ActionCLIP (Transf)",
    "actionclip_conv1d": "the released ActionCLIP (Conv_1D)",
    "actionclip_tsm": "the released ActionCLIP (tsm, meanP)",
    "text4vis": "Text4Vis (Transf)",
    "bike": "BIKE",
    "st_adapter": "the released ST-Adapter",
    "st_adapter_both": "the released ST-Adapter",
    "aim": "the released AIM",
    "aim_sthv2": "the released AIM",
    "evl": "the released EVL",
    "uniformer_v2": "UniFormerV2",
    "uniformer_v2_frozen": "UniFormerV2",
    "uniformer_v2_sthv2": "UniFormerV2",
}
WRAPPERS = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "module": lambda state: {"model": {f"module.{key}": value for key, value in state.items()}},
    "model": lambda state: {f"model.{key}": value for key, value in state.items()},
}


def expected(name: str) -> torch.Tensor:
    io = read(PEERS / name).io
    if name.startswith("aim"):
        return io["frame_features"].mean(1)
    if name == "bike":
        return io["fused_frames"].mean(1)
    return io["features"] if name.startswith(("evl", "uniformer_v2")) else io["video_embedding"]


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("name", SETS)
@torch.no_grad()
def test_a_converted_file_gives_the_released_embeddings(tmp_path, name, wrapper):
    file = released(tmp_path, name, WRAPPERS[wrapper](weights(name)))
    report = convert(file, tmp_path / "ours.safetensors")
    assert report["layout"] == SETS[name]
    found = stan.load_model(tmp_path / "ours.safetensors").encode_video(read(PEERS / name).io["video"]).video
    torch.testing.assert_close(found, expected(name), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_what_does_not_fit_is_named_and_nothing_is_written(tmp_path, name):
    state, target = weights(name), tmp_path / "out" / "ours.safetensors"
    unused = "fusion_model_state_dict.module.frame_position_embeddings.weight" if "conv1d" in name else None
    for lacking in sorted(state.keys() - {unused})[::6]:
        file = released(tmp_path, name, {key: value for key, value in state.items() if key != lacking})
        with pytest.raises(ValueError, match="lacks|misses|names are of no layout"):
            convert(file, target)
    prefix = re.split("visual|class|blocks", next(iter(state)))[0]
    with pytest.raises(ValueError, match=r"has no counterpart|has unknown|belongs to another model"):
        convert(released(tmp_path, name, state | {f"{prefix}surprise.weight": torch.ones(1)}), target)
    wide = next(key for key in state if key.endswith(("mlp.c_fc.weight", "mlp.fc1.weight")))
    with pytest.raises(ValueError, match="has another shape of"):
        convert(released(tmp_path, name, state | {wide: torch.cat([state[wide]] * 2)}), target)
    assert not target.parent.exists()


@pytest.mark.parametrize(
    ("name", "key"), [("x_clip", "mit.positional_embedding"), ("aim", "backbone.temporal_embedding")]
)
def test_times_of_two_videos_are_none(tmp_path, name, key):
    state = weights(name)
    file = released(tmp_path, name, state | {key: torch.cat([state[key]] * 2)})
    with pytest.raises(ValueError, match="has another shape of encoder.temporal"):
        load_released(file)


def test_methods_do_not_take_each_others_files(tmp_path):
    """A mixture of two files is neither."""
    for name, other in (("x_clip", "aim"), ("st_adapter", "x_clip"), ("aim", "actionclip")):
        with pytest.raises(ValueError, match="has no counterpart"):
            convert(released(tmp_path, name, weights(name) | weights(other)), tmp_path / "ours.safetensors")


def test_sizes_are_not_what_the_config_says_but_heads_are(tmp_path):
    file = released(tmp_path, "x_clip", weights("x_clip"))
    (tmp_path / "config.json").unlink()
    with pytest.raises(ValueError, match="48 wide and holds no heads of 64 channels"):
        load_released(file)
    heads = {"vision": {"heads": 3}, "text": {"heads": 2}, "mit_heads": 4, "prompts_heads": 2}
    (tmp_path / "config.json").write_text(json.dumps(heads))
    model = load_released(file)
    assert model.temporal.integration.blocks[0].self_attn.num_heads == 4
    assert model.score.layers[0].heads == 2 and model.frames == 5


def test_actionclips_own_form_in_half_precision(tmp_path):
    """Two dicts beside each other, the matrices of CLIP's in half precision."""
    state = weights("actionclip")
    of_clip, fusion = (
        {key.removeprefix(start): value for key, value in state.items() if key.startswith(start)}
        for start in ("model_state_dict.", "fusion_model_state_dict.")
    )
    half = {key: value.half() if value.ndim > 1 else value for key, value in of_clip.items()}
    content = {"epoch": 1, "model_state_dict": half, "fusion_model_state_dict": fusion}
    file = released(tmp_path, "actionclip", content | {"optimizer_state_dict": {"state": {}}})
    report = convert(file, tmp_path / "ours.safetensors")
    assert report["dtypes"] == ["float32"] and report["temporal"] == "actionclip"
    model = stan.load_model(tmp_path / "ours.safetensors")
    assert torch.equal(model.clip.visual.proj, half["visual.proj"].float())
    alone = convert(
        released(tmp_path, "actionclip", content | {"fusion_model_state_dict": {}}),
        tmp_path / "mean.safetensors",
    )
    assert alone["temporal"] == "mean" and alone["layout"] == "the released ActionCLIP (meanP)"


def test_x_clips_own_form_with_its_settings_beside_the_weights(tmp_path, monkeypatch):
    """A `CfgNode` of yacs stands beside the weights: it is named, never loaded, and the weights alone convert."""

    class CfgNode(dict):
        def __init__(self, values):
            super().__init__(values)
            self.__dict__["__immutable__"] = True

    CfgNode.__module__, CfgNode.__qualname__ = "yacs.config", "CfgNode"
    monkeypatch.setitem(sys.modules, "yacs", ModuleType("yacs"))
    monkeypatch.setitem(sys.modules, "yacs.config", ModuleType("yacs.config"))
    sys.modules["yacs.config"].CfgNode = CfgNode
    settings = CfgNode({"MODEL": CfgNode({"ARCH": "ViT-B/32"})})
    content = {"model": weights("x_clip"), "config": settings, "max_accuracy": 80.4, "epoch": 29}
    file = released(tmp_path, "x_clip", content)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="also holds a yacs.config.CfgNode.*save the dict of tensors alone"):
        load_released(file)
    assert load_released(released(tmp_path, "x_clip", {"model": content["model"]})).frames == 5


@pytest.mark.parametrize("name", ["st_adapter", "st_adapter_both"])
@torch.no_grad()
def test_adapters_alone_need_a_clip(tmp_path, name):
    state, golden = weights(name), read(PEERS / name)
    trained = {key: value for key, value in state.items() if "adapter" in key or key.startswith("fc.")}
    assert len(trained) == golden.settings["trained"]
    file = released(tmp_path, name, {"model": trained, "optimizer": {}, "next_epoch": 3})
    with pytest.raises(ValueError, match="beside a frozen CLIP, without the CLIP: name it"):
        load_released(file)
    tower = {f"visual.{key}": value for key, value in state.items() if key not in trained}
    clip = released(tmp_path / "clip", name, tower)
    convert(file, tmp_path / "ours.safetensors", clip=str(clip))
    model = stan.load_model(tmp_path / "ours.safetensors")
    video = model.encode_video(golden.io["video"])
    logits = model.logit_scale.exp() * model.score.of_classes(model.score.classes, video)
    torch.testing.assert_close(logits, golden.io["logits"], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_evls_decoder_alone_needs_a_clip(tmp_path):
    """As released: CLIP was frozen, and isn't in the file."""
    state, golden = weights("evl"), read(PEERS / "evl")
    trained = {f"module.{key}": value for key, value in state.items() if not key.startswith("backbone.")}
    file = released(tmp_path, "evl", {"model": trained, "optimizer": {}, "lr_sched": {}, "next_step": 50000})
    with pytest.raises(ValueError, match="beside a frozen CLIP, without the CLIP: name it"):
        load_released(file)
    clip = load_released(PEERS / "evl" / "checkpoint.safetensors").clip
    of_clip = {key: value for key, value in clip.state_dict().items() if key.startswith("visual.")}
    of_clip["visual.ln_post.weight"] = torch.zeros_like(of_clip["visual.ln_post.weight"])  # never read
    model = load_released(file, clip=str(released(tmp_path / "clip", "evl", of_clip)))
    video = model.encode_video(golden.io["video"])
    logits = model.logit_scale.exp() * model.score.of_classes(model.score.classes, video)
    torch.testing.assert_close(logits, golden.io["logits"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["uniformer_v2", "uniformer_v2_sthv2"])
@torch.no_grad()
def test_mmaction2_names_uniformer_v2s_classifier_in_its_own_way(tmp_path, name):
    theirs = {"proj.0.": "norm.", "backbone.transformer.proj.2.": "cls_head.fc_cls."}
    state = {
        next((key.replace(old, new) for old, new in theirs.items() if old in key), key): value
        for key, value in weights(name).items()
    }
    state |= {"data_preprocessor.mean": torch.full((3, 1, 1, 1), 114.75)}
    assert {"backbone.transformer.norm.weight", "cls_head.fc_cls.weight"} <= state.keys()
    model, golden = load_released(released(tmp_path, name, {"state_dict": state})), read(PEERS / name)
    video = model.encode_video(golden.io["video"])
    logits = model.logit_scale.exp() * model.score.of_classes(model.score.classes, video)
    torch.testing.assert_close(logits, golden.io["logits"], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_a_bike_is_told_from_actionclip_by_the_config_of_its_training(tmp_path):
    """Its names are ActionCLIP's; the source's config.yaml says what compares videos and texts."""
    io, told = read(PEERS / "bike").io, json.loads((PEERS / "bike" / "config.json").read_text())
    file = released(tmp_path, "bike", weights("bike"))
    sizes = {key: told[key] for key in ("vision", "text", "fusion")}
    (tmp_path / "config.json").write_text(json.dumps(sizes))
    assert isinstance(load_released(file).score, Cosine)
    (tmp_path / "config.json").unlink()
    of_training = {"network": {"sim_header": "Transf", "interaction": "VCS"}, "data": {"num_segments": 5}}
    (tmp_path / "config.yaml").write_text(json.dumps(sizes | of_training))
    model = load_released(file)
    assert model.frames == 5
    (tmp_path / "config.yaml").write_text(json.dumps(sizes | of_training | {"data": {"num_segments": "5"}}))
    with pytest.raises(ValueError, match="num_segments is '5'; it must be a whole number"):
        load_released(file)
    found = model.similarity(model.encode_text(io["token_ids"]), model.encode_video(io["video"]))
    torch.testing.assert_close(found.T, io["similarity"], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_a_bike_without_fusion_averages_clips_own_frames(tmp_path):
    io = read(PEERS / "bike").io
    state = {key: value for key, value in weights("bike").items() if not key.startswith("fusion")}
    model = load_released(released(tmp_path, "bike", state))
    found = model.similarity(model.encode_text(io["token_ids"]), model.encode_video(io["video"]))
    torch.testing.assert_close(found.T, io["similarity_without_fusion"], rtol=1e-5, atol=1e-5)


def test_what_a_config_says_of_uniformer_v2(tmp_path):
    file = released(tmp_path, "uniformer_v2_sthv2", weights("uniformer_v2_sthv2"))
    told = json.loads((tmp_path / "config.json").read_text())
    assert load_released(file).clip.visual.frames_before == 1
    (tmp_path / "config.json").unlink()
    of_tower = "vision: {heads: 4}\nUNIFORMERV2:\n  N_HEAD: 4\n"
    (tmp_path / "config.yaml").write_text(f"{of_tower}DATA:\n  NUM_FRAMES: 16\nSOLVER:\n  BASE_LR: 4e-4\n")
    assert load_released(file).frames == 16
    (tmp_path / "config.yaml").write_text(f"{of_tower}DATA: 16\n")
    with pytest.raises(ValueError, match=r"config\.yaml: DATA is 16; it must be an object"):
        load_released(file)
    early = {"UNIFORMERV2": told["UNIFORMERV2"] | {"RETURN_LIST": [0, 1]}}  # what is JSON counts first
    (tmp_path / "config.json").write_text(json.dumps(told | early))
    with pytest.raises(ValueError, match=r"RETURN_LIST=\[0, 1\]; here it can only be \[1, 2\]"):
        load_released(file)


@torch.no_grad()
def test_evl_without_a_part_has_none(tmp_path):
    """Its code can leave out each of the three parts that bring time into the levels."""
    parts = {"temporal_conv": "convolution", "temporal_pos_embed": "times", "cross_attention": "matches"}
    for theirs, ours in parts.items():
        state = {key: value for key, value in weights("evl").items() if f".{theirs}." not in key}
        report = convert(released(tmp_path, "evl", state), tmp_path / "ours.safetensors")
        assert {part for part in parts.values() if not report["branch"][part]} == {ours}
        assert stan.load_model(tmp_path / "ours.safetensors").frames == 5


def test_the_bias_of_evls_patches_lies_in_their_positions(tmp_path):
    state = weights("evl")
    bias = torch.arange(32.0)
    file = released(tmp_path, "evl", state | {"backbone.patch_embed.proj.bias": bias})
    positions = load_released(file).clip.visual.positional_embedding
    torch.testing.assert_close(positions[1:] - state["backbone.pos_embed"][1:], bias.expand(16, -1))
    assert torch.equal(positions[0], state["backbone.pos_embed"][0])


def test_adapters_may_start_at_a_later_block(tmp_path):
    state = weights("st_adapter_both")
    first = {key for key in state if key.startswith("transformer.resblocks.0.adapter")}
    file = released(
        tmp_path, "st_adapter_both", {key: value for key, value in state.items() if key not in first}
    )
    method = load_released(file).temporal
    assert method.changes_from == 1 and len(method.before_attention) == len(method.before_mlp) == 2
    theirs = state["transformer.resblocks.1.adapter_pre_attn.fc1.weight"]
    assert torch.equal(method.before_attention[0].down.weight, theirs)


@pytest.mark.parametrize("bottleneck", [5, 7, 13, 49])
def test_aims_bottleneck_may_have_any_width(tmp_path, bottleneck):
    state = weights("aim")
    for key in state:
        if "D_fc1" in key:
            state[key] = state[key].new_zeros(bottleneck, *state[key].shape[1:])
        elif key.endswith("D_fc2.weight"):
            state[key] = state[key].new_zeros(len(state[key]), bottleneck)
    model = load_released(released(tmp_path, "aim", state))
    assert model.temporal.within[0].down.out_features == bottleneck


def test_aims_scale_comes_from_the_config_or_else_from_its_releases(tmp_path):
    for name, said, scale in (("aim", None, 0.5), ("aim_sthv2", None, 1.0), ("aim", 0.7, 0.7)):
        file = released(tmp_path, name, weights(name))
        config = {"vision": {"heads": 4}} | ({} if said is None else {"adapter_scale": said})
        (tmp_path / "config.json").write_text(json.dumps(config))
        assert load_released(file).temporal.scale == scale


HUGGINGFACE = {
    "visual.transformer.resblocks.": "vision_model.encoder.layers.",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1": "vision_model.embeddings.patch_embedding",
    "visual.ln_pre": "vision_model.pre_layernorm",
    "visual.ln_post": "vision_model.post_layernorm",
    "visual.proj": "visual_projection.weight",
    "mit.positional_embedding": "mit.position_embedding",
    "mit.resblocks.": "mit.encoder.layers.",
    "prompts_generator.norm.": "prompts_generator.layernorm.",
    "prompts_visual_ln": "prompts_visual_layernorm",
    "prompts_visual_proj": "prompts_visual_projection",
    "transformer.resblocks.": "text_model.encoder.layers.",
    "token_embedding": "text_model.embeddings.token_embedding",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final": "text_model.final_layer_norm",
    "text_projection": "text_projection.weight",
}
PARTS = {
    ".ln_1.": ".layer_norm1.",
    ".ln_2.": ".layer_norm2.",
    ".mlp.c_fc.": ".mlp.fc1.",
    ".mlp.c_proj.": ".mlp.fc2.",
    ".attn.": ".self_attn.",
}


def huggingface(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same weights as `XCLIPModel` names and splits them."""
    theirs = {}
    for key, value in state.items():
        start = next((start for start in HUGGINGFACE if key.startswith(start)), "")
        name = HUGGINGFACE.get(start, "") + key.removeprefix(start)
        for ours, part in PARTS.items():
            name = name.replace(ours, part)
        if "attn.in_proj_" in name:
            for projection, third in zip("qkv", value.chunk(3), strict=True):
                theirs[name.replace("in_proj_", f"{projection}_proj.")] = third.clone()
        else:
            theirs[name] = value.T.contiguous() if name.endswith("l_projection.weight") else value
    theirs["text_projection.weight"] = state["text_projection"].T.contiguous()
    return theirs


@torch.no_grad()
def test_hugging_faces_x_clip(tmp_path):
    golden = read(PEERS / "x_clip")
    save_file(huggingface(weights("x_clip")), tmp_path / "model.safetensors")
    vision = {"num_attention_heads": 3, "mit_num_attention_heads": 1, "num_frames": 5}
    config = {"vision_config": vision, "text_config": {"num_attention_heads": 2}}
    (tmp_path / "config.json").write_text(json.dumps(config | {"prompt_num_attention_heads": 1}))
    report = convert(tmp_path / "model.safetensors", tmp_path / "ours.safetensors")
    assert report["layout"] == "X-CLIP in Hugging Face's layout"
    model = stan.load_model(tmp_path / "ours.safetensors")
    text, video = model.encode_text(golden.io["token_ids"]), model.encode_video(golden.io["video"])
    logits = model.logit_scale.exp() * model.similarity(text, video).T
    torch.testing.assert_close(logits, golden.io["logits"], rtol=1e-5, atol=1e-5)


def test_transformers_own_x_clip(tmp_path):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128, "hidden_size": 32}
    vision = {"image_size": 32, "patch_size": 8, "num_frames": 3, "mit_hidden_size": 24}
    vision |= {"mit_intermediate_size": 96, "mit_num_hidden_layers": 2, "mit_num_attention_heads": 3}
    config = transformers.XCLIPConfig(
        text_config=sizes | {"vocab_size": 512, "max_position_embeddings": 24},
        vision_config=sizes | vision,
        projection_dim=24,
        prompt_num_attention_heads=2,
        prompt_layers=3,
    )
    theirs = transformers.XCLIPModel(config).eval()
    torch.save(theirs.state_dict(), tmp_path / "model.pth")
    (tmp_path / "config.json").write_text(json.dumps(config.to_dict(), default=str))
    convert(tmp_path / "model.pth", tmp_path / "ours.safetensors")
    ours = stan.load_model(tmp_path / "ours.safetensors")
    ids = torch.tensor([[510, 3, 4, 511, 0, 0], [510, 5, 511, 0, 0, 0]])
    video = torch.randn(2, 3, 3, 32, 32)
    with torch.no_grad():
        expected = theirs(input_ids=ids, pixel_values=video).logits_per_video
        scores = ours.similarity(ours.encode_text(ids), ours.encode_video(video))
    torch.testing.assert_close(ours.logit_scale.exp() * scores.T, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["x_clip", "aim"])
def test_frames_are_normalised_as_in_training(tmp_path, name):
    """X-CLIP was trained on frames normalised as ImageNet's, AIM on frames normalised as CLIP's."""
    convert(released(tmp_path, name, weights(name)), tmp_path / "ours.safetensors")
    clip = stan.load_model(tmp_path / "ours.safetensors").clip
    known = {"x_clip": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), "aim": ()}
    assert clip.pixels == PixelSettings(*known[name], size=clip.image_size)
