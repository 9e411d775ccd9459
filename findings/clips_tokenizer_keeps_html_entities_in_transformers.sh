#!/usr/bin/env bash
# Titles and captions of web videos hold HTML entities: tom &amp; jerry, it&#39;s a dog. OpenAI's CLIP has one vocabulary, and
# two readers of it: the tokenizer that OpenAI wrote, which open_clip keeps, and the one in transformers.
# Guess, written before the run: they give equal tokens for any English caption.
#
# Seen (transformers 5.24.0, open_clip 3.3.0): not with entities. OpenAI's replaces them before it looks words up, so CLIP
# never saw them in training; transformers' takes them letter by letter, with CLIPTokenizer as with CLIPTokenizerFast.
#   tom &amp; jerry: tom & jerry / tom & amp ; jerry
#   it&#39;s a dog: it 's a dog / it & # 3 9 ; s a dog
#   don't stop!!: don 't stop !! / don 't stop !!
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchvision==0.28.0 open_clip_torch==3.3.0 transformers==5.24.0 numpy==2.4.6
HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error "$folder/venv/bin/python" - "$folder" <<'PYTHON'
import gzip
import json
import subprocess
import sys
from pathlib import Path

import torch

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import open_clip
from transformers import CLIPTokenizer, CLIPTokenizerFast

openai, folder = open_clip.tokenizer.SimpleTokenizer(), Path(sys.argv[1])
vocabulary = Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz"
merges = gzip.decompress(vocabulary.read_bytes()).decode().split("\n")[1 : 49152 - 256 - 2 + 1]
(folder / "vocab.json").write_text(json.dumps(openai.encoder))
(folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
equal = {}
for text in ("tom &amp; jerry", "it&#39;s a dog", "don't stop!!"):
    found = [openai.encode(text)]
    found += [kind.from_pretrained(folder)(text)["input_ids"][1:-1] for kind in (CLIPTokenizer, CLIPTokenizerFast)]
    words = [" ".join(openai.decoder[token].replace("</w>", "") for token in tokens) for tokens in found]
    assert words[1] == words[2]
    equal[text] = found[0] == found[1]
    print(f"{text}: {words[0]} / {words[1]}")
assert list(equal.values()) == [False, False, True]
PYTHON
