#!/usr/bin/env bash
# In X-CLIP (arXiv 2208.02816, section 3.3) a text is compared with a video after the video has written into it: a prompt
# generator adds to each text what the video's patches say. MTEB, which ranks models on MSR-VTT, Kinetics and more, has a
# wrapper for Hugging Face's X-CLIP. A small one of random weights embeds 40 videos and 40 texts through that wrapper, and
# scores the same 1,600 pairs by itself.
# Guess, written before the run: the wrapper's cosines rank as the model's own scores do, however it brings that about.
#
# Seen (mteb 2.26.24, transformers 5.24.0, torch 2.13.0): the wrapper embeds texts and videos apart and takes cosines, so
# that the prompt generator is never called. What is listed as X-CLIP is X-CLIP without its prompts, whose texts carry the
# weights of training but not what is added to them; here every third text finds another video.
#   calls of the prompt generator: wrapper 0, model 1
#   texts whose best video is another: 14 of 40
#   with the generator's part set to zero: 0 of 40
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q mteb==2.26.24 transformers==5.24.0 torch==2.13.0 torchvision==0.28.0 numpy==2.4.6
cd "$folder"
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" -W ignore - <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
import json
import subprocess
import sys

import torch

if subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True).returncode:
    # torchvision's compiled operators don't fit every build of torch; once declared, they aren't missed here
    declared = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from mteb.models.model_implementations.xclip_models import XCLIPModel as Wrapper
from transformers import CLIPTokenizer, VideoMAEImageProcessor, XCLIPConfig, XCLIPModel, XCLIPProcessor

torch.manual_seed(0)
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
json.dump({token: number for number, token in enumerate(tokens)}, open("vocab.json", "w"))
open("merges.txt", "w").write("#version: 0.2\n")
model = XCLIPModel(
    XCLIPConfig(
        text_config=SIZES | {"vocab_size": len(tokens), "bos_token_id": 52, "eos_token_id": 53},
        vision_config=SIZES
        | {"mit_" + name: value for name, value in SIZES.items()}
        | {"image_size": 32, "patch_size": 8, "num_frames": 8},
        projection_dim=32,
        prompt_num_attention_heads=2,
    )
).eval()
with torch.no_grad():
    for weights in model.parameters():
        if weights.ndim > 1:
            weights.normal_(std=0.2)
size = {"height": 32, "width": 32}
processor = XCLIPProcessor(
    VideoMAEImageProcessor(size={"shortest_edge": 32}, crop_size=size), CLIPTokenizer("vocab.json", "merges.txt")
)
texts = ["".join(letters[i] for i in torch.randint(26, (6,)).tolist()) for _ in range(40)]
videos = list(torch.randint(256, (40, 8, 3, 32, 32), dtype=torch.uint8))
calls = 0


def count(*_):
    global calls
    calls += 1


@torch.no_grad()
def best_videos():
    """Return the best video of each text by the wrapper and by the model, and how often either asked the generator."""
    global calls
    model.save_pretrained("small")
    processor.save_pretrained("small")
    wrapper = Wrapper("small", revision=None, device="cpu")
    calls = 0
    for one in (wrapper.model, model):
        one.prompts_generator.register_forward_hook(count)
    text, video = wrapper.get_text_embeddings([{"text": texts}]), wrapper.get_video_embeddings([{"video": videos}])
    by_cosine = torch.nn.functional.cosine_similarity(text[:, None], video[None], dim=2)
    asked = [calls]
    words = wrapper.processor(text=texts, return_tensors="pt", padding=True)
    pixels = wrapper.processor.image_processor(
        [clip.permute(0, 2, 3, 1).numpy() for clip in videos], return_tensors="pt"
    )
    own = model(**words, pixel_values=pixels["pixel_values"]).logits_per_video.T
    return by_cosine.argmax(1), own.argmax(1), [*asked, calls - asked[0]]


by_wrapper, by_model, asked = best_videos()
other = int((by_wrapper != by_model).sum())
print(f"calls of the prompt generator: wrapper {asked[0]}, model {asked[1]}")
print(f"texts whose best video is another: {other} of 40")
torch.nn.init.zeros_(model.prompts_generator.alpha)
by_wrapper, by_model, _ = best_videos()
same = int((by_wrapper != by_model).sum())
print(f"with the generator's part set to zero: {same} of 40")
assert asked == [0, 1] and other > 5 and same == 0
PYTHON
