"""ActionCLIP's reference outputs in, what our model gives in their place out."""

from __future__ import annotations

import torch
from einops import rearrange

from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.evaluation.templates import SCALE, mean_probabilities
from stan.models.text_tower import TextOutput
from stan.training.losses import kl_divergence, one_way_kl


@torch.no_grad()
def _outputs(golden: Golden) -> Outputs:
    model, given = golden.model(), golden.io
    *_, (_, last) = model.encoder.blocks(given["video"])
    text, video = model.encode_text(given["token_ids"]), model.encode_video(given["video"])
    scores = rearrange(
        model.similarity(text, video), "(n k) b -> n k b", k=golden.settings["classes"]
    )  # all classes in the first template come first
    own = given["batch_classes"]  # in the first template
    logits = model.logit_scale.exp() * model.similarity(TextOutput(*(part[own] for part in text)), video)
    same = own[:, None] == own[None]
    return {
        "frame_embeddings": model.clip.visual.project(last[:, :, 0]),
        "video_embedding": video.video,
        "text_embedding": text.text,
        "template_logits": SCALE * rearrange(scores, "n k b -> b n k"),
        "class_probabilities": mean_probabilities(scores).T,
        "logits_per_text": logits,
        "logits_per_image": logits.T,
        "ground_truth": same.float(),
        "loss_texts": one_way_kl(logits, same),
        "loss_images": one_way_kl(logits.T, same),
        "loss_total": kl_divergence(logits, same),
    }


@torch.no_grad()
def _text4vis(golden: Golden) -> Outputs:
    model, given = golden.model(), golden.io
    *_, (_, last) = model.encoder.blocks(given["video"])
    video, classes = model.encode_video(given["video"]), given["class_embeddings"]
    text = TextOutput(classes[:, None], classes, torch.ones(len(classes), 1, dtype=torch.bool))
    return {
        "frame_embeddings": model.clip.visual.project(last[:, :, 0]),
        "video_embedding": video.video,
        "logits": model.logit_scale.exp() * model.similarity(text, video).T,
    }


@torch.no_grad()
def _bike(golden: Golden) -> Outputs:
    model, given = golden.model(), golden.io
    *_, (_, last) = model.encoder.blocks(given["video"])
    text, video = model.encode_text(given["token_ids"]), model.encode_video(given["video"])
    own = model.clip.visual.project(last[:, :, 0])
    similarity = model.similarity(text, video).T
    return {
        "frame_embeddings": own,
        "text_embedding": text.text,
        "token_embeddings": text.tokens,
        "fused_frames": video.frames,
        "frame_weights": model.score.weights(text, video),
        "similarity": similarity,
        "similarity_without_fusion": model.similarity(text, video._replace(frames=own)).T,
        "logits": model.logit_scale.exp() * similarity,
    }


BIKE = Rival("BIKE (whwu95/BIKE)", _bike, frozenset({"video", "token_ids"}))
TEXT4VIS = Rival("Text4Vis (whwu95/Text4Vis)", _text4vis, frozenset({"video", "class_embeddings"}))
RIVAL = Rival(
    "ActionCLIP (sallymmx/ActionCLIP)", _outputs, frozenset({"video", "token_ids", "batch_classes"})
)
