"""A process that may use two of many cores starts work for two, wherever it counts them."""

from __future__ import annotations

import os

import pytest

from stan.common.cores import cores, thread_environment
from stan.data import loader
from stan.data.video.pool import Pool
from stan.results import provenance


@pytest.fixture
def allowed(monkeypatch):
    """Sets which of 64 cores this process may use."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)

    def allow(*numbers: int) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(numbers), raising=False)

    return allow


def test_only_the_cores_that_this_process_may_use_count(allowed):
    allowed(3, 40)
    assert cores() == 2
    assert Pool().size == 2
    assert loader._threads() == 2
    assert provenance.machine().endswith(", 2 cores")


def test_a_single_core_still_gets_two_decoding_processes(allowed):
    allowed(7)
    assert (cores(), Pool().size) == (1, 2)


def test_all_cores_count_where_the_system_allows_no_fewer(allowed, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert cores() == 64
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1


def test_all_libraries_that_compute_are_told_the_number_of_threads():
    assert thread_environment(3) == {
        "OMP_NUM_THREADS": "3",
        "OPENBLAS_NUM_THREADS": "3",
        "MKL_NUM_THREADS": "3",
    }
