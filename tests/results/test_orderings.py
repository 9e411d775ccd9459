"""Registered orderings, decided from records whose outcome is known."""

from __future__ import annotations

import numpy as np
import pytest

from stan import results
from stan.config import DataConfig, Experiment, ModelConfig
from stan.experiments import STUDIES
from stan.experiments.orderings import Ordering, Registered, registered
from stan.results import orderings as module
from stan.results.orderings import orderings
from tests.support.written_runs import done

QUERIES = 60


def write(root, row, right, seeds=3, suite="retrieval", study="components", options=None):
    """Runs of a row whose first `right` queries of 60 are right, whatever the seed."""
    places = np.where(np.arange(QUERIES) < right, 1.0, 9.0)
    for seed in range(seeds):
        model = ModelConfig("tiny", None, options={"row": row} if options is None else options)
        done(root, Experiment(study, row, DataConfig(suite=suite), model, seed=seed), places)


@pytest.fixture
def registering(monkeypatch):
    def register(*items, margin=1.0):
        monkeypatch.setattr(module, "registered", lambda: Registered("now", 0.05, margin, items))

    return register


def ordering(number, above, *below, suites=("retrieval",), **more):
    return Ordering(number, suites, "components", above, below, "a claim", **more)


def decided(root, **options):
    return {one["number"]: one for one in orderings(results.load(root), repeats=2000, **options)}


def test_what_is_registered_are_rows_of_the_studies():
    plan = registered()
    assert [one.number for one in plan.orderings] == list(range(1, 15))
    for one in plan.orderings:
        rows = {row.name for row in STUDIES[one.study].rows}
        assert {one.above, *one.below} <= rows and set(one.suites) <= {"motions", "retrieval"}
    rivals = {row.name for row in STUDIES["structures"].rows if row.temporal != "stan"}
    later = {
        "text_conditioned_pooling",
        "concept_spotting",
        "evl",
        "clip_vip",
        "trajectory_attention",
        "neighbour_attention",
    }
    later |= {"uniformer_v2", "uniformer_v2-local"}
    assert set(plan.orderings[12].below) == rivals - later, "what is registered stays as it was registered"


def test_holds_does_not_and_undecided(runs_root, registering):
    registering(
        ordering(1, "stan", "baseline"), ordering(2, "baseline", "stan"), ordering(3, "stan", "branch")
    )
    write(runs_root, "stan", 40)
    write(runs_root, "baseline", 10)
    write(runs_root, "branch", 39)
    found = decided(runs_root)
    assert [found[k]["state"] for k in (1, 2, 3)] == ["holds", "does not", "undecided"]
    assert found[1]["change"] == pytest.approx(50.0) and found[2]["change"] == pytest.approx(-50.0)
    assert found[1]["low"] < 50 < found[1]["high"]
    assert (found[1]["seeds"], found[1]["queries"]) == (3, QUERIES)
    assert found[1]["adjusted"] == pytest.approx(3 * found[1]["p"])  # three looks, and none has a smaller p
    assert found[3]["queries_needed"] > QUERIES and found[1]["queries_needed"] is None


def test_looks_without_runs_count(runs_root, registering):
    write(runs_root, "stan", 30)
    write(runs_root, "branch", 24)  # won six times, never lost
    registering(ordering(1, "stan", "branch"))
    assert decided(runs_root)[1]["state"] == "holds"
    registering(ordering(1, "stan", "branch"), *(ordering(k, "stan", "posterior") for k in range(2, 42)))
    found = decided(runs_root)
    assert found[1]["state"] == "undecided" and found[2]["state"] == "not run"
    assert found[2]["missing"] == ["retrieval/posterior"]


def test_a_row_is_above_several_only_if_it_is_above_each(runs_root, registering):
    write(runs_root, "stan", 40)
    write(runs_root, "baseline", 10)
    write(runs_root, "branch", 39)
    registering(ordering(1, "stan", "baseline", "branch"))
    found = decided(runs_root)[1]
    assert found["state"] == "undecided" and found["against"] == "branch"
    write(runs_root, "posterior", 60)
    registering(ordering(1, "stan", "baseline", "branch", "posterior"))
    found = decided(runs_root)[1]
    assert found["state"] == "does not" and found["against"] == "posterior"
    registering(ordering(1, "stan", "baseline", "no-intra-frame"))
    found = decided(runs_root)[1]
    assert found["state"] == "undecided" and found["missing"] == ["retrieval/no-intra-frame"]


def test_at_or_above_allows_the_margin(runs_root, registering):
    write(runs_root, "stan", 30)
    write(runs_root, "baseline", 30)
    registering(ordering(1, "stan", "baseline", at_or=True), ordering(2, "stan", "baseline"))
    found = decided(runs_root)
    assert found[1]["state"] == "holds" and found[2]["state"] == "undecided"
    assert found[1]["change"] == found[1]["low"] == 0.0


def test_other_sizes_and_backbones_are_never_counted(runs_root, registering):
    registering(ordering(1, "stan", "baseline"))
    write(runs_root, "stan", 40)
    write(runs_root, "baseline", 10)
    for place in ({"size": "full"}, {"backbone": "tiny-eva"}):
        with pytest.raises(
            ValueError, match=r"no done run of size \w+ on [\w-]+; there are runs of quick on tiny$"
        ):
            decided(runs_root, **place)
    assert orderings(results.load(runs_root / "none"))[0]["state"] == "not run"


def test_several_configs_of_a_row_are_refused(runs_root, registering):
    registering(ordering(1, "stan", "baseline"))
    write(runs_root, "baseline", 10)
    write(runs_root, "stan", 40)
    write(runs_root, "stan", 40, options={"layers": 2})
    with pytest.raises(ValueError, match="row stan of components on retrieval has runs of 2 configs"):
        decided(runs_root)


def test_seeds_of_one_side_may_be_fewer(runs_root, registering):
    registering(ordering(1, "stan", "baseline"))
    write(runs_root, "stan", 40, seeds=1)
    write(runs_root, "baseline", 10)
    assert decided(runs_root)[1]["seeds"] == 1
