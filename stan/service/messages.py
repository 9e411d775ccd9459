"""What the service is asked and what it answers, as types: they check every call and make the service's OpenAPI schema.

Times are in seconds. Videos are named by opaque ids, folders by names that do not reveal where they are.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

MOST_RESULTS = 100
MOST_LABELS = 1000
MOST_IN_ADDRESS = 200
"""Labels that an address may hold."""
MOST_FRAMES = 64
MOST_PIECES = 32
LARGEST_GAIN = 10.0
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


class Asked(BaseModel):
    """A body, which may hold nothing but what is described."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class Where(Asked):
    """Conditions that a video must meet to be found."""

    folder: Text | None = Field(None, description="A folder of the library, as `/v1/library` lists them.")
    shortest: Seconds | None = None
    longest: Seconds | None = None
    since: Day | None = Field(None, description="The file was changed on this day or later.")
    until: Day | None = None


class Search(Asked):
    query: Query
    top: Top = 10
    gain: Gain = 1.0
    where: Where = Where()
    correct_hubs: bool = Field(False, description="Let videos that suit every sentence count less (QB-Norm).")


class Moments(Asked):
    query: Query
    top: Top = 10
    gain: Gain = 1.0
    where: Where = Where()


class Similar(Asked):
    to: Id
    top: Top = 10
    start: Seconds | None = Field(None, description="Of the moment that the results should be like.")
    end: Seconds | None = None
    gain: Gain = 1.0
    where: Where = Where()


class Recognise(Asked):
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


class Explain(Asked):
    video: Id
    query: Query
    frames: Annotated[int, Field(ge=1, le=MOST_FRAMES)] | None = Field(
        None, description="Frames of the video; the model's own number by default."
    )


class Index(Asked):
    folder: Text = Field(description="One of the folders that may be indexed, as `/v1/library` lists them.")
    below: Text = Field("", description="Only this folder in it.")


class InAddress(BaseModel):
    """Values in an address, which may hold nothing but what is described."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Page(InAddress):
    first: Annotated[int, Field(ge=0, le=10**9)] = 0
    count: Annotated[int, Field(ge=1, le=1000)] = 100
    folder: Text | None = None


class WhereInAddress(InAddress):
    """The conditions of `Where`."""

    folder: Text | None = None
    shortest: Seconds | None = None
    longest: Seconds | None = None
    since: Day | None = None
    until: Day | None = None


class SimilarUpload(WhereInAddress):
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


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Error(Answer):
    error: str = Field(description="What was wrong, and what to do, on one line.")


class Health(Answer):
    status: Literal["ok"]
    version: str
    running: int
    waiting: int


class About(Answer):
    model: str | None = Field(description="What made the library; none while it is empty.")
    videos: int
    folders: list[str]
    may_be_indexed: list[str]


class Video(Answer):
    id: str
    name: str
    folder: str
    size: int = Field(description="Bytes.")
    changed: date
    duration: float


class Videos(Answer):
    total: int
    videos: list[Video]


class Moment(Answer):
    id: str
    name: str
    folder: str
    score: float
    start: float
    end: float
    duration: float


class Curve(Answer):
    times: list[float]
    scores: list[float]


class Result(Moment):
    percentile: float | None = Field(
        description="Percentage of unrelated sentences that fit this video less."
    )
    prominence: float | None
    curve: Curve
    match: float | None = Field(None, description="Only from models that judge pairs one by one.")


class Milliseconds(Answer):
    encode: float
    search: float


class Found(Answer):
    query: str
    results: list[Result]
    no_match: bool = Field(description="Nothing fits better than unrelated sentences do by chance.")
    ms: Milliseconds


class FoundMoments(Answer):
    query: str
    moments: list[Moment]


class Likely(Answer):
    label: str
    probability: float
    score: float
    match: float | None = None


class NoneOfThem(Answer):
    probability: float
    rejected: bool
    bank: int


class OverTime(Answer):
    of: str
    times: list[float]
    labels: list[str]
    best: list[str]
    probabilities: list[list[float]]


class LabelMilliseconds(Answer):
    encode: float
    labels: float


class Recognised(Answer):
    video: str
    labels: list[Likely]
    none: NoneOfThem | None
    alike: list[tuple[str, str, float]]
    over_time: OverTime
    temperature: float
    calibrated: bool
    ms: LabelMilliseconds


class Tested(Answer):
    deletion: float
    insertion: float
    random_deletion: float
    random_insertion: float
    random_range: tuple[float, float]
    better: bool


class ExplanationMap(Answer):
    name: str
    method: str
    part: str
    is_explanation: bool
    faithfulness: Tested
    notes: list[str]
    values: list[list[list[float]]] = Field(description="Frames, rows, columns.")


class Word(Answer):
    word: str
    change: float


class Explained(Answer):
    query: str
    score: float
    times: list[float]
    default: str
    baseline: str
    maps: list[ExplanationMap]
    difference: list[list[list[float]]] | None
    words: list[Word]


class Skipped(Answer):
    file: str
    reason: str
    remedy: str


class Report(Answer):
    indexed: int
    unchanged: int
    removed: int
    skipped: list[Skipped]
    seconds: float
    seconds_waiting: float


class Job(Answer):
    id: str
    folder: str
    below: str
    status: Literal["waiting", "running", "done", "failed"]
    done: int = 0
    total: int = Field(0, description="0 while it is unknown.")
    detail: str = Field("", description="Name of the video in hand.")
    report: Report | None = None
    error: str | None = Field(None, description="Why it failed.")


class Jobs(Answer):
    jobs: list[Job]
