"""Notebooks are executed by forks as by processes of their own, and whatever dies, who waits for them learns it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import nbformat
import pytest

from stan.training.notebooks import fork_server, launch
from stan.training.sweep import engines
from tests.training.sweep.test_sweep import _ends, _pid, said, written

pytestmark = pytest.mark.skipif(
    not fork_server.possible(), reason="neither macOS nor GPU drivers allow forks"
)

WAITS = """
import os, time
open({pid!r}, "w").write(str(os.getpid()))
try:
    time.sleep(100)
except KeyboardInterrupt:
    open({noticed!r}, "w").close()
    raise
"""

TRANSPORT = """
from ipykernel.connect import get_connection_info
print(get_connection_info(unpack=True)["transport"])
"""


@pytest.mark.parametrize(
    ("device", "drives"),
    [
        ("nvidiactl", True),
        ("nvhost-ctrl", True),
        ("dxg", True),
        ("kfd", True),
        ("nvme0n1", False),
        ("dri", False),
    ],
)
def test_a_gpus_driver_is_seen_by_its_devices(tmp_path, device, drives):
    (tmp_path / "null").touch()
    (tmp_path / device).touch()
    assert fork_server._driver(tmp_path) is drives


@pytest.mark.parametrize(
    ("built", "driver", "possible"),
    [("13.0", True, False), ("13.0", False, True), (None, True, True)],
)
def test_torch_for_gpus_forks_where_no_driver_is(monkeypatch, built, driver, possible):
    monkeypatch.setattr(fork_server.runpy, "run_path", lambda path: {"cuda": built, "hip": None})
    monkeypatch.setattr(fork_server, "_driver", lambda devices: driver)
    assert fork_server.possible() is possible


def waiting(tmp_path: Path) -> Path:
    return written(tmp_path, WAITS.format(pid=str(tmp_path / "pid"), noticed=str(tmp_path / "noticed")))


@pytest.mark.slow
def test_a_fork_has_everything_imported_and_leaves_what_another_process_would(tmp_path, forks):
    body = (
        "import os, sys\nprint(a, 'torch' in sys.modules, os.environ['OMP_NUM_THREADS'])\n"
        "from matplotlib import pyplot\npyplot.plot([1, 2]);"
    )
    path = written(tmp_path, body)
    first, second = (launch.start(path, {"a": a}, tmp_path / str(a), forks=forks) for a in (5, 6))
    assert (first.process.wait(60), second.process.wait(60)) == (0, 0), first.tail()
    for a in (5, 6):
        executed = tmp_path / str(a) / path.name
        assert said(executed) == f"{a} True 1\n"
        cells = nbformat.read(executed, as_version=4).cells
        assert any("image/png" in one.get("data", {}) for cell in cells for one in cell.get("outputs", ()))
        assert executed.with_suffix(".html").exists()


@pytest.mark.slow
@pytest.mark.parametrize("in_forks", [True, False])
def test_no_kernel_takes_another_ones_port(tmp_path, forks, in_forks):
    path = written(tmp_path, TRANSPORT)
    running = launch.start(path, {}, tmp_path / "out", forks=forks if in_forks else None)
    assert running.process.wait(60) == 0, running.tail()
    assert said(tmp_path / "out" / path.name) == "ipc\n"


@pytest.mark.slow
def test_where_a_sockets_name_would_be_too_long_a_kernel_is_reached_by_ports(tmp_path, monkeypatch):
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    path = written(tmp_path, TRANSPORT)
    launch.run_notebook(path, {}, tmp_path / "out")
    assert said(tmp_path / "out" / path.name) == "tcp\n" and not list(deep.glob("stan-kernel-*"))


@pytest.mark.slow
def test_a_cell_that_fails_gives_a_code_and_its_words(tmp_path, forks):
    running = launch.start(
        written(tmp_path, "raise ValueError('the reason')"), {}, tmp_path / "out", forks=forks
    )
    assert running.process.wait(60) == 1
    assert "the reason" in running.tail() and "the reason" in (tmp_path / "out/small.html").read_text()


@pytest.mark.slow
def test_a_parameter_that_does_not_fit_ends_it_before_anything_runs(tmp_path, forks):
    running = launch.start(written(tmp_path, "print(a)"), {"a": "1"}, tmp_path / "out", forks=forks)
    assert running.process.wait(60) == 1 and "a must be int, not str" in running.tail()
    assert not (tmp_path / "out/small.ipynb").exists()


@pytest.mark.slow
def test_a_kernel_that_dies_ends_its_notebook(tmp_path, forks):
    running = launch.start(written(tmp_path, "import os\nos._exit(3)"), {}, tmp_path / "out", forks=forks)
    assert running.process.wait(60) == 1
    assert "DeadKernelError" in running.tail()


@pytest.mark.slow
def test_stopping_interrupts_the_cell_and_ends_the_kernel(tmp_path, forks):
    running = launch.start(waiting(tmp_path), {}, tmp_path / "out", forks=forks)
    kernel = _pid(tmp_path / "pid")
    with pytest.raises(subprocess.TimeoutExpired):
        running.process.wait(0)
    running.stop()
    assert running.poll() == 1 and (tmp_path / "noticed").exists() and _ends(kernel)


@pytest.mark.slow
def test_a_kernel_does_not_outlive_a_killed_notebook(tmp_path, forks):
    running = launch.start(waiting(tmp_path), {}, tmp_path / "out", forks=forks)
    kernel = _pid(tmp_path / "pid")
    running.process.kill()
    assert running.process.wait(60) == -signal.SIGKILL and _ends(kernel)


def counts(limit: int, report) -> None:
    """Called in a fork: counts to the limit, which must be above one."""
    for i in range(limit):
        report("counting", i + 1, limit, {})
    if limit < 2:
        raise ValueError("no more to count")


@pytest.mark.slow
def test_a_call_reports_and_raises_as_it_would_here(forks):
    told = []
    forks.call(counts, 3, report=lambda *said: told.append(said))
    assert told == [("counting", i, 3, {}) for i in (1, 2, 3)]
    with pytest.raises(ValueError, match="no more to count"):
        forks.call(counts, 1, report=lambda *said: told.append(said))
    assert told[3:] == [("counting", 1, 1, {})]
    with pytest.raises(RuntimeError, match=f"ended with {-signal.SIGKILL}"):
        forks.call(dies, report=lambda *_: None)


def dies(_) -> None:
    """Called in a fork."""
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_where_the_forked_process_dies_its_forks_end_and_another_takes_its_place(tmp_path):
    forks = fork_server.Forks(launch.process_environment({}))
    running = launch.start(waiting(tmp_path), {}, tmp_path / "out", forks=forks)
    kernel = _pid(tmp_path / "pid")
    os.kill(forks._process.pid, signal.SIGKILL)
    again = launch.start(
        written(tmp_path, "print('again')", "a: int = 1"), {}, tmp_path / "again", forks=forks
    )
    assert running.poll() == -signal.SIGKILL
    assert again.process.wait(60) == 0 and said(tmp_path / "again/small.ipynb") == "again\n"
    assert _ends(kernel)
    forks.close()


@pytest.mark.slow
def test_forks_end_with_who_waits_for_them(tmp_path):
    with engines.engine("local", 1, 1) as where:
        where.start(waiting(tmp_path), {}, tmp_path / "out")
        kernel = _pid(tmp_path / "pid")
    assert _ends(kernel)


def test_what_cannot_start_is_an_error(tmp_path):
    broken = fork_server.Forks({"PATH": os.environ["PATH"], "PYTHONHOME": str(tmp_path)})
    with pytest.raises(RuntimeError, match="stan.training.notebooks.fork_server .* ends at once"):
        broken.start({}, tmp_path / "log")
    broken.close()
