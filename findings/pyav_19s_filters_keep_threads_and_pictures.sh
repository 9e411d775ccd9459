#!/usr/bin/env bash
# Films are turned, cropped, scaled or deinterlaced by FFmpeg's filters: in PyAV, a Graph per film or size of picture.
# Guess, written before the run: once the last name of a graph is gone, so are its threads and pictures, as in PyAV 18.
#
# Seen (av 18.1.0 and 19.0.2, NumPy 2.4.6): in 19, a graph and its filters hold each other, so that only Python's cycle
# collector ends it, and that counts Python's objects, of which a reader makes few. Forty films read one after another by
# one process leave more than a hundred threads, and the last pictures of each, behind; one gc.collect() ends them all.
# `Graph.threads = 1` keeps the threads away, not the pictures. A process with a limit of memory meets it after some
# hundred films, with BlockingIOError at a thread or picture of a sound film.
#   18.1.0: of 40 graphs 0 are left, with 0 threads; after gc.collect(): 0, 0
#   19.0.2: of 40 graphs 40 are left, with 160 threads; after gc.collect(): 0, 0
# The number of threads is that of a machine with two processors.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# PyAV 19 has no wheels for Python 3.11: any newer one that is here, also pyenv's.
for python in python3 python3.1{4,3,2} "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9]*/bin/python; do
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && break
done
"$python" -m venv "$folder/venv"
cd "$folder"
for version in 18.1.0 19.0.2; do
  venv/bin/pip install -q av==$version numpy==2.4.6
  venv/bin/python - <<'PYTHON'
import gc
import os
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

FILMS = 40
picture = av.VideoFrame.from_ndarray(np.zeros((720, 1280, 3), np.uint8), format="rgb24")


def read_one() -> None:
    graph = Graph()
    source = graph.add_buffer(width=1280, height=720, format=picture.format, time_base=Fraction(1, 25))
    graph.link_nodes(source, graph.add("scale", "640:360"), graph.add("buffersink")).configure()
    graph.push(picture)
    graph.pull()


def left() -> tuple[int, int]:
    return sum(isinstance(x, Graph) for x in gc.get_objects()), len(os.listdir("/proc/self/task"))


gc.disable()  # as between two runs of the collector
start = left()[1]
for _ in range(FILMS):
    read_one()
graphs, threads = left()
gc.collect()
after = left()
print(
    f"{av.__version__}: of {FILMS} graphs {graphs} are left, with {threads - start} threads;"
    f" after gc.collect(): {after[0]}, {after[1] - start}"
)
old = av.__version__.startswith("18.")
assert after == (0, start)
assert (graphs, threads) == (0, start) if old else graphs == FILMS and threads - start >= FILMS
PYTHON
done
