"""A prepared folder says what the original says, holds what it lacked, and never changes the original."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stan import cli
from stan.data.datasets import SETS, SPLITS, load
from stan.data.datasets import prepare as preparing
from stan.data.datasets.check import check, digest
from stan.data.datasets.prepare import prepare
from stan.data.video import decoding
from stan.data.video import transcode as transcoding
from stan.data.video.transcode import ENCODING, transcode, write_h264
from tests.support import painted_clips
from tests.support.data_folders import activitynet_folder, hmdb51_folder, msrvtt_folder, put
from tests.support.played import shown


def originals(root: Path) -> dict[str, tuple[str, int]]:
    return {str(p): (digest(p), p.stat().st_mtime_ns) for p in sorted(root.rglob("*")) if p.is_file()}


def small_didemo(root: Path) -> Path:
    """Three wide clips, one of them turned and in another container, one small."""
    items = {
        name: [{"video": f"{name}.avi", "description": d, "times": []} for d in ("a", "b")] for name in SPLITS
    }
    put(root, {f"{split}_data.json": items[split] for split in SPLITS})
    (root / "videos/deep").mkdir(parents=True)
    painted_clips.write(root / "videos/train.mkv", 10, (192, 160))
    painted_clips.write(root / "videos/deep/val.mov", 10, (192, 160), rotation=90)
    painted_clips.write(root / "videos/test.mp4", 10, (96, 80))
    return root


@pytest.mark.parametrize("make", [activitynet_folder, msrvtt_folder, hmdb51_folder])
def test_it_reads_as_the_original_does(make, tmp_path):
    name = make.__name__.removesuffix("_folder")
    root, out = make(tmp_path / "set"), tmp_path / "out"
    before = originals(root)
    report = prepare(name, root, out)
    assert originals(root) == before and report["warning"] is None and report["skipped"] == []
    for split in SPLITS:
        assert load(f"{name}:{out}", split).hash == load(f"{name}:{root}", split).hash
    manifest = json.loads((out / "manifest.json").read_text())
    assert len(manifest["videos"]) == report["made"] == sum(report["splits"].values())
    assert all(digest(out / "videos" / video) == told["sha256"] for video, told in manifest["videos"].items())
    assert manifest["made_from"] and set(manifest["made_from"]) <= {Path(file).name for file in before}
    with pytest.raises(ValueError, match=f"was prepared as {name}, not as didemo"):
        load(f"didemo:{out}", "test")


def test_a_missing_video_stays_to_be_counted(tmp_path):
    root, out = msrvtt_folder(tmp_path / "set"), tmp_path / "out"
    (root / "videos/video902.mp4").unlink()
    assert prepare("msrvtt", root, out)["missing"] == 1
    with pytest.warns(UserWarning, match="1 of 2 videos are missing: video902"):
        assert load(f"msrvtt:{out}", "test").missing == ("video902",)


def test_transcoding_shrinks_copies_and_goes_on(tmp_path, monkeypatch):
    root, out = small_didemo(tmp_path / "set"), tmp_path / "out"
    before = originals(root)
    report = prepare("didemo", root, out, size=100)
    assert report["made"] == 3 and "costs accuracy" in report["warning"] and originals(root) == before
    shapes = {p.name: decoding.frames(p, [0]).shape[1:3] for p in (out / "videos").rglob("*.mp4")}
    assert shapes == {"train.mp4": (100, 120), "val.mp4": (120, 100), "test.mp4": (80, 96)}
    assert digest(out / "videos/test.mp4") == digest(root / "videos/test.mp4")  # small already
    made = originals(out / "videos")
    (out / "videos/deep/val.mp4").unlink()
    again = prepare("didemo", root, out, size=100)
    assert (again["made"], again["kept"]) == (1, 2)
    assert {name: hashes for name, (hashes, _) in originals(out / "videos").items()} == {
        name: hashes for name, (hashes, _) in made.items()
    }
    with pytest.raises(ValueError, match="was prepared from other settings"):
        prepare("didemo", root, out, size=80)


def test_an_interrupted_file_is_made_anew(tmp_path, monkeypatch):
    root, out = small_didemo(tmp_path / "set"), tmp_path / "out"
    real = transcoding.chunks

    def interrupted(*given):
        yield next(real(*given))
        raise KeyboardInterrupt

    monkeypatch.setattr(transcoding, "chunks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare("didemo", root, out, size=100)
    assert not list((out / "videos").rglob("*train*")) and not (out / "manifest.json").exists()
    monkeypatch.undo()
    assert prepare("didemo", root, out, size=100)["skipped"] == []
    assert len(decoding.decode(out / "videos/train.mp4", np.arange(10)).times) == 10


def test_a_broken_video_is_skipped_with_its_reason(tmp_path):
    root, out = small_didemo(tmp_path / "set"), tmp_path / "out"
    (root / "videos/train.mkv").write_bytes(b"nothing")
    [skipped] = prepare("didemo", root, out, size=100)["skipped"]
    assert skipped["file"].endswith("train.mkv") and "no video file" in skipped["reason"]
    assert set(json.loads((out / "manifest.json").read_text())["videos"]) == {"deep/val.mp4", "test.mp4"}


def test_transcoded_frames_are_the_same_at_the_same_times(tmp_path):
    stamps = [0, 40, 100, 300, 340, 1000, 1040, 1500]
    source = painted_clips.write(tmp_path / "a.mkv", len(stamps), (192, 160), stamps=stamps, rotation=0)
    transcode(source, tmp_path / "b.mp4", 80)
    before, after = (decoding.decode(tmp_path / name, np.arange(len(stamps))) for name in ("a.mkv", "b.mp4"))
    assert [painted_clips.read(picture) for picture in after.frames] == list(range(len(stamps)))
    assert np.allclose(before.times, after.times, atol=2e-3) and after.frames.shape[1:3] == (80, 96)
    assert list(tmp_path.glob(".*")) == []


def test_a_transcoded_file_says_what_its_colours_are(tmp_path):
    colours = [(250, 10, 20), (10, 250, 20), (30, 20, 250), (255, 255, 255), (0, 0, 0), (128, 128, 128)]
    pictures = [np.full((64, 96, 3), colour, np.uint8) for colour in colours]
    starts = [2.0, 2.5, 3.0, 9.0, 9.04, 10.0]
    write_h264(tmp_path / "a.mp4", zip(pictures, starts, strict=True), 10.0, ENCODING)
    played = shown(tmp_path / "a.mp4")  # asserts the tags
    assert np.abs(np.array(played.pictures).astype(int) - pictures).max() <= 3
    assert played.times == pytest.approx([0, *starts[1:]], abs=1e-4) and played.end == pytest.approx(12)


def test_odd_sides_become_even(tmp_path):
    source = painted_clips.write(tmp_path / "a.mp4", 3, (97, 81))
    transcode(source, tmp_path / "b.mp4", 100)
    assert decoding.frames(tmp_path / "b.mp4", [0]).shape[1:3] == (80, 96)


def test_changed_files_are_found_by_the_manifest(tmp_path, monkeypatch):
    monkeypatch.setitem(SETS, "didemo", replace(SETS["didemo"], sizes={}))
    root, out = small_didemo(tmp_path / "set"), tmp_path / "out"
    prepare("didemo", root, out, size=100)
    assert check("didemo", out, "all")["whole"]
    copy = out / "videos/test.mp4"
    content = bytearray(copy.read_bytes())
    content[-1] ^= 1
    copy.write_bytes(content)  # as long as before: only its hash tells
    assert check("didemo", out, "none")["whole"]
    [changed] = [
        one for one in check("didemo", out, "all")["findings"] if one["what"] == "changed since prepared"
    ]
    assert changed["examples"] == ("test.mp4",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"held_out": None}, "held_out is None; it must be true or false"),
        ({"classes": None}, "classes is None; it must be a list of texts"),
        ({"videos": None}, "videos is None; it must be an object"),
        ({"videos": {"test.mp4": None}}, "test.mp4 is None; it must be an object"),
        ({"videos": {"test.mp4": {"bytes": "x"}}}, "bytes of test.mp4 is 'x'; it must be a whole number"),
    ],
)
def test_a_manifest_that_is_not_whole_is_refused(tmp_path, change, message):
    out = tmp_path / "out"
    prepare("didemo", small_didemo(tmp_path / "set"), out, size=100)
    file = out / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ValueError, match=rf"manifest\.json: {message}"):
        check("didemo", out, "none")


def test_what_prepare_refuses(tmp_path):
    root = small_didemo(tmp_path / "set")
    with pytest.raises(ValueError, match="whose videos would be found twice"):
        prepare("didemo", root, root / "out")
    with pytest.raises(ValueError, match="holds other files"):
        prepare("didemo", root, put(tmp_path / "full", {"notes.txt": "mine"}))
    with pytest.raises(ValueError, match="64 pixels or more"):
        prepare("didemo", root, tmp_path / "out", size=16)
    with pytest.raises(ValueError, match="no data set 'world/retrieval'"):
        prepare("world/retrieval", root, tmp_path / "out")
    painted_clips.write(root / "videos/train.avi", 4)
    put(root, {"train_data.json": [{"video": "train.mkv", "description": "a"}]})
    put(root, {"val_data.json": [{"video": "train.avi", "description": "b"}]})
    with pytest.raises(ValueError, match="differ in their endings alone"):
        prepare("didemo", root, tmp_path / "out", size=100)
    assert not (tmp_path / "out").exists()
    begun = put(tmp_path / "begun", {"prepare.json": "{"}) / "prepare.json"
    with pytest.raises(ValueError, match=rf"{begun} is no JSON"):
        prepare("didemo", root, tmp_path / "begun")


def test_the_command_line(tmp_path, capsys):
    root = small_didemo(tmp_path / "set")
    code = cli.run(["data", "prepare", "didemo", str(root), "--size", "100", "--json"])
    out, err = capsys.readouterr()
    assert code == 0 and json.loads(out)["out"] == str(tmp_path / "set-100") and preparing.COST in err
    assert cli.run(["data", "prepare", "didemo", str(root)]) == 0
    assert "read it as didemo:" in capsys.readouterr()[0] and (tmp_path / "set-prepared").is_dir()
    assert cli.run(["data", "prepare", "imagenet", str(root)]) == 2
