"""Collections: moments are added once, taken out and removed; names and numbers have limits."""

from __future__ import annotations

import pytest

from stan.library import collections
from stan.library.collections import Collection, Collections
from stan.library.kept import Moment

ONE, TWO = Moment("a" * 16, "a.mp4", 1.0, 2.0), Moment("a" * 16, "a.mp4", 3.0, 4.5)


def test_moments_are_added_once_and_read_again(tmp_path):
    Collections(tmp_path).add("ü & co", [ONE])
    Collections(tmp_path).add(" ü & co ", [ONE, TWO])
    Collections(tmp_path).add("a", [TWO])
    assert Collections(tmp_path).all() == [Collection("a", (TWO,)), Collection("ü & co", (ONE, TWO))]
    assert {file.name for file in tmp_path.iterdir()} <= {"collections.json", ".collections.lock"}


def test_a_moment_is_taken_out_and_a_collection_removed(tmp_path):
    kept = Collections(tmp_path)
    for name in ("a", "b"):
        kept.add(name, [ONE, TWO])
    kept.take_out("a", ONE)
    kept.take_out("none", ONE)
    assert kept.all() == [Collection("a", (TWO,)), Collection("b", (ONE, TWO))]
    kept.remove("b")
    kept.remove("none")
    assert kept.all() == [Collection("a", (TWO,))]


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a" * 81, "a\u202eb"])
def test_a_name_is_one_short_line(tmp_path, name):
    with pytest.raises(ValueError, match="a name of 1 to 80 characters"):
        Collections(tmp_path).add(name, [ONE])
    assert list(tmp_path.iterdir()) == []


def test_a_moment_that_could_not_be_read_again_is_not_added(tmp_path):
    kept = Collections(tmp_path)
    kept.add("a", [ONE])
    with pytest.raises(ValueError, match=r"collections\.json cannot keep this \(it holds half a character\)"):
        kept.add("a", [Moment("a" * 16, "\ud800.mp4", 1.0, 2.0)])
    assert kept.all() == [Collection("a", (ONE,))]


def test_what_is_kept_has_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(collections, "MOST", 1)
    monkeypatch.setattr(collections, "MOST_MOMENTS", 1)
    kept = Collections(tmp_path)
    kept.add("a", [ONE])
    with pytest.raises(ValueError, match="a would hold 2 moments: 1 are the most"):
        kept.add("a", [TWO])
    with pytest.raises(ValueError, match="1 collections and no more"):
        kept.add("b", [ONE])
    assert kept.all() == [Collection("a", (ONE,))]


def test_a_damaged_file_is_named_and_left_as_it_is(tmp_path):
    (tmp_path / "collections.json").write_text('{"collections": [{"name": "a", "moments": [1]}]}')
    before = (tmp_path / "collections.json").read_bytes()
    for attempt in (Collections(tmp_path).all, lambda: Collections(tmp_path).remove("a")):
        with pytest.raises(ValueError, match=r"collections\.json is damaged"):
            attempt()
    assert (tmp_path / "collections.json").read_bytes() == before
