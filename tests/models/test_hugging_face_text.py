"""Hugging Face text models: open_clip's own embeddings, built without a network, on real and on meta tensors."""

import importlib
import json

import pytest
import torch

from stan.models.backbones import architecture, from_config
from stan.models.dual_encoder import DualEncoder
from stan.models.hugging_face_text import HuggingFaceText
from stan.models.temporal import build
from stan.models.temporal.base import Temporal
from stan.models.text_tower import text_blocks
from stan.training.activation_checkpoint import recompute

transformers = pytest.importorskip("transformers")
from open_clip import coca_model, model  # noqa: E402

VISION = {"image_size": 16, "layers": 1, "width": 24, "head_width": 12, "patch_size": 8}
ROBERTA = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 20,
    "type_vocab_size": 1,
    "pad_token_id": 1,
}
CONFIGS = {
    "roberta": transformers.RobertaConfig(**ROBERTA),
    "xlm-roberta": transformers.XLMRobertaConfig(**ROBERTA),
    "mt5": transformers.MT5Config(
        vocab_size=40, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_decoder_layers=1, num_heads=2
    ),
    "m2m_100": transformers.M2M100Config(
        vocab_size=40,
        d_model=16,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=20,
    ),
}
KINDS = {
    "roberta, mean": ("roberta", {}),
    "roberta, its own pooler": ("roberta", {"hf_pooler_type": "cls_pooler", "hf_proj_type": "linear"}),
    "xlm-roberta, first token": ("xlm-roberta", {"hf_pooler_type": "cls_last_hidden_state_pooler"}),
    "xlm-roberta, mean": ("xlm-roberta", {"hf_proj_type": "linear"}),
    "mt5, mean": ("mt5", {}),
    "nllb": ("m2m_100", {"hf_pooler_type": "cls_pooler", "hf_proj_type": "linear"}),
    "no projection": ("xlm-roberta", {"hf_proj_type": None}),
}


@pytest.fixture
def theirs(monkeypatch):
    """open_clip's own class of such towers, which stan leaves without transformers."""
    encoder = importlib.reload(importlib.import_module("open_clip.hf_model")).HFTextEncoder
    monkeypatch.setattr(model, "HFTextEncoder", encoder)
    return model


def config_of(kind, folder, **others):
    name, text = KINDS[kind]
    CONFIGS[name].save_pretrained(folder)
    embed_dim = 16 if kind == "no projection" else 12
    text_cfg = {"hf_model_name": str(folder), "hf_model_pretrained": False, "context_length": 10, **text}
    return {"embed_dim": embed_dim, "vision_cfg": VISION, "text_cfg": text_cfg, **others}


def captions(kind):
    """Three captions, two with padding."""
    ids = torch.tensor([[5, 7, 9, 3, 2, 0, 0, 0], [5, 8, 8, 30, 31, 33, 4, 2], [5, 6, 2, 0, 0, 0, 0, 0]])
    pad = CONFIGS[KINDS[kind][0]].pad_token_id
    return ids.masked_fill(ids == 0, pad), torch.tensor([5, 8, 3])


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_embeddings_are_those_of_open_clip(kind, theirs, tmp_path):
    config = config_of(kind, tmp_path)
    reference = theirs.CustomTextCLIP(**config).eval()
    torch.save(reference.state_dict(), tmp_path / "weights.pt")
    ours = from_config(config, weights=tmp_path / "weights.pt").eval()
    ids, lengths = captions(kind)
    found = ours.encode_text(ids)
    torch.testing.assert_close(found.text, reference.encode_text(ids), atol=1e-5, rtol=0)
    assert found.mask.sum(1).tolist() == lengths.tolist() and found.tokens.shape == (3, 8, ours.embed_dim)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_padding_changes_nothing(kind, tmp_path):
    ours = from_config(config_of(kind, tmp_path)).eval()
    ids, lengths = captions(kind)
    assert not ours.reads_padding
    whole = ours.encode_text(ids)
    for i, length in enumerate(lengths.tolist()):
        alone = ours.encode_text(ids[i : i + 1, :length])
        torch.testing.assert_close(alone.text[0], whole.text[i], atol=1e-5, rtol=0)
        torch.testing.assert_close(alone.tokens[0], whole.tokens[i, :length], atol=1e-5, rtol=0)


@torch.no_grad()
def test_coca_with_such_a_tower(theirs, tmp_path):
    decoder = {"context_length": 10, "width": 12, "heads": 2, "layers": 1}
    config = config_of("roberta, mean", tmp_path, multimodal_cfg=decoder)
    config["vision_cfg"] = VISION | {"output_tokens": True}
    config["text_cfg"] |= {"output_tokens": True}
    reference = coca_model.CoCa(**config).eval()
    torch.save(reference.state_dict(), tmp_path / "weights.pt")
    ours = from_config(config, weights=tmp_path / "weights.pt").eval()
    ids, _ = captions("roberta, mean")
    torch.testing.assert_close(
        ours.encode_text(ids).text, reference.encode_text(ids, normalize=False), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize(
    ("backbone", "parameters"),
    [
        ("roberta-ViT-B-32", 124.87),
        ("coca_roberta-ViT-B-32", 124.45),
        ("xlm-roberta-base-ViT-B-32", 278.27),
        ("xlm-roberta-large-ViT-H-14", 560.94),
        ("mt5-base-ViT-B-32", 277.86),
        ("mt5-xl-ViT-H-14", 1674.68),
        ("nllb-clip-base", 414.04),
        ("nllb-clip-large", 767.14),
        ("nllb-clip-large-siglip", 767.27),  # not listed there: 1152 instead of 1024 channels
    ],
)
def test_known_towers_need_no_network(backbone, parameters):
    """Millions of parameters are those of the text towers in open_clip's docs/model_profile.csv."""
    config = architecture(backbone, "random")
    with torch.device("meta"):
        clip = from_config(config | {"vision_cfg": VISION}, name=backbone)
        text = clip.encode_text(torch.zeros(2, 77, dtype=torch.long))
    assert isinstance(clip.text, HuggingFaceText)
    assert round(sum(p.numel() for p in clip.text.parameters()) / 1e6, 2) == parameters
    assert text.text.shape == (2, clip.embed_dim) and {p.device.type for p in clip.parameters()} == {"meta"}
    if backbone.endswith("siglip"):
        assert clip.logit_bias is not None


def test_training_drops_nothing(tmp_path):
    ours = from_config(config_of("roberta, mean", tmp_path)).train()
    ids, _ = captions("roberta, mean")
    assert torch.equal(ours.encode_text(ids).text, ours.encode_text(ids).text)


@pytest.mark.parametrize("kind", ["roberta, mean", "mt5, mean", "nllb"])
def test_recomputing_its_blocks_leaves_the_gradients(kind, tmp_path):
    clip = from_config(config_of(kind, tmp_path))
    model = DualEncoder(clip, Temporal(clip, 2)).train()
    ids, _ = captions(kind)
    found = []
    for again in (False, True):
        if again:
            assert len(text_blocks(clip.text)) == 2
            recompute(model)
        clip.zero_grad()
        model.encode_text(ids).text.square().sum().backward()
        found.append({name: p.grad for name, p in clip.text.named_parameters() if p.grad is not None})
    plain, recomputed = found
    assert plain.keys() == recomputed.keys() and len(plain) > 10
    for name, gradient in plain.items():
        torch.testing.assert_close(recomputed[name], gradient, msg=name)


@pytest.mark.parametrize("method", ["sequence_transformer", "efficient_prompting"])
def test_methods_that_need_clips_own_text_blocks_refuse(method, tmp_path):
    ours = from_config(config_of("no projection", tmp_path))
    with pytest.raises(ValueError, match=f"{method}.* Hugging Face model"):
        build(method, ours, 2, {})


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"num_hidden_layers": {}}, "config.json of {} describes no text model .*num_hidden_layers"),
        ({"hidden_size": 17}, "config.json of {} describes no text model .*17"),
        ({"pad_token_id": None}, "config.json of {} describes no text model .*pad_token_id is None"),
        ({"model_type": "gpt2"}, "config.json of {} describes no text model"),
        ({"hidden_act": "none"}, "config.json of {} describes no text model"),
        ("[", "config.json of {} describes no text model"),
        ("[" * 100000, "config.json of {} describes no text model"),
        (
            {"max_position_embeddings": 11},
            "the text model {} reads at most 9 tokens, and text_cfg asks for 10",
        ),
    ],
)
def test_a_damaged_config_is_refused_with_its_folder(said, message, tmp_path):
    config, file = config_of("roberta, mean", tmp_path), tmp_path / "config.json"
    file.write_text(said if isinstance(said, str) else json.dumps(json.loads(file.read_text()) | said))
    with pytest.raises(ValueError, match=message.format(tmp_path)) as error:
        from_config(config)
    assert "\n" not in str(error.value)


@torch.no_grad()
def test_as_many_tokens_as_there_are_positions(tmp_path):
    """RoBERTa's first one follows the padding's own, so that of 20 there are 18."""
    config = config_of("roberta, mean", tmp_path)
    ours = from_config(config | {"text_cfg": config["text_cfg"] | {"context_length": 18}}).eval()
    assert ours.encode_text(torch.full((1, 18), 5)).tokens.shape == (1, 18, 12)
    with pytest.raises(
        ValueError, match="at most 18 tokens, and text_cfg asks for 77: write a context_length"
    ):
        from_config(
            config | {"text_cfg": {k: v for k, v in config["text_cfg"].items() if k != "context_length"}}
        )


def test_what_cannot_be_built(tmp_path, monkeypatch):
    config = config_of("roberta, mean", tmp_path)
    with pytest.raises(ValueError, match="hf_pooler_type='max_pooler': supported are mean_pooler"):
        from_config(config | {"text_cfg": config["text_cfg"] | {"hf_pooler_type": "max_pooler"}})
    with pytest.raises(ValueError, match="hf_proj_type=None for 12: choose linear or mlp"):
        from_config(config | {"text_cfg": config["text_cfg"] | {"hf_proj_type": None}})
    with pytest.raises(ValueError, match="no/body is not here: fetch its config.json"):
        from_config(config | {"text_cfg": config["text_cfg"] | {"hf_model_name": "no/body"}})
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(ValueError, match=r"pip install 'stan-video\[texts\]'"):
        from_config(config)
