"""A suite's name, a size and a seed in, the plans of its clips out: content, captions, label and twin.

Four suites mirror the paper's benchmarks: retrieval (MSR-VTT), paragraph (DiDeMo), scenes (Kinetics) and motions
(Something-Something). No two splits share a caption. Half of the test clips show seen concepts, half unseen ones.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stan.data.world.concepts import SEEN, UNSEEN, Vocabulary
from stan.data.world.motions import MOTIONS, Appearance, Event, class_name, draw_event, tracks_of
from stan.data.world.render import Background, Scene, render

SUITES = ("retrieval", "paragraph", "scenes", "motions")
FPS = 12
EVENT_FRAMES = 24
"""Frames per event, two seconds: eight segments of three frames, whose centre frames are the same in the reversed
clip."""


@dataclass(frozen=True)
class Size:
    train: int
    val: int
    test: int


SIZES = {"tiny": Size(24, 16, 24), "quick": Size(3600, 200, 400), "full": Size(8000, 400, 1400)}
"""A full test gives intervals about half as wide as a quick one. It can hardly be larger: two clips of a retrieval test
never share a caption, and unseen concepts have 708."""


@dataclass(frozen=True)
class Plan:
    """The plan of one clip, before it is drawn."""

    id: str
    split: str
    events: tuple[Event, ...]
    background: str
    seen: bool
    seed: tuple[int, ...]
    """Seed of the clip's random numbers; a twin has the same."""
    backwards: bool
    """Whether the clip is drawn with its events reversed and then played from the last frame to the first."""
    twin: str | None
    label: str | None

    @property
    def kind(self) -> str:
        return "+".join(event.motion for event in self.events)

    @property
    def wording(self) -> int:
        """The paraphrase that the annotation files carry, 0 or 1."""
        return self.seed[-1] % 2

    def captions(self) -> tuple[str, ...]:
        """Return two wordings of a training clip with one event, else one; a space joins a paragraph's sentences."""
        wordings = (0, 1) if self.split == "train" and len(self.events) == 1 else (self.wording,)
        return tuple(" ".join(self.sentences(w)) for w in wordings)

    def sentences(self, wording: int) -> list[str]:
        """Return one sentence per event; the first names the background."""
        clauses = [event.sentence(wording) for event in self.events]
        clauses[0] += f" on a {self.background} background"
        return [clause + "." for clause in clauses] if len(clauses) > 1 else clauses

    def scenes(self) -> list[Scene]:
        """Return one Scene per event, in the order and direction in which they are shown."""
        events = [e.reversed for e in self.events[::-1]] if self.backwards else self.events
        rng = np.random.default_rng(self.seed)
        scenes = _scenes(events, self.background, rng)
        return [scene.reversed for scene in scenes[::-1]] if self.backwards else scenes

    def frames(self) -> np.ndarray:
        """Return frames (T, H, W, 3) uint8, which are the same to the last byte for equal plans."""
        return np.concatenate([render(scene) for scene in self.scenes()])


def plans(suite: str, size: str = "quick", seed: int = 0) -> list[Plan]:
    """Return the plans of all clips of a suite: test first, then validation, then training.

    Raises ValueError for an unknown suite or size, as `require` does.
    """
    require(suite, size)
    counts, taken = SIZES[size], set()
    key = (seed, zlib.crc32(suite.encode()))
    parts = [
        _split(suite, "test", counts.test // 2, SEEN, (*key, 0), taken),
        _split(suite, "test", counts.test // 2, UNSEEN, (*key, 1), taken),
        _split(suite, "val", counts.val, SEEN, (*key, 2), taken),
        _split(suite, "train", counts.train, SEEN, (*key, 3), taken),
    ]
    return [plan for part in parts for plan in part]


def require(suite: str, size: str) -> None:
    """Raise ValueError for an unknown suite or size, naming the known ones."""
    if suite not in SUITES:
        raise ValueError(f"the embedded world has no suite {suite!r}; it has {', '.join(SUITES)}")
    if size not in SIZES:
        raise ValueError(f"the embedded world has no size {size!r}; it has {', '.join(SIZES)}")


def labels(suite: str) -> tuple[str, ...]:
    """Return the class names of a suite with classes, in index order; none for the other suites."""
    if suite == "motions":
        return tuple(class_name(motion) for motion in MOTIONS)
    return (
        tuple(str(look) for look in SCENE_CLASSES[SEEN] + SCENE_CLASSES[UNSEEN]) if suite == "scenes" else ()
    )


def _scene_classes(words: Vocabulary, per_shape: int) -> tuple[Appearance, ...]:
    """Return looks in which every colour and shape has several classes, so that neither alone tells the class."""
    count = len(words.colours)
    return tuple(
        Appearance(words.colours[(i + k) % count], shape)
        for i, shape in enumerate(words.shapes)
        for k in range(per_shape)
    )


SCENE_CLASSES = {SEEN: _scene_classes(SEEN, 3), UNSEEN: _scene_classes(UNSEEN, 3)}


def _split(
    suite: str, split: str, count: int, words: Vocabulary, key: tuple[int, ...], taken: set[str]
) -> list[Plan]:
    """Return `count` clips with content that no other split has taken.

    Queries of a retrieval test are unique; classes and training clips may show the same thing twice.
    """
    unique = split != "train" and not labels(suite)
    chosen: list[Plan] = []
    own: set[str] = set()
    draws = _draws(suite, words, key)
    while len(chosen) < count:
        index, events, background = next(draws)
        content = _content(events, background)
        reversed_events = tuple(e.reversed for e in events[::-1])
        mirrored = _content(reversed_events, background)
        if {content, mirrored} & (taken | own if unique else taken):
            continue
        clips = _clip_and_twin(
            suite, split, events, background, words is SEEN, (*key, index), reversed_events
        )
        if len(chosen) + len(clips) <= count:
            own |= {content, mirrored}
            chosen += clips
    taken |= own
    return chosen


def _clip_and_twin(
    suite: str,
    split: str,
    events: tuple[Event, ...],
    background: str,
    seen: bool,
    seed: tuple[int, ...],
    reversed_events: tuple[Event, ...],
) -> list[Plan]:
    """Return the clip and, where words or class tell the two apart, its time-reversed twin."""
    name = f"{split}-{'seen' if seen else 'unseen'}-{seed[-1]:05d}"
    label, mirrored = _label(suite, events), _label(suite, reversed_events)
    told_apart = reversed_events != events if label is None else label != mirrored
    if not told_apart:
        return [Plan(name, split, events, background, seen, seed, False, None, label)]
    twin = f"{name}-reversed"
    return [
        Plan(name, split, events, background, seen, seed, False, twin, label),
        Plan(twin, split, reversed_events, background, seen, seed, True, name, mirrored),
    ]


def _draws(
    suite: str, words: Vocabulary, key: tuple[int, ...]
) -> Iterator[tuple[int, tuple[Event, ...], str]]:
    """Yield (index, events, background) without end.

    Motions (in `scenes`: classes) take turns; everything else is random.
    """
    rng, index = np.random.default_rng(key), 0
    while True:
        for motion in rng.permutation(list(MOTIONS)):
            background = str(rng.choice(words.backgrounds))
            if suite == "paragraph":
                others = rng.choice(list(MOTIONS), rng.integers(1, 3))
                events = tuple(draw_event(str(m), words, rng) for m in (motion, *others))
            elif suite == "scenes":
                look = SCENE_CLASSES[words][index % len(SCENE_CLASSES[words])]
                single = [m for m, kind in MOTIONS.items() if kind.looks == 1]
                events = (Event(str(rng.choice(single)), (look,)),)
            else:
                events = (draw_event(str(motion), words, rng),)
            yield index, events, background
            index += 1


def _content(events: tuple[Event, ...], background: str) -> str:
    return f"{background}: " + " ".join(event.sentence() for event in events)


def _label(suite: str, events: tuple[Event, ...]) -> str | None:
    if suite == "motions":
        return MOTIONS[events[0].motion].template
    return str(events[0].looks[0]) if suite == "scenes" else None


def _scenes(events: Sequence[Event], kind: str, rng: np.random.Generator) -> list[Scene]:
    """Return the events one after the other, each with its own shapes, on one background that may drift."""
    total = EVENT_FRAMES * len(events)
    background = draw_background(kind, rng, total)
    scenes = []
    for i, event in enumerate(events):
        phase = background.phase[i * EVENT_FRAMES : (i + 1) * EVENT_FRAMES]
        scenes.append(Scene(replace(background, phase=phase), tracks_of(event, rng, EVENT_FRAMES)))
    return scenes


def draw_background(kind: str, rng: np.random.Generator, frames: int) -> Background:
    """Return a background with random greyish tones, period and angle; half of the textures drift."""
    middle, contrast, tint = rng.uniform(70, 120), rng.uniform(18, 32), rng.uniform(-8, 8, 3)
    speed = rng.uniform(-0.3, 0.3, 2) * rng.integers(0, 2)
    phase = rng.uniform(0, 60, 2) + speed * np.arange(frames)[:, None]
    return Background(
        kind,
        middle - contrast + tint,
        middle + contrast + tint,
        rng.uniform(11, 18),
        rng.uniform(0, np.pi),
        phase,
    )
