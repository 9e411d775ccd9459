"""Tags, notes and hiding: kept beside a run's folder, read back, and never outside the root."""

import pytest

from stan.results import marks


def test_marks_are_kept_beside_the_run_and_read_back(tmp_path):
    kept = marks.Marks(marks.parsed("odd, for the paper, odd, "), "looked at it")
    marks.write(tmp_path, "s/r/0123456789-s0", kept)
    assert kept.tags == ("odd", "for the paper")
    assert marks.read([tmp_path / "none", tmp_path]) == {"s/r/0123456789-s0": kept}
    assert [path.name for path in (tmp_path / "s/r").iterdir()] == ["0123456789-s0.marks.json"]
    (tmp_path / "s/r/1123456789-s0.marks.json").write_text('{"tags": 1}')
    assert list(marks.read([tmp_path])) == ["s/r/0123456789-s0"]
    marks.write(tmp_path, "s/r/0123456789-s0", marks.Marks())
    assert marks.read([tmp_path]) == {}


@pytest.mark.parametrize("run", ["../x", "s/../../r"])
def test_marks_never_leave_their_folder(tmp_path, run):
    with pytest.raises(ValueError, match="no run's id"):
        marks.write(tmp_path / "runs", run, marks.Marks(("x",)))


def test_a_run_that_is_hidden_stays_so_and_marks_of_before_are_read(tmp_path):
    run = "s/r/0123456789-s0"
    marks.write(tmp_path, run, marks.Marks(("odd",), hidden=True))
    assert marks.of_run([tmp_path / "none", tmp_path], run) == marks.Marks(("odd",), hidden=True)
    (tmp_path / f"{run}.marks.json").write_text('{"tags": ["odd"], "note": ""}')
    assert marks.of_run([tmp_path], run) == marks.Marks(("odd",))
    assert marks.of_run([tmp_path], "s/r/1123456789-s0") == marks.Marks()
