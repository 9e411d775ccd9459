"""Files' bytes in; a loopback HTTP server of them, as slow or as silent as a test wants it, out."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer(ThreadingHTTPServer):
    """Serves `files`, bytes by path, with an ETag of their content; counts how often each was fetched.

    A range of bytes is given if it is asked for, and a path that ends in a slash lists what is in that folder.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.fetched = files, dict[str, int]()
        self.pause = 0.0
        """Seconds before each 64 KiB."""
        self.tells_size = True

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_HEAD(self) -> None:
        self._head()

    def do_GET(self) -> None:
        content = self._head()
        path = self.path.partition("?")[0]
        self.server.fetched[path] = self.server.fetched.get(path, 0) + 1
        for start in range(0, len(content), 1 << 16):
            time.sleep(self.server.pause)
            try:
                self.wfile.write(content[start : start + (1 << 16)])
            except OSError:  # nobody reads on
                return

    def _head(self) -> bytes:
        content = self._content()
        self.send_response(404 if content is None else 206 if "Range" in self.headers else 200)
        content = content or b""
        self.send_header("ETag", f'"{hash(content)}"')
        self.send_header("Accept-Ranges", "bytes")
        if "Range" in self.headers:
            first, last = self.headers["Range"].removeprefix("bytes=").split("-")
            whole, content = len(content), content[int(first) : int(last) + 1]
            self.send_header("Content-Range", f"bytes {first}-{int(first) + len(content) - 1}/{whole}")
        if self.server.tells_size:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return content

    def _content(self) -> bytes | None:
        path = self.path.partition("?")[0]
        inside = [name for name in self.server.files if path.endswith("/") and name.startswith(path)]
        if inside:
            return "".join(f'<a href="{name}">{name}</a>' for name in inside).encode()
        return self.server.files.get(path)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(files: dict[str, bytes]) -> Generator[FileServer]:
    """Serve `files` while the context is open."""
    server = FileServer(files)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
