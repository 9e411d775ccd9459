"""What fails for a while is tried again, what is hopeless is not, and the last failure is told."""

from __future__ import annotations

import pytest

from stan.common import retry
from stan.common.retry import patiently


class Server:
    """Raises the errors one after the other, then answers."""

    def __init__(self, *errors: Exception):
        self.errors, self.asked = list(errors), 0

    def __call__(self) -> str:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    monkeypatch.setattr(retry, "PAUSES", (0, 0))


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_what_fails_for_a_while_is_tried_again(failures):
    server = Server(*[RuntimeError("503")] * failures)
    assert patiently(server) == "answer"
    assert server.asked == failures + 1


def test_the_last_failure_is_told():
    server = Server(RuntimeError("502"), RuntimeError("503"), KeyError("504"), RuntimeError("505"))
    with pytest.raises(OSError, match="KeyError: '504'"):
        patiently(server)
    assert server.asked == 3


@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError, NotImplementedError])
def test_what_is_hopeless_is_told_at_once(error):
    server = Server(error("no"))
    with pytest.raises(error, match="no"):
        patiently(server, NotImplementedError)
    assert server.asked == 1
