"""Runs packed into one file, and read from there like from a folder."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from stan import cli, results
from stan.bench.fake_runs import experiment
from stan.results import archive
from tests.support.made_up_runs import write_probe, write_run, write_study


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    write_study(folder, seeds=(0, 1))
    write_probe(folder / experiment("stan", 0).id)
    return folder


@pytest.fixture(scope="module")
def packed(root):
    file = root.parent / "runs.zip"
    results.pack(list(results.run_folders(root)), file)
    return file


def test_an_archive_is_read_as_the_folder_it_was_made_from(root, packed):
    before, after = results.load(root), results.load(packed)
    pd.testing.assert_frame_equal(before.drop(columns="path"), after.drop(columns="path"))
    for folder, inside in zip(before["path"], after["path"], strict=True):
        assert inside == folder.replace(str(root), str(packed))
        arrays, again = results.ranks(folder), results.ranks(inside)
        assert arrays.keys() == again.keys()
        assert all(np.array_equal(arrays[name], again[name]) for name in arrays)
    assert [path.parts[-3:] for path in results.probed(packed)] == [
        tuple(experiment("stan", 0).id.split("/"))
    ]
    assert results.time_probe(packed / experiment("stan", 0).id) is not None
    assert results.find(packed, experiment("stan", 1)) == packed / experiment("stan", 1).id
    assert results.written(packed / experiment("stan", 0).id) == packed.stat().st_mtime_ns


def test_equal_runs_make_equal_bytes(root, packed, tmp_path):
    results.pack(list(reversed(list(results.run_folders(root)))), tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()
    results.pack(list(results.run_folders(packed)), tmp_path / "of_archive.zip")
    assert (tmp_path / "of_archive.zip").read_bytes() == packed.read_bytes()


def test_an_array_that_runs_have_in_common_is_held_once(root, packed):
    with zipfile.ZipFile(packed) as whole, np.load(whole.open(archive.SHARED)) as shared:
        held = [shared[name] for name in shared.files]
        run = next(results.run_folders(root))
        own = np.load(whole.open("/".join((*run.parts[-3:], "ranks.npz"))))
        assert "query_ids" not in own.files and "t2v" in own.files
    ids = results.ranks(run)["query_ids"]
    assert sum(np.array_equal(array, ids) for array in held) == 1


def test_an_archive_that_holds_all_of_a_run_by_itself_is_read(root, tmp_path):
    run = next(results.run_folders(root))
    with zipfile.ZipFile(tmp_path / "before.zip", "w") as made:
        for file in run.iterdir():
            made.write(file, "/".join((*run.parts[-3:], file.name)))
    inside = tmp_path.joinpath("before.zip", *run.parts[-3:])
    arrays = results.ranks(inside)
    assert all(np.array_equal(arrays[name], array) for name, array in results.ranks(run).items())
    assert results.read(inside) | {"path": str(run)} == results.read(run)


def test_texts_of_many_runs_stand_in_several_members(root, packed, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "TOGETHER", 2000)
    results.pack(list(results.run_folders(root)), tmp_path / "many.zip")
    with zipfile.ZipFile(tmp_path / "many.zip") as many, zipfile.ZipFile(packed) as one:
        assert "texts/2" in many.namelist() and "texts/1" not in one.namelist()
    before, after = results.load(packed), results.load(tmp_path / "many.zip")
    pd.testing.assert_frame_equal(before.drop(columns="path"), after.drop(columns="path"))


@pytest.mark.parametrize(
    "index", ["[1]", '{"a/b/c-s0/run.json": 3}', '{"a/b/c-s0/run.json": ["x", 0, 1]}', "{"]
)
def test_an_archive_whose_index_is_none_is_refused(tmp_path, index):
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as made:
        made.writestr(archive.INDEX, index)
    with pytest.raises(ValueError, match="odd.zip is no archive of runs"):
        results.load(tmp_path / "odd.zip")


def test_an_index_that_points_at_nothing_is_the_runs_damage(tmp_path):
    id = experiment("stan", 0).id
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as made:
        made.writestr(
            archive.INDEX, json.dumps({f"{id}/run.json": [0, 0, 2], f"{id}/config.json": [7, 0, 9]})
        )
        made.writestr("texts/0", "{}")
    inside = results.read(tmp_path / "odd.zip" / id)
    assert inside["status"] == "damaged" and "can't be read" in inside["reason"]


def test_of_runs_with_one_id_the_first_is_packed(root, packed, tmp_path):
    runs = list(results.run_folders(root))
    again = write_run(tmp_path / "again", experiment("stan", 0))
    results.pack([*runs, again], tmp_path / "runs.zip")
    assert (tmp_path / "runs.zip").read_bytes() == packed.read_bytes()


def test_runs_whose_arrays_cannot_be_read_are_not_packed(tmp_path):
    run = write_run(tmp_path / "runs", experiment("stan", 0))
    (run / "ranks.npz").write_bytes(b"half")
    with pytest.raises(ValueError, match="ranks.npz can't be read .* evaluate the run again"):
        results.pack([run], tmp_path / "runs.zip")
    assert not (tmp_path / "runs.zip").exists()


def test_of_a_log_every_25th_step_the_last_and_all_validations_are_kept(tmp_path):
    run = write_run(tmp_path / "runs", experiment("stan", 0))
    lines = [{"step": step, "epoch": 0, "loss": 1.0} for step in range(1, 54)]
    lines.insert(5, {"epoch": 0, "validation": {"top-1": 1.0}})
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    results.pack([run], tmp_path / "runs.zip")
    log = results.history(tmp_path / "runs.zip" / experiment("stan", 0).id)
    assert log["step"].dropna().tolist() == [25, 50, 53] and log["validation.top-1"].dropna().tolist() == [
        1.0
    ]


@pytest.mark.parametrize("line", ["null", '{"loss": 1.0}', '{"loss": 1.0, "step": null}', "[" * 100_000])
def test_a_log_that_holds_something_else_is_not_packed(tmp_path, line):
    run = write_run(tmp_path / "runs", experiment("stan", 0))
    (run / "metrics.jsonl").write_text('{"loss": 1.0, "step": 1, "epoch": 0}\n' + line)
    with pytest.raises(ValueError, match=r"metrics\.jsonl:2: is no"):
        results.pack([run], tmp_path / "runs.zip")
    assert not (tmp_path / "runs.zip").exists()


def test_a_changed_archive_is_read_anew(root, tmp_path):
    file = tmp_path / "runs.zip"
    folders = list(results.run_folders(root))
    results.pack(folders[:1], file)
    assert len(results.load(file)) == 1
    results.pack(folders[:3], file)
    assert len(results.load(file)) == 3


def test_what_an_archive_cannot_hold_is_said(tmp_path, monkeypatch):
    (tmp_path / "broken.zip").write_bytes(b"PK no archive")
    with pytest.raises(ValueError, match="broken.zip is no archive of runs"):
        results.load(tmp_path / "broken.zip")
    assert len(results.load(tmp_path / "none.zip")) == 0
    run = write_run(tmp_path / "runs", experiment("stan", 0))
    results.pack([run], tmp_path / "runs.zip")
    [folder] = results.run_folders(tmp_path / "runs.zip")
    monkeypatch.setattr(archive, "LARGEST", 100)
    inside = results.read(folder)
    assert inside["status"] == "damaged" and "larger than" in inside["reason"]


@pytest.mark.parametrize("at", (41, 90))  # how a member is compressed, and its bytes
def test_damaged_content_of_an_archive_is_listed_with_its_reason(tmp_path, at):
    run = write_run(tmp_path / "runs", experiment("stan", 0))
    results.pack([run], tmp_path / "runs.zip")
    with zipfile.ZipFile(tmp_path / "runs.zip") as whole:
        offset = whole.getinfo("texts/0").header_offset
    content = bytearray((tmp_path / "runs.zip").read_bytes())
    content[offset + at] ^= 0xFF
    (tmp_path / "runs.zip").write_bytes(content)
    [reason] = results.load(tmp_path / "runs.zip")["reason"]
    assert "config.json can't be read" in reason


def test_a_run_that_an_archive_calls_running_has_died(tmp_path):
    run = write_run(tmp_path / "runs", experiment("stan", 0), "running")
    results.pack([run], tmp_path / "runs.zip")
    assert results.load(tmp_path / "runs.zip")["status"].tolist() == ["died"]


def test_on_the_command_line(root, tmp_path, capsys):
    file = tmp_path / "mine.zip"
    assert cli.run(["runs", "--runs", str(root), "--study", "components", "--pack", str(file), "--json"]) == 0
    packed = json.loads(capsys.readouterr().out)
    assert cli.run(["runs", "--runs", str(file), "--json"]) == 0
    assert [run["id"] for run in json.loads(capsys.readouterr().out)] == [run["id"] for run in packed]
    assert cli.run(["runs", "--runs", str(root), "--pack", str(tmp_path / "mine.tar")]) == 2
    assert "ends in .zip" in capsys.readouterr().err
    assert cli.run(["runs", "--runs", str(tmp_path / "none"), "--pack", str(file)]) == 2
    assert "nothing to pack" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["evaluate", "interpolate"])
def test_a_run_without_weights_is_not_measured_again(packed, command, capsys):
    run = packed / experiment("stan", 0).id
    assert cli.run([command, str(run)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"lies in {packed}, and archives hold no weights: give a run's folder" in line
    assert line.endswith(results.read(run)["run"]["command"])
    assert cli.run([command, str(packed / "components" / "stan" / "0123456789-s0")]) == 2
    assert "0123456789-s0 is no run: config.json is missing" in capsys.readouterr().err
