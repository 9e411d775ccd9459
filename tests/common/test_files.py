"""Files and folders that are written whole or not at all."""

import os

import pytest

from stan.common.files import new_file, new_folder, read_settings, read_text, write_bytes


def test_a_file_replaces_the_one_before_it_when_it_is_whole(tmp_path):
    file = tmp_path / "new" / "file"
    with new_file(file) as part:
        part.write_text("first")
        assert not file.exists() and part.parent == file.parent
    with pytest.raises(KeyError), new_file(file) as part:
        part.write_text("half of the sec")
        raise KeyError
    assert file.read_text() == "first" and list(file.parent.iterdir()) == [file]


def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(ValueError, match="is no file that could be written anew"):
            write_bytes(path, b"x")
    assert (tmp_path / "pipe").is_fifo() and [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "file")
    write_bytes(tmp_path / "link", b"first")
    write_bytes(tmp_path / "link", b"second")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "there" / "file").read_bytes() == b"second"


def test_texts_and_settings_that_cannot_be_read_name_their_file(tmp_path):
    (tmp_path / "marked.txt").write_bytes(b"\xef\xbb\xbfa dog")
    assert read_text(tmp_path / "marked.txt") == "a dog"
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(ValueError, match=r"latin\.txt: is no UTF-8 text"):
        read_text(tmp_path / "latin.txt")
    for content in (b"{", b"\xff", b"[" * 100_000, b'{"n": ' + b"1" * 5000 + b"}", b"[]"):
        (tmp_path / "config.json").write_bytes(content)
        with pytest.raises(ValueError, match=r"config\.json (is no JSON|holds no object)"):
            read_settings(tmp_path / "config.json")
    (tmp_path / "config.yaml").write_text("DATA:\n  NUM_FRAMES: 8\n")
    assert read_settings(tmp_path / "config.yaml") == {"DATA": {"NUM_FRAMES": 8}}
    for content in ("a: {", "[" * 100_000, "a: !!python/name:os.system", "8", ""):
        (tmp_path / "config.yaml").write_text(content)
        with pytest.raises(ValueError, match=r"config\.yaml (is no plain YAML|holds no object)"):
            read_settings(tmp_path / "config.yaml")


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
