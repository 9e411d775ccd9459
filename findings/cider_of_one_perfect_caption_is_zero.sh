#!/usr/bin/env bash
# Captions of videos are judged by CIDEr. Here a model is perfect: its caption of each video is the video's only reference, word
# for word. The scorer is given all 64 videos, some of them, or one.
# Guess, written before the run: a perfect caption has the highest score, 10, however many videos are scored with it.
#
# Seen (pycocoevalcap 1.2): by itself it has 0, the lowest. Words are weighted by how few of the videos in that very call have
# them; of one video, all words are in all videos, and so weigh nothing. So it is where several videos have one caption. And
# an ordinary caption's score depends on what is scored beside it: the same 64 captions have a CIDEr a third higher as the mean
# of 32 pairs than as one set. So scores of a batch in training, of a process' share of a test set, or of one kind of videos
# can't be compared with that of the whole, nor averaged to it. BLEU-1 has no such weights.
#   perfect captions:  64 videos 10.0, 2 videos 10.0, 1 video 0.0, 4 videos with one caption 0.0
#   other captions:    at once 4.37, mean of 8 parts 5.27, mean of 32 parts 5.80, one by one 0.00
#   BLEU-1 of these:   at once 0.67, mean of 8 parts 0.67, mean of 32 parts 0.67, one by one 0.67
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pycocoevalcap==1.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import itertools
import random

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider

WHO = ["man", "woman", "boy", "girl"]
DOES = ["plays", "carries", "paints", "repairs"]
WHAT = ["guitar", "chair", "boat", "table"]
phrases = list(itertools.product(WHO, DOES, WHAT))
random.Random(0).shuffle(phrases)
references = {i: ["a {} {} a {}".format(*phrase)] for i, phrase in enumerate(phrases)}
others = {i: ["the {} {} a {} here".format(*phrase)] for i, phrase in enumerate(phrases)}


def cider(captions, videos):
    videos = list(videos)
    return float(Cider().compute_score({i: references[i] for i in videos}, {i: captions[i] for i in videos})[0])


def bleu(captions, videos):
    videos = list(videos)
    of_each = {i: references[i] for i in videos}, {i: captions[i] for i in videos}
    return float(Bleu(4).compute_score(*of_each, verbose=0)[0][0])


def by_parts(score, parts):
    size = len(references) // parts
    return sum(score(others, range(start, start + size)) for start in range(0, len(references), size)) / parts


same = {i: ["a man is talking"] for i in range(4)}
perfect = {
    "64 videos": cider(references, references),
    "2 videos": cider(references, [0, 1]),
    "1 video": cider(references, [0]),
    "4 videos with one caption": float(Cider().compute_score(same, same)[0]),
}
print("perfect captions: ", ", ".join(f"{name} {score:.1f}" for name, score in perfect.items()))
kinds = {"at once": 1, "mean of 8 parts": 8, "mean of 32 parts": 32, "one by one": 64}
seen = {}
for name, score in (("other captions:   ", cider), ("BLEU-1 of these:  ", bleu)):
    seen[score] = {kind: by_parts(score, parts) for kind, parts in kinds.items()}
    print(name, ", ".join(f"{kind} {value:.2f}" for kind, value in seen[score].items()))
assert [round(score, 3) for score in perfect.values()] == [10, 10, 0, 0]
at_once, *parts = seen[cider].values()
assert parts[-1] == 0 and 1.1 * at_once < parts[0] < parts[1]
assert max(seen[bleu].values()) - min(seen[bleu].values()) < 1e-6
PYTHON
