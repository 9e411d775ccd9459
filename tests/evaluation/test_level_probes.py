"""Probes find what is in the features, in the form that they can read, and nothing where nothing is."""

import numpy as np
import pytest
import torch

from stan.data.world.known_stills import KnownStills
from stan.evaluation import attentive_probe, linear_probe
from stan.evaluation.level_probes import level_probes
from stan.evaluation.probe_targets import NEEDS, PROBES
from stan.models.backbones import load_clip
from tests.support.towers import clip_of

N = 1200


def known(numbers, classes):
    return KnownStills(np.zeros((N, 1, 1, 3), np.uint8), numbers, classes)


def test_a_linear_probe_reads_numbers_and_kinds_and_scales_by_chance():
    rng = np.random.default_rng(0)
    number = rng.normal(size=(N, 2)).astype(np.float32)
    kind = np.where(rng.random(N) < 0.7, 0, rng.integers(1, 3, N))
    noise = rng.normal(size=(N, 6)).astype(np.float32)
    told = np.concatenate([number @ rng.normal(size=(2, 4)), np.eye(3)[kind], noise], 1).astype(np.float32)
    wanted = known({"number": number}, {"kind": kind})
    assert linear_probe.of_known(torch.from_numpy(told), wanted) == pytest.approx(
        {"number": 1, "kind": 1}, abs=1e-3
    )
    blind = linear_probe.of_known(torch.from_numpy(noise), wanted)
    assert abs(blind["number"]) < 0.1 and abs(blind["kind"]) < 0.1


def test_accuracy_counts_from_that_of_the_most_frequent_kind():
    wanted = torch.tensor([0, 0, 0, 1])
    assert linear_probe.above_chance(torch.tensor([[1.0, 0.0]] * 4), wanted) == 0.0
    assert linear_probe.above_chance(torch.eye(2)[wanted], wanted) == 1.0
    assert linear_probe.above_chance(torch.eye(2)[1 - wanted], wanted) == pytest.approx((0 - 0.75) / 0.25)


def test_an_attentive_probe_finds_the_token_that_knows_wherever_it_stands():
    generator = torch.Generator().manual_seed(0)
    value = torch.randint(0, 2, (N,), generator=generator)
    tokens = 0.3 * torch.randn(N, 9, 8, generator=generator)
    rows, place = torch.arange(N), torch.randint(0, 9, (N,), generator=generator)
    tokens[rows, place, 0] = 4.0  # says that this token knows
    tokens[rows, place, 1] = 4.0 * value - 2
    tokens[:, :, 1] += (
        2 * torch.randn(N, 9, generator=generator) * (tokens[:, :, 0] < 3)
    )  # the others mislead
    wanted = known({}, {"value": value.numpy()})
    found = attentive_probe.of_known(tokens, wanted, heads=2)
    assert found["value"] > 0.9 > linear_probe.of_known(tokens.flatten(1), wanted)["value"]
    assert found == attentive_probe.of_known(tokens, wanted, heads=2)
    state = torch.random.get_rng_state()
    attentive_probe.of_known(tokens, wanted, heads=2, steps=2)
    assert torch.equal(state, torch.random.get_rng_state())


def test_a_number_read_by_attention_is_scored_on_stills_that_the_probe_has_not_seen():
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(N, 3, 8, generator=generator)
    wanted = known({"number": np.random.default_rng(1).normal(size=(N, 1)).astype(np.float32)}, {})
    assert attentive_probe.of_known(noise, wanted, heads=2, steps=100)["number"] < 0.1


@pytest.mark.parametrize("name", ["tiny", "SigLIP"])
def test_every_level_of_a_tower_is_probed_for_everything(name):
    clip = (load_clip() if name == "tiny" else clip_of(name)).eval()
    told = []
    rows = level_probes(
        clip,
        torch.device("cpu"),
        40,
        attentive=False,
        progress=lambda done, total: told.append((done, total)),
    )
    levels = clip.layers + 1
    assert len(rows) == levels * 2 * 11 and told[-1] == (6 * levels, 6 * levels)
    assert {row["level"] for row in rows} == set(range(levels))
    assert list(dict.fromkeys(row["probe"] for row in rows)) == list(PROBES[:2])
    targets = {row["target"] for row in rows}
    assert all(set(needed) <= targets for needed in NEEDS.values())


@pytest.mark.slow
def test_levels_hold_what_they_are_known_to_hold():
    """The first level's patches know where stripes are; its CLS token, the same for all stills, knows nothing."""
    rows = level_probes(load_clip().eval(), torch.device("cpu"), 300, attentive=False)
    scores = {(row["probe"], row["target"], row["level"]): row["score"] for row in rows}
    assert scores["patches, linear", "phase", 0] > 0.95
    of_cls = {
        target: score for (probe, target, level), score in scores.items() if (probe, level) == (PROBES[0], 0)
    }
    assert len(of_cls) == 11 and max(of_cls.values()) < 0.1
    assert scores["CLS, linear", "background", 6] > 0.8
