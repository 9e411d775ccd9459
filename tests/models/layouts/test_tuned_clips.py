"""Files of CLIPs tuned on videos, such as ViFi-CLIP's, Open-VCLIP's and InternVideo's: converted, and refused."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F

import stan
from stan.bench.parity.golden import read
from stan.models.backbones import load_clip
from stan.models.convert import convert, load_released
from stan.models.dual_encoder import DualEncoder
from stan.models.temporal import build
from tests.support.peers import PEERS, released, weights

RANK, ALPHA = 2, 6.0


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return load_clip("tiny", "random").eval()


@pytest.fixture
def vifi(clip):
    """What ViFi-CLIP's training keeps of a CLIP: both towers, moved, and the sentences of its classes."""
    towers = {"image_encoder": clip.visual, "text_encoder": clip.text}
    state = {
        f"{name}.{key}": value + 0.01
        for name, tower in towers.items()
        for key, value in tower.state_dict().items()
    }
    del state["text_encoder.token_embedding.weight"]
    return state | {
        "logit_scale": clip.logit_scale.detach() + 0.5,
        "prompt_learner.complete_text_embeddings": torch.zeros(2, 8, 4),
    }


def saved(file, state):
    """Write weights as ViFi-CLIP's training does."""
    torch.save({"model": {f"module.{key}": value for key, value in state.items()}, "epoch": 9}, file)
    return file


@torch.no_grad()
def test_vifi_clip_is_mean_pooling_with_the_named_clips_tokens(tmp_path, clip, vifi):
    torch.save(clip.state_dict(), tmp_path / "clip.pth")
    of_clip = {"vision": {"heads": 4}, "text": {"heads": 4}, "activation": "gelu"}
    (tmp_path / "config.json").write_text(json.dumps(of_clip))
    report = convert(
        saved(tmp_path / "vifi.pth", vifi),
        tmp_path / "ours.safetensors",
        clip=str(tmp_path / "clip.pth"),
    )
    assert (report["layout"], report["temporal"]) == ("ViFi-CLIP", "mean")
    assert list(report["left_out"]) == ["prompt_learner.complete_text_embeddings"]
    model, tuned = stan.load_model(tmp_path / "ours.safetensors"), deepcopy(clip)
    for parameter in tuned.parameters():
        parameter += 0.01
    tuned.text.token_embedding.weight -= 0.01
    video, ids = torch.randn(2, 3, 3, 48, 48), torch.tensor([[1, 4, 511]])
    frames = tuned.visual(video.flatten(0, 1)).unflatten(0, (2, 3))
    torch.testing.assert_close(model.encode_video(video).video, frames.mean(1))
    torch.testing.assert_close(model.encode_text(ids).text, tuned.encode_text(ids).text)
    assert model.logit_scale.item() == pytest.approx(clip.logit_scale.item() + 0.5)


@torch.no_grad()
def test_text4vis_has_texts_with_the_clip_that_it_was_tuned_from(tmp_path, clip):
    """Its file has the tuned image tower and the transformer over frames; its classes were embedded by CLIP's texts."""
    own = DualEncoder(
        clip, build("actionclip", clip, 3, {"layers": 2, "heads": 1, "activation": "quick_gelu"})
    )
    tuned = {f"visual.{key}": value + 0.01 for key, value in clip.visual.state_dict().items()}
    fusion = {
        f"fusion_model.{key.replace('blocks.', 'transformer.resblocks.')}": value
        for key, value in own.temporal.state_dict().items()
    }
    fusion["fusion_model.frame_position_embeddings.weight"] = fusion.pop("fusion_model.position")
    content = tuned | fusion | {"logit_scale": clip.logit_scale.detach() + 0.5}
    file, named = tmp_path / "best.pt", tmp_path / "clip.pth"
    torch.save(
        {"epoch": 2, "model_state_dict": {f"module.{k}": v for k, v in content.items()}, "optimizer": {}},
        file,
    )
    torch.save(clip.state_dict(), named)
    of_clip = {"vision": {"heads": 4}, "text": {"heads": 4}, "activation": "gelu"}
    (tmp_path / "config.json").write_text(json.dumps(of_clip))
    with_texts, alone = load_released(file, clip=str(named)), load_released(file)
    ids, video = torch.tensor([[1, 4, 511]]), torch.randn(2, 3, 3, 48, 48)
    torch.testing.assert_close(with_texts.encode_text(ids).text, clip.encode_text(ids).text)
    assert with_texts.logit_scale.item() == pytest.approx(clip.logit_scale.item() + 0.5)
    torch.testing.assert_close(with_texts.encode_video(video).video, alone.encode_video(video).video)
    with pytest.raises(ValueError, match="no text tower"):
        alone.encode_text(ids)


@torch.no_grad()
def test_intern_videos_own_form_leaves_out_what_only_pretraining_needed(tmp_path):
    """It has both towers, so that texts and videos are compared; its code builds it for 8 frames."""
    state, golden = weights("intern_video"), read(PEERS / "intern_video")
    file = released(tmp_path, "intern_video", {"epoch": 4, "state_dict": state, "lr_schedulers": []})
    report = convert(file, tmp_path / "ours.safetensors")
    assert (report["layout"], report["temporal"], report["frames"]) == ("InternVideo-MM", "uniformer_v2", 8)
    assert set(report["left_out"]) == {"clip.text_mask_embedding", "mlm_head.weight", "mlm_head.bias"}
    model = stan.load_model(tmp_path / "ours.safetensors")
    text, video = model.encode_text(golden.io["token_ids"]), model.encode_video(golden.io["video"])
    logits = model.logit_scale.exp() * model.similarity(text, video).T
    torch.testing.assert_close(logits, golden.io["logits"], rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_a_clip_of_bridge_former_is_told_by_the_config_of_its_testing(tmp_path):
    """Its names are CLIP's own. It may be kept in half precision, as it is tested."""
    state, io = weights("bridge_former_clip"), read(PEERS / "bridge_former_clip").io
    file = released(
        tmp_path, "bridge_former_clip", {"state_dict": {f"module.{k}": v for k, v in state.items()}}
    )
    report = convert(file, tmp_path / "ours.safetensors")
    assert (report["layout"], report["frames"]) == ("BridgeFormer on a CLIP", 5)
    model = stan.load_model(tmp_path / "ours.safetensors")
    text, video = model.encode_text(io["token_ids"]), model.encode_video(io["video"])
    torch.testing.assert_close(model.similarity(text, video), io["similarity"], rtol=1e-5, atol=1e-5)
    half = released(tmp_path, "bridge_former_clip", {key: value.half() for key, value in state.items()})
    assert load_released(half).clip.logit_scale.dtype == torch.float32
    told = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(told | {"data_loader": {"type": "TextVideoDataLoader"}}))
    assert convert(file, tmp_path / "mean.safetensors")["temporal"] == "mean"


def test_vifi_clip_needs_the_clip_that_it_was_tuned_from(tmp_path, vifi):
    target = tmp_path / "out" / "ours.safetensors"
    file = saved(tmp_path / "vifi.pth", vifi)
    with pytest.raises(
        ValueError, match=r"vifi\.pth: lacks .*token_embedding.*name the one that it was tuned from"
    ):
        convert(file, target)
    prompted = saved(file, vifi | {"prompt_learner.ctx": torch.ones(4, 4)})
    with pytest.raises(ValueError, match=r"prompt_learner\.ctx has no counterpart: this is not ViFi-CLIP"):
        convert(prompted, target)
    assert not target.parent.exists()


def open_vclip(folder, state, said):
    """Write a file as Open-VCLIP's averaging of epochs does, and what a config beside it says."""
    file = folder / "swa_2_22.pth"
    torch.save({"model_state": state}, file)
    config = json.loads((PEERS / "open_vclip" / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"MODEL": said}))
    return file


@torch.no_grad()
def test_open_vclips_score_is_a_cosine_that_ranks_classes_as_the_source_does(tmp_path):
    """The source averages cosines over frames, which differs by one factor per video."""
    golden = read(PEERS / "open_vclip")
    said = {"TEMPORAL_MODELING_TYPE": "expand_temporal_view"}
    model = load_released(open_vclip(tmp_path, weights("open_vclip"), said))
    video = model.encode_video(golden.io["video"]).video
    cosines = F.normalize(video, dim=-1) @ golden.io["dynamic_classifier"].T
    logits = model.logit_scale.exp() * cosines * video.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(logits, golden.io["pred"], rtol=1e-5, atol=1e-4)
    assert torch.equal(cosines.argsort(1), golden.io["pred"].argsort(1))


def test_open_vclips_own_yaml_says_so_too(tmp_path):
    file = open_vclip(tmp_path, weights("open_vclip"), {})
    told = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").unlink()
    heads = f"vision: {json.dumps(told['vision'])}\ntext: {json.dumps(told['text'])}\n"
    own = "DATA:\n  NUM_FRAMES: 5\nMODEL:\n  TEMPORAL_MODELING_TYPE: 'expand_temporal_view'\n"
    (tmp_path / "config.yaml").write_text(heads + own)
    model = load_released(file)
    assert type(model.temporal).__name__ == "NeighbourAttention" and model.frames == 5


@pytest.mark.parametrize("said", [{}, {"TEMPORAL_MODELING_TYPE": None}])
def test_open_vclips_names_alone_are_a_clip_of_mean_pooling(tmp_path, said):
    report = convert(open_vclip(tmp_path, weights("open_vclip"), said), tmp_path / "ours.safetensors")
    assert (report["layout"], report["temporal"]) == ("CLIP in OpenAI's layout", "mean")


def test_a_frozen_clip_beside_open_vclips_is_left_out(tmp_path):
    state, said = weights("open_vclip"), {"TEMPORAL_MODELING_TYPE": "expand_temporal_view_step3"}
    raw = {f"raw_{key}": torch.zeros_like(value) for key, value in state.items()}
    report = convert(open_vclip(tmp_path, state | raw, said), tmp_path / "ours.safetensors")
    assert report["left_out"].keys() == raw.keys() and report["branch"] == {"reach": 3, "normalised": True}


def test_what_open_vclips_config_says_and_no_method_does_is_refused(tmp_path):
    for said, words in (
        (
            {"TEMPORAL_MODELING_TYPE": "channel_shift"},
            "='channel_shift'; here it can only be 'expand_temporal_view'",
        ),
        ("temporal", "MODEL is 'temporal'"),
    ):
        with pytest.raises(ValueError, match=words):
            load_released(open_vclip(tmp_path, weights("open_vclip"), said))


def with_lora(base: str) -> dict[str, torch.Tensor]:
    """Return LanguageBind's reference weights as peft keeps them, matrices over time under `base` beside LoRA's two."""
    state = {}
    generator = torch.Generator().manual_seed(5)
    for key, value in weights("language_bind").items():
        key = key.replace("vision_model.encoder.", "vision_model.encoder.base_model.model.")
        if "temporal_attn" in key:
            module, kind = key.rsplit(".", 1)
            key = f"{module}.{base}{kind}"
            if kind == "weight":
                low = torch.randn(RANK, value.shape[1], generator=generator)
                high = torch.randn(value.shape[0], RANK, generator=generator)
                state |= {
                    f"{module}.lora_A.default.weight": low,
                    f"{module}.lora_B.default.weight": high,
                }
                value = value - ALPHA / RANK * high @ low
        state[key] = value
    return state


def released_with_lora(folder, state, alpha):
    file = released(folder, "language_bind", state)
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["lora_alpha"] = alpha
    (folder / "config.json").write_text(json.dumps(config))
    return file


@pytest.mark.parametrize("base", ["", "base_layer."])
@torch.no_grad()
def test_lora_is_merged_into_the_matrices_over_time(tmp_path, base):
    golden = read(PEERS / "language_bind")
    model = load_released(released_with_lora(tmp_path, with_lora(base), ALPHA))
    found = model.encode_video(golden.io["video"]).video
    torch.testing.assert_close(found, golden.io["video_embedding"], rtol=1e-4, atol=1e-4)
    assert (model.clip.pixels.interpolation, model.frames) == ("bilinear", golden.settings["frames"])


def test_lora_without_its_scale_or_its_half_is_refused(tmp_path):
    state = with_lora("")
    with pytest.raises(
        ValueError, match=r"holds LoRA matrices, and the config\.json beside it tells no lora_alpha"
    ):
        load_released(released_with_lora(tmp_path, state, None))
    for half, shape in (("lora_A", (RANK, 5)), ("lora_B", (36, RANK + 1))):
        key = f"vision_model.encoder.base_model.model.layers.0.temporal_attn.out_proj.{half}.default.weight"
        with pytest.raises(
            ValueError, match=r"has another shape of .*lora_A.* or .*lora_B.* than .*out_proj\.weight"
        ):
            load_released(released_with_lora(tmp_path, state | {key: torch.ones(shape)}, ALPHA))
    for half in ("lora_A", "lora_B"):
        kept = {key: value for key, value in state.items() if f"out_proj.{half}" not in key}
        with pytest.raises(ValueError, match=r"lacks|lora_B\.default\.weight"):
            load_released(released_with_lora(tmp_path, kept, ALPHA))


def test_times_of_every_block_are_cut_to_the_clip_or_named(tmp_path):
    state = weights("language_bind")
    file = released(tmp_path, "language_bind", state)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"frames": 3}))
    model = load_released(file)
    assert {len(times.weight) for times in (model.temporal.time, *model.temporal.later_times)} == {3}
    del state["vision_model.encoder.layers.1.temporal_embedding"]
    with pytest.raises(ValueError, match=r"lacks temporal\.later_times\.1\.weight"):
        load_released(released(tmp_path, "language_bind", state))
