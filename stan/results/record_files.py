"""The names of the files in a run's folder."""

from __future__ import annotations

from pathlib import Path

CONFIG = "config.json"
RUN = "run.json"
EVALUATION = "eval.json"
LOG = "metrics.jsonl"
"""A line per logged step and per validation."""
BEST = "best on validation"
"""What an evaluation says of its weights where those of one epoch were selected."""
RANKS = "ranks.npz"
RECORD = (CONFIG, RUN, EVALUATION, RANKS)
"""The files that are read for a run's place in a table."""
PROBE = "time_probe.json"
"""Of a run whose frame order was probed; it is read apart from the record."""
INTERPOLATION = "interpolation.json"
"""Of a run that was measured with CLIP's weights moved back; it is read apart from the record."""


def is_run(path: str | Path) -> bool:
    """Tell whether this is the folder of a run."""
    return (Path(path) / RUN).is_file()
