"""Odd ids, captions and names in annotation files mean what they say, or are refused; no clip gets another's."""

from __future__ import annotations

import json
import unicodedata

import pytest

from stan.data.datasets import annotations, base, kinetics, load, named
from stan.data.datasets.files import VideoFolder, document, rows
from tests.support.data_folders import msrvtt_folder, put

HEADER = "key,vid_key,video_id,sentence\n"


def captions_of(root) -> dict[str, tuple[str, ...]]:
    return {clip.id: clip.captions for clip in load(f"msrvtt:{root}", "test").clips}


def test_an_id_with_a_dot_is_no_name_with_an_extension(tmp_path):
    folder = VideoFolder(put(tmp_path, {}, ["videos/1.mp4", "videos/2.5.mp4"]))
    assert folder.find("1.5") is None, "video 1 is not video 1.5"
    assert folder.find("1.264") is None, "nor is it video 1.264"
    assert folder.find("2.5").name == "2.5.mp4"
    assert folder.find("1.avi").name == folder.find("1.MOV").name == "1.mp4"


def test_a_path_whose_folder_has_a_dot_keeps_its_id(tmp_path):
    put(tmp_path, {"list.txt": "set.v2/clip 0\nset.v2/other.mp4 1\n"})
    assert [entry.id for entry in kinetics.labelled(tmp_path / "list.txt", 2)] == [
        "set.v2/clip",
        "set.v2/other",
    ]


def test_composed_and_decomposed_letters_are_the_same_name(tmp_path):
    """macOS writes é in a file's name as e and an accent; annotation files hold it as one letter, or as two."""
    one, two = unicodedata.normalize("NFC", "café.mp4"), unicodedata.normalize("NFD", "café.mp4")
    assert one != two
    for stored in (one, two):
        folder = VideoFolder(put(tmp_path / str(len(stored)), {}, [f"videos/{stored}"]))
        assert folder.find(one).name == folder.find(two).name == stored and folder.find(two).exists()


def test_two_entries_cannot_mean_one_file(tmp_path):
    """The clip of the second class is missing; the first one's, of the same name, must not stand for it."""
    files = {
        "kinetics400_val_list_videos.txt": "wave/x.mp4 1\nclap/x.mp4 0\n",
        "label_map_k400.txt": "clap\nwave\n",
    }
    root = put(tmp_path, files, ["videos/clap/x.mp4"])
    with pytest.raises(ValueError, match=r"clap/x and wave/x both mean .*clap/x.mp4"):
        load(f"kinetics:{root}", "test")
    put(root, {}, ["videos/wave/x.mp4"])
    found = load(f"kinetics:{root}", "test")
    assert [(clip.label, clip.path.parent.name) for clip in found.clips] == [(1, "wave"), (0, "clap")]


@pytest.mark.parametrize("content", ["[" * 100_000, "[" + "1" * 5000 + "]"], ids=["deep", "many digits"])
def test_documents_beyond_json_name_their_file(tmp_path, content):
    (tmp_path / "list.json").write_text(content)
    with pytest.raises(ValueError, match=r"list\.json: is no JSON"):
        document(tmp_path / "list.json")


@pytest.mark.parametrize("facts", [{"twin": []}, {"seen": 1}, {"kind": {}}])
def test_facts_of_another_kind_are_refused(tmp_path, facts):
    root = msrvtt_folder(tmp_path)
    put(root, {"clips.jsonl": json.dumps({"id": "video0"} | facts) + "\n"})
    with pytest.raises(ValueError, match=r"clips\.jsonl:1: no JSON object with an id"):
        load(f"msrvtt:{root}", "test")


def test_templates_of_something_something_are_a_list(tmp_path):
    root = put(tmp_path, {"test.json": {"a": 1}, "labels.json": {"Doing x": "0"}, "validation.json": []})
    with pytest.raises(ValueError, match=r"test\.json: a list is expected, not dict"):
        load(f"something:{root}", "test")


def test_captions_are_whole(tmp_path):
    text = (
        HEADER
        + 'r,m,video901,"a dog, running, ""fast"""\nr,m,video902," a cat\nasleep "\nr,m,video901,狗在跑\n'
    )
    root = msrvtt_folder(tmp_path, **{"MSRVTT_JSFUSION_test.csv": text})
    assert captions_of(root) == {
        "video901": ('a dog, running, "fast"', "狗在跑"),
        "video902": (" a cat\nasleep ",),
    }


def test_a_caption_cut_by_a_comma_is_refused(tmp_path):
    root = msrvtt_folder(tmp_path, **{"MSRVTT_JSFUSION_test.csv": HEADER + "r,m,video901,a dog, running\n"})
    with pytest.raises(ValueError, match=r"test.csv:2: 5 values where the header has 4; quote"):
        load(f"msrvtt:{root}", "test")


@pytest.mark.parametrize("blank", ["", "  ", "\t", "\N{NO-BREAK SPACE}"])
def test_blank_captions_do_not_count(tmp_path, blank):
    root = msrvtt_folder(tmp_path)
    data = document(root / "MSRVTT_data.json")
    data["sentences"] += [{"video_id": f"video{i}", "caption": blank} for i in range(60)]
    put(root, {"MSRVTT_data.json": data})
    assert all(len(clip.captions) == 2 for clip in load(f"msrvtt:{root}", "train").clips)
    data["sentences"] = [{"video_id": f"video{i}", "caption": blank} for i in range(60)]
    put(root, {"MSRVTT_data.json": data})
    with pytest.raises(ValueError, match=r"no caption that says anything for \d+ videos, such as video"):
        annotations(named("msrvtt")[0], root, "train")


@pytest.mark.parametrize("odd", [7, None, ["a", "b"], {"en": "a"}])
def test_what_is_no_text_is_no_caption(tmp_path, odd):
    root = msrvtt_folder(tmp_path)
    data = document(root / "MSRVTT_data.json")
    data["sentences"][3]["caption"] = odd
    put(root, {"MSRVTT_data.json": data})
    with pytest.raises(ValueError, match=r"MSRVTT_data.json: item 3 is unusable .*is no text"):
        load(f"msrvtt:{root}", "train")


def test_an_id_that_is_a_number_is_its_digits(tmp_path):
    items = [{"video": 7, "description": "a dog"}, {"video": "8.mp4", "description": "a cat"}]
    root = put(tmp_path, {"test_data.json": items}, ["videos/7.mp4", "videos/8.mp4"])
    assert [(clip.id, clip.path.name) for clip in load(f"didemo:{root}", "test").clips] == [
        ("7", "7.mp4"),
        ("8", "8.mp4"),
    ]
    put(root, {"test_data.json": [{"video": None, "description": "a dog"}]})
    with pytest.raises(ValueError, match="test_data.json: item 0 is unusable .*is no name"):
        load(f"didemo:{root}", "test")


def test_a_name_that_ends_in_a_dot_is_that_of_the_video(tmp_path):
    """As DiDeMo's files hold it: `x.` and `x.mov` are one video, found with whatever ending it has, or none."""
    items = [
        {"video": video, "description": f"told of {video}"} for video in ("1@N_a.", "2@N_b.mov", "2@N_b.")
    ]
    root = put(tmp_path, {"test_data.json": items}, ["videos/1@N_a.mp4", "videos/2@N_b."])
    assert [(clip.id, clip.captions, clip.path.name) for clip in load(f"didemo:{root}", "test").clips] == [
        ("1@N_a", ("told of 1@N_a.",), "1@N_a.mp4"),
        ("2@N_b", ("told of 2@N_b.mov told of 2@N_b.",), "2@N_b."),
    ]


@pytest.mark.parametrize("read", [lambda file: rows(file, ("a",)), document])
def test_text_of_another_encoding_is_named(tmp_path, read):
    (tmp_path / "told").write_bytes('a\n"caf\xe9"\n'.encode("latin-1"))
    with pytest.raises(ValueError, match=r"told: is no UTF-8 text \(.* at byte 6\)"):
        read(tmp_path / "told")


def test_a_table_that_is_no_table_is_named(tmp_path):
    (tmp_path / "told.csv").write_text("a,b\n" + "x" * 200_000 + ",y\n")
    with pytest.raises(ValueError, match=r"told.csv:2: is no CSV \(field larger"):
        rows(tmp_path / "told.csv", ("a", "b"))


def test_a_row_is_named_by_the_line_on_which_it_begins(tmp_path):
    (tmp_path / "told.csv").write_text('a,b\n1,"one\nline\nand more"\n\n2,"two\nlines"\n3,x\n')
    assert rows(tmp_path / "told.csv", ("a", "b")) == [
        (2, {"a": "1", "b": "one\nline\nand more"}),
        (6, {"a": "2", "b": "two\nlines"}),
        (8, {"a": "3", "b": "x"}),
    ]


def test_a_name_that_stands_twice_in_an_object_is_refused(tmp_path):
    (tmp_path / "val_1.json").write_text(
        '{"v_a": {"sentences": ["one"]}, "v_b": {"sentences": ["x"]}, "v_a": {"sentences": ["two"]}}'
    )
    with pytest.raises(ValueError, match=r"val_1.json: 'v_a' stands twice"):
        load(f"activitynet:{tmp_path}", "test")


def test_classes_that_cannot_be_told_apart_are_refused(tmp_path):
    files = {
        "kinetics400_val_list_videos.txt": "x.mp4 1\n",
        "label_map_k400.txt": "clap\nwave\nclap\n",
    }
    root = put(tmp_path, files, ["videos/x.mp4"])
    with pytest.raises(ValueError, match="label_map_k400.txt: class 'clap' stands twice"):
        load(f"kinetics:{root}", "test")


def sidecar(*twins: tuple[str, str | None]) -> str:
    return "\n".join(json.dumps({"id": id, "twin": twin}) for id, twin in twins)


@pytest.mark.parametrize(
    "twins",
    [
        [("video901", "video901"), ("video902", None)],
        [("video901", "video902"), ("video902", None)],
    ],
)
def test_twins_are_each_others(tmp_path, twins):
    """Else an epoch would hold a clip twice, or never."""
    root = msrvtt_folder(tmp_path, **{base.SIDECAR: sidecar(*twins)})
    with pytest.raises(ValueError, match="video901's twin is video90., whose twin is"):
        load(f"msrvtt:{root}", "test")


def test_a_twin_that_is_missing_is_no_fault(tmp_path):
    root = msrvtt_folder(tmp_path, **{base.SIDECAR: sidecar(("video901", "video7"), ("video902", None))})
    assert load(f"msrvtt:{root}", "test").clips[0].twin == "video7"
