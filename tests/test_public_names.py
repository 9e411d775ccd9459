"""The names that notebooks and methods of users are written with: `import stan`, and where 0.1 had its modules."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import stan
from stan.data import video
from stan.data.video import decoding


@pytest.mark.parametrize(("name", "home"), sorted((stan._MODULES | stan._FORMER).items()))
def test_a_public_module_is_the_one_at_its_home(name, home):
    assert import_module(f"stan.{name}") is import_module(home) is getattr(stan, name)


def test_type_checkers_see_the_names_that_are_imported_on_first_use():
    tree = ast.parse(Path(stan.__file__).read_text())
    tests = [node for node in tree.body if isinstance(node, ast.If)]
    (block,) = [node.body for node in tests if ast.unparse(node.test) == "TYPE_CHECKING"]
    seen = {alias.asname or alias.name: f"{one.module}.{alias.name}" for one in block for alias in one.names}
    assert seen == stan._MODULES | {name: f"{home}.{name}" for name, home in stan._HOMES.items()}
    assert set(stan.__all__) == seen.keys()


OF_NOTEBOOKS = """
from stan import experiments, figures, report, study_figures
from stan import figures, results, sweep
from stan import figures, tour
from stan.config import to_dict
from stan.explain.attention import attention
from stan.pretrain import pretrain
from stan.results.reader import flatten
from stan.similarity import SIMILARITIES
from stan.temporal import METHODS, Temporal
from stan.train import train
report.study_runs, report.headline, report.overview, report.rows, report.printed, report.seeds, report.changes
report.costs, report.time_probes, report.status, experiments.STUDIES, figures.ablation, figures.forest
study_figures.cost, study_figures.time_probes, sweep.experiment, sweep.given_or, results.read, results.load
figures.learning_curves, figures.losses, figures.probes, figures.strip, figures.levels, figures.attention
figures.time_by_time, figures.scores, tour.example, tour.open_model
"""
"""What the notebooks of 0.1 import and call: copies of them lie in users' folders."""


@pytest.mark.parametrize("line", OF_NOTEBOOKS.strip().splitlines())
def test_a_line_of_a_notebook_of_0_1_still_runs(line):
    imports = [one for one in OF_NOTEBOOKS.strip().splitlines() if one.startswith("from ")]
    names = {}
    exec("\n".join(imports), names)
    wanted = line.partition(" import ")[2] or line
    found = eval(f"({wanted},)", names)
    assert len(found) == len(wanted.split(", "))
    assert all(callable(one) or isinstance(one, dict | ModuleType) for one in found)


def test_what_was_the_module_of_videos_has_its_names():
    assert video.__all__ == sorted(video.__all__)
    assert all(getattr(video, name) is getattr(decoding, name) for name in video.__all__)
    with pytest.raises(ImportError, match="decord_frames"):
        exec("from stan.data.video import decord_frames")


def test_nothing_else_is_found_under_those_names():
    code = "import stan\ntry:\n    import sweep\nexcept ModuleNotFoundError:\n    print('not found')"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "not found\n"
    with pytest.raises(ModuleNotFoundError, match="stan.swep"):
        import_module("stan.swep")
