"""The README's tables and code: made from the shipped records, so that no number in it lacks one."""

import re
from pathlib import Path

import pandas as pd

from stan import experiments, report, results

README = Path(__file__).resolve().parents[1] / "README.md"
AGAINST = {
    "components": {"baseline": "change"},
    "structures": {"mean": "against mean", "stan": "against stan"},
}
"""Rows that changes are counted from, by study, and how the README's columns call them."""
MARKS = "<!-- tables: .*? -->\n(.*)<!-- end of tables -->"


def tables() -> str:
    """The README's part between its marks."""
    runs = results.load([], shipped=True)
    parts = [(study, suite) for study in AGAINST for suite in sorted(runs["suite"].unique())]
    return "\n".join(
        table(runs[(runs["study"] == study) & (runs["suite"] == suite)], study, suite)
        for study, suite in parts
    )


def table(runs: pd.DataFrame, study: str, suite: str) -> str:
    """One study on one suite: its rows in the study's order, changes against the rows named in AGAINST."""
    metric = report.headline(suite)
    found = runs.assign(row=pd.Categorical(runs["row"], [r.name for r in experiments.STUDIES[study].rows]))
    overview = report.overview(found, suite)
    changes = [report.changes(found, metric, base).set_index("row") for base in AGAINST[study]]
    seeds = int(overview["seeds"].min())
    counted = f"{seeds} seed{'s' * (seeds > 1)}"
    title = f"Study `{study}` on `{suite}`, {metric.removeprefix('t2v.')}, {counted}"
    names = ["row", "all", *AGAINST[study].values(), "seen", "unseen", "order", "paper"]
    lines = [f"**{title}**", "", *(f"| {' | '.join(cells)} |" for cells in (names, ["---"] * len(names)))]
    for row, line in overview.iterrows():
        cells = [row, line[metric], *(change(of, row) for of in changes)]
        cells += [line[f"seen.{metric}"], line[f"unseen.{metric}"], line["order.accuracy"]]
        cells.append("" if pd.isna(line["paper"]) else f"{line['paper']:g}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def change(changes: pd.DataFrame, row: str) -> str:
    if row not in changes.index:
        return ""
    one = changes.loc[row]
    return f"{one['change']:+.1f} [{one['low']:+.1f}, {one['high']:+.1f}]"


def test_the_tables_are_those_of_the_shipped_records():
    written = re.search(MARKS, README.read_text(), re.S)
    assert written is not None
    assert written[1] == tables()


def test_the_pictures_are_there():
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", README.read_text())
    assert len(pictures) == 2
    assert all((README.parent / picture).stat().st_size > 20_000 for picture in pictures)


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

    from stan.models.clip import load_clip
    from stan.models.temporal.base import Temporal
    from stan.models.video_encoder import VideoEncoder

    code = re.search(r"```python\n(class .*?)```", README.read_text(), re.S)[1]
    names = {"Temporal": Temporal, "nn": nn, "torch": torch}
    exec(code, names)
    clip = load_clip("tiny", "random").eval()
    encoder = VideoEncoder(clip, names["FrameWeights"](clip, 4))
    video, mask = torch.randn(2, 4, 3, 48, 48), torch.tensor([[True] * 4, [True] * 3 + [False]])
    whole, cut = encoder(video, mask).video, encoder(video[:, :3]).video
    torch.testing.assert_close(whole[1], cut[1])
    assert encoder(video).frames.shape == (2, 4, clip.embed_dim)


if __name__ == "__main__":
    text = README.read_text()
    start, end = re.search(MARKS, text, re.S).span(1)
    README.write_text(text[:start] + tables() + text[end:])
