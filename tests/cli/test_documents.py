"""Every command that prints JSON has a schema, which holds for what it prints: `stan` in conftest checks each call."""

import json
from importlib import import_module
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import typer.main

from stan import cli
from stan.cli.documents import DOCUMENTS


def commands(name: str, command) -> list[str]:
    if hasattr(command, "commands"):
        return [
            one
            for word, inner in command.commands.items()
            for one in commands(f"{name} {word}".strip(), inner)
        ]
    return [name] if any("--json" in parameter.opts for parameter in command.params) else []


def test_every_command_that_prints_json_has_a_schema():
    assert sorted(commands("", typer.main.get_command(cli.application()))) == sorted(DOCUMENTS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_schema_is_one_and_asks_for_something(name):
    jsonschema.Draft202012Validator.check_schema(DOCUMENTS[name])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate("neither an object nor a list", DOCUMENTS[name])


QUICK = ("recipe", "recipe msrvtt-self-b32", "cost stan-self-b32", "data list", "backbones RN50", "orderings")


@pytest.mark.parametrize("words", QUICK)
def test_quick_commands_print_what_their_schema_says(stan, words):
    assert stan(*words.split(), "--json")[0] == 0


def test_a_document_that_is_not_as_described_is_noticed(stan, tmp_path, monkeypatch):
    np.savez(tmp_path / "m.npz", similarity=np.eye(4))
    monkeypatch.setitem(DOCUMENTS, "metrics", DOCUMENTS["runs"])
    with pytest.raises(jsonschema.ValidationError):
        stan("metrics", tmp_path / "m.npz", "--json")


def test_the_reference_shows_every_schema(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "docs")
    pages = import_module("command_line").pages_of_commands()
    shown = [
        json.loads(part.split("```")[0]) for page in pages.values() for part in page.split("```json")[1:]
    ]
    assert sorted(map(json.dumps, shown)) == sorted(map(json.dumps, DOCUMENTS.values()))
