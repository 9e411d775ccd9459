"""A study, a suite and seeds in; one finished run per row and seed, and the study's report, out.

Every run executes `notebooks/train.ipynb` in a process of its own. Runs that are done already are skipped, runs that
died are resumed, and equal trainings happen only once. The record of a run says whether it succeeded.
"""

from __future__ import annotations

import contextlib
import json
import signal
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stan import experiments, results
from stan.common.files import write_json
from stan.common.jobs import Reporter, job
from stan.common.progress import Bars, StageProgress
from stan.config import Experiment, to_dict
from stan.experiments import learning_rates
from stan.results.same_data import refuse_other_data
from stan.training.notebooks import launch
from stan.training.notebooks.fork_server import Forks
from stan.training.sweep import durations, engines
from stan.training.sweep.display import Display, open_display, words
from stan.training.sweep.engines import SweepEngine
from stan.training.sweep.rows import rows_of, trials_of, with_rate
from stan.training.sweep.run import Run
from stan.training.sweep.timing import Spent, logged

_TICK_SECONDS = 0.5


@dataclass
class SweepReport:
    """The outcome of a sweep."""

    runs: list[Run]
    notebook: Path | None = None
    """The executed ablation notebook, with its HTML beside it; None if a run failed."""
    rates: dict[str, Any] = field(default_factory=dict)
    """Learning rates that this sweep chose, as in `learning_rates.json`."""
    spent: Spent = field(default_factory=Spent)

    @property
    def failed(self) -> list[Run]:
        return [run for run in self.runs if run.status == "failed"]


def ablate(
    study: str,
    suite: str,
    size: str = "quick",
    seeds: Sequence[int] = (0,),
    *,
    engine: str = "local",
    jobs: int | None = None,
    runs: str | Path = "runs",
    worlds: str | Path = "worlds",
    root: str | None = None,
    choose_rates: bool = False,
    ship_rates: bool = False,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    only: Sequence[str] = (),
) -> SweepReport:
    """Train and test every row with every seed, then execute the ablation notebook into `runs/STUDY/`.

    only: names of the rows to run; all if empty. engine: one of `engines.ENGINES`. jobs: runs at once, by default as
    `engines.engine` says; each gets its share of the cores as threads. root: folder of a real set. choose_rates: first
    try `experiments.LEARNING_RATES` for every row, take the best on validation and write the choices to
    `runs/learning_rates.json`; with ship_rates also into the package, where studies find them.
    Raises ValueError for unknown names and settings. Ctrl-C ends all runs; the next call resumes them.
    """
    rows = rows_of(study, suite, size, root, overrides, only)
    if not seeds:
        raise ValueError("no seeds: give at least one")
    rates: dict[str, Any] = {}
    spent = Spent()
    if choose_rates:
        report = train_all(trials_of(rows, overrides), runs, worlds, jobs, engine, spent)
        if report.failed:
            return report
        rates = experiments.choose_rates(results.load(runs), [run.experiment for run in report.runs])
        _add_rates(Path(runs) / learning_rates.RATES_FILE.name, rates)
        rows = [with_rate(row, rates) for row in rows]
        if ship_rates:  # before the rows run, so that their records tell how the rates were chosen
            _add_rates(learning_rates.RATES_FILE, rates)
    wanted = [replace(row, seed=seed) for seed in dict.fromkeys(seeds) for row in rows]
    with _trained(wanted, runs, worlds, jobs, engine, spent) as (report, forks):
        report.rates = rates
        if not report.failed:
            with spent.clocked("seconds", "reporting"):
                report.notebook = report_on(rows[0], runs, forks)
    return report


def train_all(
    wanted: Sequence[Experiment],
    runs: str | Path,
    worlds: str | Path,
    jobs: int | None = None,
    engine: str = "local",
    spent: Spent | None = None,
) -> SweepReport:
    """Finish a run for every experiment, several at once, and show progress on stderr; see `ablate`.

    spent: time spent so far, to which this call adds its own.
    """
    with _trained(wanted, runs, worlds, jobs, engine, spent or Spent()) as (report, _):
        return report


@contextlib.contextmanager
def _trained(
    wanted: Sequence[Experiment],
    runs: str | Path,
    worlds: str | Path,
    jobs: int | None,
    engine: str,
    spent: Spent,
) -> Generator[tuple[SweepReport, Forks | None]]:
    """Yield `train_all`'s report and the fork server of the runs, which can execute more notebooks within the context.

    The fork server is None where nothing had to run or runs aren't forked.
    """
    queue = [Run(one, Path(runs) / one.id) for one in wanted]
    for run in queue:
        if results.find(runs, run.experiment) == run.folder:
            run.status = "done before"
    refuse_other_data([(run.folder, run.experiment) for run in queue if run.over], worlds, runs)
    pending = _count(queue, "waiting")
    with engines.engine(engine, jobs, pending) if pending else contextlib.nullcontext() as where:
        if where is not None:
            _carry_out(queue, where, Path(runs), Path(worlds), spent)
        yield SweepReport(queue, spent=spent), where and where.forks


def _carry_out(queue: Sequence[Run], where: SweepEngine, runs: Path, worlds: Path, spent: Spent) -> None:
    pending = [run for run in queue if not run.over]
    known = durations.known(results.load(runs))
    for run in pending:
        run.expected = durations.seconds(run.experiment, known) or 0.0
    spent.at_once = max(spent.at_once, where.at_once)
    with job(runs, _title(queue)) as told, _ending_signals():
        with spent.clocked("seconds", "preparing"):
            _prepare([run.experiment for run in pending], worlds, runs, told, where.forks)
        with spent.clocked("seconds"), open_display(queue) as display:
            _work(queue, where, runs, worlds, display, told)
    spent.training += sum(run.training for run in queue)
    spent.validation += sum(run.validation for run in queue)


def report_on(row: Experiment, runs: str | Path, forks: Forks | None = None) -> Path:
    """Execute the ablation notebook for a row's study, and its HTML: `runs/STUDY/report-SUITE-SIZE/ablation.ipynb`.

    Runs on a backbone that the study doesn't use have a report of their own, `report-SUITE-SIZE-BACKBONE`.
    """
    study, suite, size, backbone = row.study, row.data.suite, row.data.size, row.model.backbone
    parameters = {"study": study, "suite": suite, "size": size, "runs": str(runs)}
    folder = Path(runs) / study / f"report-{suite}-{size}"
    if backbone not in experiments.backbones(study, suite, size):
        parameters["backbone"] = backbone
        folder = folder.with_name(f"{folder.name}-{Path(backbone).name}")
    return launch.run_notebook(launch.find("ablation"), parameters, folder, forks=forks)


def _add_rates(file: Path, rates: dict[str, Any]) -> None:
    write_json(file, experiments.chosen_rates(file) | rates)


def _title(queue: Sequence[Run]) -> str:
    named = {f"{run.experiment.study} on {run.experiment.data.suite}" for run in queue}
    return " and ".join(sorted(named))


def _prepare(
    wanted: Sequence[Experiment],
    worlds: str | Path,
    runs: str | Path,
    told: Reporter | None = None,
    forks: Forks | None = None,
) -> None:
    """Render the worlds and compute the levels that several runs share, once before the runs start.

    A fork does it if there are any, because it has imported what this process would have to import.
    """
    different = list({_shared(one): one for one in wanted}.values())
    with Bars(None) as bars:

        def report(stage: str, done: int, total: int, values: dict[str, float]) -> None:
            bars(stage, done, total, values)
            if told is not None:
                told.tell(done, total, stage)

        if forks is None:
            _prepare_all(different, worlds, runs, report)
        else:
            forks.call(_prepare_all, different, worlds, runs, report=report)


def _prepare_all(
    wanted: Sequence[Experiment], worlds: str | Path, runs: str | Path, report: StageProgress
) -> None:
    from stan.training import trainer

    for one in wanted:
        trainer.prepare(one, worlds, runs, report)


def _shared(one: Experiment) -> str:
    return json.dumps(
        [to_dict(one)[part] for part in ("data", "model")] + [one.train.frozen, list(one.test_time)]
    )


def _work(
    queue: Sequence[Run], where: SweepEngine, runs: Path, worlds: Path, display: Display, told: Reporter
) -> None:
    try:
        while not all(run.over for run in queue):
            for run in [run for run in queue if run.status == "running"]:
                _reap(run)
            for run in _next(queue)[: where.at_once - _count(queue, "running")]:
                _start(run, where, runs, worlds)
            display.show()
            under_way = [f"{run.name} {words(run)}" for run in queue if run.status == "running"]
            told.tell(sum(run.over for run in queue), len(queue), "runs", "; ".join(under_way))
            time.sleep(_TICK_SECONDS)
    finally:
        for run in queue:
            if run.running is not None:
                run.running.interrupt()
        for run in queue:
            if run.running is not None:
                run.running.stop()
                run.status = "interrupted"
        display.show()


def _next(queue: Sequence[Run]) -> list[Run]:
    """Return the runs that can start now, in order.

    Before any run has started, the quickest run of the first seed comes first: it soon gives a result to look at.
    """
    ready = _ready(queue)
    if _count(queue, "waiting") < len(queue) - _count(queue, "done before") or not ready:
        return ready
    soonest = min(
        (run for run in ready if run.experiment.seed == ready[0].experiment.seed),
        key=lambda run: run.expected,
    )
    return [soonest, *(run for run in ready if run is not soonest)]


def _ready(queue: Sequence[Run]) -> list[Run]:
    """Return the runs that can start now.

    Runs that share weights wait for the first of them; if it fails, they fail too. Runs of the first seed come first,
    because they make a whole table; then all others. Within each group, the longest runs come first: otherwise a long
    one would run alone at the end.
    """
    ready: list[Run] = []
    first: dict[tuple[str, int], Run] = {}
    for run in queue:
        leader = first.setdefault((run.experiment.training_hash, run.experiment.seed), run)
        if run.status != "waiting":
            continue
        if leader.status == "failed":
            run.status, run.reason = "failed", f"{leader.name}, which trains the same weights, failed"
        elif leader is run or leader.over:
            ready.append(run)
    return sorted(ready, key=lambda run: (run.experiment.seed != queue[0].experiment.seed, -run.expected))


def _start(run: Run, where: SweepEngine, runs: Path, worlds: Path) -> None:
    parameters = {"experiment": to_dict(run.experiment), "runs": str(runs), "worlds": str(worlds)}
    run.logged_before = logged(run.folder)
    run.running = where.start(launch.find("train"), parameters, run.folder)
    run.status, run.started = "running", time.monotonic()


def _reap(run: Run) -> None:
    assert run.running is not None
    run.seconds = time.monotonic() - run.started
    if run.running.poll() is None:
        return
    record = results.read(run.folder)
    run.training, run.validation = (
        max(0.0, now - before) for now, before in zip(logged(run.folder), run.logged_before, strict=True)
    )
    if record["status"] == "done":
        run.status = "done"
    else:
        run.status = "failed"
        said = f"{run.folder / launch.LOG} ends with:\n{run.running.tail()}"
        run.reason = f"{record['reason'] or record['status']}\n{said}"
    run.running = None


def _count(queue: Sequence[Run], status: str) -> int:
    return sum(run.status == status for run in queue)


@contextlib.contextmanager
def _ending_signals() -> Generator[None]:
    """Within this context, SIGTERM and SIGHUP end the sweep and its runs as Ctrl-C does."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
