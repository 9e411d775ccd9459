#!/usr/bin/env bash
# Long films are embedded in windows of equal length. DataChain makes them as rows of a table: `VideoFile.get_fragments` tells
# start and end of each, and FFmpeg cuts them when they are saved.
# Guess, written before the run: a film of ten times the window's length gives ten, or an eleventh only if something is left.
#
# Seen (datachain 0.46.2): the starts are added up in floating point, so by some lengths the tenth window ends just before the
# film does, and an eleventh follows.
#   windows of 2.5 s, film of 25 s: 10
#   windows of 2.1 s, film of 21 s: 10
#   windows of 1.2 s, film of 12 s: 11, the last from 11.999999999999998 to 12.0 s
#   windows of 0.4 s, film of 4 s:  11, the last from 3.9999999999999996 to 4.0 s
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q datachain==0.46.2
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from datachain.lib.file import VideoFile

SEEN = {2.5: 10, 2.1: 10, 1.2: 11, 0.4: 11}

for window, count in SEEN.items():
    found = list(VideoFile(source="file:///films", path="film.mp4").get_fragments(window, end=round(10 * window, 6)))
    last = found[-1]
    print(f"windows of {window} s: {len(found)}, the last from {last.start} to {last.end} s")
    assert len(found) == count
    assert (last.end - last.start < 1e-9) == (count == 11)
PYTHON
