"""The shipped printed numbers: all there, found by name, with their sources and disagreements."""

from __future__ import annotations

import pytest

from stan.experiments import published


def test_tables_have_their_rows():
    sizes = {name: len(table) for name, table in published.tables().items()}
    ablations = {"ablation_components": 7, "ablation_structures": 6, "ablation_levels": 6}
    assert sizes == {"retrieval": 41, "recognition": 28} | ablations


@pytest.mark.parametrize(
    ("table", "row", "column", "value"),
    [
        ("ablation_components", "stan", "msrvtt_R@1", 46.9),
        ("ablation_components", "stan+testing", "ssv2_top1", 67.6),
        ("ablation_structures", "SeqTrans (CLIP4Clip)", "k400_top1", 80.5),
        ("ablation_levels", "levels 5-8", "ssv2_top1", 62.3),
        ("ablation_levels", "interval 2", "msrvtt_R@1", 44.2),
    ],
)
def test_a_cell_by_name(table, row, column, value):
    assert published.number(table, row, column) == value


@pytest.mark.parametrize("cell", [("nothing", "stan", "x"), ("ablation_components", "x", "msrvtt_R@1"),
                                  ("ablation_components", "stan", "x")])  # fmt: skip
def test_a_cell_that_is_not_printed(cell):
    with pytest.raises(ValueError, match=cell[0] if cell[0] == "nothing" else "no row"):
        published.number(*cell)


def test_every_number_has_a_place_of_its_own_and_a_source():
    items = published.numbers()
    places = {(item["table"], item["benchmark"], item["row"], item["metric"]) for item in items}
    printed = sum(
        int(table.filter(regex=r"(R@|MdR|GFLOPs|top\d$)").notna().sum().sum())
        for table in published.tables().values()
    )
    assert len(places) == len(items) == printed == 291
    assert {item["source"] for item in items} == set(published.SOURCES.values())
    assert set(items[0]) == {"table", "benchmark", "row", "metric", "value", "source", "note"}
    assert all(isinstance(item["value"], float) for item in items)


def test_disagreements_are_said_at_their_cells_and_name_the_shipped_value():
    items = {(i["table"], i["benchmark"], i["row"], i["metric"]): i for i in published.numbers()}
    for cell in published.disagreements().to_dict("records"):
        item = items[cell["table"], cell["benchmark"], cell["row"], cell["metric"]]
        assert item["value"] == cell["slides"]
        assert f"slides print {cell['slides']:g}, the paper {cell['paper']:g}" in item["note"]
    assert sum("slides print" in (item["note"] or "") for item in items.values()) == 8


def test_every_note_is_of_a_cell_that_is_printed():
    noted = [(i["table"], i["benchmark"], i["row"], i["metric"]) for i in published.numbers() if i["note"]]
    assert set(noted) == set(published.notes())


def test_the_costs_that_print_alone_knows_are_said():
    unmatched = {
        i["value"]: i["note"] for i in published.numbers() if "can't be matched" in (i["note"] or "")
    }
    assert set(unmatched) == {714, 845}
    assert "541" in unmatched[714] and "849" in unmatched[714] and "1071" in unmatched[845]
