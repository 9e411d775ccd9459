"""A CLIP, or a model of videos on it, in; how well it finds stills by their captions, as CLIP itself learned, out.

The stills are the embedded world's. Those of HELD_OUT seeds are in no training, of a tiny CLIP or of videos.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from stan.common.tensors import joined
from stan.data.video.transforms import evaluation
from stan.data.world.stills import draw_stills
from stan.evaluation.metrics import retrieval_ranks
from stan.models.clip import Clip
from stan.models.dual_encoder import DualEncoder
from stan.models.video_encoder import VideoOutput

CHUNK = 1000
"""Number of stills drawn at a time, before they are shrunk to the size that CLIP sees."""
WORDS = 20
"""Text tokens per text; the longest caption of a still has 19, the longest sentence about a motion 17."""
HELD_OUT = 1_000_000
"""Seeds from this number on are never used for training."""
STILLS = 1000
"""Number of unseen stills to be found, all with different captions."""
VIDEOS_AT_ONCE = 64


def captioned_stills(
    clip: Clip, count: int, seed: int
) -> tuple[Float[Tensor, "N 3 S S"], Int[Tensor, "N L"], Int[Tensor, " N"]]:
    """Return half-precision images, token ids (L = WORDS) and caption numbers of `count` stills.

    Captions with the same content (see `content_of`) have the same number.
    """
    transform = evaluation(clip.pixels)
    images, captions = [], []
    for chunk in range(math.ceil(count / CHUNK)):
        pictures, texts = draw_stills(CHUNK, (seed, chunk))
        images.append(torch.as_tensor(transform(pictures)).half())
        captions += texts
    contents = [content_of(caption) for caption in captions]
    numbers = {content: i for i, content in enumerate(dict.fromkeys(contents))}
    names = torch.tensor([numbers[content] for content in contents])
    return torch.cat(images)[:count], clip.tokenize(captions, WORDS)[:count], names[:count]


def content_of(caption: str) -> str:
    """Return the caption without its opening words; pictures with the same content are no negatives of each other."""
    for opening in ("a picture of ", "there is ", "this is "):
        caption = caption.removeprefix(opening)
    return caption


def unseen_stills(clip: Clip, seed: int = 0) -> tuple[Float[Tensor, "N 3 S S"], Int[Tensor, "N L"]]:
    """Return STILLS images and the token ids of their captions, which are all different."""
    images, ids, names = captioned_stills(clip, 3 * CHUNK, HELD_OUT + seed)
    first = np.unique(names.numpy(), return_index=True)[1][:STILLS]
    return images[first].float(), ids[first]


@torch.no_grad()
def retrieve(
    model: DualEncoder, images: Float[Tensor, "N 3 S S"], ids: Int[Tensor, "N L"]
) -> dict[str, np.ndarray]:
    """Return the ranks of stills, each shown as a video that stands still, as a record's arrays hold them."""
    was_training = model.training
    model.eval()
    videos = joined([_standing_still(model, part.to(model.device)) for part in images.split(VIDEOS_AT_ONCE)])
    scores = model.similarity(model.encode_text(ids.to(model.device)), videos)
    model.train(was_training)
    names = np.array([f"still{i}" for i in range(len(ids))])
    t2v, v2t = retrieval_ranks(scores.double().cpu().numpy())
    return {"query_ids": names, "t2v": t2v, "video_ids": names, "v2t": v2t}


def _standing_still(model: DualEncoder, images: Float[Tensor, "B 3 S S"]) -> VideoOutput:
    """Embed videos that show one image all the time; what CLIP makes of it before the method is computed once."""
    encoder, once = model.encoder, images[:, None].expand(-1, model.clip.visual.tubelet, -1, -1, -1)
    levels = encoder.levels(once)
    times = model.temporal.frames
    return encoder.from_levels({i: levels[i].expand(-1, times, -1, -1) for i in encoder.levels_to_keep})
