#!/usr/bin/env bash
# Ablation notebooks declare their parameters in a cell with the tag "parameters", with types, and papermill lists them by
# inspect_notebook and `papermill --help-notebook`. A backbone that may be left out is `backbone: str | None = None`.
# Guess, written before the run: all five of the cell's parameters are listed, with their types.
#
# Seen (papermill 2.7.0): three are. A type with a space outside brackets (str | None), or with quotes in brackets
# (Literal['a', 'b']), hides its line; Optional[str] and dict[str, int] do not. execute_notebook warns of an unknown
# parameter and sets it all the same; whoever checks names against the list refuses a parameter that is there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q papermill==2.7.0 nbformat==5.11.1
"$folder/venv/bin/python" - "$folder/ablation.ipynb" <<'PYTHON'
import sys

import nbformat
import papermill

declared = """from typing import Literal, Optional
seeds: list[int] = [0]
rates: dict[str, float] = {}
suite: Optional[str] = None
backbone: str | None = None
size: Literal['quick', 'full'] = 'quick'"""
cell = nbformat.v4.new_code_cell(declared, metadata={"tags": ["parameters"]})
kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), sys.argv[1])
listed = {name: one["inferred_type_name"] for name, one in papermill.inspect_notebook(sys.argv[1]).items()}
print("listed:", listed)
assert listed == {"seeds": "list[int]", "rates": "dict[str, float]", "suite": "Optional[str]"}
PYTHON
