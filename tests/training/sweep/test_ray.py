"""Runs on a local Ray cluster of two workers: one is killed in mid-run, and its run goes on elsewhere."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from stan import results
from stan.experiments.overrides import experiment
from stan.training import sweep
from stan.training.sweep import engines
from tests.training.sweep.test_sweep import SMALL, _ends, _pid, written

ray = pytest.importorskip("ray", reason="Ray is the optional extra `cluster`")


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def _workers() -> list[int]:
    """Processes of Ray that execute a notebook at this moment."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and b"ray::execute" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:  # ended meanwhile
            continue
    return found


def _wait(happened, seconds=180.0):
    until = time.monotonic() + seconds
    while not (value := happened()):
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.1)
    return value


def test_a_lost_workers_run_is_resumed_by_another(tmp_path, monkeypatch):
    """The worker is killed once its run takes steps; both runs end as done, that one resumed.

    There are so many epochs because the kernel takes seconds to notice that its worker is gone, and trains on.
    """
    longer = {part: dict(fields) for part, fields in SMALL.items()} | {"train": {"epochs": 400, "batch": 8}}
    one = experiment("components", "branch", "motions", overrides=longer)
    wanted = [one, replace(one, seed=1)]
    runs, killed = tmp_path / "runs", []
    start = engines.RayEngine.start

    def then_kill(self, path, parameters, folder):
        execution = start(self, path, parameters, folder)
        if not killed:
            _wait(lambda: (folder / "metrics.jsonl").exists() and (folder / "metrics.jsonl").read_bytes())
            (worker,) = _workers()
            os.kill(worker, signal.SIGKILL)
            killed.append(folder)
        return execution

    monkeypatch.setattr(engines.RayEngine, "start", then_kill)
    report = sweep.train_all(wanted, runs, tmp_path / "worlds", jobs=2, engine="ray")
    assert [run.status for run in report.runs] == ["done", "done"], [run.reason for run in report.runs]
    resumed = {Path(run.folder): results.read(run.folder)["run"]["resumed"] for run in report.runs}
    assert resumed.pop(killed[0]) >= 1 and list(resumed.values()) == [0]


def test_a_failing_notebook_is_an_exit_code_and_its_words(tmp_path):
    where = engines.engine("ray", 2, 2)
    execution = where.start(written(tmp_path, "raise ValueError('the reason')"), {}, tmp_path / "out")
    assert _wait(lambda: execution.poll() is not None) and execution.poll() != 0
    assert "the reason" in execution.tail()


def test_stopping_ends_the_kernel_on_its_worker(tmp_path):
    body = f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(100)"
    execution = engines.engine("ray", 1, 1).start(written(tmp_path, body), {}, tmp_path / "out")
    pid = _pid(tmp_path / "pid")
    execution.stop()
    assert _ends(pid) and execution.poll() != 0


def test_workers_share_the_cores(tmp_path):
    assert engines.engine("ray", None, 5).at_once == 2
    one = engines.engine("ray", 1, 5)
    path = written(tmp_path, "import os\nprint('threads', os.environ['OMP_NUM_THREADS'])")
    execution = one.start(path, {}, tmp_path / "out")
    assert _wait(lambda: execution.poll() is not None) and execution.poll() == 0
    assert "threads 2" in (tmp_path / "out/small.html").read_text()
