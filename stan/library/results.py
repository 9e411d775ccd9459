"""What a search found in; a list of results, which is one JSON document, too, out."""

from __future__ import annotations

from typing import Any


class Results(list[dict[str, Any]]):
    """The results of a search, best first: one dict per video.

    Keys: video (path), id, name, folder, score, percentile, prominence, start, end and duration (seconds), curve:
    {"times" (seconds), "scores"}; from some models match (see `Library.search`).
    """

    def __init__(
        self, query: str, found: list[dict[str, Any]], no_match: bool, milliseconds: dict[str, float]
    ):
        super().__init__(found)
        self.query = query
        self.no_match = no_match
        self.ms = milliseconds

    def document(self) -> dict[str, Any]:
        """Return the query, the results, `no_match` and the milliseconds as one JSON document."""
        return {"query": self.query, "results": list(self), "no_match": self.no_match, "ms": self.ms}
