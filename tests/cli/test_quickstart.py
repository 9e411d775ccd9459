"""`stan run`: tasks side by side, a second one refused, and what is under way ended without loss."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from stan import results
from stan.cli import quickstart
from stan.cli.quickstart import Task, Work
from stan.common.jobs import running
from stan.common.servers import Page

ROOT = Path(__file__).resolve().parents[2]


def carried_out(tasks: list[Task], folder: Path, capsys) -> list[str]:
    """What is said while the tasks run to their end."""
    work = Work(tasks, [folder])
    work.start()
    end = time.monotonic() + 60
    while not all(task.over for task in tasks):
        assert time.monotonic() < end
        work.look()
        time.sleep(0.05)
    work.stop()
    return capsys.readouterr().err.splitlines()


@pytest.mark.slow
def test_a_tasks_commands_run_one_after_the_other(tmp_path, capsys):
    sample, said = tmp_path / "sample.npz", "numbers"
    write = ("metrics", str(sample))  # refused: the file is missing
    good = Task(said, [("published", "--json"), ("runs", "--json")])
    bad = Task("broken", [write, ("runs", "--json")])
    lines = carried_out([good, bad], tmp_path, capsys)
    assert "numbers: done" in lines
    (failure,) = [line for line in lines if line.startswith("broken failed: ")]
    assert "sample.npz" in failure
    assert lines[-1] == "All is done; the pages stay until Ctrl-C."
    assert bad.commands == [("runs", "--json")]  # what follows a failure does not run


def test_a_second_run_is_refused_and_told_where_the_first_ones_pages_are(stan, runs_root):
    page = Page("dashboard", ("true",), 8501)
    with quickstart._alone(runs_root) as announce:
        announce(page)
        code, _, said = stan("run", "--runs", runs_root)
        assert code == 2
        assert said.startswith(f"stan: another `stan run` is filling {runs_root} (dashboard {page.address}")
        assert len(said.splitlines()) == 1
    assert list(runs_root.iterdir()) == [runs_root / ".run.lock"]


def test_a_file_where_a_folder_should_be_is_one_clear_line(stan, tmp_path):
    file = tmp_path / "runs"
    file.write_text("mine")
    code, _, said = stan("run", "--runs", file, "--worlds", tmp_path / "w", "--library", tmp_path / "l")
    assert code == 2 and str(file) in said and len(said.splitlines()) == 1
    assert file.read_text() == "mine"


@pytest.mark.slow
def test_pages_open_at_once_and_ctrl_c_keeps_what_is_done(tmp_path):
    """Ctrl-C amid the study leaves whole records and no process; the next call keeps them and goes on."""
    folders = {name: tmp_path / name for name in ("runs", "worlds", "library")}
    with begun(folders) as (first, addresses):
        for address in addresses:
            with urllib.request.urlopen(address) as answer:
                assert answer.status == 200
        assert {"components on retrieval", "stan run"} <= until(first, lambda: at_work(folders, 2))
        until(first, lambda: done(folders["runs"]))
        children = psutil.Process(first.pid).children(recursive=True)
    assert first.returncode == 0
    # notebooks' kernels end when they see that they are alone
    _, left = psutil.wait_procs(children, timeout=10)
    assert [one for one in left if alive(one)] == []
    kept = done(folders["runs"])
    assert set(results.load(folders["runs"])["status"]) <= {"done", "interrupted"}
    with begun(folders) as (second, _):
        until(second, lambda: done(folders["runs"]).keys() - kept.keys())
    assert second.returncode == 0
    assert kept.items() <= done(folders["runs"]).items()


@contextmanager
def begun(folders: dict[str, Path]) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """`stan run`, once both pages answer, with their addresses; ended by Ctrl-C."""
    given = (part for name, folder in folders.items() for part in (f"--{name}", str(folder)))
    command = [sys.executable, "-m", "stan", "run", "--size", "tiny", *given]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, [process.stderr.readline().split()[-1] for _ in range(2)]
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=120)


def alive(process: psutil.Process) -> bool:
    """Whether the process still runs: one that has ended stays listed until the system's first process collects it."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def at_work(folders: dict[str, Path], least: int) -> set[str]:
    """Names of the jobs that say so, once there are `least` of them."""
    names = {job.name for job in running(folders.values())}
    return names if len(names) >= least else set()


def done(runs: Path) -> dict[str, str]:
    """When each done run ended."""
    found = results.load(runs)
    return {run.id: run.end for run in found.itertuples() if run.status == "done"}


def until(process: subprocess.Popen[str], find: Callable[[], Any]) -> Any:
    """What is found, as soon as it is; AssertionError when the process ends before, or four minutes pass."""
    end = time.monotonic() + 240
    while not (found := find()):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.2)
    return found
