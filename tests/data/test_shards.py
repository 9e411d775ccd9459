"""Shards in; their members' bytes as tar itself gives them, or one clear line for what is no whole shard, out."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

import fsspec
import numpy as np
import pytest

from stan.common import retry
from stan.data import shards
from stan.data.loader import _by_shard, order
from stan.data.shards import Member, members, samples
from stan.data.video import decoding
from stan.data.video.decoding import VideoError
from tests.support.packed_shards import pack
from tests.support.small_clips import write_clip

FILES = [("a.mp4", b"video a"), ("a.txt", b"caption"), ("deep/b.x.mp4", b"B" * 1500), ("empty.mp4", b"")]


@pytest.fixture(params=["disk", "memory"])
def place(request, tmp_path) -> str:
    """Where a shard is written: here, or at an address."""
    return str(tmp_path / "one.tar") if request.param == "disk" else f"memory://{tmp_path.name}/one.tar"


def test_members_are_those_of_tar_itself(place):
    with tarfile.open(fileobj=io.BytesIO(pack(place, FILES))) as archive:
        expected = {one.name: archive.extractfile(one).read() for one in archive}
    found = members(place)
    assert {one.inside: one.content() for one in found} == expected
    assert [one.size for one in found] == [7, 7, 1500, 0]
    assert str(found[0]) == f"{place}/a.mp4"


def test_samples_have_one_name_up_to_the_first_dot(place):
    pack(place, FILES)
    kinds = {key: sorted(parts) for key, parts in samples(place).items()}
    assert kinds == {"a": ["mp4", "txt"], "deep/b": ["x.mp4"], "empty": ["mp4"]}


def test_all_shards_below_a_place_are_listed(place):
    root = place.rpartition("/")[0]
    pack(place, FILES)
    fsspec.url_to_fs(root)[0].makedirs(fsspec.url_to_fs(root)[1] + "/deep", exist_ok=True)
    pack(f"{root}/deep/two.tar", FILES)
    pack(f"{root}/other.zip", FILES)
    found = shards.shards(Path(root))
    assert list(found.values()) == ["deep/two.tar", "one.tar"]
    assert all(len(members(shard)) == len(FILES) for shard in found)


@pytest.mark.parametrize("name", ["/etc/a.mp4", "../a.mp4", "deep/../../a.mp4"])
def test_a_name_that_leads_out_is_refused(place, name):
    pack(place, [("b.mp4", b"b"), (name, b"a")])
    with pytest.raises(ValueError, match="leads out of the shard"):
        members(place)


def test_a_name_that_stands_twice_is_refused(place):
    pack(place, [("a.mp4", b"1"), ("./a.mp4", b"2")])
    with pytest.raises(ValueError, match="'a.mp4' stands twice"):
        members(place)


def test_two_parts_of_a_sample_that_differ_in_case_are_refused(place):
    pack(place, [("a.mp4", b"1"), ("a.txt", b"one"), ("a.TXT", b"two")])
    with pytest.raises(
        ValueError, match=r"'a\.txt' and 'a\.TXT' are one part of a sample; remove or rename one"
    ):
        samples(place)


def test_a_name_that_is_no_text_is_refused(place):
    pack(place, [("a.mp4", b"1"), ("b\udcff.mp4", b"2")])
    with pytest.raises(ValueError, match=r"one\.tar: the name 'b\\udcff\.mp4' is no UTF-8 text"):
        members(place)


def test_a_damaged_header_is_said_and_what_follows_it_not_left_out(tmp_path):
    file = tmp_path / "one.tar"
    whole = pack(str(file), FILES)
    assert len(members(str(file))) == len(FILES)
    with tarfile.open(file) as archive:
        headers = [one.offset for one in archive]
    for header in headers:
        for place in (5, 130, 150):  # of its name, size and sum
            damaged = bytearray(whole)
            damaged[header + place] ^= 1
            file.write_bytes(damaged)
            with pytest.raises(ValueError, match=rf"is damaged at byte {header}|is no whole shard"):
                members(str(file))


def test_a_size_below_zero_is_refused(tmp_path):
    file = tmp_path / "one.tar"
    with tarfile.open(file, "w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo("a.mp4")
        entry.pax_headers = {"size": "-512"}
        archive.addfile(entry)
    with pytest.raises(ValueError, match="has the size -512|is damaged|no whole shard"):
        members(str(file))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_what_is_no_plain_file_is_refused(tmp_path, kind):
    file = tmp_path / "one.tar"
    with tarfile.open(file, "w") as archive:
        entry = tarfile.TarInfo("a.mp4")
        entry.type, entry.linkname = kind, "elsewhere"
        archive.addfile(entry)
    with pytest.raises(ValueError, match="'a.mp4' is no plain file"):
        members(str(file))


def test_a_shard_that_is_cut_anywhere_is_refused(tmp_path):
    whole = pack(str(tmp_path / "whole.tar"), FILES[:3])
    last = 512 * 3 + 512 * 2 + 1500
    for cut in (1, 511, 512, 700, 1023, 1024, 1536, 2100, last - 1, last, 512 * 8):
        file = tmp_path / "cut.tar"
        file.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="is no whole shard"):
            members(str(file))


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100, b"\x1f\x8b" + bytes(600)])
def test_what_is_no_tar_is_refused(tmp_path, content):
    file = tmp_path / "one.tar"
    file.write_bytes(content)
    with pytest.raises(ValueError, match="is no whole shard"):
        members(str(file))


def test_a_shard_that_is_gone_is_an_oserror(tmp_path):
    with pytest.raises(OSError, match="FileNotFoundError"):
        Member(str(tmp_path / "gone.tar"), "a.mp4", 512, 10).content()


def test_a_shard_that_became_shorter_is_an_oserror(tmp_path):
    file = tmp_path / "one.tar"
    file.write_bytes(b"x" * 600)
    with pytest.raises(OSError, match="88 of 100 bytes came"):
        Member(str(file), "a.mp4", 512, 100).content()


def test_an_address_that_fails_once_is_asked_again(tmp_path, monkeypatch):
    place = f"memory://{tmp_path.name}/one.tar"
    pack(place, FILES)
    member, asked = members(place)[0], []
    kind = type(fsspec.url_to_fs(place)[0])
    real = kind.cat_file

    def cat_file(self, *arguments, **options):
        asked.append(1)
        if len(asked) == 1:
            raise RuntimeError("503")
        return real(self, *arguments, **options)

    monkeypatch.setattr(kind, "cat_file", cat_file)
    monkeypatch.setattr(retry, "PAUSES", (0.0,))
    assert member.content() == b"video a"
    assert len(asked) == 2


def test_a_video_in_a_shard_decodes_as_its_file_does(place, tmp_path):
    file = write_clip(tmp_path / "clip.mp4")
    pack(place, [("deep/clip.mp4", file.read_bytes())])
    [member] = members(place)
    expected, found = decoding.decode(file, 4), decoding.decode(member, 4)
    assert np.array_equal(found.frames, expected.frames)
    assert decoding.probe(member).frames == decoding.probe(file).frames == 12
    assert decoding.sample(member, 3).indices.tolist() == decoding.sample(file, 3).indices.tolist()
    left = [one for one in Path(tempfile.gettempdir()).glob("stan-member-*") if any(one.iterdir())]
    assert left == []


@pytest.mark.parametrize("content", [b"", b"no video"])
def test_a_broken_video_is_named_by_its_place_in_the_shard(place, content):
    pack(place, [("deep/clip.mp4", content)])
    with pytest.raises(VideoError) as told:
        decoding.decode(members(place)[0], 4)
    assert str(told.value).startswith(f"{place}/deep/clip.mp4: ")


def test_a_video_whose_shard_is_gone_is_a_broken_video(tmp_path):
    with pytest.raises(VideoError, match="cannot be read .FileNotFoundError"):
        decoding.decode(Member(str(tmp_path / "gone.tar"), "a.mp4", 512, 10), 4)


SHARDS = np.repeat(np.arange(5), 40)


def test_clips_of_one_shard_stay_within_a_buffer(monkeypatch):
    monkeypatch.setattr("stan.data.loader.BUFFER", 20)
    mixed = _by_shard(SHARDS, np.random.default_rng(0))
    assert sorted(mixed.tolist()) == list(range(200))
    places = [np.flatnonzero(SHARDS[mixed] == shard) for shard in range(5)]
    begins = sorted(int(place.min()) for place in places)
    assert all(
        begin >= 40 * i - 20 for i, begin in enumerate(begins)
    )  # no shard is begun long before its turn
    assert not np.array_equal(mixed, np.sort(mixed))
    assert len({int(SHARDS[mixed[20 * i : 20 * i + 20]].max()) for i in range(10)}) > 1


def test_an_epochs_order_follows_from_seed_and_epoch_alone():
    alone = np.full(200, -1)

    def drawn(seed: int, epoch: int) -> list[int]:
        return np.concatenate(order(alone, 8, seed, epoch, SHARDS)).tolist()

    assert drawn(1, 2) == drawn(1, 2)
    assert drawn(1, 2) != drawn(1, 3)
    assert drawn(1, 2) != drawn(2, 2)
    assert sorted(drawn(1, 2)) == list(range(200))
