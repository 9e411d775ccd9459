"""The committed notebooks in: each runs to its end on a minimal setting, with the figures and tables it promises.

`train` runs in a process of its own, the others in forks, as in a sweep.
"""

import json
from pathlib import Path

import nbformat
import papermill
import pytest

from stan import results
from stan.config import to_dict
from stan.experiments.overrides import experiment
from stan.results.provenance import command
from stan.training.notebooks import launch
from tests.support.made_up_runs import write_study

ROOT = Path(__file__).resolve().parents[3]
NAMES = ("ablation", "add_a_method", "pretrain", "tour", "train")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def outputs(executed: Path) -> list[dict]:
    cells = nbformat.read(executed, as_version=4).cells
    return [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]


def pictures(executed: Path) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs(executed))


def text(executed: Path) -> str:
    parts = [output.get("text", "") for output in outputs(executed)]
    for output in outputs(executed):
        parts += [output.get("data", {}).get(kind, "") for kind in ("text/plain", "text/markdown")]
    return "\n".join(parts)


def test_these_are_the_notebooks():
    assert sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_committed_clean_with_typed_parameters_and_the_kernel_everybody_has(name):
    content = json.loads((ROOT / f"notebooks/{name}.ipynb").read_text())
    assert content["metadata"]["kernelspec"]["name"] == "python3"
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    declared = [line.partition(":")[0] for line in tagged[0]["source"] if line.strip()]
    assert all(": " in line.partition("=")[0] for line in tagged[0]["source"] if line.strip())
    # papermill reads no type of several words, such as `str | None`, and leaves its parameter out
    assert list(papermill.inspect_notebook(str(ROOT / f"notebooks/{name}.ipynb"))) == declared
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)


@pytest.mark.slow
def test_train_trains_tests_and_shows_a_run(tmp_path):
    overrides = {
        "data": {"size": "tiny", "frames": 4},
        "model": {"pretrained": "random"},
        "train": {"epochs": 1, "batch": 8},
    }
    wanted = experiment("components", "stan", "retrieval", seed=2, overrides=overrides)
    parameters = {
        "experiment": to_dict(wanted),
        "runs": str(tmp_path / "runs"),
        "worlds": str(tmp_path / "worlds"),
    }
    folder = tmp_path / "runs" / wanted.id
    executed = launch.run_notebook(launch.find("train"), parameters, folder, ONE_THREAD)
    assert results.read(folder)["status"] == "done"
    assert results.read(folder)["run"]["command"] == command()  # this process's, not the kernel's own
    assert pictures(executed) == 1
    assert not any(output.get("name") == "stderr" for output in outputs(executed))
    assert "t2v.R@1" in text(executed) and "order.accuracy" in text(executed)


@pytest.mark.slow
@pytest.mark.parametrize("suite", ["retrieval", "motions"])
def test_ablation_shows_every_row_with_interval_and_the_papers_number(tmp_path, suite, forks):
    write_study(tmp_path / "runs", suite, seeds=(0, 1))
    parameters = {"suite": suite, "runs": str(tmp_path / "runs"), "shipped": False}
    executed = launch.run_notebook(launch.find("ablation"), parameters, tmp_path / "out", forks=forks)
    assert pictures(executed) == 5
    said = text(executed)
    table = next(line for line in said.splitlines() if line.startswith("no-cross-frame "))
    assert "[" in table
    assert {"retrieval": "46.9", "motions": "65.9"}[suite] in said
    assert "no-intra-frame" in (tmp_path / "out/ablation.html").read_text()


@pytest.mark.slow
def test_pretrain_makes_weights_and_shows_what_they_hold(tmp_path, forks):
    out = tmp_path / "tiny.safetensors"
    parameters = {"out": str(out), "steps": 2, "batch": 8, "stills": 16, "readings": 16}
    executed = launch.run_notebook(launch.find("pretrain"), parameters, tmp_path / "out", forks=forks)
    assert out.is_file() and out.with_suffix(".json").is_file()
    assert pictures(executed) == 2
    assert "R@1" in text(executed)


@pytest.mark.slow
def test_the_tour_runs_even_without_a_trained_model_and_says_so(tmp_path, forks):
    parameters = {"model": "no-such-model", "worlds": str(tmp_path / "worlds")}
    executed = launch.run_notebook(launch.find("tour"), parameters, tmp_path / "out", forks=forks)
    assert "no trained model `no-such-model`" in text(executed)
    assert pictures(executed) == 4
    assert "mean over frames" in text(executed) and "branch layer" in text(executed)


@pytest.mark.slow
def test_a_method_that_a_notebook_adds_is_trained_and_compared(tmp_path, forks):
    runs = tmp_path / "runs"
    parameters = {"runs": str(runs), "worlds": str(tmp_path / "worlds")}
    executed = launch.run_notebook(launch.find("add_a_method"), parameters, tmp_path / "out", forks=forks)
    found = results.load(runs).set_index("row")
    assert found["status"].to_dict() == {"baseline": "done", "differences": "done"}
    assert set(found["study"]) == {"own"} and found.loc["differences", "model.temporal"] == "differences"
    assert pictures(executed) == 2
    change = found["t2v.R@1"]["differences"] - found["t2v.R@1"]["baseline"]
    assert f"differences {change:.1f} " in " ".join(text(executed).split())
    assert "own · retrieval · tiny" in text(executed)
