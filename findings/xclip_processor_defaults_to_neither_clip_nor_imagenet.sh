#!/usr/bin/env bash
# X-CLIP starts from CLIP, whose frames are normalised by (.481, .458, .408) and (.269, .261, .276); its authors' pipeline
# (VideoX, X-CLIP/datasets/build.py) normalises by ImageNet's (.485, .456, .406) and (.229, .224, .225).
# Guess, written before the run: the processor that transformers pairs with X-CLIP has one of these two as its default.
#
# Seen (transformers 4.57.1): it has neither. XCLIPProcessor names VideoMAE's image processor, whose default is .5 and .5,
# so a model that is loaded or fine-tuned without the hub's preprocessor_config.json reads frames of another contrast:
# at less than half the contrast of training. CLIP's own processor in the same version does default to CLIP's statistics.
#   XCLIPProcessor: VideoMAEImageProcessor [0.5, 0.5, 0.5] [0.5, 0.5, 0.5]
#   CLIPProcessor: CLIPImageProcessor [0.48145466, 0.4578275, 0.40821073] [0.26862954, 0.26130258, 0.27577711]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q transformers==4.57.1 numpy==2.3.4 pillow==12.0.0
HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error "$folder/venv/bin/python" - <<'PYTHON'
from transformers import CLIPImageProcessor, VideoMAEImageProcessor
from transformers.models.clip.processing_clip import CLIPProcessor
from transformers.models.x_clip.processing_x_clip import XCLIPProcessor

seen = {}
for kind, processor in ((XCLIPProcessor, VideoMAEImageProcessor()), (CLIPProcessor, CLIPImageProcessor())):
    named = kind.image_processor_class
    named = named if isinstance(named, str) else named[0]
    assert named == type(processor).__name__, (kind.__name__, named)
    seen[kind.__name__] = list(processor.image_mean), list(processor.image_std)
    print(f"{kind.__name__}: {named}", *seen[kind.__name__])
assert seen["XCLIPProcessor"] == ([0.5] * 3, [0.5] * 3)
assert seen["CLIPProcessor"][0] == [0.48145466, 0.4578275, 0.40821073]
PYTHON
