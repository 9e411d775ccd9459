#!/usr/bin/env bash
# Late interaction compares each token of a text with each frame of a clip and sums up the best cosines. transformers has it
# as score_retrieval of ColPali's, ColQwen2's and ColModernVBERT's processors, for lists of vectors of any lengths. Cosines
# needn't lie above zero; those of SigLIPs, for one, lie around it. Here are 32 texts and their clips of 2 to 12 frames; each
# text's cosine is -0.04 with the frames of its own clip and -0.10 with those of all others.
# Guess, written before the run: a text's score of a clip is theirs alone, and its own clip comes first.
#
# Seen (transformers 5.24.0, sentence-transformers 6.2.0, torch 2.13.0): shorter clips are padded to the longest of their batch,
# the padding isn't masked, and its cosine of 0 is better than any that a frame has. So all clips that are shorter than the
# longest score 0 with every text, the longest come last, and the score of a pair changes with the batch that it is in. One
# clip a call (batch_size=1) is right; so is sentence-transformers' maxsim, which masks.
#   ColPaliProcessor, a batch: own clip first 0 of 32; score of the first pair 0.00
#   ColPaliProcessor, batch_size=1: own clip first 32 of 32; score of the first pair -0.16
#   ColQwen2Processor, a batch: own clip first 0 of 32; score of the first pair 0.00
#   ColQwen2Processor, batch_size=1: own clip first 32 of 32; score of the first pair -0.16
#   sentence-transformers' maxsim: own clip first 32 of 32; score of the first pair -0.16
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.24.0 sentence-transformers==6.2.0 pillow==12.3.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
from functools import partial

import torch
from sentence_transformers.util import maxsim
from transformers import ColPaliProcessor, ColQwen2Processor

COUNT, TOKENS, LONGEST = 32, 4, 12
torch.manual_seed(0)
common, *own = torch.eye(COUNT + 1 + 64)[: COUNT + 1]


def away(count):
    """Return vectors of length one that no text has a part of."""
    free = torch.nn.functional.normalize(torch.randn(count, 64), dim=-1)
    return torch.cat((torch.zeros(count, COUNT + 1), free), dim=-1)


texts, clips = [], []
for i, one in enumerate(own):
    texts.append((0.8 * common + 0.6 * one).expand(TOKENS, -1))
    towards = -0.125 * common + 0.1 * one
    clips.append(towards + (1 - towards.norm() ** 2).sqrt() * away(2 + i % (LONGEST - 1)))
right = torch.stack([torch.stack([(text @ clip.T).amax(1).sum() for clip in clips]) for text in texts])
assert torch.allclose(right, torch.full((COUNT, COUNT), -0.4).fill_diagonal_(-0.16), atol=1e-5)


def told(kind, scores):
    best = scores.max(1, keepdim=True).values
    alone = (scores >= best - 1e-5).sum(1) == 1
    first = int((alone & (scores.argmax(1) == torch.arange(COUNT))).sum())
    print(f"{kind}: own clip first {first} of {COUNT}; score of the first pair {float(scores[0, 0]):.2f}")
    return first, torch.allclose(scores, right, atol=1e-5)


for processor in (ColPaliProcessor, ColQwen2Processor):
    score = partial(processor.score_retrieval, None)  # it needs nothing of a processor
    batch = score(texts, clips)
    assert told(f"{processor.__name__}, a batch", batch) == (0, False)
    shorter = torch.tensor([len(clip) < LONGEST for clip in clips])
    assert batch[:, shorter].abs().max() == 0 and batch[:, ~shorter].max() < -0.1
    assert told(f"{processor.__name__}, batch_size=1", score(texts, clips, batch_size=1)) == (COUNT, True)
assert told("sentence-transformers' maxsim", maxsim(texts, clips)) == (COUNT, True)
PYTHON
