"""A suite's name in; what its words depend on, and the probes that ask a CLIP's levels for it, out.

Apart from the probes themselves, for readers of kept results: they need no torch.
"""

NEEDS = {
    "motions": ("x", "y", "size", "turn", "front", "colour"),
    "retrieval": ("x", "y", "size", "turn", "front", "colour", "shape", "background"),
    "paragraph": ("x", "y", "size", "turn", "front", "colour", "shape", "background"),
    "scenes": ("shape", "colour"),
}
"""What the words or classes of each suite of the embedded world depend on: place, size, turn, colour and what is in
front change in its motions; sentences also name shapes, colours and backgrounds."""

PROBES = ("CLS, linear", "patches, linear", "patches, attentive")

STILLS = 2000
"""Stills of each kind: half of them fit a probe."""
