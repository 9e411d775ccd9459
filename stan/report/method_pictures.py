"""A mechanism in; one schematic of it, in a visual language that all methods share, out.

Data flow upwards, from frames to the score. CLIP is grey and stands in one column per frame; what a method adds is
coloured where it acts, and numbered like its sentences. A bar over all columns mixes them, boxes don't.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from stan.report.mechanisms import Mechanism, Part

INK = "#1F2933"
CLIP, LEARNED, FIXED = "#8A94A3", "#0072B2", "#D55E00"
LEGEND = {CLIP: "CLIP", LEARNED: "added, learned", FIXED: "added, without parameters"}

# lengths in points: at 360 pixels, a telephone's width, text still has nine of them
WIDTH = 360
COLUMNS = (140, 180, 220, 260)
BOX, HEIGHT, GAP, STEP = 26, 18, 9, 30
RIGHT = 328
"""Centre of what stands beside the columns: a branch, and the text."""
LEFT, BAR = COLUMNS[0] - BOX / 2, COLUMNS[-1] - COLUMNS[0] + BOX
TOKENS = tuple(RIGHT + 9 * i for i in range(-2, 3))
MARGIN = 115
"""Right edge of the labels."""
NUMBERS = "①②③④⑤"
ROUND = "round,pad=0,rounding_size=4"
IN_BLOCK = ("before attention", "attention", "after attention", "mlp")


@dataclass(frozen=True)
class _Row:
    """One stage of the way up: its name beside the columns, and the part in it if the method adds one."""

    name: str
    part: Part | None = None
    number: int = 0

    @property
    def label(self) -> str:
        beside = "MLP | " if self.part and self.part.place == "mlp" else ""
        return f"{beside}{NUMBERS[self.number]} {self.part.label}" if self.part else self.name


def svg(mechanism: Mechanism, ink: str = INK) -> str:
    """Return the schematic as SVG, with letters in the colour `ink` and no background; always the same text."""
    text = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": mechanism.title}):
        picture(mechanism, ink).savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()


def picture(mechanism: Mechanism, ink: str = INK) -> Figure:
    """Draw the schematic."""
    rows = _rows(mechanism)
    height = STEP * (len(rows) + 1) + 2 * GAP
    figure = Figure(figsize=(WIDTH / 72, height / 72))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, height))
    axes.set_axis_off()
    canvas = _Canvas(axes, ink)
    _legend(canvas)
    heights = [STEP * (i + 1) + GAP + STEP / 2 for i in range(len(rows))]
    columns: Sequence[float] = COLUMNS
    for row, y in zip(rows, heights, strict=True):
        canvas.text(MARGIN, y, row.label, bold=row.part is not None, align="right")
        columns = _stage(canvas, row, y, columns)
    _score(canvas, mechanism, rows[-1].part, columns, heights[-1])
    _outline_block(canvas, rows, heights)
    _branch(canvas, mechanism, rows, heights)
    _text(canvas, mechanism, heights)
    return figure


def _rows(mechanism: Mechanism) -> list[_Row]:
    """Return the stages from the bottom to the top."""
    numbered = [_Row("", part, i) for i, part in enumerate(mechanism.parts)]
    at = {row.part.place for row in numbered if row.part}

    def placed(*places: str) -> list[_Row]:
        return [row for row in numbered if row.part and row.part.place in places]

    frames_only = mechanism.reads.startswith("frames")
    top = placed("score") or [_Row("score")]
    pool = [] if frames_only else placed("pool") or [_Row("mean")]
    return [
        _Row("frames"),
        *placed("input"),
        *_blocks(at, placed),
        *placed("end"),
        _Row("embeddings"),
        *placed("frames"),
        *pool,
        *top,
    ]


def _blocks(at: set[str], placed: Callable[..., list[_Row]]) -> list[_Row]:
    """Return the stages of CLIP's blocks: one of them opened if a part acts inside, the last four beside a branch."""
    halfway = placed("halfway")
    before = [_Row("first blocks"), *halfway] if halfway else []
    if at & set(IN_BLOCK):
        attention = placed("attention") or [_Row("attention")]
        inside = [
            *placed("before attention"),
            *attention,
            *placed("after attention"),
            *(placed("mlp") or [_Row("MLP")]),
        ]
        return [*before, *inside]
    if "branch" in at:
        return [_Row("first blocks"), *(_Row("block") for _ in range(4))]
    return [*before, _Row("later blocks" if halfway else "blocks")]


class _Canvas:
    """Draws the few shapes that schematics are made of."""

    def __init__(self, axes: Axes, ink: str):
        self.axes, self.ink = axes, ink

    def text(
        self,
        x: float,
        y: float,
        words: str,
        bold: bool = False,
        align: str = "center",
        size: float = 9,
        colour: str = "",
    ) -> None:
        weight = "bold" if bold else "normal"
        self.axes.text(
            x, y, words, color=colour or self.ink, fontsize=size, fontweight=weight, ha=align, va="center"
        )

    def box(self, x: float, y: float, width: float, colour: str = CLIP, hollow: bool = False) -> None:
        """Draw a rounded box around (x, y)."""
        corner = (x - width / 2, y - HEIGHT / 2)
        box = FancyBboxPatch(corner, width, HEIGHT, ROUND, color=colour, fill=not hollow, zorder=2)
        box.set_linewidth(1 if hollow else 0)
        self.axes.add_patch(box)

    def line(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Show that data flow, without changing, from `start` to `end`."""
        self.axes.plot(*zip(start, end, strict=True), color=CLIP, linewidth=1, zorder=1)

    def arrow(
        self, start: tuple[float, float], end: tuple[float, float], colour: str, both: bool = False
    ) -> None:
        style = {
            "arrowstyle": "<->" if both else "->",
            "color": colour,
            "linewidth": 1.4,
            "shrinkA": 0,
            "shrinkB": 0,
        }
        self.axes.annotate("", end, start, arrowprops=style, zorder=3)

    def dots(self, x: float, y: float, count: int, colour: str = "white") -> None:
        places = [x + 6 * (i - (count - 1) / 2) for i in range(count)]
        self.axes.plot(places, [y] * count, "o", color=colour, markersize=3, zorder=4)


def _stage(canvas: _Canvas, row: _Row, y: float, columns: Sequence[float]) -> Sequence[float]:
    """Draw one stage and the way up to it from the stage below; return the columns that lead on from it."""
    if row.name != "frames":
        for x in columns:
            canvas.line((x, y - STEP + HEIGHT / 2), (x, y))
    if row.name == "mean" or (row.part and row.part.place == "pool"):
        return _pooled(canvas, row, y, columns)
    if row.name == "score" or (row.part and row.part.place == "score"):
        return columns
    if row.part is None:
        for x in columns:
            canvas.box(x, y, BOX / 2 if row.name == "embeddings" else BOX, hollow=row.name == "frames")
        return columns
    return _part(canvas, row.part, y, columns)


def _part(canvas: _Canvas, part: Part, y: float, columns: Sequence[float]) -> Sequence[float]:
    """Draw what a part mixes: a bar mixes all columns, boxes with arrows between them neighbours, boxes alone none."""
    colour = _colour(part)
    if part.mixes in ("time", "all"):
        canvas.box(sum(columns) / len(columns), y, BAR, colour)
        canvas.arrow((LEFT + 4, y), (LEFT + BAR - 4, y), "white", both=True)
        if part.mixes == "all":
            for x in columns:
                canvas.dots(x, y + 5, 3)
                canvas.dots(x, y - 5, 3)
        return columns
    if part.mixes == "segments":
        merged = [(a + b) / 2 for a, b in zip(columns[::2], columns[1::2], strict=True)]
        for x in merged:
            canvas.box(x, y, 2 * BOX + 14, colour)
            canvas.dots(x, y, 3)
        return merged
    for x in columns:
        if part.place == "mlp":
            canvas.box(x - BOX / 4, y, BOX / 2 - 1)
            canvas.box(x + BOX / 4, y, BOX / 2 - 1, colour)
        else:
            canvas.box(x, y, BOX, colour)
        if part.mixes == "frame":
            canvas.dots(x, y, 3)
    if part.mixes == "neighbours":
        for left, right in zip(columns[:-1], columns[1:], strict=True):
            canvas.arrow((left + BOX / 2 - 3, y), (right - BOX / 2 + 3, y), canvas.ink, both=True)
    return columns


def _pooled(canvas: _Canvas, row: _Row, y: float, columns: Sequence[float]) -> Sequence[float]:
    """Draw how the columns become one."""
    middle = sum(columns) / len(columns)
    canvas.box(middle, y, BAR, _colour(row.part))
    return (middle,)


def _score(
    canvas: _Canvas, mechanism: Mechanism, part: Part | None, columns: Sequence[float], y: float
) -> None:
    """Draw the score over what it reads: each dot is compared with the other side, or with all others."""
    _, _, other = mechanism.reads.partition(", ")
    right = LEFT + BAR if other == "classes" else RIGHT + BOX
    canvas.box((LEFT + right) / 2, y, right - LEFT, _colour(part))
    texts = {"text": (RIGHT,), "tokens": TOKENS, "classes": ()}[other]
    for x in (*columns, *texts):
        canvas.dots(x, y, 1)
    if texts:
        start, end = (columns[0], texts[-1]) if part and part.mixes == "all" else (columns[-1], texts[0])
        canvas.arrow((start + 6, y), (end - 6, y), "white", both=True)


def _colour(part: Part | None) -> str:
    return CLIP if part is None else LEARNED if part.learned else FIXED


def _outline_block(canvas: _Canvas, rows: Sequence[_Row], heights: Sequence[float]) -> None:
    """Frame the stages of the block that is shown open."""
    inside = [
        y
        for row, y in zip(rows, heights, strict=True)
        if row.name in ("attention", "MLP") or (row.part and row.part.place in IN_BLOCK)
    ]
    if not inside:
        return
    bottom, top = min(inside) - 13, max(inside) + 13
    canvas.axes.add_patch(
        FancyBboxPatch(
            (LEFT - 5, bottom),
            BAR + 10,
            top - bottom,
            ROUND,
            facecolor="none",
            edgecolor=CLIP,
            linestyle="--",
        )
    )
    later = any(row.part and row.part.place == "halfway" for row in rows)
    canvas.text(
        LEFT + BAR + 10, (bottom + top) / 2, "each later\nblock" if later else "each block", align="left"
    )


def _branch(canvas: _Canvas, mechanism: Mechanism, rows: Sequence[_Row], heights: Sequence[float]) -> None:
    """Draw the layers beside CLIP's last blocks, each of which reads the block at its height."""
    found = [(i, part) for i, part in enumerate(mechanism.parts) if part.place == "branch"]
    if not found:
        return
    ((number, part),) = found
    colour, edge = _colour(part), LEFT + BAR
    levels = [y for row, y in zip(rows, heights, strict=True) if row.name == "block"]
    canvas.text(RIGHT, levels[0] - STEP * 0.7, f"{NUMBERS[number]} {part.label}", bold=True)
    for y in levels:
        canvas.arrow((edge, y), (RIGHT - 29, y), colour)
        canvas.box(RIGHT, y, 56, colour)
        canvas.arrow((RIGHT - 24, y), (RIGHT + 24, y), "white", both=True)
    joined = levels[-1] + STEP
    canvas.axes.plot((RIGHT, RIGHT), (levels[0], joined), color=colour, linewidth=1.4, zorder=1)
    canvas.arrow((RIGHT, joined), (edge, joined), colour)


def _text(canvas: _Canvas, mechanism: Mechanism, heights: Sequence[float]) -> None:
    """Draw the text's way up to the score, if the score reads it."""
    score, embedded, tower, before = heights[-1], *reversed(heights[-4:-1])
    if mechanism.reads.endswith("classes"):
        return
    canvas.line((RIGHT, tower), (RIGHT, score))
    canvas.box(RIGHT, tower, 56)
    canvas.text(RIGHT, tower, "text tower", size=8, colour=INK)
    if mechanism.reads.endswith("tokens"):
        for x in TOKENS:
            canvas.dots(x, embedded, 1, CLIP)
    else:
        canvas.box(RIGHT, embedded, BOX / 2)
    for i, part in enumerate(mechanism.parts):
        if part.place == "text":
            canvas.line((RIGHT, before), (RIGHT, tower))
            canvas.box(RIGHT, before, 56, _colour(part))
            canvas.text(RIGHT, before - STEP * 0.6, f"{NUMBERS[i]} {part.label}", bold=True)


def _legend(canvas: _Canvas) -> None:
    x = 12.0
    for colour, words in LEGEND.items():
        canvas.box(x, 14, 12, colour)
        canvas.text(x + 10, 14, words, align="left", size=8)
        x += 28 + 4.6 * len(words)
