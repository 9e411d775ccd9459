"""Name of an open_clip ViT in, a CLIP with accessible blocks, token levels and attention weights out."""

from __future__ import annotations

import copy
import difflib
import json
import pickle
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from safetensors import SafetensorError
from torch import Tensor, nn

from stan.common.paths import ASSETS
from stan.common.torchvision_compat import declare
from stan.data.preprocessing import Preprocessing
from stan.models import checkpoint
from stan.models.blocks import Block, PatchEmbedding, QuickGeluMlp
from stan.models.temporal.attention import attention_weights

declare()

import open_clip  # noqa: E402
from open_clip.coca_model import CoCa  # noqa: E402
from open_clip.factory import load_checkpoint  # noqa: E402
from open_clip.model import CustomTextCLIP  # noqa: E402
from open_clip.pretrained import get_pretrained_cfg  # noqa: E402
from open_clip.transformer import QuickGELU  # noqa: E402

TINY_CONFIG = ASSETS / "models" / "tiny_clip.json"
TINY_WEIGHTS = ASSETS / "weights" / "tiny_clip.safetensors"
UNUSED_TEXT = {"context_length": 2, "vocab_size": 2, "width": 1, "heads": 1, "layers": 1}
"""open_clip always builds a text tower; this smallest one is thrown away."""
VOCABULARY = 49408  # vocabulary size of open_clip's own tokenizer


TextTokens = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Maps token embeddings (B, L, D) and positions of the end tokens (B,) to those that the text tower reads instead."""


class TextOutput(NamedTuple):
    """Embedded captions, not normalised. `mask` is False for the padding after the end token."""

    tokens: Float[Tensor, "B L E"]
    text: Float[Tensor, "B E"]
    mask: Bool[Tensor, "B L"]


class NoText(nn.Module):
    """Stands for the text tower of a model that was released without one."""

    context_length = width = 0
    cls_emb = None

    def __init__(self) -> None:
        super().__init__()
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.ModuleList()


class Clip(nn.Module):
    """Both towers of an open_clip model, under open_clip's own names in the state dict (`visual.*`, `text.*`).

    model: its text tower is None for a model released without one; then only videos can be embedded.
    """

    def __init__(
        self, model: CustomTextCLIP | CoCa, mean: tuple[float, ...], std: tuple[float, ...], tokenizer: Any
    ):
        super().__init__()
        # open_clip's towers, but with parts replaced below, which open_clip's types don't allow
        self.visual: Any = model.visual
        self.text: Any = NoText() if model.text is None else model.text
        for block in (*self.visual.transformer.resblocks, *self.text.transformer.resblocks):
            if isinstance(block.mlp.gelu, QuickGELU):
                block.mlp = QuickGeluMlp(OrderedDict(block.mlp.named_children()))
        self.visual.conv1 = PatchEmbedding(self.visual.conv1)
        transformer = self.visual.transformer
        transformer.resblocks = nn.ModuleList(Block(block) for block in transformer.resblocks)
        self.logit_scale = model.logit_scale
        self.mean, self.std, self.tokenizer = tuple(mean), tuple(std), tokenizer
        self.grid: tuple[int, int] = model.visual.grid_size
        self.image_size: int = model.visual.image_size[0]
        self.embed_dim: int = model.visual.output_dim
        self.heads: int = self.blocks[0].attn.num_heads
        self.context_length: int = self.text.context_length

    @property
    def preprocessing(self) -> Preprocessing:
        """How this CLIP reads frames and captions."""
        return Preprocessing(self.image_size, self.mean, self.std, self.tokenize)

    @property
    def blocks(self) -> Sequence[Block]:  # a ModuleList, whose type doesn't tell what it holds
        return self.visual.transformer.resblocks

    @property
    def width(self) -> int:
        return self.visual.transformer.width

    @property
    def layers(self) -> int:
        return len(self.blocks)

    @property
    def patches(self) -> int:
        return self.grid[0] * self.grid[1]

    def tokenize(self, texts: str | list[str], words: int | None = None) -> Int[Tensor, "B L"]:
        """Return token ids of length `words` (None: the context length). A text that is too long is cut before its end
        token."""
        self._require_text()
        if self.tokenizer is None:
            raise ValueError(
                "this CLIP has a vocabulary of its own and no tokenizer: hand over token ids instead"
            )
        if words is not None and not 2 <= words <= self.context_length:
            raise ValueError(f"words={words}: this CLIP reads 2 to {self.context_length} tokens")
        return self.tokenizer(
            [texts] if isinstance(texts, str) else list(texts), words or self.context_length
        )

    def embed(self, images: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N S D"]:
        """Return the input of the first block: the tokens after CLIP's first LayerNorm."""
        return self.visual.ln_pre(self.tokens(images))

    def tokens(self, images: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N S D"]:
        """Return CLS and patch tokens with positions, S = 1 + P. Never drops patches."""
        patches = self.visual.conv1(images).flatten(2).transpose(1, 2)
        cls = self.visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        return torch.cat([cls, patches], 1) + self.visual.positional_embedding.to(patches.dtype)

    def pool(self, x: Float[Tensor, "... S D"]) -> Float[Tensor, "... S D"]:
        """Return the last block's tokens, with the one that `project` reads as token 0.

        In a CLIP, token 0 is the CLS token itself. In a CoCa, it is what the first query of the attentional pooler
        makes of all tokens, padded with zeros from E to D channels.
        """
        pooler = self.visual.attn_pool
        if pooler is None:
            return x
        tokens = pooler.ln_k(x.flatten(0, -3))
        query = pooler.ln_q(pooler.query[:1]).expand(len(tokens), -1, -1)
        pooled = pooler.attn(query, tokens, tokens, need_weights=False)[0]
        pooled = F.pad(pooled, (0, self.width - self.embed_dim)).reshape(*x.shape[:-2], 1, self.width)
        return torch.cat([pooled, x[..., 1:, :]], -2)

    def project(self, cls: Float[Tensor, "... D"]) -> Float[Tensor, "... E"]:
        """Apply CLIP's last LayerNorm and its projection into the space shared with the texts."""
        return self.normalise(cls) @ self.visual.proj

    def normalise(self, cls: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        """Apply CLIP's last LayerNorm. In a CoCa, it acts after the pooler, on the first E channels."""
        norm = self.visual.ln_post
        return norm(cls[..., : norm.normalized_shape[0]])

    def encode_image(self, images: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N E"]:
        """Return open_clip's own image embedding, not normalised."""
        return self.visual(images)

    def encode_text(self, ids: Int[Tensor, "B L"], text_tokens: TextTokens | None = None) -> TextOutput:
        """Embed token ids. Padding after the end token changes nothing.

        text_tokens: changes what the tower reads (see `Temporal.text_tokens`). Raises ValueError for more tokens than
        the context length.
        """
        length, text = ids.shape[1], self.text
        self._require_text()
        if length > self.context_length:
            raise ValueError(f"{length} tokens per caption; this CLIP reads at most {self.context_length}")
        if text.cls_emb is not None:
            return self._encode_text_at_cls(ids)
        x, end = text.token_embedding(ids), self._end(ids)
        if text_tokens is not None:
            x, end = text_tokens(x, end)
            length = x.shape[1]
        x = text.transformer(
            x + text.positional_embedding[:length], attn_mask=text.attn_mask[:length, :length]
        )
        tokens = _project_text(text.text_projection, text.ln_final(x))
        places = torch.arange(length, device=ids.device)
        return TextOutput(
            tokens, tokens[torch.arange(len(ids), device=ids.device), end], places <= end[:, None]
        )

    def _require_text(self) -> None:
        if isinstance(self.text, NoText):
            raise ValueError(
                "this model has no text tower, only videos and its own classes: convert its file together with the CLIP"
                " that it was trained on (--clip) to compare it with texts"
            )

    def _end(self, ids: Int[Tensor, "B L"]) -> Int[Tensor, " B"]:
        """Return the position of each caption's end token, which is the highest id unless the tower names one."""
        if self.text.pool_type == "eos":
            return (ids == self.text.eos_id).int().argmax(1)
        return ids.argmax(1)

    def _encode_text_at_cls(self, ids: Int[Tensor, "B L"]) -> TextOutput:
        """Embed token ids with a CoCa, which reads a caption at a CLS token behind it.

        However long the caption is, the CLS token must stand at its one position. This leaves no room to change the
        words, so methods that change them refuse a CoCa.
        """
        length, text = ids.shape[1], self.text
        pooled, tokens = text(F.pad(ids, (0, self.context_length - length), value=text.pad_id))
        tokens = _project_text(text.text_projection, text.ln_final(tokens[:, :length]))
        return TextOutput(tokens, pooled, torch.arange(length, device=ids.device) <= self._end(ids)[:, None])

    def attention(self, i: int, x: Float[Tensor, "N S D"]) -> Float[Tensor, "N heads S S"]:
        """Return the attention weights of block `i` on its own input `x`; rows (queries) sum to one."""
        block = self.blocks[i]
        return attention_weights(block.attn, block.ln_1(x))


def load_clip(backbone: str = "tiny", pretrained: str | None = None) -> Clip:
    """Return a CLIP by name.

    backbone: `tiny` or a ViT architecture of open_clip (`ViT-B-32`, `coca_ViT-B-32`). Of a CoCa, only the two towers
        are kept, not the decoder that writes captions.
    pretrained: None for the shipped weights (tiny only), `random`, an open_clip tag (`openai`) or a local file in
        open_clip's layout. With a tag, the activation that the tag was trained with is used, whatever the name of the
        backbone says. For a local file of OpenAI's weights, choose the `-quickgelu` architecture.

    Raises ValueError for an unknown name, an architecture that is neither a CoCa nor a ViT with a text tower read at
    its end token, and weights that cannot be fetched or read.
    """
    config, tag, weights = _described(backbone, pretrained)
    return from_config(config, tag.get("mean"), tag.get("std"), weights, backbone)


def architecture(backbone: str = "tiny", pretrained: str | None = None) -> dict[str, Any]:
    """Return open_clip's model config of what `load_clip` loads. Raises the same errors."""
    return _described(backbone, pretrained)[0]


def _described(backbone: str, pretrained: str | None) -> tuple[dict[str, Any], dict[str, Any], Path | None]:
    """Return a CLIP's model config, its tag's settings, and the file of its weights (None: random)."""
    config, tag, weights = _architecture(backbone), {}, None
    if pretrained is None and backbone != "tiny":
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(backbone))
        raise ValueError(f"{backbone} needs pretrained=: one of {tags}; a local file; or 'random'")
    if pretrained is None or Path(pretrained).is_file():
        weights = _present(Path(pretrained or TINY_WEIGHTS))
    elif pretrained != "random":
        tag = _tag(backbone, pretrained)
        config["quick_gelu"] = tag.get("quick_gelu", False)
        weights = _fetch(backbone, pretrained, tag)
    return config, tag, weights


def image_tower(backbone: str) -> nn.Module:
    """Return open_clip's own image tower, unchanged and with random weights, to compare the wrapper with it."""
    return _random(_architecture(backbone)).visual


def from_config(
    config: dict[str, Any],
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    weights: Path | None = None,
    name: str = "this architecture",
) -> Clip:
    """Build a CLIP from open_clip's model config, with random weights and OpenAI's mean and std unless given.

    A config whose `text_cfg` is None gives a model without a text tower.
    """
    _refuse_unsupported(config, name)
    tokenizer = None
    if config["text_cfg"] is not None and config["text_cfg"].get("vocab_size", VOCABULARY) == VOCABULARY:
        tokenizer = _tokenizer(config["text_cfg"].get("context_length", 77))
    model = _random(config)
    if weights is not None:
        _load_weights(model, weights, name)
    return Clip(model, mean or open_clip.OPENAI_DATASET_MEAN, std or open_clip.OPENAI_DATASET_STD, tokenizer)


def _tokenizer(context_length: int) -> Any:
    """Copy open_clip's own tokenizer, because reading the vocabulary again takes longer than the tiny CLIP does."""
    tokenizer = copy.copy(open_clip.tokenizer._tokenizer)
    tokenizer.context_length = context_length
    return tokenizer


def _random(config: dict[str, Any]) -> CustomTextCLIP | CoCa:
    """Return open_clip's model with random weights.

    Its image tower returns the embedding alone. Its text tower also returns the tokens if it reads captions at a CLS.
    """
    config = {key: value for key, value in config.items() if key != "custom_text"}
    vision, text = config["vision_cfg"], config["text_cfg"] or UNUSED_TEXT
    config["vision_cfg"] = vision | {"output_tokens": False}
    config["text_cfg"] = text | {"output_tokens": text.get("embed_cls", False)}
    model = (CoCa if "multimodal_cfg" in config else CustomTextCLIP)(**config)
    if text is UNUSED_TEXT:
        model.text = None
    return model


def _architecture(backbone: str) -> dict[str, Any]:
    if backbone == "tiny":
        return json.loads(TINY_CONFIG.read_text())
    config = open_clip.get_model_config(backbone) if ":" not in backbone else None
    if config is None:
        close = difflib.get_close_matches(backbone, [*open_clip.list_models(), "tiny"], 5, 0.4)
        raise ValueError(
            f"backbone {backbone!r} is neither 'tiny' nor known to open_clip; close: {', '.join(close)}"
        )
    return config


def _refuse_unsupported(config: dict[str, Any], name: str) -> None:
    """Raise ValueError for an architecture that the wrapper doesn't reproduce.

    It reproduces CoCas, and plain ViT blocks read at the CLS token with a causal text tower read at its end token.
    """
    vision, text = config["vision_cfg"], config["text_cfg"] or {}
    custom = (
        "block_type",
        "qk_norm",
        "scaled_cosine_attn",
        "scale_heads",
        "scale_attn_inner",
        "scale_attn",
        "scale_fc",
    )
    foreign = (
        "timm_model_name",
        "hf_model_name",
        "hf_tokenizer_name",
        "no_causal_mask",
    )
    unsupported = [key for part in (vision, text) for key in (*custom, *foreign) if part.get(key)]
    pooler = vision.get("attentional_pool")
    wide = config["embed_dim"] > vision.get("width", 768)
    unsupported += ["attentional_pool"] * (isinstance(pooler, str) or bool(pooler and wide))
    unsupported += ["residual network"] * isinstance(vision.get("layers"), list)
    unsupported += ["pool_type"] * (vision.get("pool_type", "tok") != "tok")
    unsupported += ["text pool_type"] * (text.get("pool_type", "argmax") not in ("argmax", "eos"))
    if unsupported:
        raise ValueError(
            f"{name} is not supported ({', '.join(unsupported)}): choose an open_clip ViT with a CLS token"
            " and a causal"
            " text tower read at its end token, such as ViT-B-32, ViT-B-16 or ViT-L-14, or a CoCa such as"
            " coca_ViT-B-32"
        )


def _tag(backbone: str, pretrained: str) -> dict[str, Any]:
    tag = get_pretrained_cfg(backbone, pretrained)
    if not tag:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(backbone)) or "none"
        raise ValueError(f"pretrained {pretrained!r} is no file and no tag of {backbone} (its tags: {tags})")
    return tag


def _present(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"the tiny CLIP's weights are missing at {path}: make them with `stan pretrain`")
    return path


def _fetch(backbone: str, pretrained: str, tag: dict[str, Any]) -> Path:
    try:
        return Path(open_clip.download_pretrained(tag))
    except Exception as error:  # the hub's client raises a dozen unrelated types without a network
        raise ValueError(
            f"the weights {pretrained!r} of {backbone} could not be fetched ({type(error).__name__}): run"
            " once"
            " with a network, or fetch the file elsewhere and give its path as pretrained=, or use the"
            " backbone 'tiny'"
        ) from error


def _load_weights(model: CustomTextCLIP | CoCa, path: Path, name: str) -> None:
    try:
        if path.suffix == ".safetensors" and checkpoint.kept_words(path) is not None:
            model.load_state_dict(checkpoint.load(path)[0])
        else:
            load_checkpoint(model, str(path))  # ty: ignore[invalid-argument-type]  # takes a CoCa, too
    except (RuntimeError, KeyError, OSError, ValueError, pickle.UnpicklingError, SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"{path} does not hold weights of {name} in open_clip's layout ({reason}): check that the file"
            " is complete"
            " and that the architecture is the one it was trained with"
        ) from error


def _project_text(projection: nn.Parameter | nn.Linear, tokens: Tensor) -> Tensor:
    return projection(tokens) if isinstance(projection, nn.Linear) else tokens @ projection
