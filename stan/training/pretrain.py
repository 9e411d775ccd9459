"""Stills with captions, and sentences, in; a small CLIP out: its weights, and a record of how it was made.

The captions of the stills never say where a shape is, how large it is or how it is turned. Beside that, the text tower
alone reads about motions, as CLIP's text tower has: one wording of a sentence must find the other wording among many
sentences, one of which is its reversal in time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stan.common.files import write_json
from stan.common.tensors import device_named
from stan.data.world.sentences import draw_readings
from stan.evaluation import linear_probe
from stan.evaluation.metrics import retrieval
from stan.evaluation.still_retrieval import WORDS, captioned_stills, unseen_stills
from stan.models import checkpoint
from stan.models.backbones import load_clip
from stan.models.clip import Clip
from stan.models.vocabulary import thinned
from stan.results.provenance import provenance
from stan.training.losses import info_nce, sigmoid_pairs

_WARMUP = 0.05
"""Share of the steps in which the rate rises."""


def pretrain(
    out: str | Path,
    steps: int = 2000,
    batch: int = 256,
    stills: int = 40_000,
    readings: int = 40_000,
    lr: float = 1e-3,
    weight_decay: float = 0.1,
    seed: int = 0,
    backbone: str = "tiny",
    device: str | None = None,
    progress: Callable[[dict[str, float]], None] = lambda line: None,
) -> dict[str, Any]:
    """Train a shipped backbone from scratch and write it to `out` (safetensors, half precision).

    The loss is symmetric InfoNCE or, for a backbone with a bias of its logits, SigLIP's.

    Returns the record, which is also written beside `out` (`.json`): settings, provenance, loss, retrieval scores
    between images and texts (R@1 among them) on unseen stills, and linear probes of what each level's CLS and patch
    tokens hold.
    """
    target = device_named(device)
    made_by = provenance()
    torch.manual_seed(seed)
    clip = load_clip(backbone, "random").to(target)
    images, ids, names = captioned_stills(clip, stills, seed)
    images, ids, names = images.to(target), ids.to(target), names.to(target)
    wordings = _readings(clip, readings, seed).to(target)
    take = _stepper(clip, lr, weight_decay, steps)
    shown, read = (
        _batches(stills, batch, steps, seed),
        _batches(readings // 2, max(1, batch // 4), steps, seed),
    )
    for step, (pictures, sentences) in enumerate(zip(shown, read, strict=True)):
        loss = _loss(clip, images[pictures], ids[pictures], names[pictures])
        loss = loss + _reading_loss(clip, wordings[sentences].flatten(0, 1))
        take(loss)
        if step % 50 == 0 or step == steps - 1:
            progress({"step": step, "loss": loss.item()})
    settings = {
        "steps": steps,
        "batch": batch,
        "stills": stills,
        "readings": readings,
        "lr": lr,
        "weight_decay": weight_decay,
        "seed": seed,
        "backbone": backbone,
    }
    record = {"settings": settings, "loss": loss.item()}
    half = {name: tensor.half() for name, tensor in clip.state_dict().items()}
    checkpoint.save(out, thinned(half, [*ids.unique().tolist(), *wordings.unique().tolist()]))
    clip.load_state_dict(checkpoint.load(out)[0])  # measure exactly the weights that are shipped
    record |= _measure(clip.eval(), seed, target) | {"provenance": made_by}
    write_json(Path(out).with_suffix(".json"), record)
    return record


def _stepper(clip: Clip, lr: float, weight_decay: float, steps: int) -> Callable[[Tensor], None]:
    """Return a function that takes one step of the optimizer down a loss."""
    optimizer = torch.optim.AdamW(_groups(clip, weight_decay), lr=lr, betas=(0.9, 0.98), eps=1e-6, fused=True)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _warm_cosine(step, steps))

    def take(loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(clip.parameters(), 1.0)
        optimizer.step()
        rate.step()
        clip.logit_scale.data.clamp_(max=math.log(100))

    return take


def _loss(clip: Clip, images: Tensor, ids: Tensor, names: Tensor) -> Tensor:
    image = F.normalize(clip.encode_image(images.float()), dim=-1)
    text = F.normalize(clip.encode_text(ids).text, dim=-1)
    return _matched(clip, text @ image.T, names[:, None] == names[None])


def _reading_loss(clip: Clip, wordings: Tensor) -> Tensor:
    """Return the loss that brings both wordings of each sentence together. wordings: token ids (N, 2, L)."""
    first, second = (F.normalize(clip.encode_text(ids).text, dim=-1) for ids in wordings.unbind(1))
    same = (wordings[:, None, :, None] == wordings[None, :, None]).all(-1).any((2, 3))
    return _matched(clip, first @ second.T, same)


def _matched(clip: Clip, cosines: Tensor, same: Tensor) -> Tensor:
    """Return the loss that the backbone is made for."""
    logits = clip.logit_scale.exp() * cosines
    return (
        info_nce(logits, same) if clip.logit_bias is None else sigmoid_pairs(logits + clip.logit_bias, same)
    )


def _groups(clip: Clip, weight_decay: float) -> list[dict[str, Any]]:
    """Return AdamW's two groups: matrices, and without weight decay all gains, biases and the logit scale."""
    decayed = [p for p in clip.parameters() if p.ndim > 1]
    others = [p for p in clip.parameters() if p.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _warm_cosine(step: int, steps: int) -> float:
    risen = min(1.0, (step + 1) / (_WARMUP * steps))
    return risen * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))


def _batches(count: int, batch: int, steps: int, seed: int) -> Iterator[Tensor]:
    """Yield `steps` batches of indices below `count`; every index comes once before any comes again."""
    generator = torch.Generator().manual_seed(seed)
    waiting = torch.empty(0, dtype=torch.long)
    for _ in range(steps):
        if len(waiting) < batch:
            waiting = torch.cat([waiting, torch.randperm(count, generator=generator)])
        yield waiting[:batch]
        waiting = waiting[batch:]


def _readings(clip: Clip, count: int, seed: int) -> Tensor:
    """Return token ids (count / 2, 2, 2, WORDS): pairs of a sentence and its reversal in time, each in two wordings."""
    both = [clip.tokenize(sentences, WORDS) for sentences in draw_readings(count // 2 * 2, seed)]
    return torch.stack(both, 1).unflatten(0, (-1, 2))


def _measure(clip: Clip, seed: int, device: torch.device) -> dict[str, Any]:
    """Return retrieval scores over `unseen_stills`, and the linear probes."""
    images, ids = unseen_stills(clip, seed)
    with torch.no_grad():
        image = F.normalize(clip.encode_image(images.to(device)), dim=-1)
        text = F.normalize(clip.encode_text(ids.to(device)).text, dim=-1)
    scores = retrieval((text @ image.T).cpu().numpy())
    return {
        "unseen_stills": {"image_to_text": scores["v2t"], "text_to_image": scores["t2v"]},
        "probes": linear_probe.place(clip, device),
    }
