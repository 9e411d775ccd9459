"""A stored run in; the temperature fitted on its validation split, and the reliability of its probabilities, out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stan.evaluation.calibration import fit, reliability, temperature_of
from stan.evaluation.measure import class_scores
from stan.evaluation.splits import open_split
from stan.results.evaluate import stored


def calibrate(run: str | Path, worlds_root: str | Path = "worlds") -> dict[str, Any]:
    """Fit the temperature on a run's validation split, and measure the reliability of both splits before and after.

    Returns {"run", "temperature", "before": the run's temperature so far (CLIP's own unless one was fitted), "val" and
    "test": {"N", "before", "after"}, the latter two from `reliability`}. Raises ValueError for a folder that holds no
    run with weights.
    """
    model, experiment = stored(run)
    places = (worlds_root, Path(run).resolve().parents[2])
    before = temperature_of(model)[0]
    scored = {
        split: class_scores(model, open_split(experiment, model, split, *places)) for split in ("val", "test")
    }
    temperature = fit(*scored["val"])
    measured = {
        split: {"N": len(labels)}
        | {
            name: reliability(scores, labels, one)
            for name, one in (("before", before), ("after", temperature))
        }
        for split, (scores, labels) in scored.items()
    }
    return {"run": experiment.id, "temperature": temperature, "before": before} | measured
