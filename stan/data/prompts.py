"""The name of a template set, or a file of templates, in; sentences with a gap for a class name out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stan.common.files import read_text
from stan.common.json_values import require

TEMPLATES: dict[str, tuple[str, ...]] = {
    "plain": ("{}",),
    "actionclip": (
        *("a video of {}", "a clip of {}", "a photo of {}", "a picture of {}", "an example of {}"),
        *("this shows {}", "here we see {}"),
        *("this is {}, a video", "look: {} in this clip", "the action {} is seen", "can you see {} here?"),
        *("{}", "{}, an action", "{}, in a video", "{} is what happens", "{}, that is the action"),
    ),
}
"""`actionclip` has 16 sentences of its three kinds: the name at the end, in the middle or at the start; in our
words."""

AVERAGES = ("scores", "probabilities")


def named(name: str) -> tuple[str, ...]:
    """Return the templates `name`. Raises ValueError for an unknown name, listing the known ones."""
    if name not in TEMPLATES:
        raise ValueError(f"data.templates is {name!r}; it can be {', '.join(TEMPLATES)}")
    return TEMPLATES[name]


def averaged(over: str) -> str:
    """Return `over`, which says what is averaged over templates. Raises ValueError for an unknown name."""
    if over not in AVERAGES:
        raise ValueError(f"the average over templates is {over!r}; it can be {', '.join(AVERAGES)}")
    return over


def read(path: Path) -> tuple[str, ...]:
    """Return the templates in a text file, one per line with `{}` where the name goes; empty lines are left out.

    Raises ValueError for a line with no gap or several, naming it, and for a file without templates.
    """
    return checked(read_text(path).splitlines(), str(path))


def checked(lines: Sequence[str], source: str) -> tuple[str, ...]:
    """Return the templates among `lines`, without empty ones. source: what they are from, for the errors of `read`.

    Raises ValueError for what is no list of texts, too: one template alone would be read letter by letter.
    """
    require(source, lines, "Sequence[str]")
    for number, line in enumerate(lines, 1):
        if line.strip() and line.count("{}") != 1:
            raise ValueError(
                f"{source}:{number}: {line.strip()!r} has {line.count('{}')} places for a name: write {{}} once"
            )
    found = tuple(line.strip() for line in lines if line.strip())
    if not found:
        raise ValueError(f"{source} holds no template: write one per line, such as: a video of {{}}")
    return found


def fill(template: str, name: str) -> str:
    """Return the template with `name` in its gap; other braces, in either of them, are ordinary text."""
    return template.replace("{}", name)
