"""What a model was trained on and how, and what it measured, in; the text of its card on the hub out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stan.config import Experiment
from stan.data.world.suites import SUITES

LIMITS = """\
- The weights are those that training changed. CLIP's own, where they were frozen, are read from the backbone above when
  the model is loaded, under their own licence and with their own biases.
- The numbers hold for the data and the protocol above: other videos, sentences and languages are untested.
- An interval tells how far a number depends on the queries that were drawn, not on the seed of training."""
WORLD = "the embedded world of rendered shapes in motion, not real videos"


def model_card(
    repository: str,
    trained: Experiment,
    licence: str = "other",
    metrics: Sequence[Mapping[str, Any]] = (),
    origin: Mapping[str, Any] | None = None,
) -> str:
    """Return the card as Markdown with the hub's front matter.

    licence: the hub's word for it, such as apache-2.0. metrics: metric, value and, if known, low and high (95 %).
    origin: facts of the run by name.
    """
    name, data, model, train = repository.rpartition("/")[2], trained.data, trained.model, trained.train
    on = f"{data.suite}, {data.size}: {WORLD}" if data.suite in SUITES else data.suite
    recipe = {
        "seed": trained.seed,
        "test-time tricks": ", ".join(trained.test_time) or "none",
        **{f"model.{key}": value for key, value in vars(model).items()},
        **{f"data.{key}": value for key, value in vars(data).items() if key != "root"},
        **{f"train.{key}": value for key, value in vars(train).items()},
    }
    parts = [
        _front(licence, model.similarity == "linear_classifier"),
        f"# {name}",
        f"A video-language model: CLIP ({model.backbone}, weights {model.pretrained or 'of the package'}) with the"
        f" temporal method {model.temporal}, trained on {on}.",
        f'```python\nimport stan  # pip install stan-video\n\nmodel = stan.load_model("hf:{repository}")\n'
        'video = model.encode_video("clip.mp4")\n```',
        "## Test metrics",
        _metrics(metrics),
        "## Data and recipe",
        _table(("setting", "value"), list(recipe.items())),
        *(["## Origin", _table(("", ""), list(origin.items()))] if origin else []),
        "## Licence",
        f"Of these weights: {licence}. The backbone's and the data's own licences hold beside it.",
        "## Limits",
        LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


def _front(licence: str, classifies: bool) -> str:
    task = "video-classification" if classifies else "feature-extraction"
    tags = "".join(f"\n- {tag}" for tag in ("video", "clip", "video-text-retrieval", "stan"))
    return f"---\nlibrary_name: stan-video\nlicense: {licence}\npipeline_tag: {task}\ntags:{tags}\n---"


def _metrics(metrics: Sequence[Mapping[str, Any]]) -> str:
    if not metrics:
        return "Not measured."
    rows = [
        (one["metric"], f"{one['value']:.2f}", _interval(one.get("low"), one.get("high"))) for one in metrics
    ]
    return _table(("metric", "test", "95 % interval over queries"), rows)


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.2f} to {high:.2f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in line) + " |" for line in lines)


def _cell(value: Any) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
