#!/usr/bin/env bash
# Clips are large, so a batch is made of small ones by gradient accumulation. transformers' Trainer trains video classifiers so.
# Eight clips go through each of four, without dropout, at once, in two batches of four, and in four of two, for one step.
# Guess, written before the run: the step's gradient and logged loss are the same each time, to rounding, for all four.
#
# Seen (transformers 5.24.0, torch 2.13.0, accelerate 1.14.0): so they are for VideoMAE and ViViT. For TimeSformer and V-JEPA 2
# the gradients of the small batches are added up and never divided: twice as large by two batches, four times by four. Trainer
# leaves the division to a model whose forward takes further keywords, as it hands the number of labels over by one; these
# two take it and do nothing with it. VideoMAE does so, too, where a clip may have several labels (Charades, AVA), as its loss
# is another then. Nothing is said. The learning rate of SGD is four times what is set; Adam forgives a factor, but clipping to
# a length of 1, which is on by default, cuts four times as early; and the logged loss can't be compared with that of the
# evaluation, which is right. model.accepts_loss_kwargs = False, set before the Trainer is made, brings the division back.
#   VideoMAE:            gradient x 1.00 by two batches, x 1.00 by four; logged loss x 1.00, x 1.00
#   ViViT:               gradient x 1.00 by two batches, x 1.00 by four; logged loss x 1.00, x 1.00
#   TimeSformer:         gradient x 2.00 by two batches, x 4.00 by four; logged loss x 2.00, x 4.00
#   V-JEPA 2:            gradient x 2.00 by two batches, x 4.00 by four; logged loss x 2.00, x 4.00
#   VideoMAE, labels:    gradient x 2.00 by two batches, x 4.00 by four; logged loss x 2.00, x 4.00
#   V-JEPA 2, told so:   gradient x 1.00 by two batches, x 1.00 by four; logged loss x 1.00, x 1.00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 transformers==5.24.0 accelerate==1.14.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
import torch
import transformers

CLIPS, FRAMES, SIZE, CLASSES = 8, 4, 32, 4
BLOCKS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_labels": CLASSES}
USUAL = BLOCKS | {"image_size": SIZE, "num_frames": FRAMES, "intermediate_size": 64}
PREDICTOR = {"pred_hidden_size": 32, "pred_num_hidden_layers": 1, "pred_num_attention_heads": 2}
VJEPA2 = BLOCKS | PREDICTOR | {"crop_size": SIZE, "frames_per_clip": FRAMES, "num_pooler_layers": 1}
UNDROPPED = {"hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0}
SEVERAL = {"problem_type": "multi_label_classification"}
MODELS = {
    "VideoMAE": ("VideoMAE", USUAL | UNDROPPED),
    "ViViT": ("Vivit", USUAL | UNDROPPED | {"tubelet_size": [2, 16, 16]}),
    "TimeSformer": ("Timesformer", USUAL | UNDROPPED),
    "V-JEPA 2": ("VJEPA2", VJEPA2),
    "VideoMAE, labels": ("VideoMAE", USUAL | UNDROPPED | SEVERAL),
    "V-JEPA 2, told so": ("VJEPA2", VJEPA2),
}
torch.manual_seed(0)
clips = torch.randn(CLIPS, FRAMES, 3, SIZE, SIZE)
one_label, labels = torch.arange(CLIPS) % CLASSES, torch.randint(2, (CLIPS, CLASSES)).float()


def step(name, batches):
    """Return the length of the gradient and the loss that Trainer logs for one step over all clips."""
    kind, sizes = MODELS[name]
    torch.manual_seed(1)
    config = getattr(transformers, f"{kind}Config")(**sizes)
    model = getattr(transformers, f"{kind}ForVideoClassification")(config)
    if name.endswith("told so"):
        model.accepts_loss_kwargs = False
    settings = transformers.TrainingArguments(
        output_dir="out",
        per_device_train_batch_size=CLIPS // batches,
        gradient_accumulation_steps=batches,
        max_steps=1,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
    )
    targets = labels if name.endswith("labels") else one_label
    pixels = "pixel_values_videos" if kind == "VJEPA2" else "pixel_values"
    data = [{pixels: clip, "labels": target} for clip, target in zip(clips, targets)]
    trainer = transformers.Trainer(model, settings, train_dataset=data)
    trainer.remove_callback(transformers.ProgressCallback)
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    logged = trainer.state.log_history[0]
    return logged["grad_norm"], logged["loss"]


for name in MODELS:
    whole, *parts = (step(name, batches) for batches in (1, 2, 4))
    two, four = ([round(part / once, 2) for part, once in zip(by, whole)] for by in parts)
    print(f"{name + ':':20} gradient x {two[0]:.2f} by two batches, x {four[0]:.2f} by four;", end=" ")
    print(f"logged loss x {two[1]:.2f}, x {four[1]:.2f}")
    divided = name in ("VideoMAE", "ViViT", "V-JEPA 2, told so")
    assert (two, four) == (([1, 1], [1, 1]) if divided else ([2, 2], [4, 4]))
PYTHON
