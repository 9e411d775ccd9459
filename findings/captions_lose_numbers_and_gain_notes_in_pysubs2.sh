#!/usr/bin/env bash
# Captions of web videos are WebVTT: texts to train on, and to search in for moments. A cue may have a name, on the line before
# its times (recorders of meetings write one for each), and a NOTE is a comment, between cues. Here the same five captions, two
# of which end with a number, are written without names and with two kinds of names; four readers read them.
# Guess of one who hasn't read pysubs2's parser, written before the run of all four: each gives five texts, and in them just
# the words that are shown, however the cues are named.
#
# Seen (pysubs2 1.8.1, webvtt-py 0.6.0, pycaption 2.3.14, PyAV 18.1.0 with FFmpeg 8): pysubs2 doesn't. It takes all that stands
# between two lines of times for the first one's text, and a number at the end of that for the next cue's name. So a name that
# isn't a number, and a comment, become words of the caption before; and where cues have no names, a caption's last line is
# gone if it is a number, as it is at the end of every file, of SRT, too. Times are right, and nothing is said. It also leaves
# "&amp;" as it is, as webvtt-py does; pycaption and FFmpeg make "&" of it, as browsers do.
#   without names:     pysubs2 'on Route', '3', 'look|NOTE the dog|is not seen yet', 'a dog &amp; a cat', 'who won in'
#   with numbers:      pysubs2 'on Route|66', '3', 'look|NOTE the dog|is not seen yet', 'a dog &amp; a cat', 'who won in'
#   with other names:  pysubs2 'on Route|66|9e1c/1', '3|9e1c/2', 'look|NOTE the dog|is not seen yet|9e1c/3',
#                      'a dog &amp; a cat|9e1c/4', 'who won in'
#   SRT, with numbers: pysubs2 'on Route|66', '3', 'look', 'a dog & a cat', 'who won in'
#   each of the three WebVTT files:
#                      webvtt-py 'on Route|66', '3', 'look', 'a dog &amp; a cat', 'who won in|1984'
#                      pycaption, FFmpeg 'on Route|66', '3', 'look', 'a dog & a cat', 'who won in|1984'
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pysubs2==1.8.1 webvtt-py==0.6.0 pycaption==2.3.14 av==18.1.0
"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import av
import pycaption
import pysubs2
import webvtt

SHOWN = ["on Route\n66", "3", "look", "a dog & a cat", "who won in\n1984"]
NOTE = "NOTE the dog\nis not seen yet\n\n"
NAMES = {
    "without names": [""] * 5,
    "with numbers": [f"{number}\n" for number in range(5)],
    "with other names": [f"9e1c/{number}\n" for number in range(5)],
}


def cues(names, comma, escaped):
    """Return each caption as a block: its name, times and text."""
    texts = [text.replace("&", "&amp;") if escaped else text for text in SHOWN]
    times = [f"00:00:0{second}{comma}000 --> 00:00:0{second + 1}{comma}000" for second in range(5)]
    return [f"{name}{time}\n{text}\n\n" for name, time, text in zip(names, times, texts)]


def by_pycaption(reader, text):
    (language,) = (captions := reader.read(text)).get_languages()
    return [caption.get_text() for caption in captions.get_captions(language)]


def by_ffmpeg(file):
    with av.open(str(file)) as container:
        shown = [packet.decode() for packet in container.demux(subtitles=0) if packet.size]
    return [rectangle.dialogue.decode() for rectangles in shown for rectangle in rectangles]


def read(file, text):
    is_srt = file.suffix == ".srt"
    file.write_text(text)
    return {
        "pysubs2": [event.plaintext for event in pysubs2.load(str(file))],
        "webvtt-py": [caption.text for caption in (webvtt.from_srt if is_srt else webvtt.read)(str(file))],
        "pycaption": by_pycaption(pycaption.SRTReader() if is_srt else pycaption.WebVTTReader(), text),
        "FFmpeg": by_ffmpeg(file),
    }


def show(kind, texts):
    for reader, found in texts.items():
        lines = ", ".join(repr("|".join(filter(None, text.splitlines()))) for text in found)
        print(f"{kind + ':':18} {reader} {lines}")


folder = Path(sys.argv[1])
kept = [text.replace("&", "&amp;") for text in SHOWN]
comment = "\n\n" + NOTE.strip()
for kind, names in NAMES.items():
    blocks = cues(names, ".", escaped=True)
    texts = read(folder / "film.vtt", "WEBVTT\n\n" + "".join([*blocks[:3], NOTE, *blocks[3:]]))
    show(kind, texts)
    assert texts["pycaption"] == texts["FFmpeg"] == SHOWN and texts["webvtt-py"] == kept
    noted = [kept[0], kept[1], kept[2] + comment, kept[3], "who won in"]
    if kind == "without names":
        noted[0] = "on Route"
    elif kind == "with other names":
        noted = [f"{text}\n\n9e1c/{number + 1}" for number, text in enumerate(noted[:4])] + noted[4:]
    assert texts["pysubs2"] == noted, texts["pysubs2"]

texts = read(folder / "film.srt", "".join(cues([f"{number + 1}\n" for number in range(5)], ",", escaped=False)))
show("SRT, with numbers", texts)
assert texts.pop("pysubs2") == SHOWN[:4] + ["who won in"]
assert all(found == SHOWN for found in texts.values())
PYTHON
