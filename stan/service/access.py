"""Requests in; refusals of those that may not be made, or not so often, out.

The page of another site must not reach a service on this machine through its visitor's browser: hosts and origins are
looked at, too.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stan.common.files import read_text
from stan.common.hosts import is_loopback
from stan.service.limits import Limits

OPEN = frozenset(["/health"])
"""Paths that anybody may ask for, at any rate."""
UPLOADS = "/upload"
"""How the paths end whose bodies are files."""
SHORTEST_TOKEN = 16
REMEMBERED = 4096
"""Callers whose rate is kept; the one that called longest ago is forgotten first."""


def words_of(file: Path) -> list[str]:
    """Return the tokens of a text file, one per line; lines that are empty or begin with # are passed over.

    Raises ValueError for a file without tokens, and for one that is short enough to be guessed.
    """
    lines = [line.strip() for line in read_text(file).splitlines()]
    words = [line for line in lines if line and not line.startswith("#")]
    if not words:
        raise ValueError(f"{file} holds no token: write one per line, `openssl rand -hex 16` makes one")
    if any(len(word) < SHORTEST_TOKEN for word in words):
        raise ValueError(
            f"{file} holds a token of fewer than {SHORTEST_TOKEN} characters, which can be guessed:"
            " `openssl rand -hex 16` makes a longer one"
        )
    return words


class Tokens:
    """The words that let a caller in, kept as hashes."""

    def __init__(self, words: list[str]):
        self._known = [hashlib.sha256(word.encode()).digest() for word in words]

    @classmethod
    def read(cls, file: Path) -> Tokens:
        """Return the tokens of a file, as `words_of` reads them."""
        return cls(words_of(file))

    def holder(self, header: str) -> str | None:
        """Return a name for the caller that sends this `Authorization`; None if its token is none of ours."""
        kind, _, word = header.partition(" ")
        given = hashlib.sha256(word.strip().encode()).digest()
        known = [hmac.compare_digest(given, one) for one in self._known]  # all, so that time tells nothing
        return given.hex()[:16] if kind.lower() == "bearer" and any(known) else None


class Rates:
    """How often each caller has called lately: a minute's calls may come at once, and then as they are regained."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic):
        self._most, self._clock = per_minute, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, caller: str) -> int:
        """Count a call and return 0, or return the whole seconds after which the caller may call again."""
        now = self._clock()
        left, since = self._left.pop(caller, (float(self._most), now))
        left = min(self._most, left + (now - since) * self._most / 60)
        self._left[caller] = (left - 1 if left >= 1 else left), now
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        return 0 if left >= 1 else math.ceil((1 - left) * 60 / self._most)


class Gate:
    """Lets through to `app` only requests of callers that may make them.

    tokens: those of which every caller must give one; None asks nobody. local_only: answer only requests that name
    this machine as their host.
    """

    def __init__(self, app: ASGIApp, limits: Limits, tokens: Tokens | None, local_only: bool):
        self._app, self._limits, self._tokens, self._local_only = app, limits, tokens, local_only
        self._rates = Rates(limits.per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limits = self._limits
        most, seconds = limits.body, limits.seconds
        if scope["path"].endswith(UPLOADS):
            most, seconds = limits.upload, limits.slow_seconds
        refused = self._refused(scope, most)
        await (refused or self._app)(scope, _limited(receive, most, seconds), send)

    def _refused(self, scope: Scope, most: int) -> JSONResponse | None:
        headers = Headers(scope=scope)
        if not self._is_asked_here(headers):
            return refusal(403, "ask this service by the address that it was started with, not from a page")
        if scope["path"] in OPEN:
            return None
        caller = scope["client"][0] if scope.get("client") else ""
        if self._tokens is not None:
            caller = self._tokens.holder(headers.get("authorization", ""))
            if caller is None:
                return refusal(
                    401, "a token, please: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"}
                )
        seconds = self._rates.wait(caller)
        if seconds:
            return refusal(429, "too many calls in a minute: ask again later", {"Retry-After": str(seconds)})
        if int(headers.get("content-length", 0)) > most:
            return refusal(413, _too_large(most))
        return None

    def _is_asked_here(self, headers: Headers) -> bool:
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._local_only and not is_loopback(_name(f"//{host}")):
            return False
        return origin is None or origin.partition("://")[2] == host


def _limited(receive: Receive, most: int, seconds: float) -> Receive:
    """Return `receive`, which raises an HTTPException once a body has grown too large, or does not come in time."""
    received, ended, end = 0, False, asyncio.get_running_loop().time() + seconds

    async def limited() -> Message:
        nonlocal received, ended
        if ended:  # what comes now is that the caller is gone
            return await receive()
        try:
            async with asyncio.timeout_at(end):
                message = await receive()
        except TimeoutError:
            raise HTTPException(504, f"the body did not come within {seconds:g} s: send it faster") from None
        received, ended = received + len(message.get("body", b"")), not message.get("more_body")
        if received > most:
            raise HTTPException(413, _too_large(most))
        return message

    return limited


def _too_large(most: int) -> str:
    return f"the body has more than {most} bytes, which is all that it may have"


def refusal(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return the answer to a request that is refused: one line, as every error."""
    return JSONResponse({"error": " ".join(message.split())}, status, headers)


def _name(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
