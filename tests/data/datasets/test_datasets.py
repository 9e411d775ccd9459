"""Each reader reads its real format, says which file and line it cannot use, and names the videos that are missing."""

import json
import warnings

import pytest

from stan.data.datasets import base, didemo, files, kinetics, load, something
from tests.support.data_folders import msrvtt_folder, put


def test_msrvtt(tmp_path):
    root = msrvtt_folder(tmp_path)
    train, val, test = (load(f"msrvtt:{root}", split) for split in base.SPLITS)
    assert (test.name, test.task, test.classes, test.missing) == ("msrvtt", "retrieval", (), ())
    assert [clip.captions for clip in test.clips] == [("a dog, running",), ("a cat",)]
    assert test.clips[0].path == root / "videos/video901.mp4" and test.clips[0].seen is None
    assert all(
        clip.captions == (f"caption 0 of {clip.id}", f"caption 1 of {clip.id}") for clip in train.clips
    )
    own, held = ({clip.id for clip in split.clips} for split in (train, val))
    assert held and not own & held and own | held == {f"video{i}" for i in range(60)}
    assert held == {f"video{i}" for i in range(60) if base.held_out(f"video{i}")}


def test_msrvtt_with_a_validation_file_of_its_own(tmp_path):
    extra = {"MSRVTT_val.csv": "key,vid_key,video_id,sentence\nv,v,video901,a\nv,v,video901,b\n"}
    root = msrvtt_folder(tmp_path, **extra)
    assert len(load(f"msrvtt:{root}", "train").clips) == 60
    val = load(f"msrvtt:{root}", "val")
    assert [(clip.id, clip.captions) for clip in val.clips] == [("video901", ("a", "b"))]


def test_didemo_joins_descriptions(tmp_path):
    items = [
        {"video": "1@N_a.avi", "description": "a dog sits. ", "times": [[0, 0]], "annotation_id": 3},
        {"video": "2@N_b.mov", "description": "a cat", "times": [[1, 1]], "annotation_id": 4},
        {"video": "1@N_a.avi", "description": "it runs.", "times": [[2, 2]], "annotation_id": 5},
        {"video": "3@N_c.mov", "description": "unlisted", "times": [], "annotation_id": 6},
    ]
    files = {"test_data.json": items, "test_list.txt": "1@N_a.avi\n2@N_b\n"}
    root = put(tmp_path, files, ["videos/1@N_a.mp4", "videos/deep/2@N_b.mov.mp4", "videos/3@N_c.mov"])
    found = load(f"didemo:{root}", "test")
    assert [(c.id, c.captions) for c in found.clips] == [
        ("1@N_a", ("a dog sits. it runs.",)),
        ("2@N_b", ("a cat",)),
    ]
    assert found.clips[1].path.name == "2@N_b.mov.mp4"
    (root / "test_list.txt").write_text("1@N_a.avi\nnobody.mp4\n")
    with pytest.raises(ValueError, match=r"test_list.txt:2: nobody.mp4 has no description"):
        load(f"didemo:{root}", "test")
    (root / "test_list.txt").unlink()
    assert len(load(f"didemo:{root}", "test").clips) == 3


def test_a_didemo_video_of_two_endings_is_one(tmp_path):
    items = [
        {"video": name, "description": text, "times": []}
        for name, text in (("1@N.mov", "a"), ("2@N.avi", "b"), ("1@N.mp4", "c"))
    ]
    root = put(tmp_path, {"val_data.json": items}, ["1@N.mp4", "2@N.avi"])
    assert [clip.captions for clip in load(f"didemo:{root}", "val").clips] == [("a c",), ("b",)]
    # A list that names one of the two means its own sentences.
    (root / "val_list.txt").write_text("1@N.mov\n")
    assert [clip.captions for clip in load(f"didemo:{root}", "val").clips] == [("a",)]
    (root / "val_list.txt").write_text("1@N\n")
    assert [clip.captions for clip in load(f"didemo:{root}", "val").clips] == [("a c",)]


def test_lsmdc(tmp_path):
    line = "{}\t0.1\t1.2\t0.0\t2.0\tSOMEONE opens a door.\n"
    name = "LSMDC16_challenge_1000_publictect.csv"
    root = put(
        tmp_path,
        {name: line.format("1_A_00.01") + line.format("2_B_00.02")},
        ["F/1_A_00.01.avi", "2_B_00.02.avi"],
    )
    found = load(f"lsmdc:{root}", "test")
    assert [clip.id for clip in found.clips] == ["1_A_00.01", "2_B_00.02"]
    assert found.clips[0].captions == ("SOMEONE opens a door.",)
    (root / name).write_text("x\t1\n")
    with pytest.raises(ValueError, match=f"{name}:1: 2 tab-separated columns where 6"):
        load(f"lsmdc:{root}", "test")


def test_kinetics_as_published_has_no_labelled_test(tmp_path):
    train = "".join(f"abseiling/t{i}.mp4 {i % 3}\n" for i in range(50))
    files = {
        "kinetics400_train_list_videos.txt": train,
        "kinetics_video_val_se320.txt": "v 1.mp4 0\nv2.mp4 399",
    }
    videos = [f"videos/abseiling/t{i}.mp4" for i in range(50)] + ["videos/v 1.mp4", "videos/v2.mkv"]
    root = put(tmp_path, files, videos)
    train, val, test = (load(f"kinetics:{root}", split) for split in base.SPLITS)
    assert [(clip.id, clip.label, clip.captions) for clip in test.clips] == [("v 1", 0, ()), ("v2", 399, ())]
    assert (test.task, len(test.classes)) == ("recognition", 400)
    assert (test.classes[0], test.classes[399]) == ("abseiling", "zumba")
    assert len(train.clips) + len(val.clips) == 50 and len(val.clips) >= 1


def test_kinetics_with_three_lists_and_own_classes(tmp_path):
    lists = {f"kinetics400_{split}_list_videos.txt": f"{split}.mp4 1\n" for split in base.SPLITS}
    root = put(
        tmp_path,
        {**lists, "label_map_k400.txt": "red circle\nblue square\n"},
        [f"{s}.mp4" for s in base.SPLITS],
    )
    for split in base.SPLITS:
        found = load(f"world/scenes:{root}", split)
        assert [clip.id for clip in found.clips] == [split] and found.name == "scenes"
        assert found.classes == ("red circle", "blue square")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a.mp4 0\nb.mp4\n", "lists.txt:2: `path label`"),
        ("a.mp4 2\n", "lists.txt:1: label 2 where there are 2"),
    ],
)
def test_kinetics_names_the_line(tmp_path, text, reason):
    put(tmp_path, {"lists.txt": text})
    with pytest.raises(ValueError, match=reason):
        kinetics.labelled(tmp_path / "lists.txt", 2)


def test_something(tmp_path):
    item = {
        "id": "74225",
        "label": "spinning a cube",
        "template": "Spinning [something]",
        "placeholders": ["a cube"],
    }
    files = {
        "something-something-v2-labels.json": {"Throwing something": "1", "Spinning something": "0"},
        "train.json": [item | {"id": str(i)} for i in range(40)],
        "validation.json": [item, item | {"id": 7, "template": "Throwing [something]"}],
        "test.json": [{"id": "1420"}],
    }
    root = put(tmp_path, files, [f"videos/{i}.webm" for i in [*range(40), 74225]])
    test = load(f"something:{root}", "test")  # the published test items carry no template
    assert test.classes == ("Spinning something", "Throwing something")
    assert [(clip.id, clip.label) for clip in test.clips] == [("74225", 0), ("7", 1)]
    (root / "test.json").write_text(json.dumps([item]))
    counts = [len(load(f"something:{root}", split).clips) for split in base.SPLITS]
    assert counts == [40, 2, 1]
    put(root, {"train.json": [item, item | {"template": "Eating [something]"}]})
    with pytest.raises(ValueError, match=r"train.json: item 1 .*Eating something"):
        load(f"something:{root}", "train")


def test_shipped_class_names():
    assert len(set(kinetics.class_names())) == 400 and all(kinetics.class_names())
    assert len(set(something.class_names())) == 174 and all(something.class_names())
    assert something.class_names()[0] == "Approaching something with your camera"


def test_sidecar_facts_reach_their_clips(tmp_path):
    lines = [
        {"id": "video901", "split": "test", "seen": True, "twin": "video902", "kind": "slide"},
        {"id": "video902", "split": "test", "seen": False, "twin": "video901", "kind": "turn", "events": []},
    ]
    root = msrvtt_folder(tmp_path, **{"clips.jsonl": "\n".join(map(json.dumps, lines))})
    first, second = load(f"world/retrieval:{root}", "test").clips
    assert (first.seen, first.twin, first.kind) == (True, "video902", "slide")
    assert (second.seen, second.twin, second.kind) == (False, "video901", "turn")
    (root / "clips.jsonl").write_text('{"id": "video901"}\n{"seen": true}\n')
    with pytest.raises(ValueError, match="clips.jsonl:2: no JSON object with an id"):
        load(f"world/retrieval:{root}", "test")


def test_missing_videos_are_counted_and_named(tmp_path):
    root = msrvtt_folder(tmp_path)
    (root / "videos/video902.mp4").unlink()
    with pytest.warns(UserWarning, match="msrvtt test: 1 of 2 videos are missing: video902"):
        found = load(f"msrvtt:{root}", "test")
    assert found.missing == ("video902",) and [clip.id for clip in found.clips] == ["video901"]
    (root / "videos/video901.mp4").unlink()
    with pytest.raises(ValueError, match=r"no video of msrvtt's test split is here \(video901, video902\)"):
        load(f"msrvtt:{root}", "test")


def test_annotations_cannot_reach_out_of_the_folder(tmp_path):
    put(tmp_path, {}, ["secret.mp4"])
    folder = files.VideoFolder(put(tmp_path / "set", {}, ["videos/a.mp4"]))
    assert folder.find("../../secret.mp4") is None and folder.find("a.avi") is not None


def test_the_hash_follows_what_is_learnt(tmp_path):
    root = msrvtt_folder(tmp_path)
    before = load(f"msrvtt:{root}", "test").hash
    assert load(f"msrvtt:{root}", "test").hash == before != load(f"msrvtt:{root}", "train").hash
    (root / "videos/video901.mp4").write_bytes(b"another video")
    changed = load(f"msrvtt:{root}", "test").hash
    assert changed != before
    text = (root / "MSRVTT_JSFUSION_test.csv").read_text()
    (root / "MSRVTT_JSFUSION_test.csv").write_text(text.replace("a cat", "a cow"))
    assert load(f"msrvtt:{root}", "test").hash not in (before, changed)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("MSRVTT_JSFUSION_test.csv", "key,sentence\na,b\n", "MSRVTT_JSFUSION_test.csv:1: no column video_id"),
        (
            "MSRVTT_JSFUSION_test.csv",
            "video_id,sentence\nvideo901,a\nvideo902\n",
            "test.csv:3: a row without",
        ),
        ("MSRVTT_data.json", '{"sentences": [\n{]}', "MSRVTT_data.json:2: is no JSON"),
        ("MSRVTT_data.json", '{"sentences": [{"video_id": "a"}]}', "item 0 is unusable .KeyError.'caption'"),
        ("MSRVTT_data.json", "[]", "an object is expected, not list"),
        ("MSRVTT_data.json", "{}", "an object with `sentences`"),
        ("MSRVTT_data.json", '{"sentences": []}', "no sentence for 60 videos"),
        ("MSRVTT_train.9k.csv", "video_id\nvideo1\nvideo1\n", "video video1 stands twice"),
    ],
)
def test_broken_annotations_are_named(tmp_path, name, content, reason):
    root = msrvtt_folder(tmp_path, **{name: content, "MSRVTT_val.csv": "video_id,sentence\nvideo901,a\n"})
    with pytest.raises(ValueError, match=reason):
        load(f"msrvtt:{root}", "test")
        load(f"msrvtt:{root}", "train")


def test_specs_that_name_nothing(tmp_path):
    for spec in ("msrvtt", "msrvtt:"):
        with pytest.raises(ValueError, match="write NAME:FOLDER with a name of msrvtt, msrvtt-7k"):
            load(spec, "test")
    for spec in ("imagenet:x", "world/nothing:x", "retrieval:x"):
        with pytest.raises(ValueError, match="no data set .*; there are msrvtt, .*, world/retrieval"):
            load(spec, "test")
    with pytest.raises(ValueError, match="no split 'dev'"):
        load(f"msrvtt:{tmp_path}", "dev")
    with pytest.raises(ValueError, match="there is no MSRVTT_JSFUSION_test.csv"):
        load(f"msrvtt:{tmp_path}", "test")
    with pytest.raises(ValueError, match="is no folder"):
        load(f"didemo:{tmp_path / 'none'}", "test")


def test_no_warning_when_all_is_there(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert didemo.paragraphs(put(tmp_path, {"a.json": []}) / "a.json") == ()
        assert load(f"msrvtt:{msrvtt_folder(tmp_path)}", "test").missing == ()
