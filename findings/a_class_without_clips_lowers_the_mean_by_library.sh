#!/usr/bin/env bash
# Video sets are long-tailed, and a split or a subset often has no clip of some class. Mean class accuracy, and mean AP where
# clips have several labels (Charades, AVA), are means over classes. Ten clips of two classes of three; one clip is wrong.
# Guess, written before the run: a class without clips is left out of the mean everywhere, as there is nothing to get right.
#
# Seen (scikit-learn 1.9.1, torchmetrics 1.9.0, torcheval 0.0.7): it depends on what the wrong clip was taken for. If it was
# for the class that the split lacks, torchmetrics and recall_score count that class as 0 and the mean falls by a third;
# torcheval and balanced_accuracy_score leave it out. And mean AP counts a class without positives as 0 in all three
# libraries, so a perfect model reaches 0.67; AVA's own evaluation leaves such classes out.
#   wrong clip taken for a class with clips: torchmetrics 0.9375, recall_score 0.9375, torcheval 0.9375, balanced_accuracy_score 0.9375
#   wrong clip taken for the class without:  torchmetrics 0.6250, recall_score 0.6250, torcheval 0.9375, balanced_accuracy_score 0.9375
#   mean AP of a perfect model, one class of three without positives: scikit-learn 0.667, torchmetrics 0.667, torcheval 0.667
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 torchmetrics==1.9.0 torcheval==0.0.7 scikit-learn==1.9.1 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import torch
from sklearn.metrics import average_precision_score, balanced_accuracy_score, recall_score
from torcheval.metrics.functional import multiclass_accuracy, multilabel_auprc
from torchmetrics.functional.classification import multilabel_average_precision
from torchmetrics.functional.classification import multiclass_accuracy as by_torchmetrics

labels = torch.tensor([0] * 8 + [1] * 2)  # no clip of class 2
seen = {}
for wrong, kind in ((1, "for a class with clips:"), (2, "for the class without: ")):
    predicted = torch.tensor([0] * 7 + [wrong] + [1] * 2)
    seen[wrong] = {
        "torchmetrics": float(by_torchmetrics(predicted, labels, num_classes=3, average="macro")),
        "recall_score": float(recall_score(labels, predicted, average="macro")),
        "torcheval": float(multiclass_accuracy(predicted, labels, num_classes=3, average="macro")),
        "balanced_accuracy_score": float(balanced_accuracy_score(labels, predicted)),
    }
    print(f"wrong clip taken {kind}", ", ".join(f"{name} {value:.4f}" for name, value in seen[wrong].items()))
assert {round(value, 4) for value in seen[1].values()} == {0.9375}
assert [round(value, 4) for value in seen[2].values()] == [0.625, 0.625, 0.9375, 0.9375]

truth = torch.tensor([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]])
means = {
    "scikit-learn": float(average_precision_score(truth, truth.float())),
    "torchmetrics": float(multilabel_average_precision(truth.float(), truth, num_labels=3)),
    "torcheval": float(multilabel_auprc(truth.float(), truth, num_labels=3)),
}
told = ", ".join(f"{name} {value:.3f}" for name, value in means.items())
print("mean AP of a perfect model, one class of three without positives:", told)
assert {round(value, 3) for value in means.values()} == {0.667}
PYTHON
