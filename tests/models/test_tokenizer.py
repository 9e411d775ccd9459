"""Tokenizers are open_clip's own, found without a network; queries in any language keep what their tower reads."""

import json
import socket
from pathlib import Path

import pytest
import torch

from stan.data.preprocessing import token_ids
from stan.models.backbones import from_config, load_clip
from stan.models.tokenizer import tokenizer_of

pytest.importorskip("transformers")
import open_clip
from transformers import XLMRobertaConfig

from tests.support.tokenizers import QUERIES, save_tokenizer

VISION = {"image_size": 16, "layers": 1, "width": 24, "head_width": 12, "patch_size": 8}
TEXT = {"context_length": 40, "vocab_size": 80, "width": 16, "heads": 2, "layers": 1}
SIGLIP = {"no_causal_mask": True, "pool_type": "last", "proj_bias": True}
CLEAN = {"tokenizer_kwargs": {"clean": "canonicalize"}}
KINDS = {
    "gemma": SIGLIP | CLEAN,
    "t5": SIGLIP | CLEAN,
    "xlm": {"pool_type": "eos", "eos_id": 2},
    "bert": {"no_causal_mask": True, "pool_type": "last", "tokenizer_kwargs": {"strip_sep_token": True}},
    "hugging face": {},
}
AROUND = {"gemma": 1, "t5": 1, "xlm": 2, "bert": 1, "hugging face": 2}
"""Special tokens of a caption; bert's second is stripped."""
TEXTS = [*QUERIES.values(), "A  Red, cat!", "a" * 60]


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_):
        raise AssertionError("no request is made")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def model_folder(kind, folder: Path) -> str:
    """A model in open_clip's layout, with its tokenizer; returns open_clip's name of it."""
    text = TEXT | {"hf_tokenizer_name": "some/tokenizer"} | KINDS[kind]
    if kind == "hugging face":
        XLMRobertaConfig(
            vocab_size=80,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=50,
        ).save_pretrained(folder)
        text |= {"hf_model_name": str(folder), "hf_model_pretrained": False}
    config = {"embed_dim": 12, "vision_cfg": VISION, "text_cfg": text, "custom_text": True}
    if kind in ("gemma", "t5"):
        config["init_logit_bias"] = -10
    document = {"model_cfg": config, "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}}
    save_tokenizer(folder, "xlm" if kind == "hugging face" else kind)
    (folder / "open_clip_config.json").write_text(json.dumps(document))
    torch.save(from_config(config).state_dict(), folder / "open_clip_pytorch_model.bin")
    return f"local-dir:{folder}"


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_folder_brings_its_weights_pixels_and_tokenizer(kind, tmp_path, offline):
    name = model_folder(kind, tmp_path)
    ours = load_clip(name).eval()
    assert ours.pixels.mean == (0.5, 0.5, 0.5) and ours.pixels.std == (0.25, 0.25, 0.25)
    ids = open_clip.get_tokenizer(name)(TEXTS)
    assert ids.shape == (6, 40) and torch.equal(ours.tokenize(TEXTS), ids)
    if kind != "hugging face":  # whose open_clip class needs transformers, which stan leaves out
        theirs = open_clip.create_model(name).eval()
        torch.testing.assert_close(ours.encode_text(ids).text, theirs.encode_text(ids), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", QUERIES)
@torch.no_grad()
def test_queries_in_four_languages(kind, language, tmp_path):
    """One token per letter, and whatever stands around them; the tower's mask counts exactly these."""
    query = QUERIES[language]
    clip = load_clip(model_folder(kind, tmp_path)).eval()
    output = clip.encode_text(clip.tokenize(query))
    assert output.mask.sum() == len(query) + AROUND[kind]
    among = token_ids(clip.tokenize, [query, *TEXTS], 40, clip.reads_padding)
    torch.testing.assert_close(clip.encode_text(among).text[0], output.text[0], atol=1e-5, rtol=0)
    alone = token_ids(clip.tokenize, [query], 40, clip.reads_padding)
    torch.testing.assert_close(clip.encode_text(alone).text, output.text, atol=1e-5, rtol=0)
    assert (alone.shape[1] == 40) == clip.reads_padding


@pytest.mark.parametrize(("kind", "end", "pad"), [("gemma", 1, 0), ("t5", 1, 1), ("bert", 0, 0)])
def test_words_cut_before_the_end_token_and_the_rest_is_padding(kind, end, pad, tmp_path):
    clip = load_clip(model_folder(kind, tmp_path))
    whole, cut = clip.tokenize("a red cat"), clip.tokenize("a red cat", words=6)
    kept = 6 - 1
    assert cut.shape == (1, 40) and cut[0, :kept].tolist() == whole[0, :kept].tolist()
    assert cut[0, kept] == end and set(cut[0, kept + 1 :].tolist()) == {pad}


def edit(file: Path, change) -> None:
    said = json.loads(file.read_text())
    change(said)
    file.write_text(json.dumps(said))


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("tokenizer.json", "{}"),
        ("tokenizer.json", "[]"),
        ("tokenizer.json", "[" * 100000),
        ("tokenizer.json", '{"model": '),
        ("tokenizer.json", lambda said: said["model"].pop("vocab")),
        ("tokenizer.json", lambda said: said["model"].update(unk_token="<none>")),
        ("tokenizer_config.json", "[]"),
        ("tokenizer_config.json", b"\xff"),
        ("tokenizer_config.json", lambda said: said.update(pad_token=5)),
    ],
)
def test_a_damaged_tokenizer_is_refused_with_its_folder(file, content, tmp_path):
    name = model_folder("bert", tmp_path)
    if callable(content):
        edit(tmp_path / file, content)
    else:
        (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(
        ValueError, match=r"is damaged, or lacks a file or a package \(.*: fetch it again"
    ) as error:
        load_clip(name).tokenize("a zebra")
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("token", ["pad_token", "sep_token"])
def test_a_tokenizer_without_a_token_that_is_needed_is_refused(token, tmp_path):
    name = model_folder("bert", tmp_path)
    edit(tmp_path / "tokenizer_config.json", lambda said: said.pop(token))
    with pytest.raises(
        ValueError, match=f"{tmp_path} names no {token}: write into its tokenizer_config.json"
    ):
        load_clip(name).tokenize("a cat")


def test_another_towers_tokenizer_is_refused(tmp_path):
    """Tokens that no text has may lie beyond the vocabulary, as T5's extra ones do in SigLIP."""
    name = model_folder("bert", tmp_path)
    edit(tmp_path / "tokenizer.json", lambda said: said["model"]["vocab"].update(a=80))
    clip = load_clip(name)
    assert clip.tokenize("red").shape == (1, 40)
    with pytest.raises(ValueError, match=f"{tmp_path} gives the token 80, and this CLIP's are from 0 to 79"):
        clip.tokenize("a cat")


def test_a_tokenizer_that_is_not_here_is_missed_only_by_texts(offline):
    text = TEXT | SIGLIP | {"hf_tokenizer_name": "timm/nowhere"}
    clip = from_config({"embed_dim": 12, "vision_cfg": VISION, "text_cfg": text})
    assert clip.encode_image(torch.zeros(1, 3, 16, 16)).shape == (1, 12)
    with pytest.raises(
        ValueError, match="timm/nowhere cannot be read beside .* `hf download timm/nowhere`"
    ) as error:
        clip.tokenize("a cat")
    assert "\n" not in str(error.value)


def test_the_hubs_cache_is_read(tmp_path, offline):
    cached = tmp_path / "models--timm--small"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("c0ffee")
    save_tokenizer(cached / "snapshots" / "c0ffee", "gemma")
    options = {"cache_dir": str(tmp_path), "clean": "canonicalize"}
    tokenizer = tokenizer_of(TEXT | {"hf_tokenizer_name": "timm/small", "tokenizer_kwargs": options})
    assert tokenizer(["a cat!"], 8)[0, -3:].tolist() == [1, 0, 0] and tokenizer.pad_id == 0


def test_a_sentencepiece_model_alone(tmp_path):
    """As google/mt5-base has it; sentencepiece itself says what the tokens are."""
    sentencepiece = pytest.importorskip("sentencepiece")
    (tmp_path / "corpus.txt").write_text("\n".join(list(QUERIES.values()) * 20))
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "corpus.txt"),
        model_prefix=str(tmp_path / "spiece"),
        vocab_size=70,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    roles = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    described = {"tokenizer_class": "T5Tokenizer", "extra_ids": 0, **roles}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(described))
    tokenizer = tokenizer_of(TEXT | {"hf_tokenizer_name": "google/mt5-base"}, tmp_path)
    pieces = sentencepiece.SentencePieceProcessor(str(tmp_path / "spiece.model"))
    for ids, query in zip(tokenizer(list(QUERIES.values()), 40).tolist(), QUERIES.values(), strict=True):
        expected = [*pieces.encode(query), 1]
        assert ids == expected + [0] * (40 - len(expected))


def test_class_token_stays_at_the_last_place_that_is_read(tmp_path):
    save_tokenizer(tmp_path, "gemma")
    text = TEXT | {"hf_tokenizer_name": "x", "tokenizer_mode": "clips"}
    with pytest.raises(ValueError, match="names no bos_token and no cls_token"):
        tokenizer_of(text, tmp_path)(["a cat"], 8)
    edit(tmp_path / "tokenizer_config.json", lambda said: said.update(bos_token="<bos>", cls_token="<unk>"))
    tokenizer = tokenizer_of(text, tmp_path)
    ids = tokenizer(["a cat"], 8)[0].tolist()
    assert (ids[0], len(ids), ids[-1]) == (2, 40, 3) and ids[6:8] == [1, 0]


@pytest.mark.parametrize("clean", ["lower", "whitespace", "canonicalize"])
@pytest.mark.parametrize("vocabulary", [49408, 64000])
def test_own_tokenizer_with_other_cleaning_and_vocabulary(clean, vocabulary):
    config = {"context_length": 12, "vocab_size": vocabulary, "tokenizer_kwargs": {"clean": clean}}
    theirs = open_clip.SimpleTokenizer(context_length=12, clean=clean)
    texts = ["Two red cats, running!!! 'Twas_late", "kissa"]
    assert torch.equal(tokenizer_of(config)(texts, 12), theirs(texts))


@pytest.mark.parametrize(
    "options",
    [{"foo": 1}, {"context_length": 5}, {"clean": "x"}, {"reduction_mask": "x"}, {"bpe_path": "none"}],
)
def test_options_that_open_clips_own_tokenizer_does_not_take(options):
    with pytest.raises(ValueError, match=r"tokenizer_kwargs is \{.*; open_clip builds no tokenizer with it"):
        tokenizer_of({"tokenizer_kwargs": options})


def test_options_that_a_hugging_face_tokenizer_does_not_take(tmp_path):
    name = model_folder("gemma", tmp_path)
    edit(
        tmp_path / "open_clip_config.json",
        lambda said: said["model_cfg"]["text_cfg"].update(tokenizer_kwargs={"clean": "x"}),
    )
    with pytest.raises(
        ValueError, match=r"Invalid clean function .* or mend tokenizer_kwargs \{'clean': 'x'\}"
    ):
        load_clip(name).tokenize("a cat")


def test_a_vocabulary_of_ones_own_has_no_tokenizer():
    assert tokenizer_of({"vocab_size": 100}) is None and tokenizer_of(None) is None


def test_folders_without_a_model(tmp_path):
    with pytest.raises(ValueError, match="describes no model"):
        load_clip(f"local-dir:{tmp_path}")
    (tmp_path / "open_clip_config.json").write_text("{")
    with pytest.raises(ValueError, match="describes no model"):
        load_clip(f"local-dir:{tmp_path}")
    with pytest.raises(ValueError, match="holds no weights: put a file there"):
        load_clip("tiny", str(tmp_path))
