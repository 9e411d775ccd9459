"""Maps and frames in; overlays, an HTML table of overlays and a matrix over time out."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Collection

import matplotlib
import numpy as np
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from demo.languages import translated

COLOURS = matplotlib.colormaps["inferno"]
SIGNED = matplotlib.colormaps["coolwarm"]
SIDE = 144
"""Minimum side of a shown picture in pixels; smaller pictures are enlarged."""


def enlarged(picture: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Return the picture (S, S, 3), uint8, enlarged to at least `side` pixels per side if it is smaller.

    It is enlarged by a whole number, so that patches stay aligned.
    """
    factor = max(1, -(-side // len(picture)))
    size = (picture.shape[1] * factor, picture.shape[0] * factor)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))


def overlay(picture: np.ndarray, heat: np.ndarray, most: float) -> np.ndarray:
    """Return `picture` (S, S, 3) in grey under `heat` (h, w), whose value `most` gets the brightest colour."""
    share = np.clip(heat / most, 0, 1)
    return _tinted(picture, heat, COLOURS(share)[..., :3], share)


def _tinted(picture: np.ndarray, heat: np.ndarray, colours: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return `picture` in grey under `colours` (h, w, 3), from 0 to 1; a larger `share` (h, w) covers more of it."""
    base = enlarged(picture)
    row, column = (np.arange(base.shape[i]) * heat.shape[i] // base.shape[i] for i in (0, 1))
    colours, share = (x[row[:, None], column[None]] for x in (colours, np.clip(share, 0, 1)[..., None]))
    weight = 0.3 + 0.6 * share
    grey = base.mean(-1, keepdims=True)
    return ((1 - weight) * grey + weight * 255 * colours).round().astype(np.uint8)


def difference(picture: np.ndarray, change: np.ndarray, most: float) -> np.ndarray:
    """Return `picture` (S, S, 3) in grey under `change` (h, w): red above zero, blue below, strongest at +-`most`."""
    return _tinted(
        picture, change, SIGNED(0.5 + np.clip(change / most, -1, 1) / 2)[..., :3], np.abs(change) / most
    )


def table(
    pixels: np.ndarray,
    times: np.ndarray,
    rows: dict[str, np.ndarray],
    what: str,
    signed: dict[str, np.ndarray] | None = None,
    dim: Collection[str] = (),
) -> str:
    """Return HTML with the frames (T, S, S, 3) and, below them, one row of heat maps (T, h, w) per name.

    All maps share one scale. what: meaning of the scale; signed: rows of differences, on the same scale in both
    directions from zero; dim: names of rows to grey out.
    """
    signed = signed or {}
    most = max((float(np.abs(heat).max()) for heat in [*rows.values(), *signed.values()]), default=1.0) or 1.0
    head = "".join(f'<th scope="col">{time:.2f} s</th>' for time in times)
    lines = [_row(translated("video"), [enlarged(picture) for picture in pixels])]
    for drawn, draw in ((rows, overlay), (signed, difference)):
        for name, heat in drawn.items():
            pictures = [draw(picture, one, most) for picture, one in zip(pixels, heat, strict=True)]
            lines.append(_row(name, pictures, name in dim))
    label = translated("Frames and maps, scrolls sideways")
    scales = _scale(COLOURS, 0, most, translated("{what}, one scale for all maps", what=what))
    if signed:
        scales += _scale(SIGNED, -most, most, translated("difference"))
    return (
        f'<div class="maps" tabindex="0" role="region" aria-label="{label}"><table>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>{scales}"
    )


def patch(picture: np.ndarray, grid: tuple[int, int], row: int, column: int) -> np.ndarray:
    """Return `picture` with its grid of patches and a box around the patch at `row` and `column`, both from 0."""
    image = Image.fromarray(enlarged(picture, 2 * SIDE))
    draw = ImageDraw.Draw(image, "RGBA")
    height, width = image.height / grid[0], image.width / grid[1]
    for r in range(1, grid[0]):
        draw.line([(0, r * height), (image.width, r * height)], fill=(255, 255, 255, 70))
    for c in range(1, grid[1]):
        draw.line([(c * width, 0), (c * width, image.height)], fill=(255, 255, 255, 70))
    box = [column * width, row * height, (column + 1) * width - 1, (row + 1) * height - 1]
    draw.rectangle(box, outline=(255, 221, 0, 255), width=3)
    return np.asarray(image)


def over_time(weights: np.ndarray, times: np.ndarray, title: str) -> Figure:
    """Return a figure of the attention weights (T, T) from one frame (row) to another (column). times: in seconds."""
    figure = Figure(figsize=(4.6, 4.0), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(weights, cmap=COLOURS, vmin=0)
    ticks = np.unique(np.linspace(0, len(times) - 1, min(len(times), 8)).round().astype(int))
    names = [f"{times[i]:.1f}" for i in ticks]
    axes.set_xticks(ticks, names)
    axes.set_yticks(ticks, names)
    axes.set_xlabel("to the frame at (s)")
    axes.set_ylabel("from the frame at (s)")
    axes.set_title(title, fontsize=10)
    bar = figure.colorbar(image, shrink=0.85)
    bar.set_label(f"share of attention (even: {1 / len(times):.2f})")
    return figure


def _row(name: str, pictures: list[np.ndarray], dim: bool = False) -> str:
    cells = "".join(
        f'<td><img src="{_uri(p)}" alt="{html.escape(translated("{name}, frame {number}", name=name, number=i))}"></td>'
        for i, p in enumerate(pictures, 1)
    )
    kind = ' class="dim"' if dim else ""
    return f'<tr{kind}><th scope="row">{html.escape(name)}</th>{cells}</tr>'


def _scale(colours: Colormap, least: float, most: float, what: str) -> str:
    ramp = np.tile((colours(np.linspace(0, 1, 160))[None, :, :3] * 255).astype(np.uint8), (8, 1, 1))
    low = f"{least:.3f}" if least else "0"
    return (
        f'<div class="scale"><span>{low}</span><img src="{_uri(ramp)}" alt="{translated("colour scale")}">'
        f"<span>{most:.3f}</span><span>{html.escape(what)}</span></div>"
    )


def _uri(picture: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "webp", quality=88)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()
