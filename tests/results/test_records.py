"""Records: what a writer leaves behind at any moment, and what a reader makes of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import torch  # a run's threads are told once it is imported

from stan import results
from stan.config import to_dict, with_parts
from stan.results import lock, provenance, reader, record, writer
from tests.support.written_runs import EXPERIMENT, QUERIES, arrays, done, evaluation


def document(folder: Path, name: str = "run.json") -> dict:
    return json.loads((folder / name).read_text())


def rewrite(folder: Path, **values) -> None:
    (folder / "run.json").write_text(json.dumps(document(folder) | values))


def only(root: Path) -> dict:
    table = results.load(root)
    assert len(table) == 1
    return table.iloc[0].to_dict()


def test_a_run_is_done_only_at_its_end(runs_root):
    with results.RunWriter.start(runs_root, EXPERIMENT, device="cpu") as run:
        run.note(data_hash="d" * 10, checkpoint_hash="c" * 10)
        run.log({"step": 1, "loss": np.float32(2.5)})
        assert only(runs_root)["status"] == "running"
        folder = run.finish(evaluation(), arrays())
    row = only(runs_root)
    assert folder == runs_root / EXPERIMENT.id
    assert (row["id"], row["status"], row["suite"], row["seed"]) == (EXPERIMENT.id, "done", "retrieval", 0)
    assert row["t2v.R@1"] == pytest.approx(2.5)
    assert (row["validation.t2v.N"], row["order.accuracy"], row["shipped"]) == (QUERIES, 50.0, False)
    assert (row["data.frames"], row["model.temporal"], row["test_time"]) == (8, "stan", "")
    assert (row["device"], row["data_hash"], row["hash"]) == ("cpu", "d" * 10, EXPERIMENT.hash)
    assert results.history(folder)["loss"].tolist() == [2.5]
    np.testing.assert_array_equal(results.ranks(folder)["t2v"], np.arange(1, QUERIES + 1))


def test_provenance_is_complete_and_anonymous(runs_root, monkeypatch):
    monkeypatch.setattr(
        sys,
        "argv",
        ["/somewhere/secret/bin/stan", "train", "--runs=/somewhere/else/runs", str(Path.cwd() / "a")],
    )
    monkeypatch.setattr(provenance.platform, "node", lambda: "my-own-laptop")
    record = document(done(runs_root))
    assert record["command"] == "stan train --runs=runs a"
    assert record["packages"]["numpy"] == np.__version__
    assert record["peak_memory_mb"] > 10
    assert record["threads"] == torch.get_num_threads()
    assert "cores" in record["machine"]
    assert len(record["host"]) == 8 and "my-own-laptop" not in json.dumps(record)
    assert record["resumed"] == 0 and record["same_as"] is None and record["error"] is None


def test_a_command_started_as_a_module_is_told_by_its_own_name(monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(Path.cwd() / "stan" / "__main__.py"), "ablate", "components"])
    assert provenance.command() == "stan ablate components"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_code_state_tells_commit_and_uncommitted_changes(tmp_path):
    tracked = tmp_path / Path(provenance.__file__).name
    tracked.write_text("a = 1\n")
    git(tmp_path, "init", "-q")
    assert provenance.code_state(tmp_path) == (None, None)  # a repository, but not this code's
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    commit, dirty = provenance.code_state(tmp_path)
    assert (commit, dirty) == (git(tmp_path, "rev-parse", "HEAD"), None)
    tracked.write_text("a = 2\n")
    first = provenance.code_state(tmp_path)[1]
    tracked.write_text("a = 3\n")
    assert first and provenance.code_state(tmp_path)[1] not in (None, first)


@pytest.mark.parametrize(
    ("error", "status"),
    [(RuntimeError("boom"), "failed"), (KeyboardInterrupt(), "interrupted"), (None, "failed")],
)
def test_how_a_run_ended_is_recorded(runs_root, error, status):
    def work():
        with results.RunWriter.start(runs_root, EXPERIMENT):
            if error is not None:
                raise error

    if error is None:
        work()
    else:
        with pytest.raises(type(error)):
            work()
    row = only(runs_root)
    assert row["status"] == status
    assert row["reason"] == row["error"]
    assert "boom" in row["error"] or status == "interrupted" or "without finish" in row["error"]


def test_a_done_run_is_not_written_again(runs_root):
    done(runs_root)
    with pytest.raises(ValueError, match="done; delete it"):
        results.RunWriter.start(runs_root, EXPERIMENT)


def test_resuming_keeps_start_and_seconds_and_cuts_the_log_to_the_checkpoint(runs_root):
    with pytest.raises(RuntimeError), results.RunWriter.start(runs_root, EXPERIMENT) as run:
        for step in range(5):
            run.log({"step": step})
        run.log({"epoch": 0, "validation": {"t2v": {"R@1": 3.0}}})
        checkpoint = run.lines
        run.log({"step": 5})
        raise RuntimeError("killed")
    folder = run.folder
    rewrite(folder, start="2024-01-01T00:00:00+00:00", seconds=100.0)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')  # what a crash in the middle of a write leaves
    with results.RunWriter.start(runs_root, EXPERIMENT) as run:
        assert (run.lines, run.resumed) == (7, 1)
        run.rewind(checkpoint)
        run.log({"step": 5})
        run.finish(evaluation(), arrays())
    record = document(folder)
    assert (record["start"], record["resumed"], record["error"]) == ("2024-01-01T00:00:00+00:00", 1, None)
    assert 100 <= record["seconds"] < 160
    assert results.history(folder)["step"].dropna().tolist() == [0, 1, 2, 3, 4, 5]
    assert results.history(folder)["validation.t2v.R@1"].dropna().tolist() == [3.0]


def test_second_writer_is_refused_until_the_first_ends(runs_root):
    first = results.RunWriter.start(runs_root, EXPERIMENT)
    with pytest.raises(ValueError, match="being written by another run"):
        results.RunWriter.start(runs_root, EXPERIMENT)
    assert only(runs_root)["status"] == "running"
    first.fail("stopped")
    results.RunWriter.start(runs_root, EXPERIMENT).fail("stopped")


def test_a_host_without_a_network_card_is_the_same_in_every_process(monkeypatch):
    """Python makes up an address of its own in each there, with a bit that no card's has."""
    one, two, card = 0x0123456789AB, 0x4DAABBCCDDEE, 0x0023456789AB
    found = iter([one, two, card])
    monkeypatch.setattr(provenance.uuid, "getnode", lambda: next(found))
    hosts = [provenance.host.__wrapped__() for _ in range(3)]
    assert hosts[0] == hosts[1] != hosts[2]


KILLED = """
import os, sys, time
from pathlib import Path
from stan.config import DataConfig, Experiment
from stan.results import RunWriter
run = RunWriter.start(sys.argv[1], Experiment("components", "stan", DataConfig(suite="retrieval")))
run.log({"step": 0})
if os.fork() == 0:  # a worker that outlives its parent must not keep the run locked
    time.sleep(60)
    os._exit(0)
print("ready", flush=True)
time.sleep(60)
"""


def test_a_killed_writer_reads_as_died_and_can_be_resumed(runs_root):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(runs_root)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout.readline() == "ready\n"
        assert only(runs_root)["status"] == "running"
        with pytest.raises(ValueError, match="being written"):
            results.RunWriter.start(runs_root, EXPERIMENT)
        process.kill()
        process.wait()
        folder = runs_root / EXPERIMENT.id
        assert only(runs_root)["status"] == "died"
        rewrite(folder, host="elsewhere")
        assert only(runs_root)["status"] == "running"  # nobody here could tell yet
        rewrite(
            folder, heartbeat=(datetime.now(UTC) - timedelta(seconds=record.STALE_SECONDS + 1)).isoformat()
        )
        assert only(runs_root)["status"] == "died"
        with results.RunWriter.start(runs_root, EXPERIMENT) as run:
            assert (run.lines, run.resumed) == (1, 1)
            run.finish(evaluation(), arrays())
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
    assert only(runs_root)["status"] == "done"


def test_heart_beats_by_itself(runs_root, monkeypatch):
    monkeypatch.setattr(writer, "BEAT_SECONDS", 0.01)
    run = results.RunWriter.start(runs_root, EXPERIMENT)
    first = document(run.folder)["heartbeat"]
    for _ in range(1000):
        if document(run.folder)["heartbeat"] != first:
            break
        time.sleep(0.01)
    beaten = document(run.folder)["heartbeat"]
    run.fail("enough")
    assert beaten > first


def test_a_crash_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "eval.json"
    writer.write_json(file, {"a": 1})

    def crash(*_):
        raise OSError("no power")

    monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(OSError, match="no power"):
        writer.write_json(file, {"a": 2})
    assert json.loads(file.read_text()) == {"a": 1}


@pytest.mark.parametrize("value", [float("nan"), np.float32("inf")])
def test_values_that_are_not_finite_are_named(runs_root, value):
    with results.RunWriter.start(runs_root, EXPERIMENT) as run:
        with pytest.raises(ValueError, match=r"line\.validation\.loss is"):
            run.log({"epoch": 1, "validation": {"loss": value}})
        run.finish(evaluation(), arrays())
    assert (run.folder / "metrics.jsonl").read_text() == ""


def test_arrays_that_need_pickle_are_refused(runs_root):
    refused = pytest.raises(ValueError, match="array ids holds Python objects")
    with refused, results.RunWriter.start(runs_root, EXPERIMENT) as run:
        run.finish(evaluation(), {"ids": np.array([object()])})
    assert only(runs_root)["status"] == "failed"


def test_unknown_notes_are_refused_and_leave_no_lock(runs_root):
    with pytest.raises(ValueError, match="has no colour"):
        results.RunWriter.start(runs_root, EXPERIMENT, colour="red")
    done(runs_root)


DAMAGE = {
    "no config": lambda folder: (folder / "config.json").unlink(),
    "no record": lambda folder: (folder / "run.json").unlink(),
    "cut record": lambda folder: (folder / "run.json").write_text('{"status": "do'),
    "a list": lambda folder: (folder / "run.json").write_text("[]"),
    "binary": lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe\x00"),
    "no status": lambda folder: (folder / "run.json").write_text("{}"),
    "odd status": lambda folder: rewrite(folder, status="perhaps"),
    "odd heartbeat": lambda folder: rewrite(folder, status="running", heartbeat="yesterday"),
    "heartbeat without zone": lambda folder: rewrite(
        folder, status="running", heartbeat="2024-01-01T00:00:00"
    ),
    "unknown config": lambda folder: (folder / "config.json").write_text(
        '{"study": "a", "row": "b", "colour": 1}'
    ),
    "other config": lambda folder: (folder / "config.json").write_text('{"study": "a", "row": "b"}'),
    "config of text": lambda folder: (folder / "config.json").write_text(
        '{"study": "a", "row": "b", "data": "x"}'
    ),
    "nested too deeply": lambda folder: (folder / "config.json").write_text("[" * 100_000),
    "a suite that is no text": lambda folder: (folder / "config.json").write_text(
        json.dumps(document(folder, "config.json") | {"data": {"suite": []}})
    ),
    "half a character": lambda folder: (folder / "config.json").write_text(
        json.dumps(document(folder, "config.json") | {"row": "\ud800"})
    ),
    "odd headline": lambda folder: (folder / "eval.json").write_text(
        json.dumps(document(folder, "eval.json") | {"headline": []})
    ),
    "a metric of text": lambda folder: (folder / "eval.json").write_text(
        json.dumps(document(folder, "eval.json") | {"metrics": {"t2v": {"R@1": ""}}})
    ),
    "no evaluation": lambda folder: (folder / "eval.json").unlink(),
    "empty evaluation": lambda folder: (folder / "eval.json").write_text("{}"),
    "odd evaluation": lambda folder: (folder / "eval.json").write_text('{"metrics": 3}'),
    "no ranks": lambda folder: (folder / "ranks.npz").unlink(),
    "cut ranks": lambda folder: (folder / "ranks.npz").write_bytes((folder / "ranks.npz").read_bytes()[:100]),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_folders_are_listed_with_a_reason(runs_root, damage):
    damage(done(runs_root))
    other = done(runs_root, replace(EXPERIMENT, seed=1))
    table = results.load(runs_root).set_index("seed")
    assert (table.loc[0, "status"], table.loc[1, "status"]) == ("damaged", "done")
    assert table.loc[0, "reason"] and table.loc[0, "id"] == EXPERIMENT.id
    assert results.find(runs_root, EXPERIMENT) is None
    assert results.find(runs_root, replace(EXPERIMENT, seed=1)) == other
    assert results.summary(results.load(runs_root), "t2v.R@1")["n"].tolist() == [1]


def test_a_record_that_is_being_opened_is_no_damaged_one(runs_root):
    """A notebook's process takes seconds to come to its run; killed as it opens the record, it has begun nothing."""
    folder = runs_root / EXPERIMENT.id
    folder.mkdir(parents=True)
    (folder / "notebook.log").write_text("starting")
    (folder / ".lock").touch()
    assert results.load(runs_root).empty
    (folder / "config.json").write_text(json.dumps(to_dict(EXPERIMENT)))
    assert (only(runs_root)["status"], only(runs_root)["reason"]) == (
        "died",
        "it ended before it had said anything",
    )
    taken = lock.acquire(folder)
    assert only(runs_root)["status"] == "running"
    lock.release(taken)
    done(runs_root)
    assert only(runs_root)["status"] == "done"


def test_numbers_are_taken_over_at_once_or_visibly_not(runs_root, monkeypatch):
    """After every file that `adopt` writes, the record reads as running; were its process gone, as died."""
    source, seen = done(runs_root), []
    folder = runs_root / replace(EXPERIMENT, row="copy").id
    for name in ("write_bytes", "write_json"):
        write = getattr(writer, name)

        def then_look(path, content, write=write):
            write(path, content)
            seen.append(results.read(folder)["status"])

        monkeypatch.setattr(writer, name, then_look)
    results.adopt(runs_root, replace(EXPERIMENT, row="copy"), source)
    assert len(seen) == 6 and set(seen[:-1]) == {"running"} and seen[-1] == "done"


def test_readers_keep_no_writer_from_its_record(runs_root):
    """Whoever looks whether a run is being written asks for its lock, for an instant, again and again."""
    folder = runs_root / EXPERIMENT.id
    with results.RunWriter.start(runs_root, EXPERIMENT) as run:
        run.fail("first")
    readers = [threading.Thread(target=lambda: [lock.held(folder) for _ in range(3000)]) for _ in range(2)]
    for one in readers:
        one.start()
    for _ in range(20):
        lock.release(lock.acquire(folder))
    for one in readers:
        one.join()
    assert not lock.held(folder)


def test_ranks_are_read_again_when_the_run_is_measured_again(runs_root):
    folder = done(runs_root, EXPERIMENT, np.ones(QUERIES))
    first = results.ranks(folder)
    assert (first["t2v"] == 1).all() and not first["t2v"].flags.writeable
    shutil.rmtree(folder)
    done(runs_root, EXPERIMENT, np.full(QUERIES, 2.0))
    assert (results.ranks(folder)["t2v"] == 2).all()


def test_ranks_are_never_unpickled(runs_root):
    folder = done(runs_root)
    np.savez(folder / "ranks.npz", t2v=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="evaluate the run again"):
        results.ranks(folder)
    assert "evaluate" in results.summary(results.load(runs_root), "t2v.R@1")["reason"][0]


def test_ranks_whose_compressed_bytes_are_damaged_cannot_be_read(runs_root):
    file = done(runs_root) / "ranks.npz"
    np.savez_compressed(file, t2v=np.arange(400.0))
    content = bytearray(file.read_bytes())
    content[content.index(b"t2v.npy") + 40] ^= 0xFF
    file.write_bytes(content)
    with pytest.raises(ValueError, match="evaluate the run again"):
        results.ranks(file.parent)


@pytest.mark.parametrize("name", ["t2v", "v2t", "order_correct"])
@pytest.mark.parametrize(
    "odd",
    [np.array(1.0), np.ones((40, 2)), np.ones(0), np.array(["a"] * 40), np.zeros(40, "M8[s]"), np.ones(41)],
    ids=["no list", "a table", "none", "texts", "dates", "one more"],
)
def test_ranks_that_are_no_number_per_query_are_refused(runs_root, name, odd):
    folder = done(runs_root)
    np.savez(folder / "ranks.npz", **(arrays() | {name: odd}))
    with pytest.raises(ValueError, match=f"{name} isn't one number for each of"):
        results.per_query(folder, {"order_correct": "order.accuracy"}.get(name, f"{name}.R@1"))


def test_history_leaves_out_lines_that_cannot_be_read(runs_root):
    folder = done(runs_root)
    (folder / "metrics.jsonl").write_text('{"step": 0}\nnonsense\n[1]\n{"step": 1}\n{"st')
    assert results.history(folder)["step"].tolist() == [0, 1]
    assert results.history(runs_root / "nowhere").empty


def test_no_runs_give_an_empty_table_with_its_columns(tmp_path):
    table = results.load([tmp_path / "nowhere", tmp_path])
    assert table.empty and {"id", "status", "shipped", "path"} <= set(table.columns)
    assert results.summary(table, "t2v.R@1").empty
    assert results.changes(table, "baseline", "t2v.R@1").empty


def test_other_folders_are_no_runs(runs_root):
    done(runs_root)
    (runs_root / "components" / "stan" / ".ipynb_checkpoints").mkdir()
    (runs_root / "components" / "figure.png").write_bytes(b"")
    assert len(results.load([runs_root])) == 1


def test_shipped_runs_are_marked(runs_root, tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "SHIPPED", tmp_path / "reference")
    done(tmp_path / "reference")
    done(runs_root, replace(EXPERIMENT, seed=1))
    assert results.load(runs_root)["shipped"].tolist() == [False]
    table = results.load(runs_root, shipped=True).set_index("seed")
    assert table["shipped"].to_dict() == {0: True, 1: False}


def test_a_seed_shipped_and_repeated_counts_once(runs_root, tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "SHIPPED", tmp_path / "reference")
    done(tmp_path / "reference", places=np.ones(QUERIES))
    done(runs_root)
    row = results.summary(results.load(runs_root, shipped=True), "t2v.R@1").iloc[0]
    assert (row["n"], row["mean"], row["shipped"]) == (1, 2.5, False)


def test_equal_configs_are_found_across_studies(runs_root):
    source = done(runs_root, replace(EXPERIMENT, study="methods", row="other"))
    assert results.find(runs_root, EXPERIMENT) == source
    assert results.find(runs_root, replace(EXPERIMENT, seed=1)) is None
    assert results.find(runs_root, with_parts(EXPERIMENT, train={"lr": 0.5})) is None
    tested = replace(EXPERIMENT, test_time=("dsl",))
    assert results.find(runs_root, tested) is None
    assert results.find_training(runs_root, tested) == source


def test_adopted_run_has_the_numbers_and_names_its_source(runs_root):
    source = done(runs_root, replace(EXPERIMENT, study="methods"))
    adopted = results.adopt(runs_root, EXPERIMENT, source)
    again = results.adopt(runs_root, replace(EXPERIMENT, row="twice"), adopted, lr={"lr": 0.001, "tried": {}})
    assert results.read(again)["evaluation"] == results.read(source)["evaluation"] | {
        "lr": {"lr": 0.001, "tried": {}}
    }
    table = results.load(runs_root).set_index("path")
    assert (
        table.loc[str(adopted), "same_as"]
        == table.loc[str(again), "same_as"]
        == f"methods/{'/'.join(source.parts[-2:])}"
    )
    assert table.loc[str(adopted), "t2v.R@1"] == table.loc[str(source), "t2v.R@1"]
    assert results.find(runs_root, EXPERIMENT) == adopted
    assert results.find_training(runs_root, replace(EXPERIMENT, row="third")) == source


def test_only_an_equal_done_run_is_adopted(runs_root):
    source = done(runs_root)
    with pytest.raises(ValueError, match="another config or seed"):
        results.adopt(runs_root, replace(EXPERIMENT, row="b", test_time=("dsl",)), source)
    with pytest.raises(ValueError, match="holds a run that is done"):
        results.adopt(runs_root, EXPERIMENT, source)
    rewrite(source, status="failed")
    with pytest.raises(ValueError, match="is failed"):
        results.adopt(runs_root, replace(EXPERIMENT, row="b"), source)


def test_temporary_files_do_not_stay(runs_root):
    names = {file.name for file in done(runs_root).iterdir()}
    assert names == {"config.json", "run.json", "metrics.jsonl", "eval.json", "ranks.npz", ".lock"}
