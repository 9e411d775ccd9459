"""A test module's function in; processes that call it, forked from one that has imported torch, or a script's, out.

A new interpreter takes seconds of CPU to import torch and lightning. Forks of a server that has done so, one in each
pytest worker, begin at once. Unlike pytest's own process, the server has a single thread and nothing of earlier tests.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch
from lightning_fabric.plugins.environments.lightning import find_free_network_port

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 900
"""Seconds that processes may take until they end."""

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["pytest", "stan.training.trainer"])

SCRIPT = """
import torch

torch.set_num_threads(1)
from {module} import {name}

{name}(*{arguments})
"""


def forked(folder: Path, count: int, function: Callable, *arguments: object) -> None:
    """Call the function in `count` processes, as torchrun would start them; fail unless all of them end with 0."""
    logs = [folder / f"{function.__name__}-{rank}.log" for rank in range(count)]
    environments = _of_torchrun(count) if count > 1 else [{}]
    group = [
        start(log, function, *arguments, environment=environment)
        for log, environment in zip(logs, environments, strict=True)
    ]
    try:
        codes = _wait(group)
    finally:
        for process in group:
            process.kill()
            process.join()
    printed = "\n".join(log.read_text(errors="replace") for log in logs if log.exists())
    assert codes == [0] * count, f"exit codes {codes} after\n{printed}"


def start(
    log: Path, function: Callable, *arguments: object, environment: dict[str, str] | None = None
) -> BaseProcess:
    """Call the function in a forked process, which prints into `log`; return the process at once."""
    called = (log, environment or {}, function.__module__, function.__name__, arguments)
    process = FORKS.Process(target=_call, args=called, daemon=True)
    with pytest.MonkeyPatch.context() as patch:
        # the first start also starts the server, which must have no threads to be forked safely
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PYTHONPATH", str(ROOT))
        process.start()
    return process


def scripted(folder: Path, launcher: tuple[str, ...], function: Callable, *arguments: str | int) -> None:
    """Call the function in a script that Python, given `launcher`, runs anew; fail unless it ends with 0."""
    script = folder / f"{function.__name__}.py"
    script.write_text(
        SCRIPT.format(module=function.__module__, name=function.__name__, arguments=repr(arguments))
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, str(script)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode == 0, ended.stderr


def _call(
    log: Path, environment: dict[str, str], module: str, name: str, arguments: tuple[object, ...]
) -> None:
    with log.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.environ.update(environment)
    torch.set_num_threads(1)
    # by name, not pickled: then also an error in the module's import is in the log
    getattr(importlib.import_module(module), name)(*arguments)


def _of_torchrun(count: int) -> list[dict[str, str]]:
    """What torchrun sets in each process of a group; with it, Fabric joins the others instead of starting them."""
    group = {
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "GROUP_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(find_free_network_port()),
        "TORCHELASTIC_RUN_ID": "tests",
    }
    return [group | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]


def _wait(group: list[BaseProcess]) -> list[int | None]:
    """Return the exit codes once all have ended, or one has failed, for which the others might wait for ever."""
    limit = time.monotonic() + PATIENCE
    while True:
        codes = [process.exitcode for process in group]
        if None not in codes or any(codes) or time.monotonic() > limit:
            return codes
        time.sleep(0.02)
