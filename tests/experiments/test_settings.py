"""Studies as values: rows named as in print, equal trainings equal, learning rates from one file."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

from stan import experiments
from stan.config import from_dict, to_dict, with_parts
from stan.data import datasets
from stan.experiments import learning_rates, published
from stan.experiments.overrides import experiment as one_row
from stan.models import temporal
from stan.models.backbones import _architecture as architecture
from stan.models.backbones import load_clip

WORLD = ("retrieval", "paragraph", "scenes", "motions")


@pytest.fixture
def rates(tmp_path, monkeypatch):
    """Stands for the shipped file of learning rates."""
    file = tmp_path / "learning_rates.json"
    file.write_text("{}")
    monkeypatch.setattr(learning_rates, "RATES_FILE", file)
    return file


def by_row(name: str, suite: str = "motions") -> dict:
    return {experiment.row: experiment for experiment in experiments.study(name, suite)}


def test_components_are_the_printed_rows():
    printed = published.tables()["ablation_components"]
    rows = by_row("components")
    assert list(rows) == printed["row"].tolist()
    for record in printed.to_dict("records")[1:]:
        options = rows[record["row"]].model.options
        assert (options["cross_frame"] != "none") == record["cross_frame"], record["row"]
        for component in ("intra_frame", "branch", "multi_level"):
            assert options[component] == record[component], record["row"]


@pytest.mark.parametrize(
    ("suite", "trick"),
    [("retrieval", "dsl"), ("paragraph", "dsl"), ("scenes", "views-1x3"), ("motions", "views-1x3")],
)
def test_testing_row_differs_from_stan_in_testing_only(suite, trick):
    rows = by_row("components", suite)
    assert rows["stan+testing"].test_time == (trick,)
    assert rows["stan+testing"].training_hash == rows["stan"].training_hash
    assert rows["stan+testing"].hash != rows["stan"].hash
    assert all(experiment.test_time == () for name, experiment in rows.items() if name != "stan+testing")


@pytest.mark.parametrize("suite", WORLD)
def test_components_train_six_different_models(suite, rates):
    assert len({experiment.training_hash for experiment in experiments.study("components", suite)}) == 6


def test_methods_share_their_trainings_with_components(rates):
    rates.write_text(json.dumps({"motions/quick/posterior": {"lr": 0.003, "tried": {}, "chosen_on": "x"}}))
    methods, components = by_row("methods"), by_row("components")
    for ours, theirs in {"mean": "baseline", "stan-posterior": "posterior", "stan": "stan"}.items():
        assert methods[ours].hash == components[theirs].hash, ours
    assert methods["stan-posterior"].train.lr == 0.003


def test_structures_share_their_trainings_with_methods_and_differ_from_each_other(rates):
    structures, methods = by_row("structures"), by_row("methods")
    assert all(structures[name].hash == experiment.hash for name, experiment in methods.items())
    assert len({experiment.training_hash for experiment in structures.values()}) == len(structures)
    assert all(
        experiments.rate_key(structures[name]) == experiments.rate_key(methods[name]) for name in methods
    )


def test_a_tower_of_another_depth_has_its_own_span_and_its_own_rates(rates):
    chosen = {"motions/quick/stan": 0.003, "motions/quick/posterior-on-tiny-averaging": 0.0003}
    rates.write_text(
        json.dumps({key: {"lr": lr, "tried": {}, "chosen_on": "x"} for key, lr in chosen.items()})
    )
    shipped = {row.row: row for row in experiments.study("components", "motions")}
    deeper = {row.row: row for row in experiments.study("components", "motions", backbone="tiny-averaging")}
    assert {row.model.backbone for row in deeper.values()} == {"tiny-averaging"}
    spans = [(rows["stan"].model.options["interval"], rows["stan"].train.lr) for rows in (shipped, deeper)]
    assert spans == [(2, 0.003), (3, 0.003)]  # with no rate of its own, a row keeps that of the suite's tower
    assert deeper["posterior"].train.lr == 0.0003 != shipped["posterior"].train.lr
    folder = replace(deeper["stan"], model=replace(deeper["stan"].model, backbone="models/mine"))
    assert experiments.rate_key(folder) == "motions/quick/stan-on-mine"
    (trial, *_) = experiments.rate_trials("components", "motions", backbone="tiny-averaging")
    assert trial.row == "baseline-on-tiny-averaging@0.0003"
    assert experiments.rate_key(trial) == experiments.rate_key(deeper["baseline"])
    assert experiments.rate_key(deeper["stan+testing"]) == experiments.rate_key(deeper["stan"])


def test_convolutions_take_one_part_away_at_a_time():
    """All share the recipe; the whole, the query alone and ST-Adapter are trained as rows of structures."""
    rows, structures = by_row("convolutions"), by_row("structures")
    whole = rows["uniformer_v2-local"]
    shared = {
        "uniformer_v2-local": "uniformer_v2-local",
        "no-convolutions": "uniformer_v2",
        "st_adapter-both": "st_adapter-both",
    }
    assert all(rows[name].hash == structures[other].hash for name, other in shared.items())
    own = {name: row.model.options for name, row in rows.items() if name not in shared}
    of_whole = {"convolutions": 2, "layers": 4, "mixed": True, "norm": "batch"}
    differing = {
        name: {k for k, v in of_whole.items() if options.get(k, v) != v} for name, options in own.items()
    }
    assert differing == {
        "one-convolution": {"convolutions"},
        "no-query": {"layers"},
        "unmixed": {"mixed"},
        "layer-norm": {"norm"},
        "no-norm": {"norm"},
    }
    assert all(replace(row.train, lr=whole.train.lr) == whole.train for row in rows.values())


def test_structures_differ_in_method_and_own_loss_only():
    first, *others = experiments.study("structures", "retrieval")
    own = {other.row for other in others if replace(other.train, lr=first.train.lr) != first.train}
    assert own == {"token_interaction+decorrelation", "actionclip+own-loss"}
    assert all(replace(other.data, templates="plain") == first.data for other in others)


@pytest.mark.parametrize("name", experiments.STUDIES)
@pytest.mark.parametrize("key", experiments.SETTINGS, ids="/".join)
def test_every_row_is_a_config_that_survives_writing(name, key):
    for experiment in experiments.study(name, *key):
        assert from_dict(json.loads(json.dumps(to_dict(experiment)))) == experiment
        assert experiment.model.temporal in temporal.METHODS
    assert experiments.STUDIES[name].baseline in [row.name for row in experiments.STUDIES[name].rows]


def test_every_data_set_has_settings_and_is_of_its_own_task():
    for one in datasets.SETS.values():
        assert (one.name, "full") in experiments.SETTINGS
        assert datasets.task(one.name) == one.task
        assert experiments.study("components", one.name)[0].data.suite == one.name


def test_rows_differ_in_model_rate_and_testing_only():
    first, *others = experiments.study("components", "retrieval")
    for other in others:
        assert other.data == first.data
        assert replace(other.train, lr=first.train.lr) == first.train


@pytest.mark.parametrize(
    ("study", "row", "suite", "value"),
    [
        ("components", "stan", "retrieval", 46.9),
        ("components", "stan", "paragraph", 46.2),
        ("components", "stan", "scenes", 82.6),
        ("components", "stan", "motions", 65.9),
        ("methods", "mean", "retrieval", 43.1),
        ("methods", "stan", "motions", 65.9),
        ("methods", "stan", "scenes", 84.2),
        ("structures", "mean", "motions", 44),
        ("structures", "stan-posterior", "motions", 55.9),
        ("structures", "sequence_transformer", "motions", None),
        ("structures", "temporal_difference", "retrieval", 45.1),
        ("structures", "temporal_difference", "scenes", 81.1),
        ("structures", "token_interaction", "retrieval", None),
    ],
)
def test_paper_numbers_stand_beside_their_suite(study, row, suite, value):
    assert experiments.row(study, row).paper(suite) == value


@pytest.mark.parametrize(
    ("study", "row", "suite", "value"),
    [
        ("levels", "interval-3", "motions", 54.4),
        ("levels", "middle-third", "retrieval", 43.9),
        ("levels", "layers-4", "retrieval", None),
        ("temporal", "convolution-bottleneck", "didemo", 46.5),
        ("temporal", "convolution-bottleneck", "motions", None),
        ("frames", "stan-frames-16+views-1x3", "kinetics", 84.9),
        ("frames", "stan-frames-8+views-1x3", "something", 67.6),
        ("test-time", "stan+dsl", "retrieval", 49.7),
        ("test-time", "stan+views-1x3", "motions", 67.6),
        ("recipe", "full-ratio-0.1", "msrvtt", 46.9),
    ],
)
def test_further_studies_carry_the_papers_numbers(study, row, suite, value):
    assert experiments.row(study, row).paper(suite) == value


@pytest.mark.parametrize(("suite", "depth"), [("motions", 6), ("msrvtt", 12)])
def test_levels_are_thirds_of_the_backbone(suite, depth):
    rows = by_row("levels", suite)
    options = {name: row.model.options for name, row in rows.items()}
    thirds = [options[f"{place}-third"]["levels"] for place in ("first", "middle")]
    assert thirds == [list(range(depth // 3)), list(range(depth // 3, 2 * depth // 3))]
    assert {options[f"interval-{n}"]["layers"] for n in (1, 2, 3)} == {depth // 3}
    assert rows["last-third"].hash == rows["interval-1"].hash and options["interval-1"]["interval"] == 1
    assert [options[f"layers-{n}"]["layers"] for n in (1, 2, 3, 4, 6)] == [1, 2, 3, 4, 6]


def test_a_backbone_with_weights_of_its_own_takes_these_on_a_real_set(tmp_path):
    def weights(**model):
        return one_row("components", "stan", "videofolder", root="here", overrides={"model": model}).model

    assert weights().pretrained == "openai"
    assert weights(backbone="ViT-L-14").pretrained == "openai"
    for own in ("tiny", f"local-dir:{tmp_path}"):
        assert (weights(backbone=own).backbone, weights(backbone=own).pretrained) == (own, None)
        assert weights(backbone=own, pretrained="mine.pt").pretrained == "mine.pt"


def test_the_depth_of_a_setting_is_that_of_its_backbone():
    depths = {setting.backbone: setting.depth for setting in experiments.SETTINGS.values()}
    assert depths["tiny"] == load_clip("tiny", "random").layers
    for backbone in set(depths) - {"tiny"}:
        assert depths[backbone] == architecture(backbone)["vision_cfg"]["layers"]


def test_tricks_stand_with_their_task_only():
    recognition, retrieval = by_row("test-time", "motions"), by_row("test-time", "retrieval")
    assert set(recognition) & set(retrieval) == {"baseline", "stan"}
    assert retrieval["stan+qbnorm"].test_time == ("qbnorm",)
    assert recognition["stan+views-10x3"].test_time == ("views-10x3",)
    assert len({row.training_hash for row in retrieval.values()}) == 2
    assert not any("views" in name for name in by_row("frames", "retrieval"))


@pytest.mark.parametrize("suite", ["motions", "msrvtt"])
def test_rows_of_data_and_recipe_vary_what_they_say(suite):
    frames, recipe = by_row("frames", suite), by_row("recipe", suite)
    assert [frames[f"stan-frames-{n}"].data.frames for n in (1, 2, 4, 8, 16)] == [1, 2, 4, 8, 16]
    trained = {name: (row.train.frozen, row.train.clip_lr_ratio) for name, row in recipe.items()}
    assert trained["full-ratio-0.01"] == ("nothing", 0.01) and trained["mean-full"] == ("nothing", 0.1)
    assert trained["clip-frozen"][0] == "clip" and trained["vision-frozen"][0] == "vision"
    plain, averaged = recipe["mean-full"].train, recipe["mean-full+averaged"].train
    assert averaged == replace(plain, averaged_from=2) and averaged.epochs > 2


def test_one_name_is_one_training_in_all_studies():
    """Learning rates are chosen by name."""
    chosen = {}
    for study in experiments.STUDIES:
        for experiment in experiments.study(study, "motions"):
            row = experiments.row(study, experiment.row)
            chosen.setdefault(row.rate_of or row.name, set()).add(experiment.training_hash)
    assert {name: hashes for name, hashes in chosen.items() if len(hashes) > 1} == {}


def test_every_component_has_paper_numbers():
    assert all(row.paper(suite) for row in experiments.STUDIES["components"].rows for suite in WORLD)


def test_real_sets_take_their_root_and_only_know_one_size():
    experiment = experiments.study("components", "something", "quick", root="data/something")[-2]
    assert (experiment.data.root, experiment.data.size) == ("data/something", "full")
    assert (experiment.model.backbone, experiment.model.options["layers"]) == ("ViT-B-16", 6)
    assert experiment.hash == experiments.study("components", "something")[-2].hash


def test_chosen_rate_comes_with_its_record(rates, tmp_path):
    record = {"lr": 0.003, "tried": {"0.001": 40.0, "0.003": 41.0}, "chosen_on": "validation, seed 0"}
    rates.write_text(json.dumps({"motions/quick/stan": record}))
    rows = by_row("components")
    assert experiments.learning_rate(rows["stan"], tmp_path) == record
    assert experiments.learning_rate(rows["stan+testing"], tmp_path) == record
    assert rows["baseline"].train.lr == experiments.SETTINGS["motions", "quick"].train.lr
    assert experiments.learning_rate(rows["baseline"], tmp_path)["tried"] == {}
    by_hand = replace(rows["stan"], train=replace(rows["stan"].train, lr=0.1))
    assert experiments.learning_rate(by_hand, tmp_path)["lr"] == 0.1


def test_shipped_rates_are_among_those_tried():
    for key, record in experiments.chosen_rates().items():
        assert record["lr"] in experiments.LEARNING_RATES, key
        assert f"{record['lr']:g}" == max(record["tried"], key=record["tried"].__getitem__), key


def trial_runs(trials: list, **best: float) -> pd.DataFrame:
    """Done runs; on validation a row named in `best` scores its rate times that, the others nothing."""
    score = [best.get(trial.row.split("@")[0], 0.0) * trial.train.lr for trial in trials]
    names = {"id": [trial.id for trial in trials], "row": [trial.row for trial in trials]}
    same = {"study": "learning-rates", "status": "done", "seed": 0, "suite": "motions", "size": "quick"}
    rates = {"train.lr": [trial.train.lr for trial in trials], "validation.top-1": score}
    return pd.DataFrame(names | same | rates)


def test_rates_are_tried_once_per_training_and_the_best_on_validation_is_chosen(rates):
    trials = experiments.rate_trials("components", "motions")
    assert len(trials) == 6 * len(experiments.LEARNING_RATES)
    assert {trial.study for trial in trials} == {"learning-rates"}
    runs = trial_runs(trials, stan=1.0, posterior=-1.0)
    runs.loc[runs["row"] == "branch@0.001", "status"] = "failed"
    chosen = experiments.choose_rates(runs)
    assert (chosen["motions/quick/stan"]["lr"], chosen["motions/quick/posterior"]["lr"]) == (3e-3, 3e-4)
    tried = {"0.0003": 0.0, "0.001": 0.0, "0.003": 0.0}
    assert chosen["motions/quick/baseline"] == {"lr": 3e-4, "tried": tried, "chosen_on": "validation, seed 0"}
    assert "motions/quick/branch" not in chosen
    assert len(chosen) == 5
    rates.write_text(json.dumps(chosen))
    assert by_row("components")["stan+testing"].train.lr == 3e-3


def test_trials_with_other_settings_do_not_mix(rates):
    trials = experiments.rate_trials("components", "motions")
    longer = [with_parts(trial, train={"epochs": trial.train.epochs + 1}) for trial in trials]
    runs = pd.concat([trial_runs(trials, stan=1.0), trial_runs(longer, stan=-1.0)])
    assert experiments.choose_rates(runs, trials)["motions/quick/stan"]["lr"] == 3e-3
    assert experiments.choose_rates(runs, longer)["motions/quick/stan"]["lr"] == 3e-4
    with pytest.raises(ValueError, match="tried with several settings"):
        experiments.choose_rates(runs)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: experiments.study("nothing", "motions"), "no study 'nothing'; there are components"),
        (lambda: experiments.study("components", "nothing"), "no suite 'nothing'"),
        (lambda: experiments.study("components", "motions", "huge"), "sizes: tiny, quick, full"),
        (lambda: experiments.row("components", "nothing"), "it has baseline"),
    ],
)
def test_unknown_names_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
