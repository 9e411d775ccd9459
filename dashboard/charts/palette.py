"""Roles in, colours and marks out: Okabe and Ito's colour-blind-safe palette, for light and dark backgrounds."""

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
GREY = "#8A94A3"

OWN = "#2C8FCB"  # between the palette's two blues: contrast 3:1 on white and on the dark background
SEEN, UNSEEN = OWN, ORANGE
BETTER, WORSE, UNDECIDED = OWN, VERMILION, GREY

SERIES = (OWN, VERMILION, GREEN, ORANGE, PURPLE, SKY, GREY)
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x", "star")

DIVERGING = [[0.0, VERMILION], [0.5, "#F1F3F5"], [1.0, BLUE]]
"""Colour scale for values below, at and above chance; it never sets red against green."""


def mark(index: int) -> dict[str, str]:
    """Return the colour and symbol of the marks of the series at this place; they repeat after the last."""
    return {"color": SERIES[index % len(SERIES)], "symbol": SYMBOLS[index % len(SYMBOLS)]}
