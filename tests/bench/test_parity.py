"""Reference outputs and ours: what counts as equal, what is left out, and what is refused."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from stan.bench import parity as frame
from stan.bench.parity import TOLERANCE, differences, parity, report
from stan.bench.parity.golden import Golden, Rival
from stan.bench.parity.record import compared

SETS = Path(__file__).parents[1] / "golden" / "peers"


def golden(**io: torch.Tensor) -> Golden:
    return Golden("toy_first", Path("toy"), io, {})


@pytest.fixture
def toy(monkeypatch):
    """A rival that doubles its input and leaves one output out."""
    rival = Rival(
        "Toy", lambda golden: {"twice": 2 * golden.io["x"]}, frozenset({"x"}), {"odd.*": "a fault there"}
    )
    monkeypatch.setitem(frame.RIVALS, "toy", rival)


def test_a_difference_is_a_share_of_the_largest_value(toy):
    theirs = torch.tensor([2.0, -8.0])
    (one,) = differences(golden(x=torch.tensor([1.0, -3.0]), twice=theirs))
    assert (one.largest, one.scale, one.relative) == (2.0, 8.0, 0.25)
    (same,) = differences(golden(x=theirs / 2, twice=theirs))
    assert same.relative == 0.0


def test_other_shapes_and_nan_are_never_equal(toy):
    (shape,) = differences(golden(x=torch.ones(1, 2), twice=torch.full((2, 2), 2.0)))
    (nan,) = differences(golden(x=torch.tensor([math.nan]), twice=torch.ones(1)))
    assert shape.largest == nan.largest == math.inf


def test_what_the_source_only_pads_is_not_compared(monkeypatch):
    rival = Rival("Toy", lambda golden: {"y": golden.io["x"]}, frozenset({"x"}), padded=frozenset({"y"}))
    monkeypatch.setitem(frame.RIVALS, "toy", rival)
    theirs = torch.tensor([[1.0, 2.0, 9.0]])
    (same,) = differences(golden(x=theirs[:, :2], y=theirs))
    (other,) = differences(golden(x=theirs[:, :2] + 1, y=theirs))
    assert (same.largest, same.scale, other.largest) == (0.0, 2.0, 1.0)


def test_the_report_counts_equal_and_left_out(toy):
    x = torch.tensor([1.0])
    found = report(list(differences(golden(x=x, twice=2 * x, odd_one=x))))
    (one,) = found["sets"]
    assert found["ok"] and (one["method"], one["outputs"], one["equal"], one["left_out"]) == ("Toy", 2, 1, 1)
    assert one["differences"][1]["reason"] == "a fault there"
    assert not report(list(differences(golden(x=x, twice=2.001 * x))))["ok"]


def test_what_is_refused(toy, tmp_path):
    with pytest.raises(ValueError, match="nothing reproduces the output thrice"):
        list(differences(golden(x=torch.ones(1), thrice=torch.ones(1))))
    with pytest.raises(ValueError, match="the set other is of no known rival"):
        list(differences(Golden("other", tmp_path, {}, {})))
    with pytest.raises(ValueError, match="holds no reference outputs"):
        parity(tmp_path)
    save_file({"x": torch.ones(1)}, tmp_path / "checkpoint.safetensors")
    with pytest.raises(ValueError, match=r"config.json is missing"):
        parity(tmp_path)


@pytest.mark.parametrize("name", sorted(folder.name for folder in SETS.iterdir()))
def test_released_outputs(name):
    """Every output of every rival's released code, by the released setting."""
    found = parity(SETS / name)
    assert [(one.output, one.relative) for one in found if not one.reason and one.relative > TOLERANCE] == []
    assert any(not one.reason for one in found)


def test_a_set_does_not_depend_on_its_folder(tmp_path):
    """Sets are also kept elsewhere; a part of the name tells the rival."""
    name = next(folder.name for folder in sorted(SETS.iterdir()) if (folder / "config.json").is_file())
    shutil.copytree(SETS / name, tmp_path / f"other_{name}_again")
    settings = tmp_path / f"other_{name}_again" / "config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text())))
    assert {one.set for one in parity(tmp_path)} == {f"other_{name}_again"}


@pytest.mark.slow
def test_the_record_names_origin_and_layout():
    (one,) = compared(SETS / "actionclip")["sets"]
    assert (one["repository"], one["commit"][:7]) == ("sallymmx/ActionCLIP", "31c34df")
    assert one["layout"] == "the released ActionCLIP (Transf)"
    assert one["equal"] == one["outputs"] == len(one["differences"])
