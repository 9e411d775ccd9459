"""Text towers of every kind: open_clip's own embeddings, with the padding that each of them reads or ignores."""

import json

import pytest
import torch

from stan.data.preprocessing import last_tokens, token_ids
from stan.models.backbones import architecture, from_config
from stan.models.dual_encoder import DualEncoder
from stan.models.temporal.efficient_prompting import EfficientPrompting

import open_clip  # isort: skip
from open_clip.model import CustomTextCLIP  # isort: skip

VISION = {"image_size": 16, "layers": 1, "width": 24, "head_width": 12, "patch_size": 8}
TEXT = {"context_length": 10, "vocab_size": 50, "width": 16, "heads": 2, "layers": 2}
SIGLIP = {"no_causal_mask": True, "pool_type": "last", "proj_bias": True, "norm_kwargs": {"eps": 1e-6}}
TOWERS = {
    "siglip": (SIGLIP, {"init_logit_bias": -10}),
    "siglip2": (
        SIGLIP | {"act_kwargs": {"approximate": "tanh"}, "mlp_ratio": 3.7362},
        {"init_logit_bias": -10},
    ),
    "siglip-i18n": (SIGLIP | {"proj_type": "none", "proj_bias": False, "width": 12}, {}),
    "clipa": ({"no_causal_mask": True, "pool_type": "last"}, {}),
    "mobileclip": ({"no_causal_mask": True}, {}),
    "worldwide": ({"pool_type": "eos", "eos_id": 2}, {"quick_gelu": True}),
    "first": ({"pool_type": "first", "no_causal_mask": True}, {}),
}
IDS = torch.tensor([[48, 7, 3, 2, 49, 0, 0, 0, 0, 0], [48, 9, 9, 5, 4, 6, 2, 8, 3, 49]])


def pair(name, folder):
    """open_clip's own model of this kind, and ours with its weights by way of a file."""
    text, others = TOWERS[name]
    config = {"embed_dim": 12, "vision_cfg": VISION, "text_cfg": TEXT | text, **others}
    theirs = CustomTextCLIP(**config).eval()
    with torch.no_grad():
        for parameter in theirs.text.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # biases, too, tell what is read where
    torch.save(theirs.state_dict(), folder / "weights.pt")
    return theirs, from_config(config, weights=folder / "weights.pt").eval()


@pytest.mark.parametrize("name", TOWERS)
@torch.no_grad()
def test_embeddings_are_those_of_open_clip(name, tmp_path):
    theirs, ours = pair(name, tmp_path)
    text = ours.encode_text(IDS)
    torch.testing.assert_close(text.text, theirs.encode_text(IDS), atol=1e-5, rtol=0)
    assert text.tokens.shape == (2, 10, 12)
    assert (ours.logit_bias is None) == (theirs.logit_bias is None)


@pytest.mark.parametrize(
    "name, kept", [("siglip", True), ("clipa", True), ("mobileclip", True), ("worldwide", False)]
)
@torch.no_grad()
def test_padding_counts_where_nothing_hides_it(name, kept, tmp_path):
    theirs, ours = pair(name, tmp_path)
    assert ours.reads_padding == kept
    if kept:
        assert not torch.allclose(theirs.encode_text(IDS)[:1], theirs.encode_text(IDS[:1, :9]), atol=1e-3)
        with pytest.raises(ValueError, match="also reads the padding: hand over all 10 tokens"):
            ours.encode_text(IDS[:1, :9])
    else:
        torch.testing.assert_close(ours.encode_text(IDS[:1, :6]).text, theirs.encode_text(IDS[:1]))


@torch.no_grad()
def test_a_mask_of_padding_is_open_clips_own(tmp_path):
    """No config asks for it, but a tower may have it; then the padding counts no more."""
    theirs, ours = pair("mobileclip", tmp_path)
    theirs.text.use_pad_mask = ours.text.use_pad_mask = True
    assert not ours.reads_padding
    torch.testing.assert_close(ours.encode_text(IDS).text, theirs.encode_text(IDS), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        ours.encode_text(IDS[:1, :6]).text, theirs.encode_text(IDS)[:1], atol=1e-5, rtol=0
    )


def test_last_token_before_the_padding():
    padded = [
        [5, 6, 9, 0, 0],  # 9 ends a text, 0 pads it
        [5, 6, 7, 8, 9],
        [5, 0, 6, 9, 0],  # 0 within a text
        [5, 6, 1, 1, 1],  # 1 ends and pads, as in SigLIP
        [5, 6, 6, 7, 1],
    ]
    assert last_tokens(torch.tensor(padded)).tolist() == [2, 4, 3, 2, 4]


def test_mask_ends_with_the_end_token(tmp_path):
    _, ours = pair("siglip", tmp_path)
    ids = torch.tensor([[5, 6, 1, 1, 1, 1, 1, 1, 1, 1], [5, 6, 7, 1, 0, 0, 0, 0, 0, 0]])
    assert ours.encode_text(ids).mask.sum(1).tolist() == [3, 4]


def test_words_cut_captions_and_padding_fills_what_is_read():
    config = open_clip.get_model_config("MobileCLIP-S1")
    config["vision_cfg"], config["text_cfg"] = (
        VISION,
        config["text_cfg"] | {"width": 16, "layers": 1, "heads": 2},
    )
    clip = from_config(config)
    texts = ["one two three four five six seven eight", "one two"]
    cut = clip.tokenize(texts, words=6)
    assert cut.shape == (2, 77) and not cut[:, 6:].any() and cut[0, 5] == clip.tokenizer.eot_token_id
    torch.testing.assert_close(cut[1:], open_clip.tokenize(texts[1:]))
    assert token_ids(clip.tokenize, texts, 6, clip.reads_padding).shape == (2, 77)
    assert token_ids(clip.tokenize, texts[1:], 6).shape == (1, 4)


def test_learned_words_need_a_tower_that_ignores_padding(tmp_path):
    _, ours = pair("mobileclip", tmp_path)
    with pytest.raises(ValueError, match="push the padding out"):
        DualEncoder(ours, EfficientPrompting(ours, 2, prefix=1, suffix=1))


@pytest.mark.slow
def test_every_text_tower_of_open_clip_is_built():
    """On the meta device, open_clip's own with one block each. Those that read padding: SigLIP, CLIPA, MobileCLIP."""
    pytest.importorskip("transformers")
    built, reading = {}, []
    for name in open_clip.list_models():
        config = architecture(name, "random") | {"vision_cfg": VISION}
        config["text_cfg"] |= {} if "hf_model_name" in config["text_cfg"] else {"layers": 1}
        key = json.dumps([config["text_cfg"], config["embed_dim"], "multimodal_cfg" in config])
        if key not in built:
            with torch.device("meta"):
                built[key] = from_config(config, name=name)
                text = built[key].encode_text(torch.zeros(2, built[key].context_length, dtype=torch.long))
            assert text.tokens.shape == (2, built[key].context_length, config["embed_dim"])
            assert text.text.shape == (2, config["embed_dim"])
        if built[key].reads_padding:
            reading.append(name)
    assert len(open_clip.list_models()) == 144
    kinds = ("SigLIP", "CLIPA", "MobileCLIP")
    assert reading == [n for n in open_clip.list_models() if any(k in n for k in kinds) and n not in CAUSAL]
    assert len(reading) == 39


CAUSAL = ("MobileCLIP-B", "MobileCLIP2-B")
"""Their text tower has a causal mask."""
