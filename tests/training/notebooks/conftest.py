"""One fork server for all tests that leave it alive: its imports take longer than most notebooks."""

from collections.abc import Iterator

import pytest

from stan.training.notebooks import fork_server, launch


@pytest.fixture(scope="session")
def forks() -> Iterator[fork_server.Forks | None]:
    """The server, in an environment of one thread; None where forks aren't possible."""
    opened = None
    if fork_server.possible():
        opened = fork_server.Forks(launch.process_environment({"OMP_NUM_THREADS": "1"}))
    yield opened
    if opened is not None:
        opened.close()
