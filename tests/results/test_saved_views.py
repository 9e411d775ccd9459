"""Views kept by name in one file: read back, replaced, forgotten; a damaged file is told and left as it is."""

from __future__ import annotations

import pytest

from stan.results import lock, saved_views

VIEW: saved_views.View = {"filter": "stan/", "columns": ["seed", "t2v.R@1"], "highest": True}


def test_views_are_kept_by_name(runs_root):
    assert saved_views.read(runs_root) == {}
    saved_views.keep(runs_root, "z", {"filter": "x"})
    saved_views.keep(runs_root, "  for the\npaper ", VIEW)
    assert list(saved_views.read(runs_root).items()) == [("for the paper", VIEW), ("z", {"filter": "x"})]
    saved_views.keep(runs_root, "z", VIEW)
    saved_views.forget(runs_root, "for the paper")
    assert saved_views.read(runs_root) == {"z": VIEW}


def test_a_folder_that_is_not_there_yet_is_made(tmp_path):
    assert saved_views.read(tmp_path / "runs") == {}
    saved_views.keep(tmp_path / "runs", "mine", VIEW)
    assert saved_views.read(tmp_path / "runs") == {"mine": VIEW}


@pytest.mark.parametrize("name", ["", " \n", "x" * 81])
def test_names_are_short_and_not_empty(runs_root, name):
    with pytest.raises(ValueError, match="a view's name has 1 to 80 characters"):
        saved_views.keep(runs_root, name, VIEW)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"a": 1}', '{"a": {"b": 1}}', '{"a": {"b": [1]}}', "[" * 99999, "\x80"]
)
def test_a_damaged_file_is_told_and_left_as_it_is(runs_root, text):
    file = runs_root / saved_views.FILE
    file.write_bytes(text.encode("latin-1"))
    for change in (saved_views.read, lambda root: saved_views.keep(root, "mine", VIEW)):
        with pytest.raises(ValueError, match="left as it is"):
            change(runs_root)
    assert file.read_bytes() == text.encode("latin-1")
    assert not lock.held(runs_root)


def test_only_one_process_writes_at_a_time(runs_root):
    taken = lock.acquire(runs_root)
    with pytest.raises(ValueError, match="being written"):
        saved_views.keep(runs_root, "mine", VIEW)
    lock.release(taken)
    assert saved_views.read(runs_root) == {}
