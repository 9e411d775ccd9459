"""Pages start on loopback, are announced once they answer, and leave no process behind, however they end."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stan.common import servers

ROOT = Path(__file__).resolve().parents[2]

# A page with a child of its own, which it does not end; both write their process ids.
PAGE = """
import http.server, os, signal, subprocess, sys
port, pids, stubborn = int(sys.argv[1]), sys.argv[2], sys.argv[3] == "stubborn"
if stubborn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(pids, "w").write(f"{os.getpid()} {child.pid}")
class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
http.server.HTTPServer(("127.0.0.1", port), Quiet).serve_forever()
"""
SERVE = """
import sys
from stan.common import servers as serve
page, *rest = sys.argv[1:]
pages = []
for i in range(0, len(rest), 2):
    port = serve.free_port(0)
    command = (sys.executable, "-c", page, str(port), rest[i], rest[i + 1])
    pages.append(serve.Page(f"page{i // 2}", command, port))
try:
    serve.serve(pages, lambda text: print(text, flush=True))
    print("ended")
except ValueError as error:
    print("refused:", error)
"""


def start(*pages: str) -> subprocess.Popen:
    command = [sys.executable, "-c", SERVE, PAGE, *pages]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def alive(pid: int) -> bool:
    """Whether it still runs; an ended process that nobody reaped does not."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True
    ).stdout.strip()
    return state != "" and not state.startswith("Z")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "manner"), [(signal.SIGINT, "plain"), (signal.SIGTERM, "stubborn")])
def test_a_signal_ends_both_pages_and_their_children(tmp_path, number, manner):
    files = [tmp_path / "first", tmp_path / "second"]
    process = start(str(files[0]), "plain", str(files[1]), manner)
    announced = [process.stdout.readline() for _ in files]
    pids = [int(pid) for file in files for pid in file.read_text().split()]
    assert [line.split(": ")[0] for line in announced] == ["page0", "page1"]
    assert all(alive(pid) for pid in pids)

    process.send_signal(number)
    rest, _ = process.communicate(timeout=30)
    assert rest == "ended\n"
    assert not any(alive(pid) for pid in pids)


@pytest.mark.slow
def test_a_signal_before_the_pages_answer_ends_them_too(tmp_path):
    file = tmp_path / "pids"
    process = start(str(file), "plain")
    while not file.exists() or not file.read_text():
        time.sleep(0.01)
    process.terminate()
    assert process.communicate(timeout=30)[0].endswith("ended\n")
    assert not any(alive(int(pid)) for pid in file.read_text().split())


@pytest.mark.slow
def test_a_page_that_dies_is_told_with_its_words_and_ends_the_other(tmp_path):
    file = tmp_path / "pids"
    process = start(str(file), "plain", str(tmp_path / "missing" / "pids"), "plain")
    said, _ = process.communicate(timeout=60)
    assert said.startswith("refused: the page1 ended with exit code 1")
    assert "FileNotFoundError" in said
    assert not file.exists() or not any(alive(int(pid)) for pid in file.read_text().split())


def test_a_taken_port_gives_another():
    with socket.socket() as listener:
        listener.bind((servers.HOST, 0))
        listener.listen()
        taken = listener.getsockname()[1]
        assert servers.free_port(taken) not in (taken, 0)
    assert servers.free_port(taken) == taken


@pytest.mark.parametrize("command", ["dashboard", "demo"])
def test_a_port_asked_for_and_taken_is_one_clear_line(stan, command):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        code, _, said = stan(command, "--port", port)
    assert code == 2 and f"port {port} of 127.0.0.1 cannot be taken" in said
    assert len(said.strip().splitlines()) == 1


def test_commands_bind_loopback_turn_telemetry_off_and_name_absolute_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "project_folder", lambda name: tmp_path / name)
    monkeypatch.chdir(tmp_path)
    demo = servers.demo_command(["libraries/world"], port=9002)
    dashboard = servers.dashboard_command(["runs", "others"], 9001, demo.address, "worlds")
    words = " ".join(dashboard.command)
    assert "--server.address 127.0.0.1" in words
    assert "--browser.gatherUsageStats false" in words
    assert dashboard.command[-9:] == (
        "--",
        "--runs",
        str(tmp_path / "runs"),
        "--runs",
        str(tmp_path / "others"),
        "--worlds",
        str(tmp_path / "worlds"),
        "--demo",
        "http://127.0.0.1:9002",
    )
    reading = servers.dashboard_command(["runs"], 9001, demo.address, read_only=True).command
    assert reading[-3:] == ("--read-only", "--demo", "http://127.0.0.1:9002")
    assert "--host 127.0.0.1 --port 9002" in " ".join(demo.command)
    assert demo.command[2:5] == ("demo.app", "--library", str(tmp_path / "libraries/world"))
    assert demo.environment["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert (dashboard.address, demo.address) == ("http://127.0.0.1:9001", "http://127.0.0.1:9002")


def test_a_shared_demo_listens_where_it_is_told_and_is_found_from_here(tmp_path):
    page = servers.demo_command(["s3://bucket/a", tmp_path], 9002, [tmp_path], "0.0.0.0", True)
    words = " ".join(page.command)
    assert (
        f"--library s3://bucket/a --library {tmp_path} --allow-folders {tmp_path} --without-password" in words
    )
    assert page.address == "http://127.0.0.1:9002"
    assert servers.demo_command(["a"], 9002, host="::").address == "http://[::1]:9002"


def test_a_missing_folder_of_the_clone_is_refused():
    with pytest.raises(ValueError, match="no folder nowhere"):
        servers.project_folder("nowhere")
