"""Records of probes: kept under the name of the weights, read again, and damaged ones told apart."""

import json

import pytest

from stan.results import level_probes
from stan.results.level_probes import keep, load, measure


def test_a_record_is_kept_and_read_and_replaces_the_one_before(tmp_path):
    record = measure("tiny", "random", stills=40, attentive=False, device="cpu")
    assert record["levels"] == 7 and record["packages"]["torch"]
    file = keep(tmp_path, record)
    assert file.name == "tiny-random.json"
    assert keep(tmp_path, record | {"date": "2027"}) == file
    (found,), damaged = load([tmp_path])
    assert found["date"] == "2027" and found["rows"] == record["rows"] and not damaged


def test_a_path_of_weights_makes_no_folders(tmp_path):
    record = {"backbone": "ViT-B-32", "pretrained": "../../elsewhere/w.pt", "date": "2026", "rows": []}
    assert keep(tmp_path, record).parent == tmp_path / level_probes.FOLDER


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        '{"backbone": "tiny", "date": 3}',
        '{"backbone": "tiny", "date": "2026", "rows": [{"level": 0}]}',
    ],
)
def test_damaged_files_are_named(tmp_path, content):
    (tmp_path / "probes").mkdir()
    (tmp_path / "probes" / "x.json").write_text(content)
    found, ((damaged),) = load([tmp_path])
    assert not found and damaged["file"] == "x.json" and damaged["reason"]


def test_the_shipped_record_is_of_the_shipped_tower():
    found, damaged = load([level_probes.SHIPPED])
    assert not damaged and "tiny" in [record["backbone"] for record in found]
    (tiny,) = (record for record in found if record["backbone"] == "tiny")
    assert tiny["stills"] == 2000 and tiny["commit"] and json.dumps(tiny)
