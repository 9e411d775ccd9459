"""A folder, a number of kills and an engine in; kills a sweep's processes at random and prints the kills by kind.

python -m tests.stress.killed_sweep FOLDER --kills 50 [--seed N] [--engine ray]

A sweep of four tiny runs is started again and again; one run takes its weights from another, and one its numbers. Each
time, one of its processes (runner, notebook, kernel or Ray worker) or all of them are killed at a random moment.
Finished runs must stay the same, byte for byte. No dead run may be called running, and none may be done without its
evaluation. Every sweep that completes must have the results of an undisturbed one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil

from stan import results
from tests.support.tiny_experiment import tiny

_STAN = tiny("retrieval", "stan", "stan", epochs=20)
EXPERIMENTS = (
    _STAN,
    tiny("retrieval", "mean", "mean"),
    replace(_STAN, row="stan+testing", test_time=("dsl",)),
    replace(_STAN, row="copy"),
)
MARKS = {
    "notebook": "stan.training.notebooks.execute",
    "kernel": "ipykernel_launcher",
    "worker": "ray::execute",
}
"""Part of the command line that identifies each kind of process."""
FORKS = ("forked", "notebook", "kernel")
"""Kinds of processes that share one command line, each forked from the one before."""

SWEEP = """
import sys
from stan.training import sweep
from tests.stress.killed_sweep import EXPERIMENTS
runs, worlds, engine = sys.argv[1:]
sys.exit(bool(sweep.train_all(EXPERIMENTS, runs, worlds, 2, engine).failed))
"""

PATIENCE = 600.0
"""Seconds within which a sweep, or the processes that a kill has orphaned, must end."""

Evaluations = dict[str, bytes]
"""Bytes of eval.json by run id."""


def start(runs: Path, worlds: Path, engine: str) -> psutil.Popen:
    """Start a sweep in a separate process and session, so that no signal reaches both it and this process."""
    command = [sys.executable, "-c", SWEEP, str(runs), str(worlds), engine]
    log = (runs.parent / "log.txt").open("ab")
    with log:
        return psutil.Popen(command, stdout=log, stderr=log, start_new_session=True)


def family(runner: psutil.Popen) -> dict[str, list[psutil.Process]]:
    """Return the runner, the processes that it has started, by kind, and under "all" all of them."""
    every = [runner, *runner.children(recursive=True)]
    found: dict[str, list[psutil.Process]] = {"runner": [runner], "all": every}
    for process in every:
        with contextlib.suppress(psutil.Error):
            said = " ".join(process.cmdline())
            kinds = [kind for kind, mark in MARKS.items() if mark in said]
            if "stan.training.notebooks.fork_server" in said:
                parents = (" ".join(parent.cmdline()) for parent in process.parents())
                kinds.append(
                    FORKS[sum("stan.training.notebooks.fork_server" in parent for parent in parents)]
                )
            for kind in kinds:
                found.setdefault(kind, []).append(process)
    return found


def look(runs: Path, before: Evaluations) -> Evaluations:
    """Return the evaluations of the done runs. Assert that they include `before`, and that every record is whole."""
    found = {run.id: run for run in results.load(runs).itertuples()}
    damaged = {name: run.reason for name, run in found.items() if run.status in ("damaged", "failed")}
    assert not damaged, damaged
    done = {
        name: Path(run.path, "eval.json").read_bytes() for name, run in found.items() if run.status == "done"
    }
    assert before.items() <= done.items(), "a finished run was lost or changed"
    return done


def wait(runner: psutil.Popen, runs: Path, before: Evaluations, seconds: float = PATIENCE) -> Evaluations:
    """Check the records until the runner ends or `seconds` have passed; return the evaluations of the done runs."""
    until = time.monotonic() + seconds
    while runner.poll() is None and time.monotonic() < until:
        before = look(runs, before)
        time.sleep(min(0.25, max(0.0, until - time.monotonic())))
    return look(runs, before)


def gone(process: psutil.Process) -> bool:
    """Return whether a process is dead; this includes zombies that their new parent has not reaped yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def killed(
    runner: psutil.Popen, runs: Path, before: Evaluations, rng: random.Random
) -> tuple[str, Evaluations]:
    """Kill one process of the sweep, or all of them, and wait until everything that the runner started has ended.

    Return the kind that was killed and the evaluations of the done runs.
    """
    there = family(runner)
    victim = rng.choice(sorted(there))
    kill(there["all"] if victim == "all" else [rng.choice(there[victim])])
    before = look(runs, before)
    before = wait(runner, runs, before)
    assert runner.poll() is not None, f"after {victim} was killed, the sweep did not come to its end"
    until = time.monotonic() + PATIENCE
    while not all(map(gone, there["all"])):
        assert time.monotonic() < until, (
            f"{[one for one in there['all'] if not gone(one)]} outlived their runner"
        )
        time.sleep(0.1)
    before = look(runs, before)
    alive = [run.id for run in results.load(runs).itertuples() if run.status == "running"]
    assert not alive, f"{alive} are said to be running"
    return victim, before


def undisturbed(runs: Path, worlds: Path, engine: str, before: Evaluations) -> Evaluations:
    """Run a sweep from the present state to its end and return its evaluations."""
    runner = start(runs, worlds, engine)
    done = wait(runner, runs, before)
    assert runner.poll() == 0, (runs.parent / "log.txt").read_text()[-2000:]
    assert done.keys() == {one.id for one in EXPERIMENTS}
    return done


def kills(folder: Path, count: int, seed: int, engine: str) -> Iterator[str]:
    """Yield the kind of process killed, kill by kill. Raises AssertionError if a kill did any harm."""
    rng, worlds, runs = random.Random(seed), folder / "worlds", folder / "runs"
    started = time.monotonic()
    wanted = undisturbed(folder / "straight", worlds, engine, {})
    longest = time.monotonic() - started
    done: Evaluations = {}
    for _ in range(count):
        victim = None
        while victim is None:
            runner = start(runs, worlds, engine)
            left = 1 - len(done) / len(wanted)
            done = wait(runner, runs, done, rng.uniform(0, longest * left))
            if runner.poll() is None:
                victim, done = killed(runner, runs, done, rng)
            if done.keys() == wanted.keys():
                assert done == wanted
                shutil.rmtree(runs)
                done = {}
        yield victim
    assert undisturbed(runs, worlds, engine, done) == wanted


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1000))
    parser.add_argument("--engine", default="local")
    given = parser.parse_args()
    print(f"seed {given.seed}", file=sys.stderr, flush=True)
    counted: Counter[str] = Counter()
    for victim in kills(given.folder, given.kills, given.seed, given.engine):
        counted[victim] += 1
        print(f"{counted.total()} of {given.kills}: {victim}", file=sys.stderr, flush=True)
    print(json.dumps({"seed": given.seed, "engine": given.engine, "kills": counted}))


if __name__ == "__main__":
    main()
