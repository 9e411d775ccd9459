"""Files and folders that are written whole or not at all."""

import pytest

from stan.common.files import new_file, new_folder


def test_a_file_replaces_the_one_before_it_when_it_is_whole(tmp_path):
    file = tmp_path / "new" / "file"
    with new_file(file) as part:
        part.write_text("first")
        assert not file.exists() and part.parent == file.parent
    with pytest.raises(KeyError), new_file(file) as part:
        part.write_text("half of the sec")
        raise KeyError
    assert file.read_text() == "first" and list(file.parent.iterdir()) == [file]


def test_a_folder_appears_when_it_is_whole(tmp_path):
    folder = tmp_path / "new" / "folder"
    with pytest.raises(KeyError), new_folder(folder) as part:
        (part / "file").write_text("half")
        raise KeyError
    assert list(folder.parent.iterdir()) == []
    with new_folder(folder) as part:
        (part / "file").write_text("whole")
    assert (folder / "file").read_text() == "whole" and list(folder.parent.iterdir()) == [folder]


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path):
    (tmp_path / "mine").write_text("mine")
    for there in (tmp_path, tmp_path / "mine"):
        with pytest.raises(ValueError, match="is there already"), new_folder(there):
            raise AssertionError("it was entered")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
