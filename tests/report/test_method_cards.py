"""Every method has a card, and every number on it stands in a record."""

import json
from pathlib import Path

import pytest

from stan import results
from stan.bench.flops import of_methods
from stan.bench.parity import TOLERANCE, sets
from stan.experiments import published
from stan.models.layouts import LAYOUTS
from stan.models.similarity import SIMILARITIES
from stan.models.temporal import METHODS
from stan.report import mechanisms, method_cards
from stan.report.mechanisms import MIXES, PLACES

GOLDEN = Path(__file__).parents[1] / "golden"
CARDS = [method_cards.card(name) for name in method_cards.names()]


def test_every_method_and_similarity_has_a_card_in_its_registry_s_order():
    assert method_cards.names("temporal") == list(mechanisms.TEMPORAL)
    assert list(mechanisms.TEMPORAL) == list(METHODS)
    assert list(mechanisms.SIMILARITIES) == list(SIMILARITIES)
    assert len(set(method_cards.names())) == len(METHODS) + len(SIMILARITIES), "a name tells the kind"
    with pytest.raises(ValueError, match="no method or similarity 'stam'; there are mean, "):
        method_cards.card("stam")


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_what_is_added_is_what_was_counted(card):
    counted = method_cards.costs()[card.kind][card.name]
    assert card.params == counted["params"]
    assert bool(card.params) == any(part.learned for part in card.mechanism.parts)
    assert all(part.place in PLACES and part.mixes in MIXES for part in card.mechanism.parts)
    assert 1 <= len(card.mechanism.parts) <= 5


@pytest.mark.slow
def test_the_record_of_costs_is_what_is_counted_today():
    record = method_cards.costs()
    counted = of_methods(record["frames"], record["views"])
    for kind in ("temporal", "similarity"):
        assert list(record[kind]) == list(counted[kind])
        for name, cost in record[kind].items():
            assert cost == pytest.approx(counted[kind][name], abs=1e-6), name


def test_counts_in_words():
    """St-Adapter: 11 adapters of 768 x 384 there and back, 3 weights and 3 biases a channel in between."""
    st_adapter = method_cards.card("st_adapter")
    assert st_adapter.params == 11 * (2 * 768 * 384 + 384 * 3 + 384 + 384 + 768)
    assert st_adapter.gmacs == pytest.approx(2 * [11 * 8 * 196 * 384 * (2 * 768 + 3) / 1e9])
    assert st_adapter.added == "6.52 million parameters, +10.19 GMACs (+10.19 with attention's products)"
    assert method_cards.card("mug_full").added == "no parameters"


def test_the_record_holds_every_set_and_no_figure_above_the_tolerance():
    record = json.loads(method_cards.PARITY.read_text())
    assert [one["set"] for one in record["sets"]] == [one.name for one in sets(GOLDEN)]
    assert record["ok"] and record["tolerance"] == TOLERANCE and record["torch"] and record["date"]
    for one in record["sets"]:
        assert one["equal"] + one["left_out"] == one["outputs"] == len(one["differences"])
        assert one["repository"] and len(one["commit"]) == 40
        for output in one["differences"]:
            assert output["reason"] or output["relative"] <= TOLERANCE


def test_what_is_left_out_is_counted_with_its_reason():
    (one,) = method_cards.card("token_roll").compared
    assert one.words.startswith("10 of 15 outputs equal") and one.words.endswith(", 5 left out")
    ((reason, outputs),) = one.left_out.items()
    assert len(outputs) == 5 and reason.startswith("text and frames run through the same blocks there")
    assert (
        f"all_in_one, 5 outputs: {reason}"
        in dict(method_cards.facts(method_cards.card("token_roll")))["Left out"]
    )


def test_every_set_stands_on_a_card():
    shown = {name for card in CARDS for name in card.mechanism.sets}
    assert shown == {one.name for one in sets(GOLDEN)}


def test_what_loads_is_a_layout():
    layouts = {layout.words for layout in LAYOUTS.values()}
    assert all(set(card.loads) <= layouts for card in CARDS)
    assert method_cards.card("x_clip").loads == ("the released X-CLIP", "X-CLIP in Hugging Face's layout")


def test_printed_numbers_are_those_of_the_method_s_rows():
    printed = method_cards.printed(method_cards.card("temporal_difference"))
    of_paper = printed[printed["source"] == published.SOURCES["ablation_structures"]]
    assert of_paper[["benchmark", "value"]].to_numpy().tolist() == [["MSR-VTT", 45.1], ["Kinetics-400", 81.1]]
    readme = printed[printed["source"] == "CryhanFang/CLIP2Video README"]
    assert readme["value"].tolist() == [45.6, 72.6, 81.7, 2.0]
    assert method_cards.printed(method_cards.card("token_roll")).empty


def test_own_numbers_are_the_shipped_runs():
    own = method_cards.own(method_cards.card("token_roll"))
    runs = results.load([], shipped=True)
    runs = runs[(runs["study"] == "structures") & (runs["row"] == "token_roll")]
    runs = runs[runs["model.backbone"] == "tiny"]  # the study's own
    for line in own.itertuples():
        of_suite = runs[runs["suite"] == line.suite]
        column = {"top-1": "top-1", "R@1": "t2v.R@1"}[line.metric]
        assert line.seeds == len(of_suite)
        assert float(line.value.split(" [")[0]) == pytest.approx(of_suite[column].mean(), abs=0.051)
    assert own["suite"].tolist() == ["motions", "retrieval"]


def test_the_mean_and_the_cosine_stand_for_themselves_together():
    assert [row.name for row in method_cards.rows(method_cards.card("mean"))] == ["mean"]
    assert method_cards.rows(method_cards.card("cosine")) == method_cards.rows(method_cards.card("mean"))
    of_x_clip = [row.name for row in method_cards.rows(method_cards.card("x_clip"))]
    assert of_x_clip == ["message_token", "x_clip", "x_clip+video_prompts"]
