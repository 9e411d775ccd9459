"""Name of a Hugging Face text model in, an untrained text tower of its architecture, as open_clip reads it, out."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from stan.common.json_values import require
from stan.common.paths import ASSETS

KNOWN = ASSETS / "models" / "hugging_face_text.json"
"""Configurations of the text models that open_clip's architectures name, so that nothing need be fetched for them."""

DROPOUTS = (
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout_rate", "dropout"),
    *("attention_dropout", "activation_dropout", "encoder_layerdrop"),
)
POOLERS = ("mean_pooler", "cls_pooler", "cls_last_hidden_state_pooler")
LAYERS = ("encoder.layer", "block", "layers")
"""Where models of Hugging Face keep their blocks."""


class HuggingFaceText(nn.Module):
    """A text model and its projection, under the names of open_clip's `HFTextEncoder`; without dropout, as CLIP's own.

    Padding is hidden from attention and pooling, so that it changes nothing.

    name: one of those in `KNOWN`, a folder with a config.json, or a model whose config.json is in the hub's local
    cache. pooler, projection: open_clip's `hf_pooler_type` (of `POOLERS`) and `hf_proj_type` (None, linear, mlp).
    Raises ValueError for others, for a model that isn't here, and without transformers.
    """

    cls_emb = None

    def __init__(
        self, name: str, embed_dim: int, pooler: str, projection: str | None, context_length: int
    ) -> None:
        super().__init__()
        if pooler not in POOLERS:
            raise ValueError(f"{name} read by hf_pooler_type={pooler!r}: supported are {', '.join(POOLERS)}")
        config = _config(name)
        try:
            self.transformer = _encoder(config, pooler == "cls_pooler")
            self.width, self.pad_id = config.hidden_size, config.pad_token_id
            require("pad_token_id", self.pad_id, "int")
        except Exception as error:  # of a dozen unrelated types
            raise _unusable(name, error) from error
        self.pooler_type = pooler
        self.context_length = context_length
        if (most := _positions(self.transformer)) is not None and context_length > most:
            raise ValueError(
                f"the text model {name} reads at most {most} tokens, and text_cfg asks for {context_length}: write a"
                f" context_length of at most {most} into it"
            )
        self.proj = _projection(name, self.width, embed_dim, projection)

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The model's own transformer layers, each only run as a whole; none where it keeps them elsewhere."""
        named = dict(self.transformer.named_modules())
        return [block for path in LAYERS if path in named for block in named[path].children()]

    def forward(
        self, ids: Int[Tensor, "B L"]
    ) -> tuple[Float[Tensor, "B L E"], Float[Tensor, "B E"], Bool[Tensor, "B L"]]:
        """Return each token embedded, the captions embedded, and which tokens aren't padding."""
        mask = ids != self.pad_id
        # the library looks into the mask, so a tensor without values goes without
        out = self.transformer(input_ids=ids, attention_mask=None if ids.is_meta else mask.long())
        hidden, of_model = out.last_hidden_state, getattr(out, "pooler_output", None)
        if self.pooler_type == "mean_pooler":
            pooled = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        elif self.pooler_type == "cls_pooler" and of_model is not None:
            pooled = of_model
        else:
            pooled = hidden[:, 0]
        return self.proj(hidden), self.proj(pooled), mask


def transformers(what: str) -> ModuleType:
    """Return the library, which is imported only here and by open_clip's tokenizer. Raises ValueError without it."""
    try:
        import transformers
    except ImportError as error:
        raise ValueError(f"{what} needs the library transformers: pip install 'stan-video[texts]'") from error
    return transformers


def _config(name: str) -> Any:
    """Return the model's configuration, with all dropout off."""
    library, known = transformers(f"the text model {name}"), _known()
    if name in known:
        config = library.AutoConfig.for_model(**known[name])
    else:
        try:
            config = library.AutoConfig.from_pretrained(name, local_files_only=True)
        except Exception as error:  # of a dozen unrelated types
            if os.path.isfile(Path(name) / "config.json"):
                raise _unusable(name, error) from error
            raise ValueError(
                f"the text model {name} is not here: fetch its config.json and name the folder with it as hf_model_name"
                f" instead, or fetch it into the hub's cache: hf download {name} config.json"
            ) from error
    for attribute in DROPOUTS:
        if hasattr(config, attribute):
            setattr(config, attribute, 0.0)
    return config


def _unusable(name: str, error: Exception) -> ValueError:
    reason = textwrap.shorten(f"{type(error).__name__}: {error}", 200, placeholder=" …")
    return ValueError(f"the config.json of {name} describes no text model ({reason}): fetch it again")


def _positions(model: nn.Module) -> int | None:
    """Return the largest number of tokens that a model has positions for; None if they aren't a table."""
    tables = (part for name, part in model.named_modules() if name.endswith("position_embeddings"))
    table = next((one for one in tables if isinstance(one, nn.Embedding)), None)
    if table is None:
        return None
    # RoBERTa counts from behind the padding's own
    return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)


@cache
def _known() -> dict[str, dict[str, Any]]:
    return json.loads(KNOWN.read_text())


def _encoder(config: Any, with_pooler: bool) -> nn.Module:
    """Return the model or, of one with a decoder, its encoder, with random weights on the device in use."""
    auto = transformers("a text model").AutoModel
    if not config.is_encoder_decoder:
        return auto.from_config(config, add_pooling_layer=with_pooler)
    with torch.device("meta"):
        encoder = auto.from_config(config).get_encoder()
    return type(encoder)(encoder.config)


def _projection(name: str, width: int, embed_dim: int, kind: str | None) -> nn.Module:
    if kind is None and width == embed_dim:
        return nn.Identity()
    if kind == "linear":
        return nn.Linear(width, embed_dim, bias=False)
    if kind == "mlp":
        between = (width + embed_dim) // 2
        return nn.Sequential(
            nn.Linear(width, between, bias=False), nn.GELU(), nn.Linear(between, embed_dim, bias=False)
        )
    raise ValueError(
        f"{name} with {width} channels and hf_proj_type={kind!r} for {embed_dim}: choose linear or mlp"
    )
