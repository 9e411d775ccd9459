"""The demo's address and a query in; the answer of its page out, through the page's own queue but without a browser."""

from __future__ import annotations

import http.client
import json
import uuid
from urllib.parse import urlsplit

PATIENCE = 60.0
"""Seconds after which an answer counts as an error."""


class Visitor:
    """A visitor who has the page open in a separate session."""

    def __init__(self, address: str):
        self._host = urlsplit(address).netloc
        self._session = uuid.uuid4().hex
        page = json.loads(self._request("GET", "/config"))
        known = {one["id"]: one["props"] for one in page["components"]}
        query = next(id for id, props in known.items() if props.get("elem_id") == "query")
        event = next(one for one in page["dependencies"] if [query, "submit"] in one["targets"])
        self._search = event["id"]
        self._library, _, *self._form = (known[id].get("value") for id in event["inputs"])

    def search(self, query: str) -> tuple[str, str]:
        """Return the HTML of the status line and of the cards. Raises ValueError or OSError if no answer comes."""
        values = [self._library, query, *self._form]
        asked = {"data": values, "fn_index": self._search, "session_hash": self._session}
        self._request("POST", "/gradio_api/queue/join", json.dumps(asked))
        connection = http.client.HTTPConnection(self._host, timeout=PATIENCE)
        try:
            connection.request("GET", f"/gradio_api/queue/data?session_hash={self._session}")
            for line in connection.getresponse():
                news = json.loads(line[5:]) if line.startswith(b"data:") else {}
                if news.get("msg") == "process_completed":
                    if not news["success"]:
                        raise ValueError(f"the search failed: {news['output']}")
                    _, status, cards = news["output"]["data"]
                    return status, cards
        finally:
            connection.close()
        raise ValueError("the stream ended without an answer")

    def _request(self, method: str, path: str, body: str | None = None) -> bytes:
        connection = http.client.HTTPConnection(self._host, timeout=PATIENCE)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            reply = connection.getresponse()
            told = reply.read()
        finally:
            connection.close()
        if reply.status != 200:
            raise ValueError(f"{path} answers {reply.status}: {told[:200]!r}")
        return told
