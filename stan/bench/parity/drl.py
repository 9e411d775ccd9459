"""DRL's reference outputs in, ours beside them out: its token-wise interactions and its channel decorrelation."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from stan.bench.parity.clip4clip import INPUTS, contrastive, frames_of_clip
from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.config import TrainConfig
from stan.models import similarity
from stan.models.dual_encoder import DualEncoder
from stan.models.similarity.token_interaction import TokenInteraction
from stan.models.text_tower import TextOutput
from stan.models.video_encoder import VideoOutput
from stan.training.objective import channel_decorrelation

ALPHAS = {"readme": (0.11, 0.0), "default": (1.0, 0.06), "diagonal": (1.0, 0.0)}
"""The weights of the diagonal and of the rest: the README's, the code's own, and the diagonal alone."""
FORMS = {"cdcr3_dp": "released-embeddings", "cdcr2_wti": "tokens", "cdcr3_wti": "weighed-tokens"}


@torch.no_grad()
def _outputs(golden: Golden) -> Outputs:
    io, model = golden.io, golden.model()
    text = model.encode_text(io["token_ids"])
    ours = {"clip_frames": frames_of_clip(model, io["video"]), "text_tokens": text.tokens}
    real = io["video_mask"].bool()
    for case, mask in (("full", torch.ones_like(real)), ("masked", real)):
        video = model.encode_video(io["video"], mask)
        ours |= {f"{case}.{name}": tensor for name, tensor in _of_case(model, text, video)}
    return ours


def _of_case(model: DualEncoder, text: TextOutput, video: VideoOutput) -> Iterator[tuple[str, Tensor]]:
    score, scale = model.score, model.logit_scale.exp()
    assert isinstance(score, TokenInteraction) and score.text is not None and score.video is not None
    yield "frames", video.frames
    yield "text_weight_logits", score.text(text.tokens)[..., 0]
    yield "video_weight_logits", score.video(video.frames)[..., 0]
    equal = similarity.build("token_interaction", model.clip, {"layers": 0, "padded_as_zero": True})
    cosine = similarity.build("cosine", model.clip)(text, video)
    yield from {"wti": score(text, video), "ti": equal(text, video), "dp": cosine}.items()
    yield "wti_loss", contrastive(scale * score(text, video))
    yield "dp_loss", contrastive(scale * cosine)
    pairs = min(len(text.text), len(video.video))
    paired = TextOutput(*(part[:pairs] for part in text)), VideoOutput(*(part[:pairs] for part in video))
    for name, form in FORMS.items():
        for alphas, (diagonal, others) in ALPHAS.items():
            recipe = TrainConfig(decorrelation=diagonal, decorrelation_off_diagonal=others, decorrelated=form)
            yield f"{name}_{alphas}", torch.as_tensor(channel_decorrelation(score, *paired, recipe))


RIVAL = Rival("DRL (foolwood/DRL)", _outputs, INPUTS)
