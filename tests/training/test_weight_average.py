"""The mean over epochs' weights: what it is of, what is tested and kept, and how a run with it goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from stan import results
from stan.config import with_parts
from stan.models import checkpoint
from stan.models.dual_encoder import build
from stan.training import trainer as training
from stan.training.optim import changing
from stan.training.trainer import CHECKPOINT, LAST, train
from stan.training.weight_average import share_of, take_in
from tests.support.tiny_experiment import tiny

AVERAGED = with_parts(
    tiny("scenes", "uniformer_v2", frozen="text", epochs=4, lr=3e-3, averaged_from=2),
    model={"options": {"convolutions": 1, "bottleneck": 8}},
)
"""Its batch norms keep statistics, which no optimizer changes; its text tower is frozen."""
STEPS = 3
"""Steps in an epoch."""


@pytest.fixture(scope="module")
def worlds(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("worlds")


@pytest.fixture(scope="module")
def averaged(tmp_path_factory, worlds) -> tuple[Path, list[dict[str, torch.Tensor]]]:
    """A run, and what its training had changed after each epoch."""
    update, ends = training._update, []

    def watched(run, objective, trained, descent, batch, step, steps):
        line = update(run, objective, trained, descent, batch, step, steps)
        if (step + 1) % STEPS == 0:
            ends.append({name: tensor.clone() for name, tensor in changing(trained).items()})
        return line

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_update", watched)
        return train(AVERAGED, tmp_path_factory.mktemp("averaged"), worlds), ends


def weights(run: Path, name: str = CHECKPOINT) -> dict[str, torch.Tensor]:
    return checkpoint.load(run / name)[0]


@pytest.mark.slow
def test_the_mean_is_tested_and_the_last_epochs_weights_stay_beside_it(averaged):
    run, ends = averaged
    mean, last = weights(run), weights(run, LAST)
    assert len(ends) == AVERAGED.train.epochs and any(name.endswith("running_var") for name in ends[0])
    for name, tensor in ends[-1].items():
        assert torch.equal(last[name], tensor), name
        if tensor.is_floating_point():
            exact = torch.stack([end[name].double() for end in ends[1:]]).mean(0)
            torch.testing.assert_close(mean[name].double(), exact, rtol=1e-6, atol=1e-7, msg=name)
            assert not torch.equal(ends[1][name], tensor), name
        else:
            assert torch.equal(mean[name], tensor), name
    assert all(torch.equal(mean[name], last[name]) for name in mean.keys() - ends[0].keys())


@pytest.mark.slow
def test_the_last_value_on_validation_is_that_of_the_mean(averaged):
    run, _ = averaged
    evaluation = json.loads((run / "eval.json").read_text())
    assert (evaluation["selected"], evaluation["epoch"]) == ("mean of epochs 2 to 4", 3)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    validated = [line["validation"] for line in lines if "validation" in line]
    assert len(validated) == 4 and validated[-1] == evaluation["validation"]


@pytest.mark.slow
def test_training_itself_is_the_same_without_a_mean(averaged, worlds, tmp_path):
    run, ends = averaged
    plain = train(with_parts(AVERAGED, train={"averaged_from": 0}), tmp_path, worlds)
    assert results.history(plain)["loss"].dropna().tolist() == results.history(run)["loss"].dropna().tolist()
    last = weights(plain, LAST if (plain / LAST).exists() else CHECKPOINT)
    assert all(torch.equal(last[name], tensor) for name, tensor in ends[-1].items())


@pytest.mark.slow
def test_a_run_that_is_stopped_again_and_again_ends_with_the_same_mean(
    averaged, worlds, tmp_path, monkeypatch
):
    """Each attempt takes two steps, and its second is lost: also where its epoch has been taken into the mean."""
    save, saves = training.save_state, []

    def stops(*given, **named):
        saves.append(1)
        if len(saves) % 2 == 0:
            raise KeyboardInterrupt
        save(*given, **named)

    monkeypatch.setattr(training, "save_state", stops)
    for _ in range(4 * STEPS - 1):
        with pytest.raises(KeyboardInterrupt):
            train(AVERAGED, tmp_path, worlds, checkpoint_seconds=0)
    run = train(AVERAGED, tmp_path, worlds, checkpoint_seconds=0)
    for name in (CHECKPOINT, LAST):
        wanted, found = weights(averaged[0], name), weights(run, name)
        assert [key for key, tensor in wanted.items() if not torch.equal(tensor, found[key])] == []
    wanted, found = (json.loads((one / "eval.json").read_text()) for one in (averaged[0], run))
    assert wanted == found


def test_shares_of_epochs_make_a_mean():
    assert [share_of(epoch, 2) for epoch in range(4)] == [1, 1, 1 / 2, 1 / 3]
    assert [share_of(epoch, 0) for epoch in range(3)] == [1, 1, 1]
    model = build(AVERAGED.model, 4)
    for epoch, away in enumerate((5.0, 1.0, 2.0, 6.0)):
        end = {name: torch.full_like(tensor, away) for name, tensor in changing(model).items()}
        take_in(model, end, share_of(epoch, 2))
    for name, tensor in changing(model).items():
        mean = 3.0 if tensor.is_floating_point() else 6
        torch.testing.assert_close(tensor, torch.full_like(tensor, mean), rtol=1e-6, atol=0, msg=name)


@pytest.mark.parametrize(
    ("first", "said"),
    [
        (-1, "train.averaged_from is -1; it can't be negative"),
        (5, "train.averaged_from is 5, and train.epochs 4: .* choose an earlier one, or 0 for no mean"),
    ],
)
def test_a_mean_without_epochs_leaves_no_run(first, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        train(with_parts(AVERAGED, train={"averaged_from": first}), tmp_path, tmp_path)
    assert list(tmp_path.iterdir()) == []
