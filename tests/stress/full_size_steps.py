"""Names of recipes in (none: all released ones); seconds and memory of a real step and test of each, out.

python -m tests.stress.full_size_steps [ROW ...]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from stan.experiments.recipes import recipe
from stan.experiments.released import RELEASED
from tests.support.full_size import steps

GIB = 2**30


def main(names: list[str]) -> None:
    if names[:1] == ["--one"]:  # a process of its own, whose peak is this row's
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(steps(recipe(names[1]).experiment, Path(folder))))
        return
    for name in names or RELEASED:
        command = [sys.executable, "-m", __spec__.name, "--one", name]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(f"{name}: {done.stderr.strip().splitlines()[-1]}", flush=True)
            continue
        found = json.loads(done.stdout)
        print(
            f"{name}: step {found['train_seconds']:.0f} s, test {found['test_seconds']:.0f} s,"
            f" peak {found['peak'] / GIB:.1f} GiB, loss {found['loss']:.2f}, {found['moved']:.0%} of tensors moved",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
