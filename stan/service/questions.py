"""What a service is asked, as types: they check every call, and describe it in the service's OpenAPI schema.

Times are in seconds. Videos are named by opaque ids, folders by names that do not reveal where they are.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from stan.library.query import LARGEST_GAIN

MOST_RESULTS = 100
MOST_LABELS = 1000
MOST_IN_ADDRESS = 200
"""Labels that an address may hold."""
MOST_FRAMES = 64
MOST_PIECES = 32
LONGEST = 1e6
"""Seconds, longer than any film."""


def _day(value: Any) -> date:
    if not isinstance(value, str) or len(value) != len("2026-01-31"):
        raise ValueError("give a day as year-month-day, such as 2026-01-31")
    return date.fromisoformat(value)


Id = Annotated[
    str, Field(pattern="^[0-9a-f]{16}$", description="A video's id.", examples=["0123456789abcdef"])
]
Query = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1000,
        description="What should be seen, or weighted terms: `2:a red circle + moving up - striped`.",
        examples=["a red circle moves to the left"],
    ),
]
Top = Annotated[int, Field(ge=1, le=MOST_RESULTS, description="How many results.")]
Gain = Annotated[
    float, Field(ge=0, le=LARGEST_GAIN, description="Of the branch: 0 is CLIP alone, 1 the model as trained.")
]
Seconds = Annotated[float, Field(ge=0, le=LONGEST)]
Day = Annotated[
    date, Field(strict=False), BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})
]
Label = Annotated[str, Field(min_length=1, max_length=200)]
Labels = Annotated[list[Label], Field(max_length=MOST_LABELS)]
Text = Annotated[str, Field(max_length=1000)]


class Question(BaseModel):
    """A body, which may hold nothing but what is described."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Conditions(BaseModel):
    """Conditions that a video must meet to be found."""

    folder: Text | None = Field(None, description="A folder of the library, as `/v1/library` lists them.")
    shortest: Seconds | None = None
    longest: Seconds | None = None
    since: Day | None = Field(None, description="The file was changed on this day or later.")
    until: Day | None = None


class Where(Question, Conditions):
    """Conditions that a video must meet to be found."""


class Search(Question):
    query: Query
    top: Top = 10
    gain: Gain = 1.0
    where: Where = Where()
    correct_hubs: bool = Field(False, description="Let videos that suit every sentence count less (QB-Norm).")


class Moments(Question):
    query: Query
    top: Top = 10
    gain: Gain = 1.0
    where: Where = Where()


class Similar(Question):
    to: Id
    top: Top = 10
    start: Seconds | None = Field(None, description="Of the moment that the results should be like.")
    end: Seconds | None = None
    gain: Gain = 1.0
    where: Where = Where()


class Recognise(Question):
    video: Id
    labels: Labels = []
    label_set: Text | None = Field(None, description="kinetics-400, something-something-v2 or motions.")
    top: Top = 5
    templates: Annotated[list[Text], Field(max_length=64)] = Field(
        ["{}"], description="Sentences with {} for the label; several make an ensemble."
    )
    pieces: Annotated[int, Field(ge=1, le=MOST_PIECES)] | None = Field(
        None, description="See so many parts of the video apart."
    )


class Explain(Question):
    video: Id
    query: Query
    frames: Annotated[int, Field(ge=1, le=MOST_FRAMES)] | None = Field(
        None, description="Frames of the video; the model's own number by default."
    )


class Index(Question):
    folder: Text = Field(description="One of the folders that may be indexed, as `/v1/library` lists them.")
    below: Text = Field("", description="Only this folder in it.")


class InAddress(BaseModel):
    """Values in an address, which may hold nothing but what is described."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Page(InAddress):
    first: Annotated[int, Field(ge=0, le=10**9)] = 0
    count: Annotated[int, Field(ge=1, le=1000)] = 100
    folder: Text | None = None


class Playback(InAddress):
    part: Annotated[int, Field(ge=0, le=10**6)] | None = Field(
        None,
        description="Of a video of more than six minutes: the minute from 30 times this number of seconds on.",
    )


class SimilarUpload(InAddress, Conditions):
    top: Top = 10
    start: Seconds | None = None
    end: Seconds | None = None
    gain: Gain = 1.0


class RecogniseUpload(InAddress):
    label: Annotated[list[Label], Field(max_length=MOST_IN_ADDRESS)] = []
    label_set: Label | None = None
    top: Top = 5
    template: Annotated[list[Label], Field(max_length=16)] = ["{}"]
    pieces: Annotated[int, Field(ge=1, le=MOST_PIECES)] | None = None
