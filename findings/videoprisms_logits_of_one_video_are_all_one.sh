#!/usr/bin/env bash
# VideoPrism with text, in transformers, returns logits_per_video (videos x texts) and logits_per_text, as CLIP does.
# Guess, written before the run: a row of logits_per_video holds a video's cosines with all texts, and a softmax over it tells
# which label fits the video, whatever else is in the batch.
#
# Seen (transformers 5.24.0, torch 2.13.0): they are no logits but shares, and of the other direction: each column, of one text,
# was divided by its sum over the videos. A video by itself has 1 for every label. Beside another video, the label with the
# largest value changes with that other video and needn't be the one with the largest cosine. logits_per_text is divided over
# the texts in the same way. The cosines are video_embeds @ text_embeds.T.
#   cosines of a video with 3 labels: 0.10 0.22 -0.07; logits_per_video alone: 1.00 1.00 1.00
#   beside a second video: 0.50 0.51 0.50 and 0.50 0.49 0.50; label of that video by cosine 1, by its logits 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.24.0 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from transformers import VideoPrismClipModel, VideoPrismConfig

torch.manual_seed(0)
layers = {"num_spatial_layers": 1, "num_temporal_layers": 1, "num_auxiliary_layers": 1}
shared = {"hidden_size": 24, "intermediate_size": 48, "num_attention_heads": 2}
config = VideoPrismConfig(
    vision_config={"image_size": 16, "num_frames": 4, "tubelet_size": [1, 8, 8]} | layers | shared,
    text_config={"num_hidden_layers": 1, "vocab_size": 100, "max_position_embeddings": 8} | shared,
)
model = VideoPrismClipModel(config).eval()
generator = torch.Generator().manual_seed(1)
with torch.no_grad():
    for parameter in model.parameters():  # many start at zero
        parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
labels = torch.randint(3, 100, (3, 8))
videos = torch.rand(2, 4, 3, 16, 16)


@torch.no_grad()
def compared(videos):
    """Return the cosines of videos and labels, and what is called logits."""
    found = model(pixel_values_videos=videos, input_ids=labels)
    return found.video_embeds @ found.text_embeds.T, found.logits_per_video, found.logits_per_text


def row(values):
    return " ".join(f"{value:.2f}" for value in values)


cosines, alone, _ = compared(videos[:1])
print(f"cosines of a video with 3 labels: {row(cosines[0])}; logits_per_video alone: {row(alone[0])}")
assert torch.equal(alone, torch.ones(1, 3)) and cosines.std() > 0.05
cosines, both, of_texts = compared(videos)
by_cosine, by_logits = cosines[1].argmax().item(), both[1].argmax().item()
print(
    f"beside a second video: {row(both[0])} and {row(both[1])}; label of that video by cosine {by_cosine}, by its logits"
    f" {by_logits}"
)
assert by_cosine != by_logits
torch.testing.assert_close(both, cosines.softmax(0))  # over videos
torch.testing.assert_close(of_texts, cosines.T.softmax(0))  # over texts
PYTHON
