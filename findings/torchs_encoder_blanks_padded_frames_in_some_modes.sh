#!/usr/bin/env bash
# Clips of a batch have different lengths; src_key_padding_mask tells torch.nn.TransformerEncoder which frames are padding, and
# the clip's vector is the mean over frames. Two clips of six frames, the second with two padded ones; there is no dropout.
# Guess, written before the run: in training the outputs of padded frames are whatever they are, in evaluation they are zero.
#
# Seen (torch 2.13.0): they are zero in evaluation only where nothing takes gradients, and only if padding lies at the end.
# So the mean over all frames differs between training and validation, between validation with gradients (saliency maps) and
# without, and between clips that are padded at the end and at the front; the mask alone is no answer to what is averaged.
#   largest output of a padded frame: training 1.79, evaluation 1.79, evaluation without gradients 0.00
#   padding at the front, evaluation without gradients: 2.96
#   a mean over all frames moves by 0.49 from evaluation to evaluation without gradients, one over real frames by 0.00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch

torch.manual_seed(0)
layer = torch.nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
encoder = torch.nn.TransformerEncoder(layer, 2)
frames = torch.randn(2, 6, 16)
end = torch.tensor([[False] * 6, [False] * 4 + [True] * 2])
front = torch.tensor([[False] * 6, [True] * 2 + [False] * 4])


def encoded(training, gradients, padded):
    encoder.train(training)
    with torch.set_grad_enabled(gradients):
        return encoder(frames, src_key_padding_mask=padded).detach()


def largest(outputs, padded):
    return round(float(outputs[padded].abs().max()), 2)


modes = encoded(True, True, end), encoded(False, True, end), encoded(False, False, end)
of_padding = [largest(outputs, end) for outputs in modes]
print("largest output of a padded frame: training {:.2f}, evaluation {:.2f}, evaluation without gradients {:.2f}".format(*of_padding))
at_front = largest(encoded(False, False, front), front)
print(f"padding at the front, evaluation without gradients: {at_front:.2f}")
moved = round(float((modes[1][1].mean(0) - modes[2][1].mean(0)).abs().max()), 2)
kept = round(float((modes[1][1, :4].mean(0) - modes[2][1, :4].mean(0)).abs().max()), 2)
print(f"a mean over all frames moves by {moved:.2f} from evaluation to evaluation without gradients, one over real frames by {kept:.2f}")
assert of_padding[0] == of_padding[1] > 1 and of_padding[2] == 0 and at_front > 1
assert moved > 0.1 and kept == 0
PYTHON
