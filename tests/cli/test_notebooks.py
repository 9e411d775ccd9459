"""`stan notebooks`: what comes with stan is copied, and what is there already stays."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_notebooks_are_copied_and_yours_stay(stan, tmp_path):
    out = tmp_path / "new" / "notebooks"
    code, said, _ = stan("notebooks", "--out", out, "--json")
    names = {path.name for path in out.iterdir()}
    assert code == 0 and names == {
        f"{name}.ipynb" for name in ("ablation", "add_a_method", "pretrain", "tour", "train")
    }
    assert {path.name for path in (ROOT / "notebooks").glob("*.ipynb")} == names
    assert {one["state"] for one in json.loads(said)["notebooks"]} == {"copied"}
    (out / "train.ipynb").write_text("mine")
    code, said, _ = stan("notebooks", "--out", out, "--json")
    states = {one["notebook"].rpartition("/")[2]: one["state"] for one in json.loads(said)["notebooks"]}
    assert (
        code == 0 and states.pop("train.ipynb") == "kept yours" and set(states.values()) == {"there already"}
    )
    assert (out / "train.ipynb").read_text() == "mine"
