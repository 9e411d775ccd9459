"""What one service may be asked for; every limit that it keeps stands here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of a service. Beyond them a call is refused, with a status that says why, before it costs anything."""

    workers: int = 2
    """Calls that the index answers, such as searches, that run at the same time."""
    waiting: int = 64
    """Calls of either kind that may wait for a worker."""
    seconds: float = 30.0
    """Until such a call must have been answered, its body and its waiting included."""
    slow_workers: int = 1
    """Calls that decode a video or run the whole model that run at the same time."""
    slow_seconds: float = 120.0
    body: int = 256 << 10
    """Bytes of a JSON body."""
    upload: int = 200 << 20
    """Bytes of an uploaded video or picture."""
    per_minute: int = 6000
    """Calls that one token, or without tokens one address, may make in a minute."""
    streams: int = 32
    """Streams of events that may be open at the same time."""
    jobs: int = 8
    """Indexing jobs that may wait for the one that runs."""
