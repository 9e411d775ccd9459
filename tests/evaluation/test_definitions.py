"""Names of metrics in, what they measure out: every metric that a record holds has its words."""

import pytest

from stan.bench.fake_runs import experiment
from stan.evaluation.definitions import DIRECTIONS, GROUPS, MEASURES, definition
from stan.results import load
from stan.tracking.imported import METRIC
from tests.support.made_up_runs import write_run


def test_a_name_is_told_part_by_part():
    told = definition("last.unseen.t2v.R@10")
    assert told == (
        "Recall at 10: percent of queries whose right candidate is among the first 10. Ties take their average rank:"
        " 5.5 counts among the first 5, but the first place must be held alone. "
        f"{DIRECTIONS['t2v']}. {GROUPS['last']}. {GROUPS['unseen']}."
    )
    assert definition("order.accuracy") == MEASURES["order.accuracy"] + "."
    assert definition("top-5").startswith("Percent of videos whose right class is among the first 5.")


@pytest.mark.parametrize(
    "name", ["train.lr", "seed", "R@", "seen.", "t2v", "t2v.R@1.more", "<b>", "", "order"]
)
def test_other_columns_have_no_definition(name):
    assert definition(name) is None


def test_every_metric_of_a_record_is_defined(runs_root):
    for suite in ("retrieval", "motions"):
        write_run(runs_root, experiment("stan", 0, suite))
    prefixes = ("last.", "validation.")
    named = [one.removeprefix(prefix) for one in load(runs_root) for prefix in ("", *prefixes)]
    measured = [one for one in named if METRIC.fullmatch(one)]
    assert len(set(measured)) > 30 and all(definition(one) for one in measured)
