"""What a process says of its work, read by others while it lives."""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stan.common import jobs


def test_a_job_is_seen_while_it_runs_and_leaves_nothing(tmp_path):
    with jobs.job(tmp_path, "rendering motions, quick") as told:
        [started] = jobs.running([tmp_path, tmp_path / "none"])
        assert (started.name, started.done, started.total, started.share) == (
            "rendering motions, quick",
            0,
            0,
            0.0,
        )
        told.tell(30, 120, "train", "clip 31")
        [now] = jobs.running([tmp_path])
        assert now.share == 0.25 and now.pid == os.getpid()
        assert now.words == "rendering motions, quick: train, 30 of 120, clip 31"
    assert list(tmp_path.iterdir()) == [] and jobs.running([tmp_path]) == []


def test_it_is_written_twice_a_second_at_most_but_for_a_new_stage_and_the_end(tmp_path):
    with jobs.job(tmp_path, "a") as told:
        told.tell(1, 1000, "first")
        for done in range(2, 500):
            told.tell(done, 1000, "first")
        assert jobs.running([tmp_path])[0].done < 499
        told.tell(499, 1000, "second")
        assert jobs.running([tmp_path])[0].done == 499
        told.tell(1000, 1000, "second")
        assert jobs.running([tmp_path])[0].done == 1000


def test_jobs_side_by_side_the_oldest_first(tmp_path):
    with jobs.job(tmp_path, "b"):
        time.sleep(0.01)
        with jobs.job(tmp_path, "a"):
            assert [one.name for one in jobs.running([tmp_path])] == ["b", "a"]
        assert [one.name for one in jobs.running([tmp_path])] == ["b"]


def test_a_killed_process_has_no_job(tmp_path):
    code = (
        "import sys, time; from stan.common.jobs import job\n"
        "with job(sys.argv[1], 'a'): print('on', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert len(jobs.running([tmp_path])) == 1
        process.kill()
    assert jobs.running([tmp_path]) == [] and len(list(tmp_path.rglob("*.json"))) == 1


@pytest.mark.parametrize(
    "content",
    [
        *(
            "",
            "[]",
            "{}",
            '{"name": 1}',
            '{"name": "a", "pid": "x"}',
            '{"name": "a", "pid": 1e300}',
            '{"no": 1}',
        ),
        '{"name": "a", "host": "HERE", "pid": NaN}',
        '{"name": "a", "host": "HERE", "pid": 1.5}',
        '{"name": "a", "host": "HERE", "pid": PID, "done": NaN}',
    ],
)
def test_what_is_no_job_is_left_out(tmp_path, content):
    (tmp_path / ".jobs").mkdir()
    content = content.replace("HERE", platform.node()).replace("PID", str(os.getpid()))
    (tmp_path / ".jobs" / "a.json").write_text(content)
    assert jobs.running([tmp_path]) == []


def test_another_machines_job_counts_while_it_speaks(tmp_path):
    (tmp_path / ".jobs").mkdir()
    told = {"name": "a", "host": "elsewhere", "pid": 1, "said": time.time()}
    (tmp_path / ".jobs" / "a.json").write_text(json.dumps(told))
    assert len(jobs.running([tmp_path])) == 1
    (tmp_path / ".jobs" / "a.json").write_text(json.dumps(told | {"said": time.time() - 3600}))
    assert jobs.running([tmp_path]) == []


def test_a_folder_that_cannot_be_written_to_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError), jobs.job(Path(tmp_path / "file"), "a"):
        pass
