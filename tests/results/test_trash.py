"""Runs put into the trash and back: whole, with their marks, never while they run, never over another run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from stan import results
from stan.results import lock, marks, trash
from tests.support.written_runs import EXPERIMENT, done


def files(folder) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_run_goes_into_the_trash_and_comes_back_whole(runs_root):
    folder, other = done(runs_root), done(runs_root, replace(EXPERIMENT, seed=1))
    marks.write(runs_root, EXPERIMENT.id, marks.Marks(("odd",)))
    before = files(folder)
    begun = datetime.now(UTC)
    place = trash.put([folder])
    assert results.load(runs_root)["id"].tolist() == ["/".join(other.parts[-3:])]
    assert marks.read([runs_root]) == {} and list(marks.read([place])) == [EXPERIMENT.id]
    assert results.load(place)["status"].tolist() == ["done"], "the trash is a folder of runs"
    [(there, when)] = trash.content(runs_root)
    assert files(there) == before and begun <= when <= datetime.now(UTC)
    assert trash.restore(there) == folder and files(folder) == before
    assert marks.read([runs_root]) == {EXPERIMENT.id: marks.Marks(("odd",))}
    assert list(trash.content(runs_root)) == [] and list((runs_root / trash.FOLDER).iterdir()) == []


def test_a_running_run_is_refused_and_nothing_is_moved(runs_root):
    folder = done(runs_root)
    with results.RunWriter.start(runs_root, replace(EXPERIMENT, seed=1)) as run:
        with pytest.raises(ValueError, match="-s1 is running: stop it first"):
            trash.put([folder, run.folder])
        run.fail("over")
    assert folder.is_dir() and not (runs_root / trash.FOLDER).exists()
    trash.put([folder, run.folder])
    assert len(list(trash.content(runs_root))) == 2


def test_a_run_that_is_opened_again_meanwhile_is_refused(runs_root):
    folder = done(runs_root)
    taken = lock.acquire(folder)
    with pytest.raises(ValueError, match="is running"):
        trash.put([folder])
    lock.release(taken)


def test_what_was_run_again_is_never_overwritten(runs_root):
    trash.put([done(runs_root)])
    again = done(runs_root)
    kept = files(again)
    [(there, _)] = trash.content(runs_root)
    with pytest.raises(ValueError, match="was run again"):
        trash.restore(there)
    assert files(again) == kept and there.is_dir()
    trash.put([again])
    assert len(list(trash.content(runs_root))) == 2, "one id may be in the trash several times"


def test_nobody_knows_when_a_run_was_put_into_a_folder_of_another_name(runs_root):
    folder = done(runs_root / trash.FOLDER / "by hand")
    assert list(trash.content(runs_root)) == [(folder, None)]


def test_only_folders_of_runs_can_be_moved(runs_root, tmp_path):
    folder = done(runs_root)
    results.pack([folder], tmp_path / "packed.zip")
    with pytest.raises(ValueError, match="lies in the archive"):
        trash.put([tmp_path / "packed.zip" / EXPERIMENT.id])
    with pytest.raises(ValueError, match="not there any more"):
        trash.put([runs_root / "gone" / "gone" / "0123456789-s0"])
    with pytest.raises(ValueError, match="is no run in a trash"):
        trash.restore(folder)
    assert folder.is_dir()
