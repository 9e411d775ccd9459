"""A library's calls, limits and tokens in; a service that listens until Ctrl-C out."""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from stan.common.hosts import address_family, is_loopback, port_taken
from stan.common.servers import free_port
from stan.service.access import Tokens
from stan.service.app import build
from stan.service.calls import LibraryCalls
from stan.service.limits import Limits

HOST, PORT = "127.0.0.1", 8600
CONNECTIONS = 256
"""Connections that wait until they are accepted."""
LARGEST_HEAD = 1 << 20
"""Bytes of a request before its body: the labels of an uploaded video stand in its address."""
LAST_SECONDS = 5
"""For calls that are being answered when the service ends."""


def check(host: str, tokens: Tokens | None) -> None:
    """Raise ValueError for a host that others can reach if there are no tokens."""
    if not is_loopback(host) and tokens is None:
        raise ValueError(
            f"--host {host} lets others in: give --token-file, or leave --host at {HOST}, this machine alone"
        )


def serve(
    calls: LibraryCalls,
    limits: Limits,
    tokens: Tokens | None,
    host: str = HOST,
    port: int | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Serve until Ctrl-C. port: 8600 or, if that is taken, a free one. Raises ValueError for a port that is taken."""
    check(host, tokens)
    app = build(calls, limits, tokens, local_only=is_loopback(host))
    with _listening(host, free_port(PORT) if port is None else port) as listening:
        name = f"[{host}]" if ":" in host else host
        say(f"api: http://{name}:{listening.getsockname()[1]}")
        uvicorn.Server(configured(app)).run(sockets=[listening])


def configured(app: FastAPI) -> uvicorn.Config:
    """Return how the service is served."""
    return uvicorn.Config(
        app,
        http="h11",
        h11_max_incomplete_event_size=LARGEST_HEAD,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=LAST_SECONDS,
    )


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=address_family(host), backlog=CONNECTIONS)
    except OSError as error:
        raise port_taken(port, host, error) from None
