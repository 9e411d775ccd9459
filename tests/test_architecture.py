"""The layout holds: arrows point one way, modules say what they do, notebooks carry no logic or outputs."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# A module imports from its own layer and from those above it in this list, never from one below.
LAYERS = (
    "config registry torchvision_operators progress layouts files serve",
    "calibration temperature losses metrics statistics",
    "published studies data",
    "temporal similarity",
    "models checkpoints",
    "results experiments figures study_figures export",
    "recipe gradients recomputation compilation sharding resumption cost step_cost benchmarks train evaluate"
    " time_probe probes pretrain reliability",
    "sweep sweep_display sweep_time durations engines plan notebook forking forked_kernel",
    "recognition time_meter",
    "library explain report report_files failures ledger tour bench",
    "doctor cli",
)
PLACE = {name: i for i, layer in enumerate(LAYERS) for name in layer.split()}
# They only point elsewhere: the names at the top of the package, and `python -m stan`.
DOORS = {"__init__", "__main__"}


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def notebooks() -> list[Path]:
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def part(path: Path) -> str:
    """The module or sub-package of stan that a file belongs to: stan/data/video.py -> data."""
    return path.relative_to(ROOT / "stan").parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names that a module imports anywhere, except for annotations alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that grep finds them"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield from imported(node)


def wrong_arrows(name: str, tree: ast.AST) -> list[str]:
    """What the part `name` of stan imports although it lies below it, apps included."""
    heads = [dotted.split(".") for dotted in imported(tree)]
    below = [
        h[1] for h in heads if h[0] == "stan" and len(h) > 1 and PLACE.get(h[1], 0) > PLACE.get(name, 99)
    ]
    return below + [head[0] for head in heads if head[0] in ("dashboard", "demo", "tests", "notebooks")]


@pytest.mark.parametrize("path", sources("stan"), ids=relative)
def test_arrows_point_one_way(path):
    name = part(path)
    assert name in PLACE.keys() | DOORS, f"give {name} its place in LAYERS"
    assert wrong_arrows(name, ast.parse(path.read_text())) == []


def test_a_wrong_arrow_is_found():
    backwards = ast.parse(
        "def late():\n    from stan.models.clip import Clip\n    from stan import library\nimport demo.app"
    )
    assert wrong_arrows("data", backwards) == ["models", "library", "demo"]
    assert wrong_arrows("cli", ast.parse("from stan.models.clip import Clip")) == []


@pytest.mark.parametrize("app", ["dashboard", "demo"])
def test_one_app_does_not_import_the_other(app):
    other = {"dashboard": "demo", "demo": "dashboard"}[app]
    names = {name.split(".")[0] for path in sources(app) for name in imported(ast.parse(path.read_text()))}
    assert other not in names


@pytest.mark.parametrize("path", sources("stan", "dashboard", "demo", "tests"), ids=relative)
def test_a_module_opens_with_what_goes_in_and_comes_out(path):
    text = path.read_text()
    assert not text or ast.get_docstring(ast.parse(text)), (
        "its first line says what goes in and what comes out"
    )


@pytest.mark.parametrize("path", notebooks(), ids=relative)
def test_a_notebook_holds_no_outputs_and_no_logic(path):
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
    lines = [line for cell in cells for line in "".join(cell["source"]).splitlines()]
    logic = [line for line in lines if re.match(r"\s*(async\s+def|def|class)\s", line)]
    if path.stem == "add_a_method":  # one method is its subject
        logic = [line for line in logic if not line.startswith(("class Differences(", "    def "))]
    assert logic == []


def test_no_file_names_a_folder_of_one_machine():
    absolute = re.compile(r"(?<![\w.:/~-])/(?:home|root|work|Users|tmp|mnt)/\w+")
    texts = sources("stan", "dashboard", "demo", "tests") + notebooks()
    texts += [
        ROOT / name
        for name in ("Makefile", "pyproject.toml", "constraints.txt", "environment.yml", "README.md")
    ]
    found = {relative(path): absolute.findall(path.read_text()) for path in texts if path.exists()}
    assert {name: paths for name, paths in found.items() if paths} == {}
