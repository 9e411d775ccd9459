"""Lines of moved weights in, worked out by hand; what rows find on two sets at once, and how it is drawn, out."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from stan import report
from stan.report import study_figures


def lines(row: str, n: int, on: str, values: dict[float, float]) -> pd.DataFrame:
    """What a row finds of a set at each share, with an interval of a point on either side."""
    table = pd.DataFrame({"share": list(values), "value": list(values.values())})
    table = table.assign(row=row, n=n, on=on, metric="t2v.R@1")
    return table.assign(low=table["value"] - 1, high=table["value"] + 1)


@pytest.fixture
def table() -> pd.DataFrame:
    """Two rows, the second of a single seed, and one that wasn't measured on stills."""
    return pd.concat(
        [
            lines("mean", 3, "videos", {0.0: 40.0, 1.0: 10.0}),
            lines("mean", 3, "unseen concepts", {0.0: 20.0, 1.0: 12.0}),
            lines("mean", 3, "stills", {0.0: 15.0, 1.0: 38.0}),
            lines("mean", 3, "scenes", {0.0: 50.0, 1.0: 51.0}),
            lines("other", 1, "videos", {0.0: 33.0}),
            lines("stan", 1, "videos", {0.0: 60.0, 1.0: 30.0}),
            lines("stan", 1, "stills", {0.0: 22.0, 1.0: 24.0}),
        ],
        ignore_index=True,
    )


def test_each_set_lies_over_the_stills_at_the_same_share(table):
    plane = report.trade_off(table)
    assert set(plane["x_set"]) == {"stills, t2v.R@1"}
    places = plane[["row", "y_set", "share", "x", "y"]].itertuples(index=False, name=None)
    assert sorted(places) == [
        ("mean", "scenes, t2v.R@1", 0.0, 15.0, 50.0),
        ("mean", "scenes, t2v.R@1", 1.0, 38.0, 51.0),
        ("mean", "unseen concepts, t2v.R@1", 0.0, 15.0, 20.0),
        ("mean", "unseen concepts, t2v.R@1", 1.0, 38.0, 12.0),
        ("mean", "videos, t2v.R@1", 0.0, 15.0, 40.0),
        ("mean", "videos, t2v.R@1", 1.0, 38.0, 10.0),
        ("stan", "videos, t2v.R@1", 0.0, 22.0, 60.0),
        ("stan", "videos, t2v.R@1", 1.0, 24.0, 30.0),
    ]


def test_only_several_seeds_have_intervals(table):
    plane = report.trade_off(table).set_index(["row", "y_set", "share"])
    ends = plane[["n", "x_low", "x_high", "y_low", "y_high"]]
    assert ends.loc["mean", "videos, t2v.R@1", 1.0].tolist() == [3, 37.0, 39.0, 9.0, 11.0]
    single = ends.loc["stan", "videos, t2v.R@1", 1.0]
    assert single["n"] == 1 and np.isnan(single.drop("n").astype(float)).all()


def test_without_stills_another_data_set_tells_what_clip_knew(table):
    plane = report.trade_off(table[table["on"] != "stills"])
    assert set(plane["x_set"]) == {"scenes, t2v.R@1"} and set(plane["row"]) == {"mean"}
    own = table["on"].isin(["videos", "unseen concepts"])
    nothing = report.trade_off(table[own])
    assert nothing.empty and list(nothing) == list(plane)


def test_a_row_has_one_mark_in_all_panels_and_says_how_many_seeds_it_has(table):
    only_stan = lines("stan", 1, "faces", {0.0: 5.0, 1.0: 6.0})
    figure = study_figures.trade_off(report.trade_off(pd.concat([table, only_stan], ignore_index=True)))
    panels = {axes.get_ylabel(): axes for axes in figure.axes}
    assert list(panels) == [
        f"{on}, t2v.R@1, percent" for on in ("videos", "unseen concepts", "scenes", "faces")
    ]
    marks = [[part.lines[0].get_marker() for part in axes.containers] for axes in panels.values()]
    assert marks == [["o", "D"], ["o"], ["o"], ["D"]]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["mean, n = 3", "stan, n = 1"]
    assert legend.get_title().get_text() == "marks at 0%, 100% of CLIP's own weights"
    assert [text.get_text() for text in figure.axes[0].texts] == ["0%", "0%"]
    plt.close(figure)
