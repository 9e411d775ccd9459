#!/usr/bin/env bash
# A search for moments answers in seconds, and an editor wants timecodes: OpenTimelineIO and timecode turn one into the other.
# Here the exact time of every frame of ten minutes, n / rate, the float nearest to it, is to become the timecode of frame n.
# Guess, written before the run: it does, as the float is within 1e-13 s of the frame.
#
# Seen (opentimelineio 0.18.1, timecode 1.5.1): OpenTimelineIO multiplies by the rate and cuts the rest off: at 25 frames per
# second 6 % of frames get the timecode of the frame before, at 29.97 it is 12 %. timecode cuts off, too, and takes the second
# at which a frame begins for that at which it ends: every frame gets the one before, or the one before that. At 29.97 it
# counts 30 frames to the second, so after ten minutes it is half a second late. Below: frames too late, and how many are.
#   24 fps: OpenTimelineIO {0: 14399}, timecode {-1: 14399}
#   25 fps: OpenTimelineIO {-1: 925, 0: 14074}, timecode {-2: 925, -1: 14074}
#   30 fps: OpenTimelineIO {-1: 404, 0: 17595}, timecode {-2: 404, -1: 17595}
#   29.97 fps: OpenTimelineIO {-1: 2075, 0: 15906}, timecode -1 to 16
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q opentimelineio==0.18.1 timecode==1.5.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from collections import Counter
from fractions import Fraction

from opentimelineio.opentime import RationalTime
from timecode import Timecode

RATES = {"24": Fraction(24), "25": Fraction(25), "30": Fraction(30), "29.97": Fraction(30000, 1001)}


def late(name, frames, frame_of):
    """Return by how many frames frames are too late, and how many are."""
    rate = RATES[name]
    return dict(sorted(Counter(frame_of(float(frame / rate), name) - frame for frame in frames).items()))


def by_otio(seconds, name):
    return RationalTime.from_seconds(seconds, float(RATES[name])).to_frames()


def by_timecode(seconds, name):
    return Timecode(name, start_seconds=seconds).frames - 1  # it counts from one


def told(counts):
    return str(counts) if len(counts) < 3 else f"{min(counts)} to {max(counts)}"


seen = []
for name, rate in RATES.items():
    frames = range(1, int(600 * rate))
    otio, timecode = late(name, frames, by_otio), late(name, frames, by_timecode)
    seen.append(f"{name} fps: OpenTimelineIO {told(otio)}, timecode {told(timecode)}")
    print(seen[-1])
assert seen == [
    "24 fps: OpenTimelineIO {0: 14399}, timecode {-1: 14399}",
    "25 fps: OpenTimelineIO {-1: 925, 0: 14074}, timecode {-2: 925, -1: 14074}",
    "30 fps: OpenTimelineIO {-1: 404, 0: 17595}, timecode {-2: 404, -1: 17595}",
    "29.97 fps: OpenTimelineIO {-1: 2075, 0: 15906}, timecode -1 to 16",
]
PYTHON
