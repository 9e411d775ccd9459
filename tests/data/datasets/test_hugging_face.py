"""Folders in Hugging Face's video layout and WebDataset's shards in; the splits, captions and classes of both out."""

from __future__ import annotations

import json

import pytest

from stan.data.datasets import SPLITS, load
from stan.data.datasets.check import check
from stan.data.datasets.files import Absent
from stan.data.datasets.prepare import prepare
from stan.data.datasets.split_names import indexed, part_of, split_of, splits_of
from tests.support.data_folders import put
from tests.support.file_server import serving
from tests.support.packed_shards import pack


def table(*rows: str, head: str = "file_name,caption") -> str:
    return "\n".join([head, *rows, ""])


def splits(spec: str) -> dict[str, dict[str, tuple[str, ...]]]:
    return {split: {clip.id: clip.captions for clip in load(spec, split).clips} for split in SPLITS}


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("train/a.mp4", "train"),
        ("data/train-00001-of-00002.tar", "train"),
        ("validation/a.mp4", "val"),
        ("dev_3.tar", "val"),
        ("Test/1.mp4", "test"),
        ("trains/a.mp4", None),
        ("contest/a.mp4", None),
        ("val/training dog/a.mp4", "val"),
        ("a.mp4", None),
    ],
)
def test_a_path_names_its_split_by_a_word_of_its_own(path, split):
    assert split_of(path) == split


def test_a_word_of_a_classs_name_names_no_split():
    """Kinetics-400 has the class "training dog"."""
    assert splits_of(["training dog/a.mp4", "trapezing/a.mp4"]) == {
        "training dog/a.mp4": None,
        "trapezing/a.mp4": None,
    }
    assert list(splits_of(["train_2/a.mp4", "testing cars/a.mp4", "b.mp4"]).values()) == ["train", None, None]
    assert list(splits_of(["my train/a.mp4", "my test/a.mp4"]).values()) == ["train", "test"]


def test_which_published_split_stands_for_which():
    def parts(*there):
        return [part_of(split, there, "here") for split in SPLITS]

    assert parts("train", "val", "test") == [("train", False), ("val", False), ("test", False)]
    assert parts("train", "test") == [("train", True), ("train", True), ("test", True)]
    assert parts("train", "val") == [("train", True), ("train", True), ("val", True)]
    with pytest.raises(Absent, match="nothing to test on"):
        part_of("test", ["train"], "here")


def test_classes_are_in_order_of_number_or_name():
    assert indexed(["10", "9", "9"]) == ("9", "10")
    assert indexed(["dog", "cat"]) == ("cat", "dog")


def test_a_folder_with_one_table_per_split(tmp_path):
    root = put(
        tmp_path,
        {
            "train/metadata.csv": table("1.mp4,a dog", 'deep/2.mp4,"a cat, asleep"'),
            "validation/metadata.csv": table("1.mp4,a cow"),
            "test/metadata.jsonl": json.dumps({"file_name": "1.mp4", "text": ["a hen", "a bird"]}),
        },
        ["train/1.mp4", "train/deep/2.mp4", "validation/1.mp4", "test/1.mp4"],
    )
    assert splits(f"videofolder:{root}") == {
        "train": {"train/1": ("a dog",), "train/deep/2": ("a cat, asleep",)},
        "val": {"validation/1": ("a cow",)},
        "test": {"test/1": ("a hen", "a bird")},
    }


def test_one_table_for_all_splits_and_a_part_of_training_held_out(tmp_path):
    names = [f"train/{i}.mp4" for i in range(60)] + ["test/0.mp4"]
    root = put(tmp_path, {"metadata.csv": table(*(f"{name},sentence of {name}" for name in names))}, names)
    found = splits(f"videofolder:{root}")
    assert found["test"].keys() == {"test/0"}
    assert found["val"] and found["train"].keys() | found["val"].keys() == {f"train/{i}" for i in range(60)}
    assert not found["train"].keys() & found["val"].keys()


def test_too_few_videos_to_hold_some_out_are_a_fault_of_validation_alone(tmp_path):
    names = ["train/0.mp4", "train/1.mp4", "test/0.mp4"]
    root = put(tmp_path, {"metadata.csv": table(*(f"{name},sentence of {name}" for name in names))}, names)
    assert len(load(f"videofolder:{root}", "train").clips) == 2
    (fault,) = (one for one in check("videofolder", root, "none")["findings"] if one["fault"])
    assert (fault["what"], fault["split"]) == ("annotations", "val")
    with pytest.raises(ValueError, match=f"{root}: too few training videos: none .* validation split"):
        load(f"videofolder:{root}", "val")


def test_a_missing_video_is_not_replaced_by_another_splits(tmp_path):
    root = put(
        tmp_path,
        {"metadata.csv": table("train/1.mp4,a", "train/2.mp4,b", "validation/1.mp4,c", "test/2.mp4,d")},
        ["train/1.mp4", "validation/1.mp4", "test/2.mp4"],
    )
    with pytest.warns(UserWarning, match="1 of 2 videos are missing: train/2.mp4"):
        assert [clip.id for clip in load(f"videofolder:{root}", "train").clips] == ["train/1"]


def test_a_check_names_what_is_missing_and_what_is_not_listed(tmp_path):
    rows = [f"{part}/{part}.mp4,a dog" for part in ("train", "val", "test")]
    put(tmp_path, {"metadata.csv": table(*rows, "train/gone.mp4,a cat")})
    put(tmp_path, {f"{name}.mp4": "x" for name in ("train/train", "val/val", "test/test", "train/more")})
    found = {one["what"]: one for one in check("videofolder", tmp_path, "none")["findings"]}
    assert found["missing videos"]["examples"] == ("train/gone.mp4",) and found["missing videos"]["fault"]
    assert found["missing videos"]["remedy"].startswith("put them where the annotations say, or take their")
    unlisted = found["videos that are not listed"]
    assert unlisted["examples"] == ("train/more.mp4",) and not unlisted["fault"]


def test_folders_are_classes_where_there_is_no_table(tmp_path):
    videos = ["train/dog/1.mp4", "train/cat/2.mp4", "validation/cat/1.mp4", "test/dog/3.mp4"]
    found = load(f"videofolder-labels:{put(tmp_path, {}, videos)}", "test")
    assert found.classes == ("cat", "dog")
    assert [(clip.id, clip.label) for clip in found.clips] == [("test/dog/3", 1)]


def test_a_class_that_is_called_like_a_split_stays_in_its_split(tmp_path):
    classes = ["training dog", "trapezing"]
    videos = [f"{split}/{name}/1.mp4" for split in ("train", "val") for name in classes]
    folder = f"videofolder-labels:{put(tmp_path / 'split', {}, videos)}"
    assert {clip.id for clip in load(folder, "test").clips} == {f"val/{name}/1" for name in classes}
    assert [clip.id for clip in load(folder, "train").clips] == [f"train/{name}/1" for name in classes]
    flat = put(tmp_path / "flat", {}, [f"{name}/1.mp4" for name in classes])
    with pytest.raises(Absent, match="nothing to test on"):
        load(f"videofolder-labels:{flat}", "test")


def test_labels_of_a_table(tmp_path):
    rows = ["train/1.mp4,run", "train/2.mp4,jump", "validation/3.mp4,run", "test/4.mp4,run"]
    videos = [row.partition(",")[0] for row in rows]
    root = put(tmp_path, {"metadata.csv": table(*rows, head="file_name,label")}, videos)
    found = load(f"videofolder-labels:{root}", "train")
    assert found.classes == ("jump", "run")
    assert [clip.label for clip in found.clips] == [1, 0]


FAULTS = {
    "no file_name": (table("a", head="caption"), r"metadata.csv:1: no column file_name"),
    "no caption": (
        table("1.mp4,x", head="file_name,titel"),
        r"metadata.csv:2: no caption or captions or text",
    ),
    "empty caption": (table("1.mp4,a", "2.mp4,"), r"metadata.csv:3: no caption"),
    "leads out": (table("../1.mp4,a"), r"metadata.csv:2: file_name is '../1.mp4', no path within"),
    "absolute": (table("/1.mp4,a"), r"metadata.csv:2: file_name is '/1.mp4'"),
    "after a caption of two lines": (
        table('1.mp4,"a dog', 'and a cat"', "2.mp4,"),
        r"metadata.csv:4: no caption",
    ),
    "after a blank line": (table("", "1.mp4,a", "2.mp4,"), r"metadata.csv:4: no caption"),
    "twice": (table("1.mp4,a", "1.mp4,b"), r"stands twice"),
    "comma": (table("1.mp4,a, b"), r"metadata.csv:2: 3 values where the header has 2"),
}


@pytest.mark.parametrize(("text", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_in_a_table_names_its_line(tmp_path, text, message):
    root = put(tmp_path, {"test/metadata.csv": text}, ["test/1.mp4", "test/2.mp4"])
    with pytest.raises(ValueError, match=message):
        load(f"videofolder:{root}", "test")


def test_a_fault_in_jsonl_names_its_line(tmp_path):
    root = put(
        tmp_path, {"test/metadata.jsonl": '{"file_name": "1.mp4", "text": "a"}\n[1]\n'}, ["test/1.mp4"]
    )
    with pytest.raises(ValueError, match=r"metadata.jsonl:2: an object with file_name is expected, not list"):
        load(f"videofolder:{root}", "test")


def sample(key: str, **parts: object) -> list[tuple[str, bytes]]:
    """A sample's members; `mp4` is a placeholder unless it is given."""
    whole = {"mp4": f"video {key}"} | parts
    texts = {
        kind: json.dumps(value) if isinstance(value, dict) else str(value) for kind, value in whole.items()
    }
    return [(f"{key}.{kind}", text.encode()) for kind, text in texts.items() if text]


@pytest.fixture(params=["disk", "memory"])
def root(request, tmp_path) -> str:
    return str(tmp_path) if request.param == "disk" else f"memory://{tmp_path.name}"


def test_shards_of_captions(root):
    pack(f"{root}/train-0.tar", [*sample("a", txt="a dog\n"), *sample("b", json={"caption": "a cat"})])
    pack(f"{root}/train-1.tar", sample("deep/c", json={"text": ["a hen", "a bird"]}))
    pack(f"{root}/val-0.tar", sample("d", txt="a cow"))
    pack(f"{root}/test-0.tar", sample("e", txt="a fox"))
    assert splits(f"webdataset:{root}") == {
        "train": {"a": ("a dog",), "b": ("a cat",), "deep/c": ("a hen", "a bird")},
        "val": {"d": ("a cow",)},
        "test": {"e": ("a fox",)},
    }
    assert [clip.path.content() for clip in load(f"webdataset:{root}", "test").clips] == [b"video e"]


def test_shards_of_a_server_are_read_by_ranges(tmp_path):
    files = {
        f"/set/{name}": pack(f"{tmp_path}/{name}", content)
        for name, content in {
            "train-0.tar": [*sample("a", txt="a dog"), *sample("b", mp4="v" * 300_000, txt="a cat")],
            "test-0.tar": sample("e", txt="a fox"),
        }.items()
    }
    with serving(files) as server:
        found = load(f"webdataset:{server.address('/set/')}", "test")
        assert [(clip.id, clip.captions, clip.path.content()) for clip in found.clips] == [
            ("e", ("a fox",), b"video e")
        ]
        both = [
            clip
            for split in ("train", "val")
            for clip in _clips(f"webdataset:{server.address('/set/')}", split)
        ]
        assert {clip.id: len(clip.path.content()) for clip in both} == {"a": 7, "b": 300_000}


def _clips(spec: str, split: str):
    try:
        return load(spec, split).clips
    except ValueError:  # of two clips, none may be held out
        return ()


def test_the_hash_of_shards_follows_what_is_in_them(root):
    pack(f"{root}/test-0.tar", sample("e", txt="a fox"))
    before = load(f"webdataset:{root}", "test").hash
    assert load(f"webdataset:{root}", "test").hash == before
    pack(f"{root}/test-1.tar", sample("f", txt="a fox"))
    assert load(f"webdataset:{root}", "test").hash != before


def test_shards_of_classes(root):
    pack(f"{root}/train-0.tar", [*sample("a", cls="10"), *sample("b", json={"label": 9})])
    pack(f"{root}/test-0.tar", sample("c", cls="10"))
    found = load(f"webdataset-labels:{root}", "test")
    assert (found.classes, [clip.label for clip in found.clips]) == (("9", "10"), [1])


LABELS = [f'{{"label": {label}}}' for label in ('["dog"]', '{"a": 1}', "true", "1.0", "[]", '""', "NaN")]


def test_class_names_for_numbers(tmp_path):
    put(tmp_path, {"classes.txt": "jump\nrun\n"})
    pack(f"{tmp_path}/test-0.tar", [*sample("a", cls="1"), *sample("b", cls="jump")])
    found = load(f"webdataset-labels:{tmp_path}", "test")
    assert (found.classes, [clip.label for clip in found.clips]) == (("jump", "run"), [1, 0])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        *(
            ({"json": text}, r"a\.json: .* is no class: a name, or a number of at most 9 digits")
            for text in LABELS
        ),
        ({"cls": "1" * 5000}, r"a\.cls: '1+ is no class"),
    ],
)
def test_what_is_no_class_is_named(tmp_path, parts, message):
    pack(f"{tmp_path}/test-0.tar", [*sample("a", **parts), *sample("b", cls="jump")])
    with pytest.raises(ValueError, match=message):
        load(f"webdataset-labels:{tmp_path}", "test")


def test_a_class_that_is_listed_twice_is_named(tmp_path):
    put(tmp_path, {"classes.txt": "jump\nrun\njump\n"})
    pack(f"{tmp_path}/test-0.tar", [*sample("a", cls="1")])
    with pytest.raises(ValueError, match=r"classes\.txt: class 'jump' stands twice"):
        load(f"webdataset-labels:{tmp_path}", "test")


def test_a_sample_without_a_video_counts_as_missing(root):
    pack(f"{root}/test-0.tar", [*sample("a", txt="a fox"), *sample("b", mp4="", txt="a cow")])
    with pytest.warns(UserWarning, match="1 of 2 videos are missing: b in "):
        assert [clip.id for clip in load(f"webdataset:{root}", "test").clips] == ["a"]


SHARD_FAULTS = {
    "no caption": (sample("a"), "no caption that says anything for 1 videos, such as a"),
    "two videos": (sample("a", txt="x", webm="other"), r"a is several videos \(a.mp4, a.webm\)"),
    "a dot in the name": (
        sample("a_0", mp4="", **{"5_2.mp4": "film", "5_2.txt": "a fox"}),
        r"a_0\.5_2\.mp4: a sample's name ends at its first dot",
    ),
    "no JSON": ([*sample("a"), ("a.json", b"{")], r"a.json is no JSON"),
    "a list": ([*sample("a"), ("a.json", b"[1]")], r"a.json: an object with caption or label is expected"),
    "no text": ([*sample("a"), ("a.txt", b"\xff\xfe")], r"a.txt is no UTF-8 text"),
    "doubled": ([*sample("a", txt="x"), *sample("a", txt="x")], r"'a.mp4' stands twice"),
    "hostile": ([("../a.mp4", b"v"), ("../a.txt", b"x")], r"leads out of the shard"),
}


@pytest.mark.parametrize(("files", "message"), SHARD_FAULTS.values(), ids=SHARD_FAULTS.keys())
def test_a_fault_in_a_shard_is_one_clear_line(root, files, message):
    pack(f"{root}/test-0.tar", files)
    with pytest.raises(ValueError, match=message):
        load(f"webdataset:{root}", "test")


def test_a_key_in_two_shards_is_refused(root):
    for number in (0, 1):
        pack(f"{root}/test-{number}.tar", sample("a", txt="x"))
    with pytest.raises(ValueError, match="video a stands twice"):
        load(f"webdataset:{root}", "test")


def test_an_address_of_an_unknown_kind_is_named():
    with pytest.raises(ValueError, match="nothing://here cannot be listed"):
        load("webdataset:nothing://here", "test")


def test_shards_are_checked_like_any_set(tmp_path):
    pack(f"{tmp_path}/train-0.tar", [*sample("a", txt="x"), *sample("b", txt="y")])
    pack(f"{tmp_path}/test-0.tar", sample("c", txt="z"))
    found = check("webdataset", tmp_path, decode="sample")
    counted = {one["split"]: (one["videos"], one["there"], one["broken"]) for one in found["splits"]}
    assert counted["test"] == (1, 1, 1)  # a placeholder, which cannot be decoded
    assert any("test-0.tar" in str(one["files"]) for one in found["splits"])


def test_shards_that_number_their_videos_anew_hold_different_videos(tmp_path):
    for split in SPLITS:
        pack(f"{tmp_path}/{split}.tar", [("0.mp4", split.encode()), ("0.txt", b"a dog")])
    assert [one for one in check("webdataset", tmp_path, "none")["findings"] if one["fault"]] == []


def test_shards_need_no_preparation(tmp_path):
    pack(f"{tmp_path}/train-0.tar", [*sample("a", txt="x"), *sample("b", txt="y")])
    pack(f"{tmp_path}/val-0.tar", sample("c", txt="z"))
    pack(f"{tmp_path}/test-0.tar", sample("d", txt="z"))
    with pytest.raises(ValueError, match="is read in place: there is nothing to prepare"):
        prepare("webdataset", tmp_path, tmp_path.with_name("prepared"))
