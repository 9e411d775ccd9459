"""Edit decision lists, written out by hand."""

import pytest

from stan.library.edl import MOST, edl


def test_moments_follow_each_other_in_the_sequence():
    moments = [
        {"name": "a.mp4", "start": 1.0, "end": 2.2},
        {"name": "b.mp4", "start": 3661.04, "end": 3662.04},
    ]
    assert edl(moments, "a cat").split("\r\n") == [
        "TITLE: a cat",
        "FCM: NON-DROP FRAME",
        "",
        "001  AX       V     C        00:00:01:00 00:00:02:05 00:00:00:00 00:00:01:05",
        "* FROM CLIP NAME: a.mp4",
        "",
        "002  AX       V     C        01:01:01:01 01:01:02:01 00:00:01:05 00:00:02:05",
        "* FROM CLIP NAME: b.mp4",
        "",
    ]


def test_a_moment_without_length_is_one_frame():
    assert "00:00:01:00 00:00:01:01 00:00:00:00 00:00:00:01" in edl(
        [{"name": "a", "start": 1.0, "end": 1.0}], ""
    )


def test_names_begin_no_line_of_their_own():
    hostile = "a\r\n002  AX\u2028\x0b.mp4"
    lines = edl([{"name": hostile, "start": 0.0, "end": 1.0}], "t\nFCM: DROP FRAME").splitlines()
    assert lines[0] == "TITLE: t FCM: DROP FRAME"
    assert lines[3:] == [
        "001  AX       V     C        00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00",
        "* FROM CLIP NAME: a  002  AX  .mp4",
    ]


def test_a_list_holds_as_many_moments_as_three_digits_count():
    one = {"name": "a", "start": 0.0, "end": 1.0}
    assert "\r\n999  AX" in edl([one] * MOST, "")
    with pytest.raises(ValueError, match="1000 moments: an edit decision list holds 999"):
        edl([one] * (MOST + 1), "")


@pytest.mark.parametrize(
    ("start", "end"),
    [(359_999.0, 360_001.0), (-5.0, 1.0), (2.0, 1.0), (float("nan"), 1.0), (0.0, float("inf"))],
)
def test_what_time_codes_cannot_count_is_refused_by_name(start, end):
    with pytest.raises(ValueError, match=rf"a\.mp4 from {start} to {end} seconds"):
        edl([{"name": "a.mp4", "start": start, "end": end}], "")


def test_a_sequence_ends_before_100_hours():
    last = {"name": "a", "start": 360_000 - 1 / 25, "end": 360_000 - 1 / 25}
    with pytest.raises(ValueError, match="reach 100 hours"):
        edl([last], "")  # its last frame ends there
    long = {"name": "a", "start": 0.0, "end": 180_000 - 1 / 25}
    assert " 99:59:59:23\r\n" in edl([long] * 2, "")
    with pytest.raises(ValueError, match="reach 100 hours"):
        edl([long] * 3, "")
