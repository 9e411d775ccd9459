"""The set-up holds together: pins, conda's road, what ships, a Makefile that installs once, by uv or pip."""

import ast
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from stan.tracking.base import TRACKERS

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="no make here")


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    requirements = [Requirement(line) for line in lines]
    assert all(len(r.specifier) == 1 and str(r.specifier).startswith("==") for r in requirements)
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in requirements}


def direct() -> list[Requirement]:
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    requirements = [Requirement(line) for line in PROJECT["dependencies"] + extras]
    return [r for r in requirements if r.name != PROJECT["name"]]


def test_every_direct_dependency_is_pinned_within_its_bounds():
    pinned = pins()
    for requirement in direct():
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement
    assert (pinned["torch"], pinned["torchvision"]) == ("2.13.0", "0.28.0")


def test_pins_are_of_public_releases():
    assert [name for name, version in pins().items() if Version(version).local] == []


def test_every_pinned_package_installs_on_the_oldest_python():
    oldest = PROJECT["requires-python"].removeprefix(">=") + ".2"
    pinned = [name for name, version in pins().items() if installed(name) == Version(version).public]
    asked = {name: importlib.metadata.metadata(name).get("Requires-Python") for name in pinned}
    assert [name for name, range_ in asked.items() if range_ and oldest not in SpecifierSet(range_)] == []


def installed(name: str) -> str | None:
    """The public version: `2.13.0+cpu` is 2.13.0."""
    try:
        return Version(importlib.metadata.version(name)).public
    except importlib.metadata.PackageNotFoundError:
        return None


@pytest.mark.slow
def test_every_package_that_is_imported_is_a_direct_dependency():
    homes = importlib.metadata.packages_distributions()
    declared = {canonicalize_name(requirement.name) for requirement in direct()}
    folders = ("stan", "dashboard", "demo", "tests")
    trees = [ast.parse(path.read_text()) for folder in folders for path in (ROOT / folder).rglob("*.py")]
    tops = {name.split(".")[0] for tree in trees for name in imported(tree)}
    foreign = tops - sys.stdlib_module_names - set(folders) - {"_typeshed", "mlflow", "faiss"}
    # the first comes with type checkers, the others are in the packages mlflow-skinny and faiss-cpu
    undeclared = {
        top for top in foreign if not declared & set(map(canonicalize_name, [top, *homes.get(top, [])]))
    }
    assert undeclared == set()


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


def test_all_names_every_extra_but_those_that_stand_apart():
    (everything,) = map(Requirement, PROJECT["optional-dependencies"]["all"])
    apart = {"all", "cluster", "docs", "faiss", *TRACKERS}
    assert everything.extras == PROJECT["optional-dependencies"].keys() - apart


def test_the_conda_road_leads_to_the_same_versions():
    rattler = pytest.importorskip("rattler")
    *specs, pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pinned = pins() | {"python": PROJECT["requires-python"].removeprefix(">="), "pytorch": pins()["torch"]}
    for spec in (rattler.MatchSpec(text, strict=True) for text in specs):
        name = spec.name.normalized
        if spec.version:
            assert f"{pinned[name]}.".startswith(str(spec.version).lstrip("=").rstrip("*")), name
    assert pip == {"pip": ["-c constraints.txt", "-e .[all]"]}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_what_the_package_ships_is_not_ignored_and_what_it_makes_is():
    def ignored(path: str) -> bool:
        return subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT).returncode == 0

    assets = ["a.safetensors", "published/a.csv", "a.json", "labels/a.txt", "runs.zip", "bench/a.json"]
    shipped = [*(f"stan/assets/{name}" for name in assets), "stan/data/world/render.py"]
    made = [
        ".venv/a",
        "runs/a",
        "worlds/a",
        "libraries/a",
        ".cache/a",
        "stan/__pycache__/a.pyc",
        "docs/_build/a",
    ]
    assert [path for path in shipped if ignored(path)] == []
    assert [path for path in made if not ignored(path)] == []


def test_pre_commit_runs_the_pinned_tools():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    asked = [Requirement(line) for hook in hooks for line in hook.get("additional_dependencies", [])]
    assert len(asked) == 2
    assert {(one.name, str(one.specifier)) for one in asked} == {("ruff", f"=={pins()['ruff']}")}


def test_the_ci_script_runs_the_test_command_and_fails_with_it():
    script = (ROOT / ".ci/run").read_text()
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert "set -e" in script
    assert "\nmake test\n" in script


@needs_make
def test_a_python_that_is_too_old_is_refused_in_words(tmp_path):
    old = program(tmp_path / "old-python", "exit 1")
    done = make(tmp_path, "install", f"PYTHON={old}")
    assert done.returncode == 2
    assert "stan needs Python 3.11 or newer" in done.stderr and f"and {old} is not that" in done.stderr
    assert "and none on the PATH is that: name one" in make(tmp_path, "install", "PYTHON=").stderr
    assert not (tmp_path / "venv").exists()


@needs_make
def test_uv_gets_the_wheel_folders_of_pip_and_installs_once(tmp_path):
    log = tmp_path / "log"
    program(tmp_path / "uv", f'mkdir -p {tmp_path}/venv/bin; echo "$UV_FIND_LINKS: $*" >> {log}')
    done = make(tmp_path, "install", f"PYTHON={sys.executable}", "TORCH=cpu", PIP_FIND_LINKS="one two")
    *_, installation = log.read_text().splitlines()
    assert installation.startswith("one,two: pip install"), done.stderr
    assert installation.endswith("--torch-backend cpu -c constraints.txt -e .[all]")

    said = log.read_text()
    assert make(tmp_path, "install", f"PYTHON={sys.executable}").returncode == 0
    assert [line for line in log.read_text().removeprefix(said).splitlines() if "--version" not in line] == []


@needs_make
def test_pip_installs_where_uv_is_missing(tmp_path):
    (tmp_path / "venv/bin").mkdir(parents=True)
    program(tmp_path / "venv/bin/python", f'echo "$*" >> {tmp_path}/log')
    done = make(tmp_path, "install", "UV=", f"PYTHON={sys.executable}", "TORCH=cpu", "TORCH_INDEX=elsewhere")
    assert done.returncode == 0, done.stderr
    said = (tmp_path / "log").read_text()
    assert said == "-m pip install --extra-index-url elsewhere -c constraints.txt -e .[all]\n"


@needs_make
def test_pip_is_not_asked_for_a_build_that_it_cannot_find(tmp_path):
    done = make(tmp_path, "install", "UV=", f"PYTHON={sys.executable}", "TORCH=cpu")
    assert done.returncode == 2
    assert "TORCH_INDEX" in done.stderr


@needs_make
@pytest.mark.parametrize(("age", "resolution"), [("newest", "highest"), ("oldest", "lowest-direct")])
def test_other_versions_than_the_tested_ones_have_an_environment_of_their_own(tmp_path, age, resolution):
    done = make(tmp_path, "-nB", f"check-{age}", "UV=uv", f"PYTHON={sys.executable}")
    told = " ".join(done.stdout.split())
    assert f"--python .venv-{age}/bin/python --resolution {resolution} -e '.[all]'" in told
    assert f".venv-{age}/bin/python -m pytest" in told and "constraints.txt" not in told
    assert make(tmp_path, "-s", f"check-{age}", "UV=").returncode == 2


@pytest.mark.slow
@needs_make
@pytest.mark.parametrize(
    ("failing", "called"),
    [("none", "install run"), ("run", "install run"), ("install", "install")],
)
def test_run_goes_through_its_steps_and_stops_at_one_that_fails(tmp_path, failing, called):
    (tmp_path / "venv/bin").mkdir(parents=True)
    program(tmp_path / "venv/bin/python", "true")
    install = (
        f'[ "$1" != pip ] || echo install >> {tmp_path}/log; [ "$1" = --version ] || [ {failing} != install ]'
    )
    program(tmp_path / "uv", install)
    program(tmp_path / "venv/bin/stan", f'echo "$1" >> {tmp_path}/log; [ "$1" != {failing} ]')
    assert (make(tmp_path, "run", f"PYTHON={sys.executable}").returncode == 0) == (failing == "none")
    assert (tmp_path / "log").read_text().split() == called.split()


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def make(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """make in the clone, with a virtual environment in `folder`, whose programs come first on PATH.

    The tests may have been started by `make check-newest`, whose words a make within would inherit.
    """
    quiet = {
        k: v
        for k, v in os.environ.items()
        if k not in ("UV_FIND_LINKS", "PIP_FIND_LINKS", "MAKEFLAGS", "MFLAGS", "RESOLUTION", "TORCH")
    }
    quiet |= {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", **environment}
    command = ["make", "-C", str(ROOT), *words, f"VENV={folder / 'venv'}"]
    return subprocess.run(command, env=quiet, capture_output=True, text=True, timeout=120)
