"""`stan probe` tells what each file is, goes on after a bad one, and draws what the model sees."""

import json

import numpy as np
from PIL import Image

from stan.data.video import decoding
from stan.data.video.facts import VideoFacts
from stan.data.video.summary import summary
from tests.support import films
from tests.support.films import Film


def test_one_list_of_all_files_whatever_one_of_them_is(stan, tmp_path):
    film = Film(aspect=films.Fraction(4, 3), patch=films.with_matrix("a quarter turn")).write(tmp_path)
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    code, out, err = stan("probe", film, tmp_path / "bad.mp4", tmp_path / "none.mp4", "--json")
    first, bad, none = json.loads(out)
    assert code == 1 and err == ""
    assert VideoFacts.of({k: v for k, v in first.items() if k != "file"}) == decoding.probe(film).facts
    assert (first["stored"], first["displayed"], first["rotation"]) == ([176, 144], [144, 235], 90)
    assert bad["file"].endswith("bad.mp4") and "no video file" in bad["error"]["reason"]
    assert none["error"]["reason"] == "there is no such file" and none["error"]["remedy"]
    assert stan("probe", film, "--json")[0] == 0


def test_the_text_names_what_people_ask_for(stan, tmp_path):
    film = Film(name="film.ts", muxer={"output_ts_offset": "10"}, tagged=False).write(tmp_path)
    code, out, _ = stan("probe", film)
    assert code == 0
    told = dict(line.strip().split(maxsplit=1) for line in out.splitlines()[1:] if "stream 0" not in line)
    assert "matrix bt601 (assumed)" in told["colours"] and "limited (assumed)" in told["colours"]
    assert told["size"] == "176x144 as stored; 176x144 as shown"
    assert told["rate"] == "24 frames, 25.000 a second on average, constant"
    assert told["read"].startswith("by") and decoding.probe(film).facts.decoder in told["read"]


def test_every_correction_is_in_the_summary(tmp_path):
    film = Film(
        codec="libx265",
        options={"x265-params": "log-level=none:keyint=12:open-gop=0"},
        pixels="yuv420p10le",
        matrix="bt2020nc",
        transfer=16,
        aspect=films.Fraction(2, 1),
        patch=films.with_matrix("transposed"),
    )
    facts = decoding.probe(film.write(tmp_path)).facts
    told = summary(facts)
    assert told["HDR"].startswith("PQ") and "10 bit" in told["codec"]
    assert told["size"] == "176x144 as stored, pixels of 2:1; 144x352 as shown"
    assert "mirrored" in told["turned"] and "degrees" in told["turned"]
    assert all(correction in told["corrected"] for correction in facts.corrections)


def test_the_contact_sheet_shows_the_models_frames_of_every_file(stan, tmp_path):
    for name, colour in {"red": (255, 0, 0), "blue": (0, 0, 255)}.items():
        Film(name=f"{name} $x$.mp4", corners=[colour] * 4).write(tmp_path)
    clips = sorted(tmp_path.glob("*.mp4"))
    code, _, err = stan("probe", *clips, tmp_path / "none.mp4", "--frames", tmp_path / "seen.png")
    assert code == 1, err
    picture = np.asarray(Image.open(tmp_path / "seen.png").convert("RGB")).astype(int)
    upper, lower = np.array_split(picture, 2)
    blue, red = (part[..., 2] - part[..., 0] > 150 for part in (upper, lower))
    assert blue.mean() > 0.1 and red.mean() == 0
    assert (lower[..., 0] - lower[..., 2] > 150).mean() > 0.1


def test_only_bad_files_leave_no_contact_sheet(stan, tmp_path):
    assert stan("probe", tmp_path / "none.mp4", "--frames", tmp_path / "seen.png")[0] == 1
    assert not (tmp_path / "seen.png").exists()
