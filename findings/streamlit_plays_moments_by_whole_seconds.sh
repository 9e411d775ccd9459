#!/usr/bin/env bash
# A page that lists moments found in films shows each by `st.video(film, start_time=…, end_time=…)`, which takes seconds as
# floats. A moment search, or a cut list of scenes, gives times such as 7.92 to 12.44.
# Guess, written before the run: the page plays from 7.92 to 12.44.
#
# Seen (streamlit 1.67.0): times are cut to whole seconds before they are sent, also when they are given as texts or as
# timedelta. A moment is played from up to a second before it begins, and ends up to a second before its end; one that
# begins and ends within the same second, as a shot often does, is refused as an invalid combination.
#   7.92 to 12.44: sent 7 to 12
#   timedelta of 7.92 s to one of 12.44 s: sent 7 to 12
#   7.20 to 7.92: Invalid start_time and end_time combination.
#   7.92 to 8.04: sent 7 to 8
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q streamlit==1.67.0
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
from streamlit.testing.v1 import AppTest

PAGE = """
import streamlit
from datetime import timedelta
streamlit.video("https://example.org/film.mp4", start_time={start}, end_time={end})
"""


def sent(start, end):
    """Return what the page's element holds, or why there is none."""
    test = AppTest.from_string(PAGE.format(start=start, end=end)).run()
    if test.exception:
        return test.exception[0].message
    video = next(element.proto for element in test.main if element.type == "video")
    return f"sent {video.start_time} to {video.end_time}"


seen = {
    "7.92 to 12.44": sent(7.92, 12.44),
    "timedelta of 7.92 s to one of 12.44 s": sent("timedelta(seconds=7.92)", "timedelta(seconds=12.44)"),
    "7.20 to 7.92": sent(7.20, 7.92),
    "7.92 to 8.04": sent(7.92, 8.04),
}
for given, found in seen.items():
    print(f"{given}: {found}")
refused = "Invalid start_time and end_time combination."
assert [*seen.values()] == ["sent 7 to 12", "sent 7 to 12", refused, "sent 7 to 8"]
PYTHON
