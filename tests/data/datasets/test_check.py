"""A copy of a set is whole, or the check names what isn't, and what to do about it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stan import cli
from stan.data.datasets import SETS
from stan.data.datasets import check as checking
from stan.data.datasets.check import check
from tests.support.data_folders import msrvtt_folder, msvd_folder, put, ucf101_folder
from tests.support.small_clips import write_clip


@pytest.fixture
def of_two(monkeypatch) -> None:
    """MSR-VTT as if 60 training and 2 test videos were published."""
    monkeypatch.setitem(SETS, "msrvtt", replace(SETS["msrvtt"], sizes={"train": (60,), "test": (2,)}))


def findings(document: dict) -> dict[tuple[str, str], dict]:
    return {(one["what"], one["split"]): one for one in document["findings"]}


def test_a_whole_copy(tmp_path, of_two):
    found = check("msrvtt", msrvtt_folder(tmp_path), "none")
    assert found["whole"] and found["findings"] == [] and found["task"] == "retrieval"
    counts = {split["split"]: (split["videos"], split["captions"]) for split in found["splits"]}
    held = counts["val"][0]
    assert counts == {"train": (60 - held, 2 * (60 - held)), "val": (held, 2 * held), "test": (2, 2)}
    assert [split["held_out"] for split in found["splits"]] == [True, True, False]


def test_missing_files_and_videos_and_what_to_fetch(tmp_path, of_two):
    root = msrvtt_folder(tmp_path)
    (root / "videos/video902.mp4").unlink()
    (root / "MSRVTT_data.json").unlink()
    found = check("msrvtt", root, "none")
    assert not found["whole"] and [split["split"] for split in found["splits"]] == ["test"]
    missing = findings(found)["missing videos", "test"]
    assert missing["count"] == 1 and missing["examples"] == ("video902",) and "videos" in missing["remedy"]
    absent = findings(found)["annotations", "train"]
    assert "no MSRVTT_data.json" in absent["examples"][0] and "fetch it from github.com" in absent["remedy"]
    put(root, {"MSRVTT_data.json": "{"})
    broken = findings(check("msrvtt", root, "none"))["annotations", "val"]
    assert "MSRVTT_data.json:1: is no JSON" in broken["examples"][0] and "mend the file" in broken["remedy"]


def test_another_size_than_published_is_a_fault_unless_copies_shrink(tmp_path, monkeypatch):
    root = msrvtt_folder(tmp_path)
    found = findings(check("msrvtt", root, "none"))
    assert "60 videos with what is held out as val where 9,000 are" in found["size", "train"]["examples"][0]
    assert (
        found["size", "test"]["fault"] and "2 videos where 1,000 are" in found["size", "test"]["examples"][0]
    )
    monkeypatch.setitem(SETS, "msrvtt", replace(SETS["msrvtt"], shrinks=True))
    assert check("msrvtt", root, "none")["whole"]


def test_a_made_world_has_sizes_of_its_own(tmp_path):
    assert check("world/retrieval", msrvtt_folder(tmp_path), "none")["whole"]


def test_videos_in_two_splits_and_listed_twice(tmp_path, of_two):
    rows = "video_id,sentence\nvideo901,a\nvideo3,b\n"
    root = msrvtt_folder(tmp_path, **{"MSRVTT_JSFUSION_test.csv": rows})
    found = findings(check("msrvtt", root, "none"))
    assert found["videos in two splits", "train, test"]["examples"] == ("video3",)
    root = msvd_folder(tmp_path / "msvd")
    put(root, {"train_list.txt": "-4wsuPCjDBc_5_15\n-4wsuPCjDBc_5_15\n"})
    found = findings(check("msvd", root, "none"))
    assert found["listed twice", "train"]["examples"] == ("-4wsuPCjDBc_5_15",)
    assert ("one file for several videos", "train") in found


def test_captions_and_files_that_stand_twice_are_notes(tmp_path, of_two):
    rows = "video_id,sentence\nvideo901,Caption 0 of video3.\nvideo902,caption 0 of  video3\n"
    root = msrvtt_folder(tmp_path, **{"MSRVTT_JSFUSION_test.csv": rows})
    same = [root / "videos" / f"{name}.mp4" for name in ("video901", "video5")]
    for path in same:
        path.write_bytes(b"s" * 100_000)
    (root / "videos/video6.mp4").write_bytes(b"s" * 50_000 + b"t" + b"s" * 49_999)  # same size, ends alike
    found = check("msrvtt", root, "none")
    notes = findings(found)
    assert notes["captions of several videos", "test"]["count"] == 1
    assert notes["captions of both", "train, test"]["examples"] == ("caption 0 of video3",)
    assert set(notes["files with the same content", "train, test"]["examples"]) == {
        "video901.mp4",
        "video5.mp4",
    }
    assert found["whole"] and not any(note["fault"] for note in notes.values())


def test_classes_without_a_video(tmp_path):
    note = findings(check("ucf101", ucf101_folder(tmp_path), "none"))["classes without a video", "train"]
    assert note["examples"] == ("Apply Eye Makeup",) and not note["fault"]


def decodable(root: Path) -> Path:
    msrvtt_folder(root)
    for video in (root / "videos").iterdir():
        video.unlink()
    for name in [*(f"video{i}" for i in range(60)), "video901", "video902"]:
        (root / "videos" / f"{name}.mp4").hardlink_to(_clip(root))
    return root


def _clip(root: Path) -> Path:
    path = root / "clip.mp4"
    return path if path.exists() else write_clip(path, frames=4, size=(64, 64))


def test_broken_videos_are_found_by_decoding(tmp_path, of_two, monkeypatch):
    root = decodable(tmp_path)
    video = root / "videos/video901.mp4"
    video.unlink()
    video.write_bytes(b"no video at all")
    (root / "videos/video902.mp4").unlink()
    (root / "videos/video902.mp4").touch()
    found = check("msrvtt", root, "all")
    broken = findings(found)["broken videos", "test"]
    assert broken["count"] == 2 and any(
        text.startswith("video901.mp4: is no video") for text in broken["examples"]
    )
    assert "data.skip_broken" in broken["remedy"] and not found["whole"]
    assert [split["decoded"] for split in found["splits"]] == [split["videos"] for split in found["splits"]]
    monkeypatch.setattr(checking, "SAMPLE", 3)  # more than validation has
    sampled = check("msrvtt", root, "sample")
    assert [split["decoded"] for split in sampled["splits"]] == [3, 1, 2]
    only_empty = findings(check("msrvtt", root, "none"))["broken videos", "test"]
    assert only_empty["examples"] == ("video902.mp4: is empty",)


def test_the_command_line(tmp_path, of_two, capsys):
    root = msrvtt_folder(tmp_path)

    def stan(*arguments: object) -> tuple[int, str, str]:
        code = cli.run([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    code, out, err = stan("data", "check", "msrvtt", root, "--decode", "none")
    assert (code, err) == (0, "") and out.endswith("whole\n") and out.startswith("split")
    code, out, _ = stan("data", "check", "msrvtt", root, "--decode", "none", "--json")
    assert code == 0 and json.loads(out)["whole"] is True
    (root / "videos/video902.mp4").unlink()
    code, out, _ = stan("data", "check", "msrvtt", root, "--decode", "none")
    assert code == 1 and "FAULT  missing videos, test: 1 (video902)" in out
    for wrong in (("imagenet", root), ("msrvtt", root / "nowhere"), ("msrvtt", root, "--decode", "some")):
        code, out, err = stan("data", "check", *wrong)
        assert code == 2 and out == "" and err.count("\n") == 1
    code, out, _ = stan("data", "list", "--json")
    assert code == 0 and {one["data"] for one in json.loads(out)} == set(SETS)
    assert "MSRVTT_train.7k.csv" in stan("data", "list")[1]
