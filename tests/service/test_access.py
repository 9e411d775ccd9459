"""Tokens let in whoever has one; rates are regained with time."""

import pytest

from stan.service.access import Rates, Tokens


def test_a_token_file_has_one_token_per_line(tmp_path):
    file = tmp_path / "tokens"
    file.write_text("# of the editor\n0123456789abcdef\n\n  fedcba9876543210  \n")
    tokens = Tokens.read(file)
    holders = [tokens.holder(f"Bearer {word}") for word in ("0123456789abcdef", "fedcba9876543210")]
    assert None not in holders and holders[0] != holders[1]
    assert tokens.holder("bearer  0123456789abcdef ") == holders[0]
    assert tokens.holder("Bearer # of the editor") is None and tokens.holder("Bearer ") is None


@pytest.mark.parametrize(("text", "words"), [("# none\n\n", "holds no token"), ("short\n", "fewer than 16")])
def test_a_token_file_that_guards_nothing_is_refused(tmp_path, text, words):
    file = tmp_path / "tokens"
    file.write_text(text)
    with pytest.raises(ValueError, match=words):
        Tokens.read(file)


def test_a_minutes_calls_may_come_at_once_and_are_regained_evenly():
    now = [0.0]
    rates = Rates(6, clock=lambda: now[0])
    assert [rates.wait("a") for _ in range(8)] == [0] * 6 + [10, 10]
    now[0] = 9.5
    assert rates.wait("a") == 1
    now[0] = 10.0
    assert [rates.wait("a"), rates.wait("a")] == [0, 10]
    now[0] = 1000.0
    assert [rates.wait("a") for _ in range(7)] == [0] * 6 + [10]
    assert rates.wait("b") == 0


def test_callers_without_end_are_forgotten(monkeypatch):
    monkeypatch.setattr("stan.service.access.REMEMBERED", 3)
    rates = Rates(1)
    for name in "abcd":
        rates.wait(name)
    assert rates.wait("d") > 0 and rates.wait("b") > 0
    assert rates.wait("a") == 0
