"""The pages of this folder, the notebooks and the package in; the site out: `make docs`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE)]

from command_line import pages_of_commands  # noqa: E402
from docstrings import arguments_as_list  # noqa: E402
from methods import write_pages  # noqa: E402

project = "stan"
author = "the founders of stan"
copyright = "the founders of stan, Apache-2.0"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}

nb_execution_mode = "off"  # notebooks train: they are executed by the tests, not here
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

default_role = "code"  # docstrings write code in single backticks
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
# Bases whose own docstrings speak of things that no page here is about.
autodoc_inherit_docstrings = False
suppress_warnings = ["autosectionlabel.*", "mystnb.lexer"]

html_theme = "furo"
html_title = "stan"
html_static_path: list[str] = []

copybutton_prompt_text = "$ "


def _prepare() -> None:
    """Puts what lies outside this folder, or is made from the code, where Sphinx finds it."""
    notebooks = HERE / "notebooks"
    shutil.rmtree(notebooks, ignore_errors=True)
    shutil.copytree(ROOT / "notebooks", notebooks, ignore=shutil.ignore_patterns(".*"))
    commands = HERE / "reference" / "cli"
    shutil.rmtree(commands, ignore_errors=True)
    commands.mkdir(parents=True)
    for name, text in pages_of_commands().items():
        (commands / f"{name}.md").write_text(text, encoding="utf-8")
    shutil.rmtree(HERE / "reference" / "methods", ignore_errors=True)
    write_pages(HERE / "reference")


def setup(app: Any) -> None:
    """Called by Sphinx when it starts."""
    app.connect("autodoc-process-docstring", arguments_as_list)


_prepare()
