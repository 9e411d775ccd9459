"""A root folder in; the same folder out, with a small imitation of a public data set in its published layout."""

from __future__ import annotations

import json
from pathlib import Path


def put(root: Path, files: dict[str, object], videos: list[str] = ()) -> Path:
    """Write files (text, or values as JSON) and placeholder videos, which cannot be decoded; return `root`."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    for name in videos:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"video {name}".encode())
    return root


def msrvtt_folder(root: Path, training: int = 60, **more: object) -> Path:
    names = [f"video{i}" for i in range(training)]
    sentences = [
        {"video_id": n, "caption": f"caption {k} of {n}", "sen_id": k} for k in (0, 1) for n in names
    ]
    test = 'key,vid_key,video_id,sentence\nret0,msr1,video901,"a dog, running"\nret1,msr2,video902,a cat\n'
    files = {
        "MSRVTT_train.9k.csv": "video_id\n" + "\n".join(names) + "\n",
        "MSRVTT_JSFUSION_test.csv": test,
        "MSRVTT_data.json": {"videos": [{"video_id": n, "url": "x"} for n in names], "sentences": sentences},
        **more,
    }
    return put(root, files, [f"videos/{n}.mp4" for n in [*names, "video901", "video902"]])


def msrvtt_full_folder(root: Path) -> Path:
    """Write two training, one validation and two test videos in the two files of the challenge.

    Only the field `split` tells which split a video belongs to.
    """
    sides = {
        "video0": "train",
        "video1": "train",
        "video6513": "validate",
        "video7010": "test",
        "video7011": "test",
    }

    def part(*words: str) -> dict[str, object]:
        videos = [name for name, side in sides.items() if side in words]
        return {
            "info": {},
            "videos": [{"video_id": v, "category": 9, "url": "x", "split": sides[v]} for v in videos],
            "sentences": [
                {"caption": f"sentence {k} of {v}", "video_id": v, "sen_id": k}
                for k in (0, 1)
                for v in videos
            ],
        }

    files = {
        "train_val_videodatainfo.json": part("train", "validate"),
        "test_videodatainfo.json": part("test"),
    }
    return put(root, files, [f"{name}.mp4" for name in sides])


def msvd_folder(root: Path) -> Path:
    text = (
        "# This file holds the English descriptions\n\n"
        "-4wsuPCjDBc_5_15 a squirrel is eating a peanut in it's shell\n"
        "-4wsuPCjDBc_5_15 a chipmunk is eating\n"
        "-7KMZQEsJW4_205_208 a man is dancing\n"
        "-8y1Q0rA3n8_108_115 a tigress licks her cub\n"
    )
    files = {
        "AllVideoDescriptions.txt": text,
        "train_list.txt": "-4wsuPCjDBc_5_15\n",
        "val_list.txt": "-7KMZQEsJW4_205_208\n",
        "test_list.txt": "-8y1Q0rA3n8_108_115\n",
    }
    names = ("-4wsuPCjDBc_5_15", "-7KMZQEsJW4_205_208", "-8y1Q0rA3n8_108_115")
    return put(root, files, [f"YouTubeClips/{name}.avi" for name in names])


def activitynet_folder(root: Path, training: int = 60) -> Path:
    def told(*sentences: str) -> dict[str, object]:
        return {"duration": 82.7, "timestamps": [[0, 5.1]] * len(sentences), "sentences": list(sentences)}

    train = {f"v_train{i}": told(f"A girl jumps {i}.", " She lands. ") for i in range(training)}
    files = {
        "train.json": train,
        "val_1.json": {"v_test0": told("A dog runs.", " It stops."), "v_test1": told("A cat sleeps.")},
        "val_2.json": {"v_test0": told("Somebody films a dog.")},
    }
    return put(
        root, files, [f"videos/{name[2:]}.mp4" for name in train] + ["videos/v_test0.mkv", "videos/test1.mp4"]
    )


def ucf101_folder(root: Path) -> Path:
    groups = [f"g{group:02}" for group in range(2, 42)]
    clips = [f"YoYo/v_YoYo_{group}_c0{clip}.avi" for group in groups for clip in (1, 2)]
    files = {
        "ucfTrainTestlist/classInd.txt": "1 ApplyEyeMakeup\r\n2 YoYo\r\n",
        "ucfTrainTestlist/trainlist01.txt": "".join(f"{clip} 2\r\n" for clip in clips),
        "ucfTrainTestlist/testlist01.txt": "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi\r\nYoYo/v_YoYo_g01_c01.avi\r\n",
        "ucfTrainTestlist/trainlist02.txt": "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi 1\n",
        "ucfTrainTestlist/testlist02.txt": "YoYo/v_YoYo_g02_c01.avi\n",
    }
    return put(
        root,
        files,
        [f"UCF-101/{clip}" for clip in clips]
        + ["UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi", "UCF-101/YoYo/v_YoYo_g01_c01.avi"],
    )


def hmdb51_folder(root: Path) -> Path:
    """Write two classes, with two training clips from each of forty films in one; one clip is unused."""
    films = [f"film{i}" for i in range(40)]
    brushed = [f"{film}_brush_hair_u_nm_np1_ba_goo_{k}.avi" for film in films for k in (0, 1)]
    lines = [f"{clip} 1 \n" for clip in brushed]
    lines += [
        "April_09_brush_hair_u_nm_np1_ba_goo_0.avi 2 \n",
        "May(1)_brush_hair_f_cm_np2_ba_med_3.avi 0 \n",
    ]
    files = {
        "testTrainMulti_7030_splits/brush_hair_test_split1.txt": "".join(lines),
        "testTrainMulti_7030_splits/wave_test_split1.txt": "A_wave_u_nm_np1_fr_med_0.avi 2 \n",
        "testTrainMulti_7030_splits/brush_hair_test_split2.txt": "April_09_brush_hair_u_nm_np1_ba_goo_0.avi 1 \n",
        "testTrainMulti_7030_splits/wave_test_split2.txt": "A_wave_u_nm_np1_fr_med_0.avi 0 \n",
    }
    clips = [f"brush_hair/{clip}" for clip in [*brushed, "April_09_brush_hair_u_nm_np1_ba_goo_0.avi"]]
    return put(root, files, [f"videos/{clip}" for clip in [*clips, "wave/A_wave_u_nm_np1_fr_med_0.avi"]])
