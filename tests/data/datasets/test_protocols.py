"""Sets with several protocols, or without a validation split: each gives the splits that it is known for."""

import pytest

from stan.data.datasets import SETS, SPLITS, base, load, task
from stan.data.datasets.files import Absent
from tests.support.data_folders import (
    activitynet_folder,
    hmdb51_folder,
    msrvtt_folder,
    msrvtt_full_folder,
    msvd_folder,
    put,
    ucf101_folder,
)

NAMES = [f"video{i}" for i in range(60)]


def splits(spec: str) -> list[list[str]]:
    return [[clip.id for clip in load(spec, split).clips] for split in SPLITS]


@pytest.mark.parametrize("dataset", SETS.values(), ids=SETS)
def test_the_studies_know_each_sets_task(dataset):
    assert task(dataset.name) == dataset.task


@pytest.mark.parametrize("dataset", SETS.values(), ids=SETS)
def test_every_set_says_which_file_it_lacks(dataset, tmp_path):
    for split in SPLITS:
        with pytest.raises(Absent, match=f"{tmp_path}: there is no "):
            load(f"{dataset.name}:{tmp_path}", split)


def test_msrvtt_7k_has_its_own_training_list_and_the_same_test(tmp_path):
    root = msrvtt_folder(tmp_path, **{"MSRVTT_train.7k.csv": "\n".join(["video_id", *NAMES[:40]])})
    train, val, test = splits(f"msrvtt-7k:{root}")
    assert val and sorted(train + val) == sorted(NAMES[:40]) and test == splits(f"msrvtt:{root}")[2]
    (root / "MSRVTT_train.9k.csv").unlink()
    with pytest.raises(
        Absent, match="MSRVTT_train.9k.csv"
    ):  # never the smaller list under the larger one's name
        load(f"msrvtt:{root}", "train")


def test_msrvtt_full_follows_the_videos_own_split(tmp_path):
    root = msrvtt_full_folder(tmp_path)
    assert splits(f"msrvtt-full:{root}") == [["video0", "video1"], ["video6513"], ["video7010", "video7011"]]
    assert load(f"msrvtt-full:{root}", "test").clips[0].captions == (
        "sentence 0 of video7010",
        "sentence 1 of video7010",
    )
    put(root, {"test_videodatainfo.json": {"videos": [{"video_id": "video7010"}], "sentences": []}})
    with pytest.raises(ValueError, match=r"test_videodatainfo.json: item 0 is unusable .KeyError.'split'"):
        load(f"msrvtt-full:{root}", "test")


def test_msvd_from_text_and_from_the_corpus_table(tmp_path):
    root = msvd_folder(tmp_path)
    train = load(f"msvd:{root}", "train").clips
    assert [clip.id for clip in train] == ["-4wsuPCjDBc_5_15"] and train[0].path.parent.name == "YouTubeClips"
    assert train[0].captions == ("a squirrel is eating a peanut in it's shell", "a chipmunk is eating")
    (root / "AllVideoDescriptions.txt").unlink()
    table = (
        "VideoID,Start,End,WorkerID,Source,AnnotationTime,Language,Description\n"
        '-4wsuPCjDBc,5,15,1,clean,9,English,"A squirrel, eating."\n'
        "-4wsuPCjDBc,5,15,1,clean,9,German,Ein Eichhorn\n-4wsuPCjDBc,5,15,1,clean,9,English,\n"
    )
    put(root, {"video_corpus.csv": table})
    assert load(f"msvd:{root}", "train").clips[0].captions == ("A squirrel, eating.",)
    with pytest.raises(ValueError, match=r"val_list.txt:1: -7KMZQEsJW4_205_208 has no English sentence"):
        load(f"msvd:{root}", "val")


def test_msvds_pickle_is_not_read(tmp_path):
    root = msvd_folder(tmp_path)
    (root / "AllVideoDescriptions.txt").rename(root / "raw-captions.pkl")
    with pytest.raises(Absent, match=r"no AllVideoDescriptions.txt .* raw-captions.pkl is a pickle"):
        load(f"msvd:{root}", "test")


def test_activitynet_joins_paragraphs_and_holds_validation_out_of_training(tmp_path):
    root = activitynet_folder(tmp_path)
    train, val, test = splits(f"activitynet:{root}")
    assert val and sorted(train + val) == sorted(f"v_train{i}" for i in range(60))
    clips = load(f"activitynet:{root}", "test").clips
    assert [clip.captions for clip in clips] == [("A dog runs. It stops.",), ("A cat sleeps.",)]
    assert [clip.path.name for clip in clips] == ["v_test0.mkv", "test1.mp4"]  # copies leave out the v_
    second = splits(f"activitynet-val2:{root}")
    assert second == [train, val, ["v_test0"]]
    put(root, {"val_1.json": {"v_test0": {"sentence": "x"}}})
    with pytest.raises(ValueError, match="val_1.json: v_test0 has no list of sentences"):
        load(f"activitynet:{root}", "test")


def test_ucf101_keeps_the_clips_of_a_video_on_one_side(tmp_path):
    root = ucf101_folder(tmp_path)
    train, val, test = splits(f"ucf101:{root}")
    groups = [{name.rpartition("_c")[0] for name in side} for side in (train, val)]
    assert groups[1] and not groups[0] & groups[1] and len(train) + len(val) == 80 and len(val) % 2 == 0
    assert test == ["ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01", "YoYo/v_YoYo_g01_c01"]
    found = load(f"ucf101:{root}", "test")
    assert found.classes == ("Apply Eye Makeup", "Yo Yo") and [clip.label for clip in found.clips] == [0, 1]
    assert {clip.label for clip in load(f"ucf101:{root}", "train").clips} == {1}
    assert [clip.id for clip in load(f"ucf101-2:{root}", "test").clips] == ["YoYo/v_YoYo_g02_c01"]
    put(root, {"ucfTrainTestlist/testlist01.txt": "Yoyo/v_YoYo_g01_c01.avi\n"})
    with pytest.raises(ValueError, match=r"testlist01.txt:1: 'Yoyo' is no class"):
        load(f"ucf101:{root}", "test")


def test_hmdb51_reads_one_file_a_class_and_keeps_films_on_one_side(tmp_path):
    root = hmdb51_folder(tmp_path)
    train, val, test = splits(f"hmdb51:{root}")
    films = [{name.split("/")[1].partition("_brush_hair_")[0] for name in side} for side in (train, val)]
    assert films[1] and not films[0] & films[1] and films[0] | films[1] == {f"film{i}" for i in range(40)}
    assert test == ["brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0", "wave/A_wave_u_nm_np1_fr_med_0"]
    found = load(f"hmdb51:{root}", "test")
    assert found.classes == ("brush hair", "wave") and [clip.label for clip in found.clips] == [0, 1]
    second = load(f"hmdb51-2:{root}", "train").clips
    assert [clip.id for clip in second] == ["brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0"]
    put(root, {"testTrainMulti_7030_splits/wave_test_split1.txt": "A_wave.avi 3\n"})
    with pytest.raises(ValueError, match=r"wave_test_split1.txt:1: `video 0`, `1` or `2`"):
        load(f"hmdb51:{root}", "test")


def test_about_one_in_twenty_is_held_out():
    held = sum(base.held_out(f"video{i}") for i in range(9000))
    assert 400 < held < 500 and base.held_out("video7") == base.held_out("video7")
