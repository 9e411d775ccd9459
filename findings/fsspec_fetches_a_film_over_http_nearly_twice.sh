#!/usr/bin/env bash
# Films on a web server are read without a copy on disk: fsspec opens the address as a file, and PyAV decodes that file. A film
# of 1,500 frames and some 40 MB is decoded from its first to its last frame; the server counts what it is asked for.
# Guess, written before the run: about the film's size is fetched, as it is read once and from front to back.
#
# Seen (fsspec 2026.9.0, aiohttp 3.14.5, av 18.1.0): 1.8 times that. fsspec's cache for HTTP, "bytes", fetches 5 MB ahead.
# Where a read crosses the end of what is held, it adds the next 5 MB and then drops both blocks, with what hasn't been read
# yet, so that this is fetched once more. Any reads that don't end where a block does meet it; frames are right, and nobody
# notices but the bill. cache_type="readahead", which fsspec has for most other file systems, and "blockcache" fetch each byte
# once.
#   bytes (default): 1.8 times the film
#   readahead:       1.0 times the film
#   blockcache:      1.0 times the film
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q fsspec==2026.9.0 aiohttp==3.14.5 av==18.1.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
import fsspec
import numpy as np

FRAMES = 1500
asked = []


def write(path):
    """Write a film of noise, with the index at the front."""
    pictures = np.random.default_rng(0).integers(0, 256, (10, 45, 80, 3), np.uint8).repeat(8, 1).repeat(8, 2)
    with av.open(path, "w", options={"movflags": "faststart"}) as film:
        stream = film.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate, stream.gop_size = 640, 360, "yuv420p", 6_000_000, 25
        for i in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(np.roll(pictures[i % 10], i, 1), format="rgb24")
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))


class Films(BaseHTTPRequestHandler):
    """Answers for one film, whole or by ranges of bytes."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body):
        start, end = 0, SIZE
        ranged = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if ranged:
            start, end = int(ranged[1]), min(int(ranged[2] or SIZE - 1) + 1, SIZE)
        self.send_response(206 if ranged else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - start))
        if ranged:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{SIZE}")
        self.end_headers()
        if body:
            asked.append(end - start)
            with open("film.mp4", "rb") as film:
                film.seek(start)
                self.wfile.write(film.read(end - start))

    def do_HEAD(self):
        self.answer(False)

    def do_GET(self):
        self.answer(True)


write("film.mp4")
SIZE = os.path.getsize("film.mp4")
assert SIZE > 30e6
server = ThreadingHTTPServer(("127.0.0.1", 0), Films)
threading.Thread(target=server.serve_forever, daemon=True).start()
fetched = {}
for kind, settings in (
    ("bytes (default)", {}),
    ("readahead", {"cache_type": "readahead"}),
    ("blockcache", {"cache_type": "blockcache"}),
):
    asked.clear()
    with fsspec.open(f"http://127.0.0.1:{server.server_port}/film.mp4", "rb", **settings) as file:
        with av.open(file) as film:
            assert sum(1 for _ in film.decode(video=0)) == FRAMES
    fetched[kind] = sum(asked) / SIZE
    print(f"{kind + ':':16} {fetched[kind]:.1f} times the film")
assert fetched["bytes (default)"] > 1.5
assert max(fetched["readahead"], fetched["blockcache"]) < 1.1
PYTHON
