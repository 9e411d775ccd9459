"""README and docs: tables made from the shipped records, code that runs, links that lead somewhere."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from stan import experiments, report, results
from stan.evaluation.definitions import DIRECTIONS, GROUPS, MEASURES
from stan.experiments.orderings import registered
from stan.report import orderings as of_orderings
from stan.report.formats import one_decimal, with_interval
from stan.results import level_probes
from stan.results.orderings import orderings as decided

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(
        path
        for path in sorted((ROOT / "docs").rglob("*.md"))
        if not {"_build", "cli", "methods"} & set(path.parts) and path.name != "methods.md"
    ),
]
"""What is written by hand: pages that `make docs` makes are checked by the site's builder."""
AGAINST = {
    "components": {"baseline": "change"},
    "structures": {"mean": "against mean", "stan": "against stan"},
    "convolutions": {"uniformer_v2-local": "change"},
}
"""Rows that changes are counted from, by study, and how the tables' columns call them."""
MARKS = "(<!-- tables of (\\w+)(?: on (\\w+))?(?:, ([\\w-]+))?(?:, (full))?: .*? -->\n)(.*?)(<!-- end of tables -->)"
"""A study, its only suite, its backbone, its size; without them, all its suites, the backbone that it uses, quick."""


ORDERINGS = "(<!-- orderings on ([\\w-]+)(?:, (full))?: .*? -->\\n)(.*?)(<!-- end of orderings -->)"


PROBES = "(<!-- probes of ([\\w-]+): .*? -->\\n)(.*?)(<!-- end of probes -->)"


FAITHFULNESS = "(<!-- faithfulness: .*? -->\\n)(.*?)(<!-- end of faithfulness -->)"


INTERPOLATIONS = "(<!-- moved weights of (\\w+) on (\\w+): .*? -->\\n)(.*?)(<!-- end of moved weights -->)"


METRICS = "(<!-- metrics: .*? -->\\n)(.*?)(<!-- end of metrics -->)"


def with_tables(text: str) -> str:
    """A page with each part between two marks made anew from the shipped records."""
    runs = results.load([], shipped=True)
    text = re.sub(METRICS, lambda found: found[1] + metrics() + found[3], text, flags=re.S)
    text = re.sub(PROBES, lambda found: found[1] + probes(found[2]) + found[4], text, flags=re.S)
    text = re.sub(FAITHFULNESS, lambda found: found[1] + faithfulness() + found[3], text, flags=re.S)
    text = re.sub(
        INTERPOLATIONS,
        lambda found: found[1] + interpolations(runs, *found.group(2, 3)) + found[5],
        text,
        flags=re.S,
    )
    of_size = {size: runs[runs["size"] == size] for size in ("quick", "full")}
    text = re.sub(
        ORDERINGS,
        lambda found: found[1] + orderings(runs, found[2], found[3] or "quick") + found[5],
        text,
        flags=re.S,
    )
    return re.sub(
        MARKS,
        lambda found: found[1] + tables(of_size[found[5] or "quick"], *found.group(2, 3, 4)) + found[7],
        text,
        flags=re.S,
    )


def metrics() -> str:
    parts = {"measure": MEASURES, "direction": DIRECTIONS, "prefix": GROUPS}
    told = [(kind, name, words) for kind, table in parts.items() for name, words in table.items()]
    lines = [f"| {kind} | `{name}` | {words} |" for kind, name, words in told]
    return "\n".join(["| part of the name | | what it says |", "|---|---|---|", *lines, ""])


def orderings(runs: pd.DataFrame, backbone: str, size: str) -> str:
    items = decided(runs, size, backbone)
    lines = of_orderings.lines(items)
    rows = [
        list(lines[0]),
        ["---"] * len(lines[0]),
        *([_cell(value) for value in line.values()] for line in lines),
    ]
    notes = [
        note for note in of_orderings.notes(items, registered()) if note.startswith(("holds", "No runs"))
    ]
    return "\n".join([*(f"| {' | '.join(cells)} |" for cells in rows), "", *notes, ""])


def interpolations(runs: pd.DataFrame, study: str, suite: str) -> str:
    """What a study's rows find with CLIP's weights moved back: a line per row and measured set, a column per share."""
    of_study = (runs["study"] == study) & (runs["suite"] == suite) & (runs["size"] == "quick")
    found = report.interpolations(results.on_backbone(runs[of_study]))
    (seeds,), shares = found["n"].unique(), found["share"].unique()
    lines = [
        ["row", "measured on", "as trained", *(f"{share:.0%}" for share in shares[1:])],
        ["---"] * (2 + len(shares)),
    ]
    for (row, on), part in found.groupby(["row", "on"], sort=False):
        changes = part[["change", "change_low", "change_high"]].itertuples(index=False, name=None)
        moved = [
            f"{one_decimal(value)}, {with_interval(*of, '+')}"
            for value, of in zip(part["value"], changes, strict=True)
        ]
        lines.append([row, on, one_decimal(part["value"].iloc[0]), *moved[1:]])
    title = f"**Study `{study}` on `{suite}`, {found['metric'].iloc[0].removeprefix('t2v.')}, {seeds} seeds**"
    return "\n".join([title, "", *(f"| {' | '.join(cells)} |" for cells in lines), ""])


def probes(backbone: str) -> str:
    """The shipped probes of a tower: one table per probe, with a line per target and a column per level."""
    (record,) = (one for one in level_probes.load([level_probes.SHIPPED])[0] if one["backbone"] == backbone)
    scores = pd.DataFrame(record["rows"])
    parts = []
    for probe, table in scores.groupby("probe", sort=False):
        grid = table.pivot(index="target", columns="level", values="score").loc[table["target"].unique()]
        lines = [
            [target, *(f"{score:.2f}" for score in line)]
            for target, line in zip(grid.index, grid.values, strict=True)
        ]
        head = [f"{probe}: level", *map(str, grid.columns)]
        rows = [head, ["---", *["---:"] * len(grid.columns)], *lines]
        parts += [*(f"| {' | '.join(cells)} |" for cells in rows), ""]
    return "\n".join(parts)


def faithfulness() -> str:
    """The record of `stan faithfulness`: one line per map."""
    record = json.loads((ROOT / "docs/results/faithfulness.json").read_text())
    head = ["map", "deletion", "insertion", "passes on", "on the objects"]
    lines = [
        [
            row["map"],
            *(
                f"{one['change']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]"
                for one in (row["deletion_change"], row["insertion_change"])
            ),
            f"{100 * row['better']:.0f} %",
            f"{100 * row['inside']:.1f} %",
        ]
        for row in record["rows"]
    ]
    rows = [
        head,
        ["---"] * len(head),
        *lines,
        ["objects' share", "", "", "", f"{100 * record['area']:.1f} %"],
    ]
    return "\n".join([*(f"| {' | '.join(cells)} |" for cells in rows), ""])


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.2g}" if isinstance(value, float) else str(value)


def tables(runs: pd.DataFrame, study: str, suite: str | None, backbone: str | None) -> str:
    """A study's tables, one for each suite; with `suite`, one short table of it alone."""
    runs = results.on_backbone(runs[runs["study"] == study], backbone)
    suites = [suite] if suite else sorted(runs["suite"].unique())
    return "\n".join(table(runs[runs["suite"] == one], study, one, short=bool(suite)) for one in suites)


def table(runs: pd.DataFrame, study: str, suite: str, short: bool) -> str:
    """One study on one suite: its rows in the study's order, changes against the rows named in AGAINST."""
    metric = report.headline(suite)
    found = runs.assign(row=pd.Categorical(runs["row"], [r.name for r in experiments.STUDIES[study].rows]))
    overview = report.overview(found, suite)
    changes = [report.changes(found, metric, base).set_index("row") for base in AGAINST[study]]
    seeds = int(overview["seeds"].min())
    counted = f"{seeds} seed{'s' * (seeds > 1)}"
    (size,) = runs["size"].unique()
    place = f"`{suite}`, size {size}" if size != "quick" else f"`{suite}`"
    title = f"Study `{study}` on {place}, {metric.removeprefix('t2v.')}, {counted}"
    parts = {"unseen": f"unseen.{metric}", "order": "order.accuracy"}
    if not short:
        parts = {"seen": f"seen.{metric}"} | parts
    names = ["row", "all", *AGAINST[study].values(), *parts, "paper"]
    lines = [f"**{title}**", "", *(f"| {' | '.join(cells)} |" for cells in (names, ["---"] * len(names)))]
    for row, line in overview.iterrows():
        cells = [
            row,
            line[metric],
            *(change(of, row) for of in changes),
            *(line[name] for name in parts.values()),
        ]
        cells.append("" if pd.isna(line["paper"]) else f"{line['paper']:g}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def change(changes: pd.DataFrame, row: str) -> str:
    if row not in changes.index:
        return ""
    one = changes.loc[row]
    return with_interval(one["change"], one["low"], one["high"], "+")


@pytest.mark.slow
def test_the_tables_are_those_of_the_shipped_records():
    marked = {
        path: text
        for path in PAGES
        if re.search(
            "<!-- end of (tables|orderings|probes|faithfulness|moved weights)", text := path.read_text()
        )
    }
    marks = f"{MARKS}|{ORDERINGS}|{PROBES}|{FAITHFULNESS}|{INTERPOLATIONS}"
    assert {path.name: len(re.findall(marks, text, re.S)) for path, text in marked.items()} == {
        "README.md": 1,
        "components.md": 4,
        "faithfulness.md": 1,
        "kept_knowledge.md": 1,
        "levels.md": 2,
        "orderings.md": 4,
        "structures.md": 3,
    }
    for path, text in marked.items():
        assert text == with_tables(text), path


def test_the_readme_is_read_in_one_sitting():
    assert len(README.read_text().splitlines()) <= 150


def test_the_pictures_are_there():
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", README.read_text())
    assert len(pictures) == 2
    assert all((README.parent / picture).stat().st_size > 20_000 for picture in pictures)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_within_the_project_lead_somewhere(page):
    made = ROOT / "docs/notebooks", ROOT / "docs/reference/cli", ROOT / "docs/reference/methods.md"
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if "://" not in link]
    for link in links:
        name, _, heading = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if any(target.is_relative_to(folder) for folder in made):
            continue  # `make docs` makes these and checks links to them
        assert target.exists(), link
        if heading:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.M)
            assert heading in [re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings], (
                link
            )


def test_the_python_lines_run(tmp_path, capsys):
    from stan.data.world.suites import plans
    from stan.data.world.writer import encode

    encode(plans("motions", "tiny")[0].frames(), tmp_path / "clip.mp4")
    code = re.search(r"```python\n(import stan\n.*?)```", README.read_text(), re.S)[1]
    exec(code.replace('"clip.mp4"', repr(str(tmp_path / "clip.mp4"))), {})
    assert "tensor" in capsys.readouterr().out


def test_the_method_of_the_contributors_page_works():
    import torch
    from torch import nn

    from stan.models.backbones import load_clip
    from stan.models.temporal.base import Temporal
    from stan.models.video_encoder import VideoEncoder

    page = ROOT / "docs/extend/temporal_method.md"
    code = re.search(r"```python\n(class .*?)```", page.read_text(), re.S)[1]
    names = {"Temporal": Temporal, "nn": nn, "torch": torch}
    exec(code, names)
    clip = load_clip("tiny", "random").eval()
    encoder = VideoEncoder(clip, names["FrameWeights"](clip, 4))
    video, mask = torch.randn(2, 4, 3, 48, 48), torch.tensor([[True] * 4, [True] * 3 + [False]])
    whole, cut = encoder(video, mask).video, encoder(video[:, :3]).video
    torch.testing.assert_close(whole[1], cut[1])
    assert encoder(video).frames.shape == (2, 4, clip.embed_dim)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(with_tables(page.read_text()))
