"""All-in-one's reference outputs in, what our model gives in their place out."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.models.dual_encoder import DualEncoder
from stan.models.temporal.token_roll import TokenRoll, in_order


@torch.no_grad()
def _outputs(golden: Golden) -> Outputs:
    io = golden.io
    model = golden.model()
    temporal = _with_the_order(model, golden)
    alone = golden.model(options={"share": 0.0})
    _with_the_order(alone, golden)
    frames = io["video"].shape[1]
    # The source adds what tells images from texts after this output; here it stands in the positions.
    of_images = golden.checkpoint()["token_type_embeddings.weight"][1]
    tokens = temporal.started(model.encoder.embed(io["video"])) - of_images
    to_roll = rearrange(io["roll_in"], "(b t) s d -> b t s d", t=frames)
    return (
        {
            "roll_out": temporal.rolled(to_roll, None).flatten(0, 1),
            "joint_image_embeds": tokens.flatten(0, 1),
        }
        | _pass("empty_text", model, io["video"])
        | _pass("video_only", alone, io["video"])
    )


def _with_the_order(model: DualEncoder, golden: Golden) -> TokenRoll:
    """Let patches stand where the source drew them, by their (row, column)."""
    temporal = model.temporal
    assert isinstance(temporal, TokenRoll)
    index, columns = golden.io["joint_patch_index"], model.clip.grid[1]
    places = rearrange(index[..., 0] * columns + index[..., 1], "(b t) p -> b t p", b=len(golden.io["video"]))
    temporal.order.register_forward_hook(lambda _, given, result: in_order(given[0], places.long()))
    return temporal


def _pass(name: str, model: DualEncoder, video: Tensor) -> dict[str, Tensor]:
    *_, (_, last) = model.encoder.blocks(video)
    embedded = model.encode_video(video)
    return {
        f"{name}_last_block": last.flatten(0, 1),
        f"{name}_image_feats": model.clip.visual.normalise(last).mean(1),
        f"{name}_raw_cls_feats": embedded.frames.mean(1),
        f"{name}_cls_feats": embedded.video,
    }


RIVAL = Rival(
    "All-in-one (showlab/all-in-one)",
    _outputs,
    frozenset({"video", "roll_in", "joint_image_masks", "joint_patch_index", "text_ids", "text_masks"}),
    {
        r"joint_(last_block|(image|text|cls|raw_cls)_feats)": "text and frames run through the same blocks there; here"
        " texts and videos are embedded apart, so that a video is embedded once for all texts"
    },
)
