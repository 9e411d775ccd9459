"""An explanation in; pictures of its maps and words, and an animation of the video under its default map, out.

All maps of one method share one scale. A map that is no better than random is grey and labelled as such.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from stan.common.plotting import BLUE, GREY, VERMILION, save
from stan.explain.explanation import NOT_BETTER, Explanation, Map

HEAT, UNTRUSTED, SIGNED = "inferno", "gray", "PuOr"
"""Colour maps of a map, of a map that is no better than random, and of a difference."""
SIDE = 160
"""Smaller frames are enlarged to about this many pixels a side."""
STRIP, DOCUMENT = "strip.webp", "explanation.json"


def write(explanation: Explanation, folder: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Write NAME.png for every map, words.png, difference.png if there is a branch, the animated strip and a JSON file.

    Returns the content of the JSON file: `about` (JSON values that tell which video and model),
    `Explanation.document()` and the names of the files written: "picture" of every map, "pictures" of words and
    difference, "strip".
    """
    folder.mkdir(parents=True, exist_ok=True)
    document = about | explanation.document()
    for entry in document["maps"]:
        entry["picture"] = f"{entry['name']}.png"
        save(panel(explanation, entry["name"]), folder / entry["picture"])
    pictures = {"words": words(explanation)}
    if explanation.difference is not None:
        pictures["difference"] = difference(explanation)
    for name, figure in pictures.items():
        save(figure, folder / f"{name}.png")
    save_strip(explanation, folder / STRIP)
    document |= {"pictures": {name: f"{name}.png" for name in pictures}, "strip": STRIP}
    (folder / DOCUMENT).write_text(
        json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return document


def panel(explanation: Explanation, name: str) -> Figure:
    """Draw the frames side by side and, below them, the same frames under one map, with its areas and notes."""
    one = explanation.maps[name]
    rows = {"frames": explanation.pixels, name: _heated(explanation, one)}
    return _rows(rows, explanation, [_areas(one), *one.notes])


def difference(explanation: Explanation) -> Figure:
    """Draw CLIP's Grad-ECLIP, the branch's on the same scale, and the difference between the two.

    The difference is the branch's minus CLIP's: orange where CLIP has more, purple where the branch has.
    """
    maps, values = explanation.maps, explanation.difference
    parts = {part: maps[f"grad-eclip-{part}"] for part in ("clip", "branch")}
    assert values is not None, "both parts are there"
    rows = {part: _heated(explanation, one) for part, one in parts.items()}
    rows["branch - clip"] = overlaid(explanation.pixels, values, np.abs(values).max(), SIGNED)
    untrusted = [f"{part}: {NOT_BETTER}" for part, one in parts.items() if not one.faithfulness["better"]]
    return _rows(rows, explanation, ["orange: CLIP has more, purple: the branch", *untrusted])


def words(explanation: Explanation) -> Figure:
    """Draw one bar per word, in the query's order: how much the score falls without the word."""
    found = explanation.words
    figure, axes = plt.subplots(figsize=(6, 1 + 0.3 * len(found)), layout="constrained")
    place = np.arange(len(found))
    fall = [-one["change"] for one in found]
    axes.barh(place, fall, color=[BLUE if value > 0 else VERMILION for value in fall])
    axes.set_yticks(place, [one["word"] for one in found], parse_math=False)
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel("what the score loses without the word")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def save_strip(explanation: Explanation, path: Path) -> None:
    """Save an animated WebP: each frame next to the same frame under the default map, at about the video's pace."""
    one, times = explanation.default, explanation.times
    heated = _heated(explanation, one)
    pictures = [
        _captioned(np.concatenate([plain, heat], axis=1), f"{time:.1f} s", one)
        for plain, heat, time in zip(enlarged(explanation.pixels), heated, times, strict=True)
    ]
    pace = np.diff(times).mean() if len(times) > 1 else 1.0
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=max(100, round(1000 * pace)), loop=0
    )


def overlaid(
    pixels: UInt8[np.ndarray, "T S S 3"], values: Float[np.ndarray, "T h w"], most: float, colours: str
) -> UInt8[np.ndarray, "T Z Z 3"]:
    """Return enlarged grey frames under a map.

    The value `most` has the strongest colour. With SIGNED colours, 0 has the middle one.
    """
    base = enlarged(pixels)
    share = np.clip(values / max(most, 1e-12), -1, 1)
    row, column = (np.arange(base.shape[1]) * n // base.shape[1] for n in values.shape[1:])
    share = share[:, row[:, None], column[None]]
    heat = matplotlib.colormaps[colours]((share + 1) / 2 if colours == SIGNED else share)[..., :3]
    weight = (0.25 + 0.6 * np.abs(share))[..., None]
    mixed = (1 - weight) * base.mean(-1, keepdims=True) + weight * 255 * heat
    return mixed.round().astype(np.uint8)


def enlarged(pixels: UInt8[np.ndarray, "T S S 3"]) -> UInt8[np.ndarray, "T Z Z 3"]:
    """Return the frames, enlarged by a whole number if they are small."""
    factor = max(1, -(-SIDE // pixels.shape[1]))
    return pixels.repeat(factor, axis=1).repeat(factor, axis=2)


def _heated(explanation: Explanation, one: Map) -> UInt8[np.ndarray, "T Z Z 3"]:
    """Return the frames under a map, on the scale of the map's method."""
    most = max(other.values.max() for other in explanation.maps.values() if other.method == one.method)
    return overlaid(explanation.pixels, one.values, most, HEAT if one.faithfulness["better"] else UNTRUSTED)


def _rows(rows: dict[str, np.ndarray], explanation: Explanation, notes: list[str]) -> Figure:
    count = len(explanation.times)
    size = (max(6.0, 1.4 * count + 0.6), 1.5 * len(rows) + 0.7 + 0.2 * len(notes))
    figure, grid = plt.subplots(len(rows), count, figsize=size, squeeze=False, layout="constrained")
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    for (name, pictures), row in zip(rows.items(), grid, strict=True):
        row[0].set_ylabel(name, fontsize=8)
        for axes, picture in zip(row, pictures, strict=True):
            axes.imshow(picture)
    for axes, time in zip(grid[0], explanation.times, strict=True):
        axes.set_title(f"{time:.1f} s", fontsize=9)
    figure.suptitle(f"{explanation.query}: {explanation.score:.3f}", fontsize=10, parse_math=False)
    figure.supxlabel("\n".join(notes), fontsize=8, color=GREY)
    return figure


def _areas(one: Map) -> str:
    tested = one.faithfulness
    return (
        f"deletion {tested['deletion']:.3f} (random {tested['random_deletion']:.3f}), "
        f"insertion {tested['insertion']:.3f} (random {tested['random_insertion']:.3f})"
    )


def _captioned(picture: UInt8[np.ndarray, "H W 3"], time: str, one: Map) -> Image.Image:
    canvas = Image.new("RGB", (picture.shape[1], picture.shape[0] + 16), "black")
    canvas.paste(Image.fromarray(picture))
    note = "" if one.faithfulness["better"] else ": no better than random"
    said = f"{time}   {one.method}, {one.part}{note}"
    ImageDraw.Draw(canvas).text((4, picture.shape[0] + 2), said, fill="white")
    return canvas
