"""The layout holds: arrows point one way, modules say what they do, notebooks carry no logic or outputs."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

PACKAGES = (
    *("common", "config", "data", "models", "evaluation", "experiments", "results"),
    *("tracking", "training", "explain", "library", "bench", "report", "service", "cli"),
)
"""A package imports from those before it, never from one behind: lazy imports and those for annotations are counted."""
DOORS = {"__init__", "__main__"}
"""They only point elsewhere: the names at the top of the package, and `python -m stan`."""


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def notebooks() -> list[Path]:
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def package(path: Path) -> str:
    """The package of stan that a file belongs to: stan/data/video/decoding.py -> data."""
    return path.relative_to(ROOT / "stan").parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names that a module imports anywhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that grep finds them"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def wrong_arrows(name: str, tree: ast.AST) -> list[str]:
    """What the package `name` of stan imports although it stands behind it, apps included."""
    heads = [dotted.split(".") for dotted in imported(tree)]
    of_stan = [head[1] for head in heads if head[0] == "stan" and head[1] in PACKAGES and name in PACKAGES]
    behind = [other for other in of_stan if PACKAGES.index(other) > PACKAGES.index(name)]
    return behind + [head[0] for head in heads if head[0] in ("dashboard", "demo", "tests", "notebooks")]


def circles(imports: dict[str, set[str]]) -> list[set[str]]:
    """Groups of modules that import each other, directly or through others."""
    reached = {name: _reached(name, imports) for name in imports}
    groups = {frozenset(other for other in reached[name] if name in reached[other]) for name in imports}
    return [set(group) for group in groups if group]


def _reached(name: str, imports: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        new = imports.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def import_graph(folder: str) -> dict[str, set[str]]:
    """Every module below `folder` to those of them that it imports."""
    names = {
        relative(path).removesuffix(".py").replace("/", ".").removesuffix(".__init__"): path
        for path in sources(folder)
    }
    graph = {}
    for name, path in names.items():
        dotted = set(imported(ast.parse(path.read_text())))
        modules = {one if one in names else one.rpartition(".")[0] for one in dotted}
        graph[name] = (modules & names.keys()) - {name}
    return graph


def test_the_packages_are_those_of_the_list():
    there = {package(path) for path in sources("stan")} - DOORS
    assert there == set(PACKAGES)


@pytest.mark.parametrize("path", sources("stan"), ids=relative)
def test_arrows_point_one_way(path):
    assert wrong_arrows(package(path), ast.parse(path.read_text())) == []


def test_a_wrong_arrow_is_found():
    backwards = ast.parse(
        "def late():\n    from stan.models.clip import Clip\n    from stan import library\nimport demo.app"
    )
    assert wrong_arrows("data", backwards) == ["models", "library", "demo"]
    assert wrong_arrows("cli", ast.parse("from stan.models.clip import Clip")) == []


@pytest.mark.parametrize("folder", ["stan", "dashboard", "demo"])
def test_no_files_import_each_other_in_a_circle(folder):
    assert circles(import_graph(folder)) == []


def test_a_circle_is_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}
    assert circles(graph) == [{"a", "b", "c"}]


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
