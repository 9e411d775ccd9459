"""The processes that decode: killed when they overrun, replaced when they die, gone when nobody needs them."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from stan.data.video import decoding
from stan.data.video.pool import POOL, Pool, WorkerDied
from tests.support.painted_clips import read, write


def running(pid: int) -> bool:
    """True also for a zombie: its number stays taken until it is waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_a_worker_over_its_time_is_killed_and_replaced(tmp_path):
    clip = write(tmp_path / "a.mp4", 200, (320, 240))
    decoding.probe(clip)
    before = set(POOL.pids)
    with pytest.raises(decoding.VideoError, match="longer than its limit of time"):
        decoding.decode(clip, 2, limits=decoding.Limits(seconds=1e-6))
    gone = before - set(POOL.pids)
    assert gone and not any(running(pid) for pid in gone)
    assert decoding.frames(clip, 2).shape == (2, 240, 320, 3)


def test_an_idle_worker_that_dies_is_not_missed(tmp_path):
    clip = write(tmp_path / "a.mp4")
    decoding.probe(clip)
    for pid in POOL.pids:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # until its last thread has ended
    assert decoding.decode(clip, 20).decoder == "decord"


def test_a_worker_killed_amid_a_call_leaves_the_call_to_pyav(tmp_path):
    clip = write(tmp_path / "a.mp4", 40)
    decoding.close()
    decoding.probe(clip)
    (pid,) = POOL.pids
    os.kill(pid, signal.SIGSTOP)  # so that the call is surely under way when the worker dies
    found = []
    caller = threading.Thread(target=lambda: found.append(decoding.decode(clip, [3, 30])))
    caller.start()
    time.sleep(0.2)
    os.kill(pid, signal.SIGKILL)
    caller.join(60)
    assert found[0].decoder == "pyav" and [read(frame) for frame in found[0].frames] == [3, 30]
    assert not running(pid)


def test_the_ending_of_a_worker_is_told():
    pool = Pool(1)
    with pytest.raises(WorkerDied, match="exit code 1"):  # a request that no decoding process understands
        pool.ask({"what": "nothing"}, 30)
    assert pool.pids == []


def test_many_threads_share_the_workers(tmp_path):
    clip = write(tmp_path / "a.mp4", 30)
    found: dict[int, int] = {}
    threads = [
        threading.Thread(target=lambda i=i: found.update({i: read(decoding.frames(clip, [i])[0])}))
        for i in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {i: i for i in range(20)} and len(POOL.pids) <= POOL.size


def test_many_videos_come_in_order_and_errors_in_their_place(tmp_path):
    clips = [write(tmp_path / f"{i}.mp4", i + 1) for i in range(12)]
    clips[5] = tmp_path / "none.mp4"
    found = list(
        decoding.decode_many([decoding.Request(clip, [i]) for i, clip in enumerate(clips)], workers=2)
    )
    assert isinstance(found.pop(5), decoding.VideoError)
    assert [read(decoded.frames[0]) for decoded in found] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]


def test_reading_many_may_stop_early(tmp_path):
    clip = write(tmp_path / "a.mp4")
    many = decoding.decode_many(decoding.Request(clip, [i % 20]) for i in range(10**9))
    assert [read(next(many).frames[0]) for _ in range(3)] == [0, 1, 2]
    many.close()


def test_errors_travel_between_processes():
    error = decoding.VideoError("a\udcff.mp4", "is empty", "fetch it again")
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.path, copy.reason, copy.remedy) == (error.path, error.reason, error.remedy)
    str(copy).encode()


def script(code: str, *arguments: object) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_an_unguarded_script_decodes_without_torch_and_leaves_no_process(tmp_path):
    code = (
        "import sys; from stan.data.video import decoding as video; from stan.data.video.pool import POOL\n"
        "video.frames(sys.argv[1], 2); print(*POOL.pids, 'torch' in sys.modules)"
    )
    done = script(code, write(tmp_path / "a.mp4"))
    pid, torch_loaded = done.stdout.split()
    assert done.returncode == 0 and torch_loaded == "False" and not running(int(pid))


def test_workers_do_not_load_torch():
    done = script("import sys; import stan.data.video.worker; print('torch' in sys.modules)")
    assert done.stdout.strip() == "False", done.stderr


def test_nothing_of_a_film_stays_in_its_worker(tmp_path):
    """PyAV 19's filters are a cycle: uncollected, forty films held 160 threads and the memory of their pictures."""
    clip = write(tmp_path / "a.avi", 2, (1280, 720))  # decord reads no such film
    decoding.close()
    for _ in range(4):
        assert decoding.decode(clip, 2).decoder == "pyav"
    worker = psutil.Process(POOL.pids[0])
    before = worker.num_threads(), worker.memory_info().vms
    for _ in range(40):
        decoding.decode(clip, 2)
    assert worker.num_threads() == before[0]
    assert worker.memory_info().vms - before[1] < 10 * 1280 * 720 * 3


def test_a_forked_child_has_workers_of_its_own(tmp_path):
    code = (
        "import os, sys; from stan.data.video import decoding as video; from stan.data.video.pool import POOL\n"
        "video.frames(sys.argv[1], 2); own = POOL.pids; child = os.fork()\n"
        "if child == 0:\n"
        "    video.frames(sys.argv[1], 2); apart = not set(own) & set(POOL.pids); video.close(); os._exit(not apart)\n"
        "status = os.waitpid(child, 0)[1]; video.frames(sys.argv[1], 2); print(status, POOL.pids == own)"
    )
    assert script(code, write(tmp_path / "a.mp4")).stdout.split() == ["0", "True"]


def test_workers_end_when_the_asking_process_is_killed(tmp_path):
    code = (
        "import os, signal, sys; from stan.data.video import decoding as video; from stan.data.video.pool import POOL\n"
        "video.frames(sys.argv[1], 2); print(*POOL.pids, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    pid = int(script(code, write(tmp_path / "a.mp4")).stdout)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _lives(pid):
        time.sleep(0.05)
    assert not _lives(pid)


def _lives(pid: int) -> bool:
    """A zombie here would be one of whoever adopts orphans."""
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_no_worker_stays_after_closing(tmp_path):
    decoding.probe(write(tmp_path / "a.mp4"))
    pids = POOL.pids
    decoding.close()
    assert pids and POOL.pids == [] and not any(running(pid) for pid in pids)
