"""A trained run pushed to a stand-in of the hub, and loaded from there; or one line on what is wrong."""

from __future__ import annotations

import io
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.utils import _http
from safetensors.torch import load

import stan
from stan import cli, results
from stan.cli.documents import DOCUMENTS
from stan.config import with_parts
from stan.models import checkpoint
from stan.training.trainer import train
from tests.support import hub_server
from tests.support.tiny_experiment import tiny

NAME = "someone/tiny-stan"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    experiment = with_parts(tiny("retrieval", "stan"), model={"pretrained": None})
    return train(experiment, tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("worlds"))


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[hub_server.HubServer]:
    """A stand-in that huggingface_hub's client takes for the hub, with a cache of its own and a token."""
    with hub_server.serving() as server:
        monkeypatch.setenv("HF_TOKEN", "hf_made_up")
        point_at(monkeypatch, server.address, tmp_path / "cache")
        yield server


def point_at(monkeypatch, address: str, cache: Path) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))


def without_pauses(monkeypatch) -> None:
    """The hub's client tries five times, and waits 23 seconds in between; here it doesn't wait."""
    hurried = SimpleNamespace(**vars(time) | {"sleep": lambda seconds: None})
    monkeypatch.setattr(_http, "time", hurried)


def pushed(run: Path, *options: str) -> int:
    return cli.run(["push", str(run), NAME, *options])


def embedded(model) -> torch.Tensor:
    frames = torch.rand(1, 4, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return model.encode_video(frames).video


def files(hub: hub_server.HubServer) -> dict[str, bytes]:
    return list(hub.commits[NAME].values())[-1]


@pytest.mark.slow
def test_what_is_pushed_is_loaded_again(run, hub, capsys):
    assert pushed(run, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    jsonschema.validate(told, DOCUMENTS["push"])
    assert told["model"] == f"hf:{NAME}"
    loaded = stan.load_model(f"hf:{NAME}")
    assert torch.equal(embedded(loaded), embedded(stan.load_model(run)))
    again = stan.load_model(f"hf:{NAME}@{list(hub.commits[NAME])[0]}")
    assert torch.equal(embedded(again), embedded(loaded))


def test_only_safetensors_and_a_card_are_written_in_one_commit(run, hub):
    assert pushed(run) == 0
    assert sorted(files(hub)) == ["README.md", "checkpoint.safetensors"]
    assert len(hub.commits[NAME]) == 1
    tensors, _ = checkpoint.load(run / "checkpoint.safetensors")
    there = load(files(hub)["checkpoint.safetensors"])
    assert there.keys() == tensors.keys()
    assert all(torch.equal(there[name], tensors[name]) for name in there)


def test_the_card_tells_metrics_with_intervals_data_recipe_licence_and_limits(run, hub):
    assert pushed(run, "--license", "cc-by-4.0") == 0
    card = files(hub)["README.md"].decode()
    front, _, text = card.removeprefix("---\n").partition("\n---\n")
    yaml = pytest.importorskip("yaml").safe_load(io.StringIO(front))
    assert (yaml["license"], yaml["library_name"]) == ("cc-by-4.0", "stan-video")
    table = results.load(run.parents[2])
    line = results.summary(table, "t2v.R@1").iloc[0]
    interval = f"{line['low']:.2f} to {line['high']:.2f}"
    assert f"| t2v.R@1 | {line['mean']:.2f} | {interval} |" in text
    assert "retrieval, tiny: the embedded world" in text
    assert "| train.epochs | 1 |" in text and "| model.temporal | stan |" in text
    assert "| commit |" in text or table["commit"].isna().all()
    assert f'stan.load_model("hf:{NAME}")' in text
    assert "## Limits" in text and "cc-by-4.0" in text


def test_the_place_of_the_data_stays_at_home(run, hub, tmp_path):
    state, metadata = checkpoint.load(run / "checkpoint.safetensors")
    metadata["experiment"]["data"]["root"] = "somebodys/private/folder"
    file = tmp_path / "mine.safetensors"
    checkpoint.save(file, state, metadata)
    assert pushed(file) == 0
    assert all(b"private" not in content for content in files(hub).values())


def test_a_model_pushes_its_weights_as_they_are_now(run, hub):
    model = stan.load_model(run)
    with torch.no_grad():
        next(model.temporal.parameters()).add_(1.0)
    assert model.push_to_hub(NAME).startswith(hub.address)
    loaded = stan.load_model(f"hf:{NAME}")
    assert torch.equal(embedded(loaded), embedded(model))
    assert not torch.equal(embedded(loaded), embedded(stan.load_model(run)))
    assert "Not measured." in files(hub)["README.md"].decode()


def test_a_model_whose_backbone_was_changed_brings_it_along(run, hub):
    model = stan.load_model(run)
    with torch.no_grad():
        model.clip.visual.proj.add_(0.1)
    model.push_to_hub(NAME)
    assert torch.equal(embedded(stan.load_model(f"hf:{NAME}")), embedded(model))


def test_a_preset_is_not_pushed(hub):
    with pytest.raises(ValueError, match="only a model that was trained here is pushed"):
        stan.load_model("clip-tiny").push_to_hub(NAME)
    assert hub.commits == {}


def test_a_run_that_is_not_done_is_not_pushed(hub, tmp_path, capsys):
    with (
        pytest.raises(RuntimeError),
        results.RunWriter.start(tmp_path, replace(tiny(), row="broken")) as writer,
    ):
        raise RuntimeError
    assert pushed(writer.folder) == 2
    assert "is failed: only a run that is done" in capsys.readouterr().err
    assert hub.asked == []


def one_line(capsys) -> str:
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


def loads(name: str, capsys) -> str:
    """The line that a command says about a model on the hub that it cannot have."""
    assert cli.run(["export", name, "--out", "never.safetensors"]) == 2
    assert not Path("never.safetensors").exists()
    return one_line(capsys)


def test_loading_what_is_not_there_is_one_line(run, hub, capsys):
    assert pushed(run) == 0
    capsys.readouterr()
    hub.commits["someone/else"] = {"a" * 40: {"README.md": b"no weights"}}
    hub.commits["someone/gated"] = {"b" * 40: {}}
    hub.gated.add("someone/gated")
    assert "there is no someone/missing" in loads("hf:someone/missing", capsys)
    assert f"{NAME} has no revision v2" in loads(f"hf:{NAME}@v2", capsys)
    assert "holds no checkpoint.safetensors" in loads("hf:someone/else", capsys)
    assert "is gated: ask for access" in loads("hf:someone/gated", capsys)
    assert "write hf:USER/NAME" in loads("hf:no-user", capsys)


@pytest.mark.slow  # the client tries again for a while
def test_a_hub_out_of_reach_is_one_line_and_what_was_fetched_still_loads(
    run, hub, monkeypatch, tmp_path, capsys
):
    assert pushed(run) == 0
    stan.load_model(f"hf:{NAME}")
    without_pauses(monkeypatch)
    with socket.socket() as silent:  # bound, but nobody listens
        silent.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{silent.getsockname()[1]}"
        point_at(monkeypatch, away, tmp_path / "cache")
        stan.load_model(f"hf:{NAME}")
        capsys.readouterr()
        assert "cannot be reached" in loads("hf:someone/other", capsys)
        assert pushed(run) == 2
        assert f"could not push to {NAME}" in one_line(capsys)


@pytest.mark.parametrize(("where", "status"), [("create", 401), ("preupload", 403), ("commit", 403)])
def test_a_push_that_is_refused_leaves_nothing_half_written(run, hub, capsys, where, status):
    hub.refuses = {where: status}
    assert pushed(run) == 2
    assert "log in" in one_line(capsys)
    assert hub.commits.get(NAME, {}) == {}


def test_a_hub_that_fails_is_one_line(run, hub, capsys):
    hub.refuses = {"commit": 400}
    assert pushed(run) == 2
    assert f"could not push to {NAME}" in one_line(capsys)
