"""Mechanisms in; what their schematics show: every part once, in its colour, within the canvas."""

import xml.etree.ElementTree as ElementTree

import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import FancyBboxPatch

from stan.report.mechanisms import SIMILARITIES, TEMPORAL, Mechanism, Part
from stan.report.method_pictures import FIXED, LEARNED, NUMBERS, WIDTH, picture, svg

ALL = TEMPORAL | SIMILARITIES


def toy(*parts: Part, reads: str = "video, text") -> Mechanism:
    return Mechanism("Toy", "", parts, "", "", "", reads)


def boxes(mechanism: Mechanism, colour: str) -> list[float]:
    """Widths of the filled boxes in a colour, without that of the legend."""
    (axes,) = picture(mechanism).axes
    found = [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    return [
        patch.get_width() for patch in found if to_hex(patch.get_facecolor(), True)[:7].upper() == colour
    ][1:]


@pytest.mark.parametrize("name", ALL)
def test_every_part_is_named_once_and_nothing_is_cut_off(name):
    figure = picture(ALL[name])
    figure.canvas.draw()
    (axes,) = figure.axes
    labels = [text for text in axes.texts if text.get_text()]
    for number, part in zip(NUMBERS, ALL[name].parts, strict=False):
        assert sum(f"{number} {part.label}" in text.get_text() for text in labels) == 1
    for text in labels:
        box = text.get_window_extent().transformed(axes.transData.inverted())
        assert box.x0 >= 0 and box.x1 <= WIDTH, text.get_text()


def test_a_bar_mixes_all_frames_and_boxes_none():
    bar = Part("frames", "bar", "time", "")
    assert len(boxes(toy(bar), LEARNED)) == 1
    assert len(boxes(toy(Part("frames", "alone", "nothing", "")), LEARNED)) == 4
    assert len(boxes(toy(Part("halfway", "pairs", "segments", "", learned=False)), FIXED)) == 2
    assert boxes(toy(bar), FIXED) == []


def test_a_classifier_reads_no_text():
    def words(reads: str) -> list[str]:
        (axes,) = picture(toy(Part("score", "score", "nothing", ""), reads=reads)).axes
        return [text.get_text() for text in axes.texts]

    assert "text tower" in words("video, text") and "text tower" not in words("video, classes")


def test_the_same_mechanism_gives_the_same_svg_in_the_ink_asked_for():
    once, again = svg(TEMPORAL["aim"], "#123456"), svg(TEMPORAL["aim"], "#123456")
    assert once == again and "#123456" in once and "#123456" not in svg(TEMPORAL["aim"])
    assert ElementTree.fromstring(once).tag.endswith("svg")
