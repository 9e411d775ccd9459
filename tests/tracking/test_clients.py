"""Records sent by the trackers' own clients to real trackers on this machine, and read back there."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from stan.tracking.sending import sender
from tests.support.written_runs import EXPERIMENT, evaluation, logged

RECALL = evaluation()["metrics"]["t2v"]["R@1"]
LOSSES = [(step, 1 / step) for step in range(1, 7)]
VALIDATIONS = [(3, 10.0), (6, 11.0)]


def send(run: Path, name: str) -> str:
    """Send all of it and return the tracker's id."""
    with sender(run, name) as sending:
        sending.close()
        assert sending.sent.id is not None
        return sending.sent.id


def in_two_parts(root: Path, name: str) -> str:
    """A run that is interrupted and resumed, sent each time: both parts are one run of the tracker."""
    first = send(logged(root, epochs=1, finished=False), name)
    assert send(logged(root), name) == first
    return first


def test_tensorboard(runs_root):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    in_two_parts(runs_root, "tensorboard")
    events = accumulator.EventAccumulator(str(runs_root / EXPERIMENT.id / "tensorboard")).Reload()
    read = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    assert read["loss"] == [(step, pytest.approx(loss, rel=1e-6)) for step, loss in LOSSES]
    assert read["validation.t2v.R@1"] == VALIDATIONS
    assert read["t2v.R@1"] == [(6, RECALL)]
    config = events.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert '"train.lr": 0.001' in config


def leveldb_log(data: bytes) -> Iterator[bytes]:
    """The records of a .wandb file: seven bytes of its own, then LevelDB's log, whose blocks have 32 KiB.

    A part of a record has a header (checksum, length, kind: 1 whole, 2 first, 3 middle, 4 last).
    """
    place, parts = 7, []
    while place < len(data):
        if 32768 - place % 32768 < 7:  # too little room for a header: zeros up to the next block
            place += 32768 - place % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        parts.append(data[place + 7 : place + 7 + length])
        place += 7 + length
        if kind in (1, 4):
            yield b"".join(parts)
            parts = []


@pytest.mark.slow
def test_wandb_offline(runs_root, monkeypatch):
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2

    monkeypatch.setenv("WANDB_MODE", "offline")
    id = in_two_parts(runs_root, "wandb")
    files = sorted((runs_root / EXPERIMENT.id / "wandb").glob(f"offline-run-*-{id}/run-{id}.wandb"))
    assert len(files) == 2
    history = []
    for content in (content for file in files for content in leveldb_log(file.read_bytes())):
        record = wandb_internal_pb2.Record.FromString(content)
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            history.append({i.key or ".".join(i.nested_key): float(i.value_json) for i in items})
    assert [(int(h["_step"]), h["loss"]) for h in history if "loss" in h] == LOSSES
    assert [(int(h["_step"]), h["validation.t2v.R@1"]) for h in history if "validation.t2v.R@1" in h] == (
        VALIDATIONS
    )
    assert [h["t2v.R@1"] for h in history if "t2v.R@1" in h] == [RECALL]


@pytest.fixture
def mlflow_server(tmp_path) -> Iterator[str]:
    """The address of MLflow's own server over SQLite, on this machine."""
    pytest.importorskip("mlflow")
    pytest.importorskip("mlflow.server", reason="the server is in the package mlflow, not in the client")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{tmp_path / 'mlflow.db'}"]
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/health", server, tmp_path / "server.log")
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def _wait_for(address: str, server: subprocess.Popen, log: Path) -> None:
    limit = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            assert server.poll() is None and time.monotonic() < limit, log.read_text()
            time.sleep(0.2)


@pytest.mark.slow
def test_mlflow_server(runs_root, mlflow_server, monkeypatch):
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    id = in_two_parts(runs_root, "mlflow")
    client = MlflowClient(mlflow_server)

    def history(name: str) -> list[tuple[int, float]]:
        return [(point.step, point.value) for point in client.get_metric_history(id, name)]

    assert history("loss") == LOSSES
    assert history("validation.t2v.R_at_1") == VALIDATIONS
    assert history("t2v.R_at_1") == [(6, RECALL)]
    run = client.get_run(id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "stan-s0"
    assert run.data.params["train.lr"] == "0.001"
    assert (run.data.tags["study"], run.data.tags["row"]) == ("components", "stan")
    assert run.data.tags["record"] == str(runs_root / EXPERIMENT.id)
    assert [run.info.run_id for run in client.search_runs([run.info.experiment_id])] == [id]


@pytest.mark.slow
def test_mlflow_away(runs_root, monkeypatch):
    pytest.importorskip("mlflow")
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        run = logged(runs_root)
        with pytest.raises(Exception, match="refused|Max retries"), sender(run, "mlflow") as sending:
            sending.close()
    assert not (run / "tracked-mlflow.json").exists()


@pytest.mark.slow
def test_trackio(runs_root, tmp_path):
    """In a process of its own, because Trackio asks for its folder when it is imported."""
    pytest.importorskip("trackio")
    in_own_process = f"""
from pathlib import Path
from tests.tracking.test_clients import in_two_parts
print(in_two_parts(Path({str(runs_root)!r}), "trackio"))
from trackio.sqlite_storage import SQLiteStorage
import json
print("read " + json.dumps(SQLiteStorage.get_logs("stan", {EXPERIMENT.id!r})))
"""
    environment = os.environ | {"TRACKIO_DIR": str(tmp_path / "trackio"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", in_own_process], env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    read = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("read "))[5:])
    assert [(line["step"], line["loss"]) for line in read if "loss" in line] == LOSSES
    assert [
        (line["step"], line["validation.t2v.R@1"]) for line in read if "validation.t2v.R@1" in line
    ] == VALIDATIONS
    assert [line["t2v.R@1"] for line in read if "t2v.R@1" in line] == [RECALL]
