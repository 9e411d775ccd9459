"""What is moved is embedded no second time, is found once, and takes its marks and collections along."""

from __future__ import annotations

import os
import shutil

import pytest

from stan.library.collections import Collections
from stan.library.indexing import update
from stan.library.kept import Moment
from stan.library.marks import Marks
from stan.library.sources import Addresses, Folder
from tests.stress.killed_indexing import embed as embedding_of
from tests.stress.killed_indexing import engine


def indexed(store, folder):
    report = update(store, Folder(folder) if folder.is_dir() else Addresses(folder), engine(embedding_of))
    return tuple(report[name] for name in ("indexed", "unchanged", "removed", "moved"))


def places(store):
    return {(entry.folder.rpartition("/")[2], entry.name) for entry in store.entries()}


def keep(store, name):
    """Mark the video called `name`, and put it into a collection."""
    entry = next(one for one in store.entries() if one.name == name)
    moment = Moment(entry.id, entry.name, 0.0, 1.0)
    Marks(store.path).set("a query", moment, right=True)
    Collections(store.path).add("chosen", [moment])


def kept(store):
    """Return the videos that the marks and the collections are of."""
    known = {entry.id: entry.name for entry in store.entries()}
    moments = [*Marks(store.path).all(), *(m for one in Collections(store.path).all() for m in one.moments)]
    assert all(known[moment.id] == moment.name for moment in moments)
    return [moment.name for moment in moments]


def test_a_renamed_file_keeps_its_marks(store, folder):
    indexed(store, folder)
    keep(store, "a.mp4")
    (folder / "a.mp4").rename(folder / "d.mp4")
    assert indexed(store, folder) == (0, 3, 1, 1)
    assert kept(store) == ["d.mp4", "d.mp4"]


def test_a_renamed_folder_is_found_once_and_keeps_its_marks(store, folder):
    indexed(store, folder)
    keep(store, "b.mp4")
    moved = folder.rename(folder.parent / "moved")
    assert indexed(store, moved) == (0, 3, 3, 3)
    assert places(store) == {("moved", f"{name}.mp4") for name in "abc"}
    assert kept(store) == ["b.mp4", "b.mp4"]


def test_a_copy_leaves_the_first_folder_alone(store, folder):
    indexed(store, folder)
    keep(store, "a.mp4")
    copied = shutil.copytree(folder, folder.parent / "copied")
    assert indexed(store, copied) == (0, 3, 0, 0)
    assert len(places(store)) == 6 and kept(store) == ["a.mp4", "a.mp4"]
    (folder / "a.mp4").unlink()
    assert indexed(store, folder) == (0, 2, 1, 1), "its bytes lie in the other folder"
    assert kept(store) == ["a.mp4", "a.mp4"]


def test_a_folder_that_is_away_stays_where_nothing_else_holds_its_bytes(store, folder):
    indexed(store, folder)
    other = folder.parent / "other"
    other.mkdir()
    (other / "b.mp4").write_text("b")
    folder.rename(folder.parent / "away")
    assert indexed(store, other) == (0, 1, 1, 1)
    assert places(store) == {("other", "b.mp4"), ("videos", "a.mp4"), ("videos", "c.mp4")}


def test_files_that_change_places_keep_their_marks(store, folder):
    indexed(store, folder)
    keep(store, "a.mp4")
    (folder / "a.mp4").rename(folder / "t.mp4")
    (folder / "b.mp4").rename(folder / "a.mp4")
    (folder / "t.mp4").rename(folder / "b.mp4")
    for name in "ab":
        os.utime(folder / f"{name}.mp4", ns=(2, 2))
    indexed(store, folder)
    assert kept(store) == ["b.mp4", "b.mp4"]


def test_a_move_that_was_cut_off_goes_on(store, folder):
    indexed(store, folder)
    keep(store, "a.mp4")
    moved = folder.rename(folder.parent / "moved")

    def stop(done, total, name):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        update(store, Folder(moved), engine(embedding_of), stop)
    assert len(places(store)) == 5
    assert indexed(store, moved) == (0, 3, 3, 3)
    assert len(places(store)) == 3 and kept(store) == ["a.mp4", "a.mp4"]


def test_a_list_finds_what_moved(store, folder):
    indexed(store, folder)
    moved = folder.rename(folder.parent / "moved")
    listed = folder.parent / "list.txt"
    listed.write_text("".join(f"{file}\n" for file in sorted(moved.iterdir())))
    assert indexed(store, listed) == (0, 3, 3, 3)


def test_damaged_marks_are_told_before_a_video_is_dropped(store, folder):
    indexed(store, folder)
    keep(store, "a.mp4")
    (store.path / "marks.json").write_text("{")
    (folder / "a.mp4").rename(folder / "d.mp4")
    with pytest.raises(ValueError, match=r"marks\.json is damaged"):
        indexed(store, folder)
    assert ("videos", "a.mp4") in places(store)
