"""A shell completes commands and options, by typer's own means."""

import subprocess
import sys

import pytest

from stan.cli import COMMANDS


@pytest.fixture
def completed(stan, monkeypatch):
    """completed("stan se") -> what bash is offered for the last word."""

    def ask(line: str) -> list[str]:
        monkeypatch.setenv("_STAN_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        code, out, _ = stan()
        assert code == 0
        return out.split()

    return ask


def test_commands_are_completed(completed):
    assert completed("stan se") == ["search", "serve"]
    assert sorted(completed("stan ")) == sorted(COMMANDS)


def test_options_and_commands_of_commands_are_completed(completed):
    assert completed("stan search --long") == ["--longer-than"]
    assert completed("stan bench se") == ["search", "service"]


@pytest.mark.slow
def test_the_script_for_a_shell_is_printed():
    command = f"{sys.executable} -m stan --show-completion; exit $?"
    shown = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert shown.returncode == 0, shown.stderr
    assert "complete" in shown.stdout and "_STAN_COMPLETE=complete_bash" in shown.stdout
