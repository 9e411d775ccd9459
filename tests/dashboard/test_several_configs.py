"""A study in which a row was run with two configs in; the ablation page, which keeps them apart, out."""

from dataclasses import replace

from dashboard.tables import records, studies
from stan.bench.fake_runs import experiment
from tests.support.made_up_runs import write_run, write_study
from tests.support.shown_pages import table, texts


def _twice(runs_root):
    """Write three rows, and one of them once more with another number of epochs; return its two names."""
    write_study(runs_root, rows=("baseline", "stan", "stan+testing"), seeds=(0,))
    first = experiment("stan", 0, "retrieval")
    other = replace(first, train=replace(first.train, epochs=1))
    write_run(runs_root, other)
    return {f"stan ({one.hash[:6]})" for one in (first, other)}


def test_both_have_lines_at_the_rows_place_with_its_components_and_printed_number(open_dashboard, runs_root):
    told = _twice(runs_root)
    rows = table(open_dashboard("ablation"), "95 %").set_index("row")
    assert list(rows.index)[-1] == "stan+testing" and set(rows.index[-3:-1]) == told
    assert "stan" not in rows.index, "it would look as if it had no run"
    for name in told:
        assert rows.loc[name, "seeds"] == 1 and rows.loc[name, "paper: MSR-VTT R@1"] == 46.9
        assert bool(rows.loc[name, "multi-level"])


def test_they_are_not_averaged_as_if_they_were_seeds(open_dashboard, runs_root):
    told = _twice(runs_root)
    page = open_dashboard("ablation")
    assert "Not compared: row stan has 2 different configs here." in texts(page)
    (study,) = studies.done(records.runs())
    assert set(studies.order_kinds(study)["row"]) == {"baseline", "stan+testing"} | told
