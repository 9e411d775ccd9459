"""Shards in a folder or at an address are indexed in place: each video in them is one, and none is unpacked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from stan.data.video.decoding import VideoError
from stan.library.copies import Copies
from stan.library.indexing import update
from stan.library.sources import Addresses
from tests.library.test_indexing import Embed, indexed
from tests.stress.killed_indexing import empty_store, engine
from tests.support.file_server import serving
from tests.support.packed_shards import pack

FILES = [("a.mp4", b"a"), ("a.txt", b"a caption"), ("deep/b.webm", b"bb"), ("c.mp4", b"broken")]


@pytest.fixture
def store(tmp_path):
    return empty_store(tmp_path / "library")


@pytest.fixture
def folder(tmp_path) -> Path:
    root = tmp_path / "videos"
    (root / "sets").mkdir(parents=True)
    (root / "alone.mp4").write_text("alone")
    pack(str(root / "sets" / "one.tar"), FILES)
    return root


def test_videos_of_a_shard_stand_beside_files(store, folder):
    counts, skipped, _ = indexed(store, folder)
    assert counts == (3, 0, 0)
    assert skipped == {"sets/one.tar/c.mp4": "holds no frames"}
    names = {entry.name: entry.path for entry in store.entries()}
    assert names == {
        "alone.mp4": str(folder / "alone.mp4"),
        "sets/one.tar/a.mp4": f"{folder}/sets/one.tar/a.mp4",
        "sets/one.tar/deep/b.webm": f"{folder}/sets/one.tar/deep/b.webm",
    }
    assert indexed(store, folder)[0] == (0, 3, 0)
    assert sorted(os.listdir(folder / "sets")) == ["one.tar"]


def test_of_webp_and_avif_those_in_a_shard_are_found_that_move(store, folder, tmp_path):
    first, *others = [Image.new("RGB", (32, 32), (90 * i, 0, 0)) for i in range(3)]
    files = []
    for ending in ("webp", "avif"):
        first.save(tmp_path / f"film.{ending}", save_all=True, append_images=others)
        first.save(tmp_path / f"still.{ending}")
        files += [
            (f"{name}.{ending}", (tmp_path / f"{name}.{ending}").read_bytes()) for name in ("film", "still")
        ]
    pack(str(folder / "sets" / "one.tar"), [*files, FILES[0]])
    assert indexed(store, folder)[0] == (4, 0, 0)
    found = {entry.name for entry in store.entries()}
    assert found == {"alone.mp4", *(f"sets/one.tar/{name}" for name in ("film.webp", "film.avif", "a.mp4"))}


def test_what_changed_in_a_shard_is_embedded_again_and_what_is_gone_is_dropped(store, folder):
    indexed(store, folder)
    shard = folder / "sets" / "one.tar"
    pack(str(shard), [("a.mp4", b"other"), FILES[3]])
    os.utime(shard, ns=(1, 1))
    counts, _, embedded = indexed(store, folder)
    assert counts == (1, 1, 1)
    assert len(embedded) == 2  # the changed one, and the broken one once more


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([("../a.mp4", b"a")], "the name '../a.mp4' leads out of the shard"),
        ([("a.mp4", b"a"), ("a.mp4", b"b")], "'a.mp4' stands twice"),
    ],
)
def test_a_hostile_shard_is_skipped_with_its_reason(store, folder, files, reason):
    pack(str(folder / "bad.tar"), files)
    counts, skipped, _ = indexed(store, folder)
    assert counts == (3, 0, 0)
    assert skipped["bad.tar"] == reason


def test_a_shard_that_was_cut_is_skipped_with_its_reason(store, folder):
    whole = (folder / "sets" / "one.tar").read_bytes()
    (folder / "cut.tar").write_bytes(whole[:1500])
    assert "is no whole shard" in indexed(store, folder)[1]["cut.tar"]


def test_a_video_in_a_shard_is_copied_to_be_played(store, folder):
    indexed(store, folder)
    entry = next(one for one in store.entries() if one.name.endswith("b.webm"))
    assert entry.is_remote
    with Copies().file(entry) as file:
        assert (file.read_bytes(), file.suffix) == (b"bb", ".webm")
        assert not file.is_relative_to(folder)
    pack(str(folder / "sets" / "one.tar"), [("deep/b.webm", b"cc")])
    with pytest.raises(VideoError, match="is no longer what was indexed"), Copies().file(entry):
        pass
    (folder / "sets" / "one.tar").unlink()
    with pytest.raises(VideoError, match="cannot be fetched"), Copies().file(entry):
        pass


def listed(store, tmp_path: Path, address: str):
    (tmp_path / "list.txt").write_text(address)
    report = update(store, Addresses(tmp_path / "list.txt"), engine(Embed()))
    return tuple(report[name] for name in ("indexed", "unchanged", "removed")), report["skipped"]


def test_a_shard_at_an_address_is_read_by_ranges_and_kept_while_its_server_is_away(
    store, tmp_path, monkeypatch
):
    monkeypatch.setattr("stan.common.retry.PAUSES", (0,))
    content = pack(str(tmp_path / "one.tar"), FILES[:3])
    with serving({"/one.tar": content}) as server:
        address = server.address("/one.tar")
        assert listed(store, tmp_path, address) == ((2, 0, 0), [])
        assert listed(store, tmp_path, address) == ((0, 2, 0), [])
        entry = next(one for one in store.entries() if one.name.endswith("a.mp4"))
        assert entry.path == f"{address}/a.mp4"
        with Copies().file(entry) as file:
            assert file.read_bytes() == b"a"
    counts, skipped = listed(store, tmp_path, address)
    assert counts == (0, 0, 0) and [one["file"] for one in skipped] == ["one.tar"]
    assert len(store.entries()) == 2
