"""Indexing embeds only bytes it has not seen, passes over what it may not open, and leaves the store whole."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
import pytest

from stan.data.video.decoding import VideoError
from stan.data.video.extensions import VIDEOS
from stan.library import scan
from stan.library import store as stores
from stan.library.indexing import update
from stan.library.sources import Addresses, Folder
from stan.library.store import Store
from tests.stress.killed_indexing import KILLS, MAKER, embed, engine
from tests.support.films import Film, write_avif, write_webp

ROOT = Path(__file__).resolve().parents[2]


class Embed:
    """Stands in for a decoder and a model: eight numbers that tell the file's bytes; counts its calls."""

    def __init__(self):
        self.files = []

    def __call__(self, file):
        self.files.append(file.name)
        if file.read_bytes().startswith(b"broken"):
            raise VideoError(file, "holds no frames", "repair it")
        return embed(file)


def test_everything_that_is_named_as_a_video_is_found(tmp_path):
    files = [tmp_path / f"clip{ending.upper()}" for ending in sorted(VIDEOS)]
    for file in [*files, tmp_path / "notes.txt", tmp_path / "empty.webp"]:
        file.touch()
    assert scan.video_files(tmp_path.resolve(), lambda *_: None) == files


def test_of_webp_and_avif_those_are_found_that_move(tmp_path):
    """A list of videos may name any of them; of pictures in a folder nothing is said."""
    moving = [
        write_avif(tmp_path / "film.AVIF", Film(frames=3)),
        write_webp(tmp_path / "film.webp", Film(frames=3)),
    ]
    write_webp(tmp_path / "still.webp", Film(frames=1))
    (tmp_path / "cut.webp").write_bytes((tmp_path / "film.webp").read_bytes()[:16])
    (tmp_path / "still.avif").write_bytes(b"\0\0\0\x18ftypavif\0\0\0\0avifmif1" + bytes(100))
    skipped = []
    assert scan.video_files(tmp_path.resolve(), lambda *told: skipped.append(told)) == moving
    listed = tmp_path / "list.txt"
    listed.write_text("film.webp\nstill.avif\n")
    found = Addresses(listed).sources(lambda *told: skipped.append(told), None)
    assert [Path(source.path).name for source in found] == ["film.webp", "still.avif"] and not skipped


def indexed(store, folder, embed=None):
    """((indexed, unchanged, removed), {skipped: reason}, files that were embedded)."""
    embed = embed or Embed()
    report = update(store, Folder(folder), engine(embed))
    counts = tuple(report[name] for name in ("indexed", "unchanged", "removed"))
    return counts, {one["file"]: one["reason"] for one in report["skipped"]}, embed.files


def vectors(store):
    rows = store.rows([entry.id for entry in store.entries()])
    return {row["name"]: np.array(row["video"]).tolist() for row in rows}


def expected(folder):
    return {file.name: embed(file).video.tolist() for file in folder.iterdir()}


def test_only_bytes_not_seen_before_are_embedded(store, folder):
    assert indexed(store, folder) == ((3, 0, 0), {}, ["a.mp4", "b.mp4", "c.mp4"])
    assert indexed(store, folder) == ((0, 3, 0), {}, [])
    (folder / "b.mp4").write_text("changed")
    assert indexed(store, folder) == ((1, 2, 0), {}, ["b.mp4"])
    os.utime(folder / "a.mp4", ns=(1, 1))
    assert indexed(store, folder) == ((0, 3, 0), {}, [])
    (folder / "c.mp4").rename(folder / "d.mp4")
    assert indexed(store, folder) == ((0, 3, 1), {}, [])
    (folder / "copy.mp4").write_text("c")
    (folder / "new.mp4").write_text("new")
    (folder / "newer.mp4").write_text("new")
    (folder / "a.mp4").unlink()
    assert indexed(store, folder) == ((1, 4, 1), {}, ["new.mp4"])
    assert vectors(store) == expected(folder)


def test_files_that_change_places_keep_the_right_embeddings(store, folder):
    indexed(store, folder)
    (folder / "a.mp4").rename(folder / "t.mp4")
    (folder / "b.mp4").rename(folder / "a.mp4")
    (folder / "t.mp4").rename(folder / "b.mp4")
    for name in "ab":
        os.utime(folder / f"{name}.mp4", ns=(2, 2))
    indexed(store, folder)
    assert vectors(store) == expected(folder)


def test_what_breaks_or_vanishes_is_dropped_with_its_reason(store, folder):
    indexed(store, folder)
    (folder / "a.mp4").write_text("broken")
    assert indexed(store, folder) == ((0, 2, 1), {"a.mp4": "holds no frames"}, ["a.mp4"])

    def vanish(done: int, total: int, name: str) -> None:
        (folder / "c.mp4").unlink(missing_ok=True)

    report = update(store, Folder(folder), engine(Embed()), vanish)
    assert report["removed"] == 1 and report["skipped"][-1]["reason"] == "it vanished while indexing"
    assert [entry.name for entry in store.entries()] == ["b.mp4"]


def test_a_hostile_folder_gives_reasons_and_nothing_from_outside(tmp_path, folder):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.mp4").write_text("secret")
    (folder / "out.mp4").symlink_to(outside / "secret.mp4")
    (folder / "out.d").symlink_to(outside)
    (folder / "device.mp4").symlink_to("/dev/zero")
    (folder / "nowhere.mp4").symlink_to(folder / "none.mp4")
    (folder / "loop.mp4").symlink_to(folder / "loop.mp4")
    (folder / "round").symlink_to(folder)
    (folder / "a again.mp4").symlink_to(folder / "a.mp4")
    (folder / "list.m3u8").write_text(f"#EXTM3U\n{outside}/secret.mp4")
    (folder / "folder.mp4").mkdir()
    os.mkfifo(folder / "pipe.mp4")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket.mp4"))
    kept = [
        "...a.mp4",
        "..a.mp4",
        "<img src=x onerror=alert(1)>.mp4",
        "'; DROP TABLE videos; --.mp4",
        "a\x1b[2J\n.mp4",
    ]
    for name in kept:
        (folder / name).write_text(name)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe.mp4")).write_text("not unicode")
    mine = folder / "library"
    mine.mkdir()
    (mine / "proxy.mp4").write_text("of the library's own making")

    skipped = {}
    found = scan.video_files(folder, lambda name, reason, remedy: skipped.update({name: reason}), mine)
    assert sorted(file.name for file in found) == sorted([*kept, "a.mp4", "b.mp4", "c.mp4"])
    reasons = {name: " ".join(reason.split()[:7]) for name, reason in skipped.items()}
    leads_out = "it is a link that leads out"
    assert reasons == {
        **dict.fromkeys(("out.mp4", "out.d", "device.mp4"), leads_out),
        "nowhere.mp4": "it is a link that leads nowhere",
        "loop.mp4": "it is a link that leads nowhere",
        "list.m3u8": "it is a playlist, which names other",
        "pipe.mp4": "it is not a regular file",
        "socket.mp4": "it is not a regular file",
        "\N{REPLACEMENT CHARACTER}" * 2 + ".mp4": "its name is not valid Unicode",
    }


def test_a_file_that_turns_into_something_else_is_not_read(tmp_path):
    (tmp_path / "real").write_text("real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(OSError):
            scan.digest(tmp_path / name)


def test_hostile_names_are_only_names(store, folder):
    for name in ("'; DROP TABLE videos; --.mp4", 'it\'s "<b>".mp4', "a\x1b[2J.mp4"):
        (folder / name).write_text(name)
    assert indexed(store, folder)[0] == (6, 0, 0)
    assert vectors(store) == expected(folder)
    shutil.rmtree(folder)
    folder.mkdir()
    assert indexed(store, folder)[0] == (0, 0, 6)


def test_another_folder_is_left_alone(store, folder, tmp_path):
    indexed(store, folder)
    other = tmp_path / "videos too"
    other.mkdir()
    (other / "a.mp4").write_text("other")
    assert indexed(store, other)[0] == (1, 0, 0)
    assert len(store.entries()) == 4


def test_many_writes_are_tidied_on_the_way(store, folder, monkeypatch):
    monkeypatch.setattr(stores, "WRITES_PER_TIDY", 2)
    indexed(store, folder)
    assert vectors(store) == expected(folder)


def test_a_second_writer_says_so(store, tmp_path):
    with (
        store.writing(),
        pytest.raises(ValueError, match="another process is indexing"),
        Store(store.path).writing(),
    ):
        pass
    with Store(store.path).writing():  # the first has ended
        pass


@pytest.mark.slow
def test_a_full_disk_is_said_and_leaves_the_library_whole(store, folder):
    indexed(store, folder)
    (folder / "large.mp4").write_text("large")
    # A limit on file sizes fails in the same call as a full disk does.
    code = f"""
import resource, signal
from pathlib import Path
from stan.library.indexing import update
from stan.library.sources import Folder
from stan.library.store import Store
from tests.stress.killed_indexing import embed, engine
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
store = Store({str(store.path)!r})
try:
    with store.writing():
        update(store, Folder(Path({str(folder)!r})), engine(embed))
except ValueError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert re.search(
        r"cannot be written to \(File too large\): make room .* what it holds stands", ran.stdout
    ), ran
    assert sorted(vectors(store)) == ["a.mp4", "b.mp4", "c.mp4"]
    assert indexed(store, folder)[0] == (1, 3, 0)


def test_a_folder_that_cannot_be_made_is_said():
    with pytest.raises(ValueError, match="cannot be written to"), Store("/proc/library").writing():
        pass


def test_another_layout_is_refused_with_a_remedy(tmp_path):
    schema = pa.schema(
        [("id", pa.string())], metadata={"model": "stan-tiny", "frames": "8", "signature": "0"}
    )
    lancedb.connect(tmp_path).create_table(stores.TABLE, schema=schema)
    with pytest.raises(ValueError, match=r"another version of stan.*into a new library"):
        _ = Store(tmp_path).maker


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_an_address_serves_as_a_folder_does(tmp_path, folder, scheme):
    store = Store("memory://library" if scheme == "memory" else (tmp_path / "the library").as_uri())
    with store.writing():
        store.create(4, MAKER)
        assert indexed(store, folder)[0] == (3, 0, 0)
        (folder / "a.mp4").write_text("changed")
        (folder / "b.mp4").unlink()
        assert indexed(store, folder)[0] == (1, 1, 1)
    assert vectors(store) == expected(folder) and store.maker == MAKER
    assert (tmp_path / "the library").exists() == (scheme == "file")


@pytest.mark.slow
@pytest.mark.timeout(900)  # fifty processes: half a minute, unless the machine is busy
@pytest.mark.skipif(sys.platform != "linux", reason="needs fork")
def test_fifty_kills_lose_no_more_than_what_was_in_hand(tmp_path):
    command = [sys.executable, "-m", "tests.stress.killed_indexing", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert (ran.returncode, ran.stdout) == (0, f"{KILLS}\n"), ran.stderr
