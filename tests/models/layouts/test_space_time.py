"""Files of TimeSformer, ViCLIP, Frozen in Time, VTN, scenic and others that begin as a ViT: converted, refused."""

from __future__ import annotations

import json

import pytest
import torch

import stan
from stan.bench.parity.golden import read
from stan.evaluation import zero_shot
from stan.models.checkpoint import load
from stan.models.convert import convert, load_released
from tests.support.peers import PEERS, released, weights
from tests.support.small_clips import write_clip

SETS = {
    "timesformer_divided": ("TimeSformer", "features"),
    "timesformer_joint": ("TimeSformer", "features"),
    "viclip": ("ViCLIP", "video_embedding"),
    "video_clip_xl": ("VideoCLIP-XL", "video_embedding"),
    "clip_vip": ("CLIP-ViP", "video_embedding"),
    "open_vclip": ("Open-VCLIP", "video_embedding"),
    "open_vclip_step2": ("Open-VCLIP", "video_embedding"),
    "language_bind": ("LanguageBind for videos", "video_embedding"),
    "frozen_in_time": ("Frozen in Time", "video_embedding"),
    "bridge_former": ("BridgeFormer", "video_embedding"),
    "motionformer": ("Motionformer", "features"),
    "motionformer_hr": ("Motionformer", "features"),
    "all_in_one": ("All-in-one", "video_only_cls_feats"),
    "vtn": ("VTN", None),
    "token_learner": ("scenic's TokenLearner", "features"),
    "vivit_factorised_encoder": ("scenic's ViViT, factorised encoder", "features"),
    "stan_first_selfattn": ("STAN's first released code", "video_embedding"),
    "stan_first_conv": ("STAN's first released code", "video_embedding"),
}
WRAPPERS = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "model in model_state": lambda state: {"model_state": {f"model.{k}": v for k, v in state.items()}},
    "module": lambda state: {f"module.{key}": value for key, value in state.items()},
}
BRIDGES = tuple(
    f"video_model.blocks.{i}.{part}"
    for i in range(2)
    for part in ("crossattn", "bridge", "norm4", "norm5", "norm6", "norm7")
)
"""Parts of BridgeFormer's blocks that only its training runs."""
NEVER_READ = ("text_embeddings.", "backbone.timesFPN_pos", "backbone.timesFPN_cls")
NEVER_READ_OF = dict.fromkeys(("motionformer", "motionformer_hr"), ("patch_embed.proj.",)) | {
    "bridge_former": ("bridge_proj.", "text_", "video_model.norm2.", *BRIDGES)
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("name", SETS)
@torch.no_grad()
def test_a_converted_file_gives_the_released_embeddings(tmp_path, name, wrapper):
    golden, (layout, output) = read(PEERS / name), SETS[name]
    # All-in-one's random order changes nothing where nothing rolls.
    options = {"share": 0.0} if name == "all_in_one" else {}
    file = released(tmp_path, name, WRAPPERS[wrapper](weights(name)))
    report = convert(file, tmp_path / "ours.safetensors", options=options)
    assert report["layout"] == layout and report["frames"] == golden.settings["frames"]
    model = stan.load_model(tmp_path / "ours.safetensors")
    video = model.encode_video(golden.io["video"])
    if output is not None:
        torch.testing.assert_close(video.video, golden.io[output], rtol=1e-5, atol=1e-5)
    if "token_ids" in golden.io:
        text = model.encode_text(golden.io["token_ids"])
        logits = model.logit_scale.exp() * model.similarity(text, video).T
        torch.testing.assert_close(logits, golden.io["logits"], rtol=1e-5, atol=1e-5)
    elif "logits" in golden.io:
        logits = model.logit_scale.exp() * model.score.of_classes(model.score.classes, video)
        torch.testing.assert_close(logits, golden.io["logits"], rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_what_does_not_fit_is_named_and_nothing_is_written(tmp_path, name):
    state, target = weights(name), tmp_path / "out" / "ours.safetensors"
    never_read = NEVER_READ + NEVER_READ_OF.get(name, ())
    read_names = [key for key in sorted(state) if not key.startswith(never_read)]
    for lacking in read_names[::5]:
        file = released(tmp_path, name, {key: value for key, value in state.items() if key != lacking})
        with pytest.raises(ValueError, match=r"lacks|misses|are of no layout|has no counterpart"):
            convert(file, target)
    with pytest.raises(ValueError, match=r"surprise\.weight has no counterpart"):
        convert(released(tmp_path, name, state | {"surprise.weight": torch.ones(1)}), target)
    narrow = next(
        key
        for key in read_names
        if key.endswith(("norm2.bias", "layer_norm2.bias", "LayerNorm_1/bias", "ln_2.bias"))
    )
    with pytest.raises(ValueError, match="has another shape of"):
        convert(released(tmp_path, name, state | {narrow: state[narrow][:-1]}), target)
    assert not target.parent.exists()


@pytest.mark.parametrize("name", SETS)
def test_methods_do_not_take_each_others_files(tmp_path, name):
    other = "frozen_in_time" if name != "frozen_in_time" else "vtn"
    with pytest.raises(ValueError, match="has no counterpart"):
        convert(released(tmp_path, name, weights(name) | weights(other)), tmp_path / "ours.safetensors")


def test_what_the_weights_do_not_tell(tmp_path):
    file = released(tmp_path, "timesformer_divided", weights("timesformer_divided"))
    (tmp_path / "config.json").unlink()
    model = load_released(file)
    assert model.clip.heads == 1 and model.frames == 6  # 64 channels per head, a time for each frame
    assert model.clip.visual.ln_post.eps == 1e-6 and isinstance(model.clip.visual.ln_pre, torch.nn.Identity)
    file = released(tmp_path, "vtn", weights("vtn"))
    (tmp_path / "config.json").write_text(json.dumps({"heads": 4, "temporal": {"heads": 2}, "frames": 7}))
    model = load_released(file)
    assert [layer.reach for layer in model.temporal.layers] == [9, 9] and model.temporal.layers[0].heads == 2
    (tmp_path / "config.json").write_text(json.dumps({"heads": 4, "flags": {"attention_window": [4, 6]}}))
    with pytest.raises(ValueError, match=r"windows \[4, 6\] differ"):
        load_released(file)
    file = released(tmp_path, "token_learner", weights("token_learner"))
    (tmp_path / "config.json").unlink()
    with pytest.raises(ValueError, match="lacks the number of frames: put a config.json"):
        load_released(file)


@torch.no_grad()
def test_vivits_released_patches_are_two_frames_long(tmp_path):
    """Its kernel over two frames, with zeros for the second, sees the first frame of each tubelet alone."""
    name = "vivit_factorised_encoder"
    state = weights(name)
    kernel = state["embedding/kernel"]
    state["embedding/kernel"] = torch.cat([kernel, torch.zeros_like(kernel)])
    model = load_released(released(tmp_path, name, state))
    of_frames = load_released(released(tmp_path, name, weights(name)))
    assert (model.frames, model.temporal.frames) == (2 * of_frames.frames, of_frames.frames)
    video = torch.randn(1, model.frames, 3, *[model.clip.image_size] * 2)
    expected = of_frames.encode_video(video[:, ::2]).video
    torch.testing.assert_close(model.encode_video(video).video, expected, rtol=1e-5, atol=1e-5)


def test_positions_stay_those_of_small_pictures_where_no_size_is_told(tmp_path):
    file = released(tmp_path, "motionformer_hr", weights("motionformer_hr"))
    assert load_released(file).clip.image_size == 48
    (tmp_path / "config.json").write_text(json.dumps({"heads": 4}))
    assert load_released(file).clip.image_size == 32


def test_a_motionformer_of_single_frames_is_refused(tmp_path):
    state = weights("motionformer")
    state["patch_embed_3d.proj.weight"] = state["patch_embed_3d.proj.weight"][:, :, :1]
    with pytest.raises(ValueError, match="no convolution over tubelets of several frames"):
        load_released(released(tmp_path, "motionformer", state))


@torch.no_grad()
def test_values_along_trajectories_as_in_the_paper_where_the_config_says_so(tmp_path):
    file = released(tmp_path, "motionformer", weights("motionformer"))
    as_released, config = load_released(file), json.loads((tmp_path / "config.json").read_text())
    config["flags"]["use_original_code"] = False
    (tmp_path / "config.json").write_text(json.dumps(config))
    learned = load_released(file).temporal.along[0].value
    both = weights("motionformer")["blocks.0.attn.proj_kv.weight"]
    assert torch.equal(learned.weight, both[len(both) // 2 :])
    assert as_released.temporal.along[0].value is None


def assert_each_is_needed(state, file, parts):
    for part in parts:
        torch.save({key: value for key, value in state.items() if not key.endswith(part)}, file)
        with pytest.raises(ValueError, match=r"lacks|misses"):
            load_released(file)


@pytest.fixture
def vivit_of_transformers(tmp_path):
    """ViViT of Hugging Face's, saved into tmp_path with its config."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 80, "hidden_size": 48}
    films = {"image_size": 32, "num_frames": 6, "tubelet_size": [2, 8, 8]}
    config = transformers.VivitConfig(**sizes, **films, num_labels=7, layer_norm_eps=1e-4)
    model = transformers.VivitForVideoClassification(config).eval()
    for weight in model.parameters():  # some start at zero
        torch.nn.init.normal_(weight, std=0.1)
    model.save_pretrained(tmp_path)
    return model


@pytest.mark.parametrize("names", ["released", "of the model"])
@torch.no_grad()
def test_transformers_own_vivit(tmp_path, vivit_of_transformers, names):
    file = tmp_path / "model.safetensors"
    if names == "of the model":
        file = tmp_path / "model.pth"
        torch.save(vivit_of_transformers.state_dict(), file)
    report = convert(file, tmp_path / "ours.safetensors")
    assert (report["layout"], report["frames"]) == ("ViViT in Hugging Face's layout", 6)
    model = stan.load_model(tmp_path / "ours.safetensors")
    assert model.clip.heads == 3 and model.clip.pixels.mean == (0.5, 0.5, 0.5)
    video = torch.randn(2, 6, 3, 32, 32)
    found = model.encode_video(video)
    expected = vivit_of_transformers.vivit(video).last_hidden_state[:, 0]
    torch.testing.assert_close(found.video, expected, rtol=1e-5, atol=1e-5)
    logits = model.logit_scale.exp() * model.score.of_classes(model.score.classes, found)
    torch.testing.assert_close(logits, vivit_of_transformers(video).logits, rtol=1e-5, atol=1e-5)


def test_what_is_no_vivit_of_transformers_is_refused(tmp_path, vivit_of_transformers):
    file, config = tmp_path / "model.safetensors", json.loads((tmp_path / "config.json").read_text())
    for changed, words in (
        ({"num_frames": 10}, "10 frames in config.json don't fit 48 positions"),
        ({"hidden_act": "relu"}, "says hidden_act='relu'; here it can only be 'gelu_fast'"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | changed))
        with pytest.raises(ValueError, match=words):
            load_released(file)
    (tmp_path / "config.json").unlink()
    with pytest.raises(ValueError, match="lacks the number of frames: put the config.json of its release"):
        load_released(file)
    (tmp_path / "config.json").write_text(json.dumps(config))
    parts = (
        "classifier.bias",
        "1.attention.k_proj.bias",
        "position_embeddings",
        "projection.weight",
        "0.mlp.fc2.bias",
    )
    assert_each_is_needed(vivit_of_transformers.state_dict(), tmp_path / "model.pth", parts)


@pytest.fixture
def transformers_own(tmp_path):
    """transformers_own(attention_type) -> TimeSformer of Hugging Face's, saved into tmp_path with its config."""
    transformers = pytest.importorskip("transformers")

    def save(attention_type: str):
        torch.manual_seed(0)
        sizes = {"num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 80, "hidden_size": 48}
        pixels = {"image_size": 32, "patch_size": 8, "num_frames": 5}
        config = transformers.TimesformerConfig(
            **sizes, **pixels, num_labels=7, attention_type=attention_type, layer_norm_eps=1e-4
        )
        model = transformers.TimesformerForVideoClassification(config).eval()
        for weight in model.parameters():  # some start at zero
            torch.nn.init.normal_(weight, std=0.1)
        torch.save(model.state_dict(), tmp_path / "model.pth")
        (tmp_path / "config.json").write_text(json.dumps(config.to_dict(), default=str))
        return model

    return save


@pytest.mark.parametrize("method", ["divided_space_time", "joint_space_time"])
@torch.no_grad()
def test_transformers_own_timesformer(tmp_path, transformers_own, method):
    theirs = transformers_own(method)
    report = convert(tmp_path / "model.pth", tmp_path / "ours.safetensors")
    assert (report["layout"], report["temporal"], report["frames"]) == (
        "TimeSformer in Hugging Face's layout",
        method,
        5,
    )
    model = stan.load_model(tmp_path / "ours.safetensors")
    assert model.clip.heads == 3 and model.clip.pixels.mean == (0.45, 0.45, 0.45)
    video = torch.randn(2, 5, 3, 32, 32)
    found = model.encode_video(video)
    expected = theirs.timesformer(video).last_hidden_state[:, 0]
    torch.testing.assert_close(found.video, expected, rtol=1e-5, atol=1e-5)
    logits = model.logit_scale.exp() * model.score.of_classes(model.score.classes, found)
    torch.testing.assert_close(logits, theirs(video).logits, rtol=1e-5, atol=1e-5)


def test_names_of_classes_come_from_the_config(tmp_path, transformers_own):
    transformers_own("joint_space_time")
    assert load_released(tmp_path / "model.pth").score.names == [], "LABEL_0 and so on are no names"
    file, config = tmp_path / "config.json", json.loads((tmp_path / "config.json").read_text())
    verbs = ["bow", "clap", "dive", "juggle", "kick", "run", "wave"]
    file.write_text(json.dumps(config | {"id2label": dict(reversed([*enumerate(verbs)]))}))
    convert(tmp_path / "model.pth", tmp_path / "ours.safetensors")
    model = stan.load_model(tmp_path / "ours.safetensors")
    write_clip(tmp_path / "film.mp4")
    found = zero_shot.recognise(model, tmp_path / "film.mp4", top=7)
    given = zero_shot.recognise(model, tmp_path / "film.mp4", verbs, top=7)
    assert found["labels"] == given["labels"] and {one["label"] for one in found["labels"]} == set(verbs)
    with pytest.raises(
        ValueError, match="2 names for a classifier of 7 classes: .*, or none: the model brings them"
    ):
        zero_shot.recognise(model, tmp_path / "film.mp4", ["bow", "clap"])
    file.write_text(json.dumps(config | {"id2label": {"0": "bow", "1": "clap"}}))
    with pytest.raises(ValueError, match=r"names 2 classes \(id2label\), and the classifier has 7"):
        load_released(tmp_path / "model.pth")


def test_what_is_no_timesformer_of_transformers_is_refused(tmp_path, transformers_own):
    state, file = transformers_own("divided_space_time").state_dict(), tmp_path / "model.pth"
    parts = "classifier.bias", "temporal_layernorm.weight", "embeddings.cls_token", "0.output.dense.bias"
    assert_each_is_needed(state, file, parts)
    torch.save(state, file)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden_act": "relu"}))
    with pytest.raises(ValueError, match="says hidden_act='relu'; here it can only be 'gelu'"):
        load_released(file)


def test_what_viclip_s_frames_and_scores_are(tmp_path):
    xl = load_released(released(tmp_path, "video_clip_xl", weights("video_clip_xl")))
    assert (xl.frames, xl.clip.text.context_length) == (8, 248)
    model = load_released(released(tmp_path, "viclip", weights("viclip")))
    assert xl.clip.pixels == model.clip.pixels and xl.logit_scale == model.logit_scale
    assert model.logit_scale.exp().item() == pytest.approx(1 / 0.02)
    assert (model.clip.pixels.resize_mode, model.clip.pixels.mean) == ("squash", (0.485, 0.456, 0.406))
    state = weights("viclip")
    state["vision_encoder.conv1.weight"] = state["vision_encoder.conv1.weight"].repeat(1, 1, 2, 1, 1)
    with pytest.raises(ValueError, match="patches are 2 frames long"):
        load_released(released(tmp_path, "viclip", state))


@torch.no_grad()
def test_a_longer_table_of_times_is_cut_to_the_clip(tmp_path):
    golden = read(PEERS / "frozen_in_time")
    file = released(tmp_path, "frozen_in_time", weights("frozen_in_time"))
    settings = golden.settings | {"frames": 4}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    model, video = load_released(file), golden.io["video"][:, :4]
    assert model.frames == 4 and model.temporal.time.weight.shape == (4, settings["width"])
    torch.testing.assert_close(model.encode_video(video).video, golden.model().encode_video(video).video)
    (tmp_path / "config.json").write_text(json.dumps(settings | {"frames": 9}))
    with pytest.raises(ValueError, match="9 frames in config.json, but the table of times is for 6"):
        load_released(file)


def test_mlps_may_have_any_width(tmp_path):
    state = weights("timesformer_joint")
    for key in state:
        if ".mlp." in key and not key.endswith("fc2.bias"):
            state[key] = state[key][:, :77] if key.endswith("fc2.weight") else state[key][:77]
    model = load_released(released(tmp_path, "timesformer_joint", state))
    assert model.clip.blocks[0].mlp.c_fc.out_features == 77


def test_texts_of_frozen_are_left_out(tmp_path):
    text = {
        "text_model.embeddings.word_embeddings.weight": torch.ones(4, 2),
        "txt_proj.1.weight": torch.ones(3, 2),
    }
    file = released(tmp_path, "frozen_in_time", weights("frozen_in_time") | text)
    assert set(convert(file, tmp_path / "ours.safetensors")["left_out"]) == text.keys()
    with pytest.raises(ValueError, match="no text tower"):
        stan.load_model(tmp_path / "ours.safetensors").encode_text(torch.tensor([[1, 2]]))


def test_what_answers_bridge_formers_questions_is_left_out(tmp_path):
    """A file without it, as BridgeFormer is tested, is the same model."""
    state = weights("bridge_former")
    report = convert(released(tmp_path, "bridge_former", state), tmp_path / "ours.safetensors")
    never_read = {key for key in state if key.startswith(NEVER_READ_OF["bridge_former"])}
    assert set(report["left_out"]) == never_read and len(never_read) == 51
    file = released(tmp_path, "bridge_former", {key: state[key] for key in state.keys() - never_read})
    video = read(PEERS / "bridge_former").io["video"]
    alone, converted = load_released(file), stan.load_model(tmp_path / "ours.safetensors")
    assert torch.equal(alone.encode_video(video).video, converted.encode_video(video).video)


def test_the_first_stan_with_both_towers(tmp_path):
    """Its names for the text tower are those of the later release."""
    later = load(PEERS.parent / "stan_released_tiny" / "checkpoint.safetensors")[0]
    text = {key: value for key, value in later.items() if key.startswith("text_backbone.")}
    file = released(tmp_path, "stan_first_conv", weights("stan_first_conv") | text)
    config = json.loads((tmp_path / "config.json").read_text()) | {"text": {"heads": 4}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    ids = torch.tensor([[1, 4, 511]])
    assert load_released(file).encode_text(ids).text.shape == (1, 32)
