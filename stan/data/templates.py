"""The name of a set of templates in; sentences with a gap for a class's name out."""

from __future__ import annotations

TEMPLATES: dict[str, tuple[str, ...]] = {
    "plain": ("{}",),
    "actionclip": (
        *("a video of {}", "a clip of {}", "a photo of {}", "a picture of {}", "an example of {}"),
        *("this shows {}", "here we see {}"),
        *("this is {}, a video", "look: {} in this clip", "the action {} is seen", "can you see {} here?"),
        *("{}", "{}, an action", "{}, in a video", "{} is what happens", "{}, that is the action"),
    ),
}
"""`actionclip`: 16 sentences of its three kinds, the name at the end, in the middle and at the start; in our words."""


def named(name: str) -> tuple[str, ...]:
    """The templates `name`. Raises ValueError for a name that isn't known, listing those that are."""
    if name not in TEMPLATES:
        raise ValueError(f"data.templates is {name!r}; it can be {', '.join(TEMPLATES)}")
    return TEMPLATES[name]
