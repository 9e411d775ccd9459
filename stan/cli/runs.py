"""Folders of runs and score matrices in; tables of runs, paired changes, metrics and counts out."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stan.cli.output import RUNS, Json, Runs, emit, lines, quiet, say, table
from stan.common.files import write_json

if TYPE_CHECKING:
    import pandas as pd

Shipped = Annotated[bool, typer.Option("--shipped", help="Also the runs that come with the package.")]
SuiteFilter = Annotated[str | None, typer.Option("--suite", help="Only this suite.")]
SizeFilter = Annotated[str | None, typer.Option("--size", help="Only this size.")]
StudyFilter = Annotated[str | None, typer.Option("--study", help="Only this study.")]
Backbone = Annotated[
    str | None,
    typer.Option(
        "--backbone", help="Runs on this backbone, instead of those that the study uses on the suite."
    ),
]

_REPORT = Path("report")


def runs(
    runs: Runs = RUNS,
    shipped: Shipped = False,
    study: StudyFilter = None,
    suite: SuiteFilter = None,
    size: SizeFilter = None,
    backbone: Annotated[str | None, typer.Option(help="Only runs on this backbone.")] = None,
    status: Annotated[str | None, typer.Option(help="Only runs with this status.")] = None,
    pack: Annotated[
        Path | None,
        typer.Option(
            help="Write the done ones of them into one archive, FILE.zip, which --runs reads like a folder; without"
            " weights and notebooks."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List runs with their status and metrics."""
    from stan.results import listing

    wanted = {"study": study, "suite": suite, "size": size, "backbone": backbone, "status": status}
    found = list(listing.listed(runs, shipped, wanted))
    if pack is not None:
        found = _packed(found, pack)
    emit(found, as_json, _run_table)


def compare(
    a: Annotated[str, typer.Argument(help="A run's folder or id, STUDY/ROW, or a row.")],
    b: Annotated[str, typer.Argument(help="What is compared with it; the change is from a to b.")],
    metric: Annotated[
        str | None, typer.Option(help="t2v.R@1, top-1, order.accuracy, seen.t2v.R@1, ...")
    ] = None,
    study: StudyFilter = None,
    suite: SuiteFilter = None,
    size: SizeFilter = None,
    backbone: Backbone = None,
    allow: Annotated[bool, typer.Option("--allow", help="Compare although the protocols differ.")] = False,
    runs: Runs = RUNS,
    shipped: Shipped = False,
    as_json: Json = False,
) -> None:
    """Compare two rows or runs on identical queries: paired change, averaged over seeds, with its 95 % interval."""
    from stan.results import listing
    from stan.results.record_files import is_run

    done = listing.done(runs, shipped, {"study": study, "suite": suite, "size": size})
    hint = "" if shipped else " (`--shipped` adds the package's runs)"
    one, other = (
        _at(Path(name)) if is_run(name) else listing.chosen(done, name, backbone, hint) for name in (a, b)
    )
    document = listing.compared(a, one, b, other, metric, allow)
    emit(document, as_json, _change)


def report(
    study: Annotated[str, typer.Argument(help="Which study, e.g. components.")],
    suite: Annotated[
        str, typer.Option(help="These suites, separated by commas; all that have done runs by default.")
    ] = "",
    size: Annotated[str, typer.Option(help="Size of the embedded world; real sets have one.")] = "quick",
    backbone: Backbone = None,
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = _REPORT,
    shipped: Annotated[
        bool, typer.Option(help="Also the runs that come with the package, for rows that were not run here.")
    ] = True,
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """Write a study's report: a table as LaTeX and CSV and figures as PNG and PDF, each with run ids and command."""
    from stan.report import write

    suites = [name for name in suite.split(",") if name]
    with quiet():
        document = write.write(study, out, runs, suites, size, shipped, backbone)
    emit(document, as_json, _report)


def published(
    table_name: Annotated[str | None, typer.Option("--table", help="Only this table.")] = None,
    count: Annotated[
        bool, typer.Option("--count", help="Also count the multiply-accumulates that print gives for STAN.")
    ] = False,
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """List every number that the paper and its slides print, with your own number beside it if there is one."""
    from stan.report.reproduction import printed

    with quiet():
        chosen = printed(runs, table_name, _gmacs if count else None)
    columns = ("table", "benchmark", "row", "metric", "value", "own", "status", "note")
    emit(chosen, as_json, lambda document: table(document, columns))


def _gmacs(preset: str, frames: int, views: int) -> float:
    from stan.bench.flops import cost as count

    return count(preset, frames, views)["gmacs_linear"]


def cost(
    preset: Annotated[
        str | None,
        typer.Argument(
            help="stan-self-b16, stan-conv-b16, clip-b16, ...; without one, what each method adds to CLIP's ViT-B/16."
        ),
    ] = None,
    frames: Annotated[int, typer.Option(help="Frames of a view.", min=1, max=4096)] = 8,
    views: Annotated[int, typer.Option(help="Views of a video: clips times crops.", min=1)] = 1,
    out: Annotated[Path | None, typer.Option(help="A file that also keeps the counts, as JSON.")] = None,
    as_json: Json = False,
) -> None:
    """Count a preset's parameters and multiply-accumulates by part, as the paper counts them and in full."""
    from stan.bench.flops import cost as count
    from stan.bench.flops import of_methods

    with quiet():
        document = of_methods(frames, views) if preset is None else count(preset, frames, views)
    if out is not None:
        write_json(out, document)
        say(f"kept in {out}")
    emit(document, as_json, _added if preset is None else _cost)


def metrics(
    file: Annotated[
        Path, typer.Argument(help="An .npz with `similarity` (captions x videos), or an .npy of it.")
    ],
    dsl: Annotated[
        bool, typer.Option("--dsl", help="Scores after dual softmax, a prior over all test queries.")
    ] = False,
    qbnorm: Annotated[
        bool, typer.Option("--qbnorm", help="Scores after query-bank normalisation with `query_bank`.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compute recall and ranks of a similarity matrix in both directions, with ties averaged.

    An .npz may also hold `owner` (the video of each caption; otherwise the diagonal), `seen` (per video), `query_ids`
    (names of the captions) and, for --qbnorm, `query_bank` (other captions x videos) and `video_bank` (captions x other
    videos; without it, video-to-text stays as it is).
    """
    from stan.evaluation import metrics as measures

    arrays = _arrays(file)
    given = {name: arrays[name] for name in ("owner", "seen") if name in arrays}
    names = arrays.get("query_ids")
    similarity = measures.finite(arrays["similarity"], names)
    (t2v, v2t), said = _calibrated(similarity, arrays, dsl, qbnorm)
    found = measures.retrieval(t2v, caption_names=names, v2t_similarity=v2t, **given)
    conventions = {name: words for name, words in measures.CONVENTIONS.items() if name in found}
    emit(found | {"conventions": conventions} | said, as_json, lines)


def _report(document: dict[str, Any]) -> str:
    columns = (
        "suite",
        "row",
        "n",
        "metric",
        "mean",
        "low",
        "high",
        "change",
        "change_low",
        "change_high",
        "paper",
    )
    return "\n".join([table(document["rows"], columns), "", *document["files"]])


def _calibrated(
    similarity: Any, arrays: dict[str, Any], dsl: bool, qbnorm: bool
) -> tuple[Any, dict[str, Any]]:
    """Return the scores of both directions, and a description of what was done to them."""
    from stan.evaluation import test_time

    if dsl and qbnorm:
        raise ValueError("--dsl and --qbnorm exclude each other: choose one")
    if dsl:
        said = {
            "trick": "dsl",
            "temperature": test_time.DUAL_SOFTMAX_SCALE,
            "prior": "t2v: softmax over the texts; v2t: over the videos",
            "warning": f"uses all {len(similarity)} test queries at once",
        }
        return test_time.dual_softmax(similarity), {"calibration": said}
    if not qbnorm:
        return (similarity, similarity), {}
    if "query_bank" not in arrays:
        raise ValueError(
            "--qbnorm needs an array `query_bank` (other captions x the same videos) in the file"
        )
    banks = arrays["query_bank"], arrays.get("video_bank")
    scores = test_time.query_bank_norm(similarity, *banks)
    of_videos = f"{banks[1].shape[-1]} videos" if banks[1] is not None else "none: scores as they are"
    said = {
        "trick": "qbnorm",
        "beta": test_time.QUERY_BANK_SCALE,
        "k": test_time.QUERY_BANK_NEIGHBOURS,
        "bank": {"t2v": f"{len(banks[0])} texts", "v2t": of_videos},
    }
    return scores, {"calibration": said}


def _packed(found: list[dict[str, Any]], file: Path) -> list[dict[str, Any]]:
    """Write the done runs into an archive and return them. Raises ValueError if there are none."""
    from stan import results

    done = [one for one in found if one["status"] == "done"]
    if file.suffix != results.archive.SUFFIX:
        raise ValueError(f"{file}: an archive's name ends in {results.archive.SUFFIX}")
    if not done:
        raise ValueError("no run is done, so there is nothing to pack")
    results.pack([Path(one["path"]) for one in done], file)
    return done


def _run_table(document: list[dict[str, Any]]) -> str:
    from stan.results.record import flatten

    rows = []
    for run in document:
        flat = flatten(run["metrics"])
        shown = {name: run[name] for name in ("study", "suite", "size", "backbone", "row", "seed", "status")}
        shown |= {"metric": run["headline"], "value": flat.get(run["headline"])}
        rows.append(shown | {"order": flat.get("order.accuracy"), "seconds": run["seconds"]})
    return table(rows)


def _at(folder: Path) -> pd.DataFrame:
    """Return the one run in `folder`, wherever it lies. Raises ValueError if it is not done."""
    from stan import results

    folder = folder.resolve()
    found = results.load(folder.parents[2])
    run = found[found["path"] == str(folder)]
    if run.empty or run["status"].iloc[0] != "done":
        state = "no record" if run.empty else f"{run['status'].iloc[0]}, not done"
        raise ValueError(f"{folder.name} is {state}: only a run that is done can be compared")
    return run


def _cost(document: dict[str, Any]) -> str:
    parts = document["parts"] | {
        "a video, all views": {"linear": document["gmacs_linear"], "all": document["gmacs_all"]},
        "of which run": {"all": document["gmacs_run"]},
    }
    rows = [
        {"part": name} | {f"GMACs, {convention}": round(value, 3) for convention, value in of.items()}
        for name, of in parts.items()
    ]
    trainable = {f"trainable, {name} frozen": n for name, n in document["params_trainable"].items()}
    sizes = {"parameters": document["params"], "added": document["params_added"]} | trainable
    millions = [{"of": name, "millions": round(count / 1e6, 2)} for name, count in sizes.items()]
    return f"{table(rows)}\n\n{table(millions)}"


def _added(document: dict[str, Any]) -> str:
    rows = [
        {"kind": kind, "name": name, "million parameters": round(one["params"] / 1e6, 2)}
        | {
            f"GMACs, {key}": round(one[f"gmacs_{key}"], 2)
            for key in ("linear", "all")
            if f"gmacs_{key}" in one
        }
        for kind in ("temporal", "similarity")
        for name, one in document[kind].items()
    ]
    where = f"added to a mean-pooled {document['backbone']} over {document['frames']} frames"
    return f"{where}\n{table(rows)}"


def _change(document: dict[str, Any]) -> str:
    low, high = document["interval"]
    unfair = [f"not the same protocol: {'; '.join(document['differing'])}"] * bool(document["differing"])
    change = (
        f"{document['metric']}: {document['change']:+.2f} [{low:+.2f}, {high:+.2f}] from {document['a']} to "
        f"{document['b']}; won {document['won']}, lost {document['lost']} of {document['queries']} queries, "
        f"p {document['p']:.2g}"
    )
    return "\n".join([change, *unfair])


def _arrays(file: Path) -> dict[str, Any]:
    import numpy as np

    try:
        loaded = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file} is no .npz or .npy of numbers: {error}") from None
    if isinstance(loaded, np.ndarray):
        return {"similarity": loaded}
    with loaded:
        arrays = {name: loaded[name] for name in loaded.files}
    if "similarity" not in arrays:
        raise ValueError(f"{file} has no array `similarity`; it has {', '.join(arrays) or 'none'}")
    return arrays
