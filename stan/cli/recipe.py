"""The name of a recipe in; its settings, printed numbers and the memory that its training step takes, out."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer

from stan.cli.output import Json, emit, lines, quiet, table
from stan.cli.overrides import Backbone, Pretrained, Set, overrides


def recipe(
    row: Annotated[str, typer.Argument(help="A recipe, e.g. msrvtt-self-b32; left out: all.")] = "",
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Also: memory of a step at full size, and which cards hold it."),
    ] = False,
    backbone: Backbone = None,
    pretrained: Pretrained = None,
    settings: Set = None,
    as_json: Json = False,
) -> None:
    """Show the paper's rows and the rivals' released ones: settings, printed numbers, command and cards.

    With another backbone or other settings, printed numbers are left out: nobody printed any.
    """
    from stan.experiments.overrides import changed
    from stan.experiments.recipes import RECIPES
    from stan.experiments.recipes import recipe as named

    if not row:
        return emit([_listed(one) for one in RECIPES.values()], as_json, table)
    chosen = named(row)
    wanted = overrides(settings, backbone, pretrained)
    if wanted:
        chosen = replace(chosen, experiment=changed(chosen.experiment, wanted))
    document = _described(chosen) | ({"printed": [], "changed": wanted} if wanted else {})
    if dry_run:
        from stan.bench.step_memory import dry_run as measured

        with quiet():
            document["step"] = measured(chosen.experiment)
    emit(document, as_json, _text)


def _listed(row: Any) -> dict[str, Any]:
    data, model, train = row.experiment.data, row.experiment.model, row.experiment.train
    first = next((item for item in row.printed if item["metric"] in ("R@1", "top-1")), {})
    return {
        "row": row.name,
        "settings": row.settings,
        "backbone": model.backbone,
        "frames": data.frames,
        "temporal": model.temporal,
        "layers": model.options.get("layers"),
        "batch": train.batch,
        "metric": first.get("metric"),
        "printed": first.get("value"),
    }


def _described(row: Any) -> dict[str, Any]:
    from stan.config import to_dict

    one = to_dict(row.experiment)
    return {
        "row": row.name,
        "settings": row.settings,
        "source": row.source,
        "unstated": list(row.unstated),
        "differs": list(row.differs),
        "printed_as": {"table": row.table, "benchmark": row.benchmark, "row": row.row},
        "printed": row.printed,
        "command": f"stan train {row.name} --study {row.experiment.study} --data {row.experiment.data.suite}:ROOT",
        "experiment": {part: one[part] for part in ("data", "model", "train", "test_time")},
    }


def _text(document: dict[str, Any]) -> str:
    document = dict(document)
    printed, step = table(document.pop("printed"), ("metric", "value", "source")), document.pop("step", None)
    found = f"{lines(document)}\n\n{printed}"
    return f"{found}\n\n{_step(step)}" if step else found


def _step(step: dict[str, Any]) -> str:
    """Format the memory of a step, the most clips per forward pass of each card, and the settings for a whole batch.

    GB are those of the cards, 2^30 bytes.
    """
    from stan.bench.step_memory import GIB
    from stan.results.record import flatten

    cards = [
        {
            "card": f"{card['card']} GB",
            "clips": card["plain"],
            "with checkpointing": card["recomputed"],
            "give": _given(card["set"]),
        }
        for card in step["cards"]
    ]
    work = {"batch": step["batch"], "gmacs": step["gmacs"]}
    memory = {name: value for name, value in step.items() if name not in ("cards", *work)}
    held = {f"{name}, GB": value / GIB for name, value in flatten(memory).items()}
    return f"{lines(work | held)}\n\n{table(cards)}"


def _given(settings: list[str] | None) -> str:
    if settings is None:
        return "does not fit"
    return " ".join(f"--set {setting}" for setting in settings) or "nothing"
