"""Made-up records in; which queries were lost, what they are about, what was answered instead."""

import numpy as np
import pandas as pd
import pytest

from stan import results
from stan.config import DataConfig, Experiment
from stan.data.world import suites
from stan.report import lost_queries
from tests.support.written_runs import evaluation


def write(runs_root, arrays, suite="retrieval", size="quick"):
    experiment = Experiment("components", "stan", DataConfig(suite=suite, size=size))
    with results.RunWriter.start(runs_root, experiment) as run:
        return str(run.finish(evaluation(), arrays))


def world_arrays(suite: str, count: int = 6) -> tuple[list[suites.Plan], dict[str, np.ndarray]]:
    """Every second query is lost to its neighbour; the first with a twin is confused with it."""
    plans = [plan for plan in suites.plans(suite, "tiny") if plan.split == "test"][:count]
    ids = np.array([plan.id for plan in plans])
    ranks = np.where(np.arange(count) % 2 == 0, 2.0, 1.0)
    twins = np.array([plan.id for plan in plans if plan.twin])
    order = {"order_ids": twins, "order_correct": np.arange(len(twins)) > 0}
    return plans, order | {"video_ids": ids, "ranks": ranks, "seen": np.array([plan.seen for plan in plans])}


def test_the_world_tells_what_old_records_dont(runs_root):
    plans, arrays = world_arrays("motions")
    table = lost_queries.queries(write(runs_root, arrays, "motions", "tiny"))
    assert table["text"].tolist() == [plan.captions()[0] for plan in plans]
    assert table["right"].tolist() == [plan.label for plan in plans]
    assert table["motion"].tolist() == [plan.kind for plan in plans]
    assert table["lost"].tolist() == [True, False] * 3
    assert table["count"].tolist() == [len(objects) for objects in table["objects"]]
    assert set(table["answers"]) == {()}
    confused = table.set_index("query").loc[arrays["order_ids"][0], "order"]
    assert confused == "confused with its twin"


def test_answers_are_told_in_the_words_of_their_videos(runs_root):
    arrays = {
        "query_ids": np.array(["a#0", "a#1", "b"]),
        "t2v": np.array([1.0, 2.0, 1.5]),
        "video_ids": np.array(["a", "b"]),
        "v2t": np.array([1.0, 1.0]),
        "captions": np.array(["a dog", "a hound", "a cat"]),
        "owner": np.array([0, 0, 1]),
        "answers": np.array([[0, 1], [1, 0], [0, 1]]),
    }
    table = lost_queries.queries(write(runs_root, arrays, "msrvtt"))
    assert table["right"].tolist() == ["a", "a", "b"] and table["text"].tolist() == [
        "a dog",
        "a hound",
        "a cat",
    ]
    assert table["answers"].tolist() == [("a dog", "a cat"), ("a cat", "a dog"), ("a dog", "a cat")]
    assert table["lost"].tolist() == [False, True, True], "a place that is shared is not held"
    assert table["motion"].isna().all() and table["order"].isna().all()


def test_classes_are_told_by_name(runs_root):
    arrays = {
        "video_ids": np.array(["a", "b"]),
        "ranks": np.array([1.0, 2.0]),
        "classes": np.array(["up", "down"]),
        "labels": np.array([0, 1]),
        "answers": np.array([[0, 1], [0, 1]]),
    }
    table = lost_queries.queries(write(runs_root, arrays, "something"))
    assert table["right"].tolist() == ["up", "down"] and table["answers"].tolist() == [("up", "down")] * 2


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"t2v": np.ones(1)},
        {"video_ids": np.array(["a"]), "ranks": np.ones(1), "classes": np.array(["x"])},
    ],
)
def test_arrays_that_dont_fit_together_are_refused(runs_root, broken):
    with pytest.raises(ValueError, match="doesn't fit together|t2v isn't one number for each of query_ids"):
        lost_queries.queries(write(runs_root, broken, "something"))


def test_groups_count_what_was_lost_and_what_the_twin_took():
    table = pd.DataFrame(
        {
            "motion": ["rise", "rise", "turn", None],
            "objects": [("red ring", "blue star"), ("red ring",), ("blue star",), None],
            "lost": [True, True, False, True],
            "order": ["confused with its twin", "told from its twin", None, None],
        }
    )
    assert lost_queries.groups(table, "motion").values.tolist() == [
        ["rise", 2, 2, 100.0, 1],
        ["turn", 1, 0, 0.0, 0],
    ]
    by_object = lost_queries.groups(table, "objects").set_index("group")
    assert by_object["queries"].to_dict() == {"red ring": 2, "blue star": 2}
    assert by_object["share"].to_dict() == {"red ring": 100.0, "blue star": 50.0}
