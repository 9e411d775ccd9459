"""Notebooks and made-up runs in: a sweep skips, orders, resumes, stops and reports as it says."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from stan import experiments, report, results
from stan.bench.fake_runs import experiment as made_up
from stan.common.cores import cores
from stan.config import to_dict
from stan.experiments import learning_rates, overrides
from stan.results import lock
from stan.training.notebooks import execute, launch
from stan.training.sweep import display, durations, engines, sweep
from stan.training.sweep.plan import hours, plan
from stan.training.sweep.timing import Spent, logged
from stan.training.trainer import RESUME
from tests.support.made_up_runs import write_run
from tests.support.written_runs import done

ROOT = Path(__file__).resolve().parents[3]
SMALL = {
    "data": {"size": "tiny", "frames": 4},
    "model": {"pretrained": "random"},
    "train": {"epochs": 1, "batch": 8},
}


def written(folder: Path, body: str, parameters: str = "a: int = 1") -> Path:
    """A notebook with a parameters cell and one more."""
    cells = [nbformat.v4.new_code_cell(parameters), nbformat.v4.new_code_cell(body)]
    cells[0].metadata["tags"] = ["parameters"]
    path = folder / "small.ipynb"
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec}), path)
    return path


def said(executed: Path) -> str:
    cells = nbformat.read(executed, as_version=4).cells
    return "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", []))


@pytest.mark.slow
def test_a_report_on_another_backbone_lies_beside_that_on_the_studys_own(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        launch, "run_notebook", lambda _, parameters, folder, **__: asked.append((parameters, folder))
    )
    for backbone in ("tiny", "tiny-eva"):
        wanted = {"model": {"backbone": backbone}}
        sweep.report_on(overrides.experiment("components", "stan", "motions", overrides=wanted), tmp_path)
    told = {"study": "components", "suite": "motions", "size": "quick", "runs": str(tmp_path)}
    assert asked == [
        (told, tmp_path / "components" / "report-motions-quick"),
        (told | {"backbone": "tiny-eva"}, tmp_path / "components" / "report-motions-quick-tiny-eva"),
    ]
    for parameters, _ in asked:
        execute.check(launch.find("ablation"), parameters)


@pytest.mark.slow
def test_a_report_on_another_backbone_tells_of_its_runs(tmp_path):
    row = overrides.experiment(
        "components", "stan", "motions", overrides={"model": {"backbone": "tiny-averaging"}}
    )
    written = nbformat.read(sweep.report_on(row, tmp_path), as_version=4)
    shipped = report.study_runs("components", "motions", "quick", tmp_path, backbone="tiny-averaging")
    mean = shipped.loc[shipped["row"] == "stan", "top-1"].mean()
    outputs = [str(output) for cell in written.cells for output in cell.get("outputs", [])]
    assert any(f"{mean:.1f} [" in output for output in outputs)


@pytest.mark.slow
def test_a_notebook_runs_with_its_parameters_in_this_interpreter(tmp_path, monkeypatch):
    misleading = tmp_path / "home/.local/share/jupyter/kernels/python3"
    misleading.mkdir(parents=True)
    spec = {"argv": ["/bin/false"], "display_name": "another", "language": "python"}
    (misleading / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    path = written(
        tmp_path, "import sys, stan\nprint(sys.executable, stan.__file__, a, b)", "a: int = 1\nb: dict = {}"
    )
    executed = launch.run_notebook(path, {"a": 5, "b": {"x": [None, True, 'q"\n']}}, tmp_path / "out")
    assert (
        said(executed) == f"{sys.executable} {ROOT / 'stan/__init__.py'} 5 {{'x': [None, True, 'q\"\\n']}}\n"
    )
    page = executed.with_suffix(".html").read_text()
    assert 'src="http' not in page and '<link rel="stylesheet" href="http' not in page
    assert str(tmp_path) not in json.dumps(nbformat.read(executed, as_version=4).metadata)


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"c": 1}, "has no parameter c; it has a"),
        ({"a": "1"}, "a must be int, not str"),
        ({"a": True}, "a must be int, not bool"),
        ({"a": 1.5}, "a must be int, not float"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_before_anything_runs(tmp_path, parameters, complaint):
    path = written(tmp_path, "print(a)")
    with pytest.raises(ValueError, match=complaint):
        launch.run_notebook(path, parameters, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_float_parameter_takes_whole_numbers(tmp_path):
    path = written(tmp_path, "print(a)", "a: float = 0.5")
    launch.check(path, {"a": 2})
    with pytest.raises(ValueError, match="a must be float, not str"):
        launch.check(path, {"a": "2"})


@pytest.mark.slow
def test_a_cell_that_fails_is_an_error_with_its_words_and_leaves_what_ran(tmp_path):
    path = written(tmp_path, "print('before')\nraise ValueError('the reason')")
    with pytest.raises(launch.NotebookFailed, match="the reason"):
        launch.run_notebook(path, {}, tmp_path / "out")
    assert "before" in said(tmp_path / "out/small.ipynb")
    assert "the reason" in (tmp_path / "out/small.html").read_text()


@pytest.mark.slow
def test_a_kernel_that_dies_is_an_error(tmp_path):
    with pytest.raises(launch.NotebookFailed):
        launch.run_notebook(written(tmp_path, "import os\nos._exit(3)"), {}, tmp_path / "out")


@pytest.mark.slow
def test_stopping_interrupts_the_cell_and_ends_the_kernel(tmp_path):
    body = f"""
import os, time
open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
try:
    time.sleep(100)
except KeyboardInterrupt:
    open({str(tmp_path / "noticed")!r}, "w").close()
    raise
"""
    running = launch.start(written(tmp_path, body), {}, tmp_path / "out")
    pid = _pid(tmp_path / "pid")
    running.stop()
    assert running.poll() != 0
    assert (tmp_path / "noticed").exists()
    assert _ends(pid)


@pytest.mark.slow
def test_a_kernel_does_not_outlive_a_killed_process(tmp_path):
    body = f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(100)"
    running = launch.start(written(tmp_path, body), {}, tmp_path / "out")
    pid = _pid(tmp_path / "pid")
    running.process.kill()
    running.process.wait()
    assert _ends(pid)


def _pid(file: Path) -> int:
    for _ in range(600):
        if file.exists() and file.read_text():
            return int(file.read_text())
        time.sleep(0.1)
    raise AssertionError("the cell never started")


def _ends(pid: int) -> bool:
    for _ in range(300):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True  # dead, only not yet reaped by whoever adopted it
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.1)
    return False


def test_overrides_change_single_fields_and_options():
    wanted = overrides.experiment(
        "components",
        "stan",
        "motions",
        seed=3,
        overrides={"train": {"epochs": 2}, "model": {"options": {"layers": 2}}},
    )
    plain = overrides.experiment("components", "stan", "motions", seed=3)
    assert (wanted.train.epochs, wanted.seed) == (2, 3)
    assert wanted.model.options == plain.model.options | {"layers": 2}
    with pytest.raises(ValueError, match="epoch"):
        overrides.experiment("components", "stan", "motions", overrides={"train": {"epoch": 2}})
    with pytest.raises(ValueError, match="part 'lr'"):
        overrides.experiment("components", "stan", "motions", overrides={"lr": 2})
    with pytest.raises(ValueError, match="no row 'stam'"):
        overrides.experiment("components", "stam", "motions")


def test_rows_that_train_alike_wait_for_the_first_and_fail_with_it(tmp_path):
    rows = {one.row: one for one in experiments.study("components", "motions")}
    queue = [sweep.Run(rows[name], tmp_path) for name in ("stan", "stan+testing", "branch")]
    assert [run.experiment.row for run in sweep._ready(queue)] == ["stan", "branch"]
    queue[0].status = "done"
    assert [run.experiment.row for run in sweep._ready(queue)] == ["stan+testing", "branch"]
    queue[0].status = "failed"
    assert [run.experiment.row for run in sweep._ready(queue)] == ["branch"]
    assert queue[1].status == "failed" and "stan-s0" in queue[1].reason


def test_long_runs_start_first_after_a_whole_table_of_one_seed(tmp_path):
    rows = {one.row: one for one in experiments.study("components", "motions")}
    names = ("baseline", "branch", "stan")
    queue = [sweep.Run(replace(rows[name], seed=seed), tmp_path) for seed in (1, 0, 2) for name in names]
    known = durations.known(results.load(tmp_path))
    for run in queue:
        run.expected = durations.seconds(run.experiment, known)
    ready = [(run.experiment.seed, run.experiment.row) for run in sweep._ready(queue)]
    assert ready[:3] == [(1, "stan"), (1, "branch"), (1, "baseline")]
    assert ready[3:] == [(seed, row) for row in ("stan", "branch", "baseline") for seed in (0, 2)]


def test_the_quickest_run_starts_before_all_others(tmp_path):
    rows = {one.row: one for one in experiments.study("components", "motions")}
    queue = [sweep.Run(rows[name], tmp_path) for name in ("baseline", "branch", "stan", "posterior")]
    for run, seconds in zip(queue, (20.0, 60.0, 80.0, 50.0), strict=True):
        run.expected = seconds
    assert [run.experiment.row for run in sweep._next(queue)] == ["baseline", "stan", "branch", "posterior"]
    queue[0].status = "running"
    assert [run.experiment.row for run in sweep._next(queue)] == ["stan", "branch", "posterior"]
    queue[0].status = "done before"
    assert [run.experiment.row for run in sweep._next(queue)] == ["posterior", "stan", "branch"]


def test_what_is_done_is_not_started(tmp_path, monkeypatch):
    wanted = [made_up("stan", 0), made_up("branch", 0)]
    for one in wanted:
        write_run(tmp_path, one)
    monkeypatch.setattr(launch, "start", lambda *_: pytest.fail("started a run that is done"))
    report = sweep.train_all(wanted, tmp_path, tmp_path / "worlds")
    assert [run.status for run in report.runs] == ["done before", "done before"] and not report.failed


@pytest.mark.slow
def test_a_run_is_done_only_when_its_record_says_so(tmp_path, monkeypatch):
    """The notebook ends well in all three; one leaves a done record, one a failed one, one none."""
    monkeypatch.setattr(sweep, "_prepare", lambda *_: None)
    body = """
from tests.support.made_up_runs import write_run
from tests.support.written_runs import done
from stan.config import from_dict
from pathlib import Path
import shutil
wanted = from_dict(experiment)
status = {"stan": "done", "branch": "failed"}.get(wanted.row)
if status:
    made = write_run(Path(worlds), wanted, status)
    for file in made.iterdir():
        shutil.copy(file, Path(runs) / wanted.id / file.name)
"""
    small = written(tmp_path, body, 'experiment: dict = {}\nruns: str = ""\nworlds: str = ""')
    monkeypatch.setattr(launch, "find", lambda name: small)
    wanted = [made_up(row, 0) for row in ("stan", "branch", "posterior")]
    report = sweep.train_all(wanted, tmp_path / "runs", tmp_path / "elsewhere", jobs=3)
    assert [run.status for run in report.runs] == ["done", "failed", "failed"]
    assert [run.experiment.row for run in report.failed] == ["branch", "posterior"]
    assert "made up" in report.failed[0].reason and "config.json is missing" in report.failed[1].reason


@pytest.mark.slow
def test_rates_are_chosen_on_validation_and_written(tmp_path, monkeypatch):
    """Three trials a row, the middle rate best; the study's rows are then run with it."""
    asked = []

    def pretend(wanted, runs, worlds, jobs, engine, spent):
        asked.append(wanted)
        for one in wanted:
            if one.study == "learning-rates":
                value = 60.0 if one.train.lr == 1e-3 else 50.0
                scores = {"t2v": {"R@1": value}}
                done(runs, one, validation=scores)
        yield sweep.SweepReport([sweep.Run(one, runs / one.id, "done") for one in wanted]), None

    monkeypatch.setattr(sweep, "_trained", contextlib.contextmanager(pretend))
    monkeypatch.setattr(sweep, "report_on", lambda *_: tmp_path / "ablation.ipynb")
    shipped = tmp_path / "package" / "learning_rates.json"
    shipped.parent.mkdir()
    shipped.write_text('{"another": {}}')
    monkeypatch.setattr(learning_rates, "RATES_FILE", shipped)
    report = sweep.ablate("components", "retrieval", runs=tmp_path, choose_rates=True, ship_rates=True)
    assert len(asked[0]) == 3 * 6  # stan+testing trains as stan does
    assert [one.train.lr for one in asked[1]] == [1e-3] * 7
    assert report.rates["retrieval/quick/stan"]["tried"] == {"0.0003": 50.0, "0.001": 60.0, "0.003": 50.0}
    assert json.loads((tmp_path / "learning_rates.json").read_text()) == report.rates
    assert json.loads(shipped.read_text()) == {"another": {}} | report.rates


def test_progress_is_read_from_the_end_of_the_log(tmp_path):
    one = made_up("stan", 0)
    folder = write_run(tmp_path, one, "running")
    with (folder / "metrics.jsonl").open("a") as log:
        log.write('{"step": 21, "epo')  # being written at this moment
    run = sweep.Run(one, folder, "running", seconds=16.0)
    at = display.where(run)
    assert (at["epoch"], at["step"], at["epochs"]) == (3, 20, one.train.epochs)
    assert at["eta"] == pytest.approx(5.0 * 3.8 / 20 * (12 * 5 - 20))  # 20 of 60 steps are done
    assert display.words(run).startswith("epoch 4/12, step 20, loss")
    assert display.words(sweep.Run(one, tmp_path / "none", "running")) == "starting"


def test_the_time_outside_training_is_told(tmp_path):
    """59 s of steps and 14 of validation in the log, of which 9 and 4 are of an earlier call; a run that took its
    numbers over trained nothing."""
    one = made_up("stan", 0)
    folder = write_run(tmp_path, one)
    with (folder / "metrics.jsonl").open("a") as log:
        log.writelines(f'{{"epoch": {i}, "validation_seconds": 7}}\n' for i in range(2))
    run = sweep.Run(one, folder, "running", "", SimpleNamespace(poll=lambda: 0), logged_before=(9.0, 4.0))
    run.started = time.monotonic() - 200
    sweep._reap(run)
    assert (run.status, run.training, run.validation) == ("done", pytest.approx(50.0), 10.0)
    assert run.outside == pytest.approx(0.70, abs=0.01)
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"same_as": "another"}))
    assert logged(folder) == logged(tmp_path / "none") == (0.0, 0.0)
    spent = Spent(seconds=100.0, at_once=2, training=130.0, validation=20.0)
    assert spent.outside == pytest.approx(0.25) and Spent().outside is None
    with spent.clocked("seconds", "reporting"):
        time.sleep(0.01)
    assert spent.seconds - 100 == pytest.approx(spent.reporting, abs=1e-3) and spent.reporting >= 0.01


def test_jobs_and_seeds_are_checked():
    with pytest.raises(ValueError, match="jobs is 0"):
        engines.engine("local", 0, 3)
    assert engines.engine("local", 8, 3).at_once == 3
    with pytest.raises(ValueError, match="no seeds"):
        sweep.ablate("components", "motions", seeds=())
    with pytest.raises(ValueError, match="no study"):
        sweep.ablate("component", "motions")


@pytest.mark.slow
def test_a_run_goes_through_its_notebook_dies_and_is_resumed(tmp_path):
    """Killed as it trains, its record is not done; the next call resumes that very run, the third does nothing."""
    longer = overrides.changed(
        overrides.experiment("components", "branch", "motions", overrides=SMALL), {"train": {"epochs": 40}}
    )
    runs, worlds = tmp_path / "runs", tmp_path / "worlds"
    folder = runs / longer.id
    sweep._prepare([longer], worlds, runs)
    parameters = {"experiment": to_dict(longer), "runs": str(runs), "worlds": str(worlds)}
    running = launch.start(launch.find("train"), parameters, folder, {"OMP_NUM_THREADS": "1"})
    try:
        for _ in range(2400):
            if running.poll() is not None or display.last_step(folder / "metrics.jsonl"):
                break
            time.sleep(0.05)
        assert running.poll() is None, running.tail()
    finally:
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()
    _wait_until_free(folder)
    assert results.read(folder)["status"] in ("died", "interrupted")
    assert results.find(runs, longer) is None

    report = sweep.train_all([longer], runs, worlds, jobs=1)
    assert [run.status for run in report.runs] == ["done"], report.runs[0].reason
    record = results.read(folder)["run"]
    assert (record["resumed"], record["threads"]) == (1, cores())
    assert "top-1" in (folder / "train.html").read_text()
    assert [run.status for run in sweep.train_all([longer], runs, worlds).runs] == ["done before"]


def _wait_until_free(folder: Path) -> None:
    """Until the killed run's kernel has noticed that it is alone, and lets go of its record."""
    for _ in range(600):
        if not lock.held(folder):
            return
        time.sleep(0.1)
    raise AssertionError("the kernel outlived its process")


@pytest.mark.slow
def test_ctrl_c_ends_every_child(tmp_path):
    """The sweep's own process gets one SIGINT; it exits with 130 and its kernels are gone."""
    body = f"""
import os, time
open({str(tmp_path)!r} + "/" + experiment["row"], "w").write(str(os.getpid()))
time.sleep(100)
"""
    small = written(tmp_path, body, 'experiment: dict = {}\nruns: str = ""\nworlds: str = ""')
    program = f"""
import sys
from pathlib import Path
from stan.bench.fake_runs import experiment
from stan import cli
from stan.training import sweep
from stan.training.notebooks import launch
from stan.training.sweep import sweep as running
running._prepare = lambda *_: None
launch.find = lambda name: Path({str(small)!r})
wanted = [experiment("stan", 0), experiment("branch", 0)]
sweep.ablate = lambda *_, **__: sweep.train_all(wanted, {str(tmp_path / "runs")!r}, "w", 2)
sys.exit(cli.run(["ablate"]))
"""
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        pids = [_pid(tmp_path / row) for row in ("stan", "branch")]
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert all(_ends(pid) for pid in pids)


# --- before and elsewhere


@pytest.mark.slow
def test_a_plan_says_what_is_done_and_what_is_left(tmp_path):
    def steps(**changed):
        return {s.experiment.row: s for s in plan("components", "motions", runs=tmp_path, **changed)}

    fresh = steps()
    assert [step.what for step in fresh.values()] == ["trained"] * 6 + ["tested"]
    rows = {one.row: one for one in experiments.study("components", "motions")}
    done(tmp_path, rows["baseline"])
    done(tmp_path, replace(rows["posterior"], study="mine", row="copy"))
    left = tmp_path / rows["branch"].id / RESUME
    left.parent.mkdir(parents=True)
    left.touch()
    after = {row: step.what for row, step in steps().items()}
    assert after == dict.fromkeys(rows, "trained") | {
        "baseline": "done",
        "posterior": "taken over",
        "branch": "resumed",
        "stan+testing": "tested",
    }
    assert steps()["posterior"].seconds == 0 and steps()["baseline"].seconds == 0


@pytest.mark.slow
def test_a_plan_estimates_from_records_like_it(tmp_path):
    """Shipped records first, because there are no others; then the mean pooling that was run here."""
    shipped = {s.experiment.row: s.seconds for s in plan("components", "motions", runs=tmp_path)}
    assert shipped["stan"] > shipped["no-cross-frame"] > shipped["baseline"] > shipped["stan+testing"] > 0
    rows = {one.row: one for one in experiments.study("components", "motions")}
    record = done(tmp_path, replace(rows["baseline"], seed=7)) / "run.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"seconds": 5.0}))
    here = {s.experiment.row: s.seconds for s in plan("components", "motions", runs=tmp_path)}
    assert here == shipped | {"baseline": 5.0}
    steps = plan("components", "motions", runs=tmp_path)
    assert hours(steps, 2) == pytest.approx(sum(here.values()) / 7200)
    unknown = plan("components", "scenes", runs=tmp_path)
    assert unknown[0].seconds is None and hours(unknown, 2) is None


def test_a_plan_counts_trials_and_takes_one_over_for_its_row(tmp_path):
    steps = plan("components", "motions", seeds=(0, 1), runs=tmp_path, choose_rates=True)
    assert len(steps) == 3 * 6 + 2 * 7
    by_name = {(s.experiment.study, s.experiment.row, s.experiment.seed): s.what for s in steps}
    assert by_name["components", "stan", 0] == "taken over" and by_name["components", "stan", 1] == "trained"
    with pytest.raises(ValueError, match="it has baseline"):
        plan("components", "motions", runs=tmp_path, only=["nothing"])


def test_engines_are_named_and_ray_says_how_to_get_it(monkeypatch):
    with pytest.raises(ValueError, match="no engine 'slurm'; there are local, ray"):
        engines.engine("slurm", None, 1)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"pip install 'stan-video\[cluster\]'"):
        engines.engine("ray", None, 1)


def test_a_folder_is_being_written_while_its_record_is_open(tmp_path):
    one = made_up("stan", 0)
    assert not lock.held(tmp_path / one.id)
    writer = results.RunWriter.start(tmp_path, one)
    assert lock.held(tmp_path / one.id)
    writer.fail("made up")
    assert not lock.held(tmp_path / one.id)
