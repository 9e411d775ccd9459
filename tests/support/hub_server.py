"""Stands in for Hugging Face's hub on loopback: repositories with commits, written and read as its client asks."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class HubServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.commits: dict[str, dict[str, dict[str, bytes]]] = {}
        """Files by path, by commit, by repository; `main` is its last commit."""
        self.gated: set[str] = set()
        self.refuses: dict[str, int] = {}
        """Status that a request is refused with, by a part of its path."""
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def revision(self, repository: str, name: str) -> str | None:
        """The commit of a revision's name."""
        there = self.commits[repository]
        return next(reversed(there), None) if name == "main" else name if name in there else None


class _Handler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self._refused():
            return
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts == ["api", "repos", "create"]:
            told = json.loads(body)
            repository = f"{told['organization']}/{told['name']}"
            there = repository in self.server.commits
            self.server.commits.setdefault(repository, {})
            self._answer(409 if there else 200, {"url": f"{self.server.address}/{repository}"})
        elif parts == ["api", "validate-yaml"]:
            self._answer(200, {"errors": [], "warnings": []})
        elif parts[4] == "preupload":
            files = [
                {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                for file in json.loads(body)["files"]
            ]
            self._answer(200, {"files": files})
        else:
            assert parts[4] == "commit"
            self._commit("/".join(parts[2:4]), [json.loads(line) for line in body.splitlines()])

    def _commit(self, repository: str, lines: list[dict[str, Any]]) -> None:
        files = {
            line["value"]["path"]: base64.b64decode(line["value"]["content"])
            for line in lines
            if line["key"] == "file"
        }
        there = self.server.commits[repository]
        name = hashlib.sha1(f"{repository}{len(there)}".encode()).hexdigest()
        there[name] = next(reversed(there.values()), {}) | files
        url = f"{self.server.address}/{repository}/commit/{name}"
        self._answer(200, {"success": True, "commitOid": name, "commitUrl": url})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self._refused():
            return
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            self._info("/".join(parts[2:4]))
            return
        assert parts[2] == "resolve", self.path
        repository = "/".join(parts[:2])
        if repository not in self.server.commits:
            self._answer(401, {"error": "Repository not found"}, code="RepoNotFound")
        elif repository in self.server.gated:
            self._answer(403, {"error": "Access is restricted"}, code="GatedRepo")
        elif (commit := self.server.revision(repository, parts[3])) is None:
            self._answer(404, {"error": "Invalid rev"}, code="RevisionNotFound")
        elif (content := self.server.commits[repository][commit].get("/".join(parts[4:]))) is None:
            self._answer(404, {"error": "Entry not found"}, code="EntryNotFound", commit=commit)
        else:
            self._send(
                200, content, {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": commit}
            )

    def _info(self, repository: str) -> None:
        if repository not in self.server.commits:
            self._answer(401, {"error": "Repository not found"}, code="RepoNotFound")
        else:
            self._answer(
                200, {"id": repository, "sha": self.server.revision(repository, "main"), "siblings": []}
            )

    def _refused(self) -> bool:
        self.server.asked.append(f"{self.command} {self.path}")
        status = next((code for part, code in self.server.refuses.items() if part in self.path), None)
        if status is not None:
            self._answer(status, {"error": "no"})
        return status is not None

    def _answer(self, status: int, told: dict[str, Any], code: str = "", commit: str = "") -> None:
        headers = {"Content-Type": "application/json"}
        headers |= {"X-Error-Code": code} if code else {}
        headers |= {"X-Repo-Commit": commit} if commit else {}
        self._send(status, json.dumps(told).encode(), headers)

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Generator[HubServer]:
    """Serve an empty hub while the context is open."""
    server = HubServer()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
