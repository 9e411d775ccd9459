"""What a service answers, as types: they hold every answer to what the service's OpenAPI schema says of it.

Times are in seconds. No answer tells where on this machine a file lies.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


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
    pictures: bool = Field(description="Whether the videos can be seen.")


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
    moved: int = Field(description="How many of the removed lie somewhere else now.")
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
