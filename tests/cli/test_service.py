"""The command lines of the service: what they refuse in one line, and a service that starts, answers and ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from stan import service
from stan.common.servers import free_port
from stan.library import Library
from stan.service.client import Client
from tests.service.test_refusals import eventually
from tests.support.small_clips import write_clip

TOKEN = "0123456789abcdef"


def test_another_host_needs_tokens(stan, tmp_path):
    code, _, err = stan("api", "--library", tmp_path, "--host", "0.0.0.0")
    assert code == 2 and "--token-file" in err and err.count("\n") == 1
    (tmp_path / "tokens").write_text("short\n")
    code, _, err = stan("api", "--library", tmp_path, "--token-file", tmp_path / "tokens")
    assert code == 2 and "fewer than 16" in err and err.count("\n") == 1


def test_tools_that_write_name_their_folders(stan, tmp_path):
    for words in (["--write"], ["--allow-folders", tmp_path]):
        code, _, err = stan("mcp", "--library", tmp_path, *words)
        assert code == 2 and "give both, or neither" in err


def test_a_library_that_is_not_there_and_a_folder_that_is_none_are_refused(stan, tmp_path):
    code, _, err = stan("api", "--library", tmp_path)
    assert code == 2 and "there is no library" in err
    code, _, err = stan("api", "--library", tmp_path, "--allow-folders", tmp_path / "none")
    assert code == 2 and "is no folder" in err


@pytest.mark.parametrize(("command", "package"), [("api", "fastapi"), ("mcp", "mcp")])
def test_a_package_that_is_missing_is_named_with_its_extra(stan, tmp_path, monkeypatch, command, package):
    monkeypatch.setattr(sys.modules["stan"], "service", service)  # which importing it anew replaces
    for name in [name for name in sys.modules if name.startswith(("stan.service", f"{package}."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr("stan.common.paths.is_clone", lambda: False)
    code, _, err = stan(command, "--library", tmp_path)
    assert code == 2 and f"'stan-video[{command}]'" in err and err.count("\n") == 1


@pytest.mark.slow
def test_a_service_starts_answers_and_ends(tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    write_clip(videos / "red.mp4")
    Library(tmp_path / "library").add(videos)
    (tmp_path / "tokens").write_text(TOKEN)
    port = free_port(0)
    words = [sys.executable, "-m", "stan", "api", "--library", tmp_path / "library", "--port", port]
    command = [str(word) for word in [*words, "--token-file", tmp_path / "tokens", "--allow-folders", videos]]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    ) as run:
        try:
            assert run.stderr is not None
            assert eventually_said(run, f"api: http://127.0.0.1:{port}")
            client = Client(f"http://127.0.0.1:{port}", TOKEN)
            assert eventually(lambda: answers(client))
            assert [one["name"] for one in client.search("a red square")] == ["red.mp4"]
            assert client.add("videos")["unchanged"] == 1
        finally:
            run.send_signal(signal.SIGINT)
        assert run.wait(30) == 130
        assert "Traceback" not in run.stderr.read()


def eventually_said(run: subprocess.Popen, words: str) -> bool:
    assert run.stderr is not None
    return any(words in line for line in run.stderr)


def answers(client: Client) -> bool:
    try:
        return client.health()["status"] == "ok"
    except OSError:
        return False
