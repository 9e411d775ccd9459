"""The service's bench has the agreed form: both sides timed by turns, and a load whose answers are counted."""

import json

import pytest


@pytest.mark.slow
def test_bench_service_in_the_agreed_form(stan):
    asked = ("--windows", 100, "--repeats", 2, "--clients", 3, "--seconds", 0.5)
    code, out, err = stan("bench", "service", *asked, "--json")
    assert code == 0, err
    found = json.loads(out)
    here, there, load = found["rows"]
    assert (here["name"], there["name"]) == ("in the process", "through the service")
    assert there["relative"] == pytest.approx(there["p50"] / here["p50"])
    assert load["repeats"] == found["load"]["answers"] >= 3 and found["load"]["errors"] == []
    assert found["load"]["memory_after"] > 0
