"""The options of a benchmark in; the speed and memory that it measures on this machine out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stan.cli.output import Json, emit, plain, quiet, say, table

bench = typer.Typer(help="Measure speed and memory on this machine.", no_args_is_help=True)


Preset = Annotated[
    list[str] | None, typer.Option("--preset", help="A preset; repeat it for several.", show_default="both")
]
Clips = Annotated[
    list[int] | None,
    typer.Option(help="Clips at once; repeat it for several sizes. By default 1, 2 and 4.", min=1),
]
Repeats = Annotated[int, typer.Option(help="Of each; the median is shown.", min=1)]
Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:1.")]
Compile = Annotated[
    bool, typer.Option("--compile", help="Also the encoder through torch.compile: takes minutes more.")
]
Save = Annotated[
    Path | None, typer.Option(help="A folder of runs that also keeps the result; the dashboard shows it.")
]


@bench.command("search")
def bench_search(
    vectors: Annotated[
        list[int] | None,
        typer.Option(
            help="How many vectors; repeat it for several sizes. By default 10,000 to a million.", min=10
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(help="Single queries for each engine.", min=2)] = 100,
    save: Save = None,
    as_json: Json = False,
) -> None:
    """Time exact search over random vectors by several engines, side by side. OMP_NUM_THREADS sets the threads."""
    from stan.bench.search import SIZES, search

    with quiet():
        found = search(vectors or SIZES, repeats=repeats)
    _emit("search", found, save, as_json)


@bench.command("dashboard")
def bench_dashboard(
    runs: Annotated[
        list[int] | None,
        typer.Option(
            help="How many made-up runs the pages read; repeat it for several sizes. By default 50 to 5,000.",
            min=50,
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(help="How often each page is opened and used.", min=2)] = 5,
    save: Save = None,
    as_json: Json = False,
) -> None:
    """Time the dashboard's pages over made-up runs: when they are first opened, and after a choice."""
    from stan.bench.dashboard import RUNS, dashboard

    with quiet():
        found = dashboard(runs or RUNS, repeats)
    _emit("dashboard", found, save, as_json)


@bench.command("encode")
def bench_encode(
    preset: Preset = None,
    clips: Clips = None,
    repeats: Repeats = 5,
    device: Device = "cpu",
    compiled: Compile = False,
    save: Save = None,
    as_json: Json = False,
) -> None:
    """Time the video encoder at full size with random weights, next to CLIP's own tower and to plain code."""
    from stan.bench.encode import CLIPS, encode
    from stan.bench.encoders import FRAMES

    with quiet():
        found = encode(preset or tuple(FRAMES), clips or CLIPS, repeats, device, compiled)
    _emit("encode", found, save, as_json)


@bench.command("towers")
def bench_towers(
    backbone: Annotated[
        list[str] | None,
        typer.Option("--backbone", help="A backbone; repeat it for several. By default one of each family."),
    ] = None,
    frames: Annotated[
        list[int] | None,
        typer.Option(help="Frames at once; repeat it for several sizes. By default 8 and 96.", min=1),
    ] = None,
    repeats: Repeats = 3,
    device: Device = "cpu",
    save: Save = None,
    as_json: Json = False,
) -> None:
    """Time image towers of every family as wrapped here next to open_clip's own, and STAN on them."""
    from stan.bench.towers import FAMILIES, FRAMES, towers

    with quiet():
        found = towers(backbone or tuple(FAMILIES.values()), frames or FRAMES, repeats, device)
    _emit("towers", found, save, as_json)


@bench.command("train")
def bench_train(
    preset: Annotated[str, typer.Option(help="A preset.")] = "stan-self-b32",
    clips: Clips = None,
    repeats: Repeats = 3,
    device: Device = "cpu",
    compiled: Compile = False,
    save: Save = None,
    as_json: Json = False,
) -> None:
    """Time a training step next to one of CLIP's own tower, and count what each holds in memory."""
    from stan.bench.train import CLIPS, train

    with quiet():
        found = train(preset, clips or CLIPS, repeats, device, compiled)
    _emit("train", found, save, as_json)


@bench.command("decode")
def bench_decode(
    repeats: Repeats = 5,
    model: Annotated[
        str, typer.Option(help="The preset that indexes the clips, with random weights.")
    ] = "stan-self-b32",
    save: Save = None,
    as_json: Json = False,
) -> None:
    """Time the video reader next to bare decoders on clips made for it, and measure how long indexing waits for it."""
    from stan.bench.decode import decode
    from stan.bench.encoders import preset
    from stan.models.dual_encoder import build

    with quiet():
        indexer = build(*preset(model)).eval()
        found = decode(repeats=repeats, model=indexer)
    _emit("decode", found, save, as_json)


@bench.command("service")
def bench_service(
    windows: Annotated[int, typer.Option(help="Windows of the library.", min=10)] = 100_000,
    repeats: Annotated[int, typer.Option(help="Searches on either side.", min=2)] = 100,
    clients: Annotated[int, typer.Option(help="Clients that search at once.", min=1)] = 64,
    seconds: Annotated[float, typer.Option(help="For which they do.", min=0.1)] = 120.0,
    model: Annotated[
        str, typer.Option(help="What encodes sentences: stan-tiny, or a preset with random weights.")
    ] = "stan-tiny",
    save: Save = None,
    as_json: Json = False,
) -> None:
    """Time searches through `stan api` next to those in the process, and let many clients search at once."""
    from stan.service.bench import service

    with quiet():
        found = service(windows, repeats, clients, seconds, model)
    _emit("service", found, save, as_json)


def _emit(name: str, document: dict[str, Any], save: Path | None, as_json: bool) -> None:
    from stan.bench import store

    document = plain(document)
    if save is not None:
        say(f"kept in {store.keep(save, name, document)}")
    emit(document, as_json, _bench)


def _bench(document: dict[str, Any]) -> str:
    from stan.bench import COLUMNS

    used = [name for name in COLUMNS if any(name in row for row in document["rows"])]
    where = (
        f"{document['what']} on {document['machine']}, {document['threads']} threads, {document['device']}"
    )
    parts = [where, table(document["rows"], used)]
    if "memory" in document:
        held = [{"precision": name} | values for name, values in document["memory"].items()]
        parts.append("MB that a step holds when backward begins\n" + table(held))
    return "\n\n".join(parts)
