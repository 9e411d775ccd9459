"""What a file is, what is assumed and corrected, and who reads it and why, is on record."""

from dataclasses import asdict
from fractions import Fraction

import numpy as np
import pytest

from stan.data.video import decoding, key_frames
from stan.data.video.colour import colour, over_background, tone_curve
from stan.data.video.crops import _aperture, _elements_inside
from stan.data.video.facts import VideoFacts
from stan.data.video.geometry import Geometry, turns
from stan.data.video.key_frames import KeyKind
from tests.support import boxes, films, many_streams
from tests.support.films import Film


def facts(film: Film, folder) -> VideoFacts:
    return decoding.probe(film.write(folder)).facts


def test_a_plain_film(tmp_path):
    found = facts(Film(), tmp_path)
    assert (found.decoder, found.codec, found.stored, found.displayed) == (
        "decord",
        "h264",
        (176, 144),
        (176, 144),
    )
    assert (found.matrix, found.range, found.bit_depth, found.pixel_format) == (
        "bt601",
        "limited",
        8,
        "yuv420p",
    )
    assert found.assumed == ("primaries", "transfer") and not found.corrections and not found.warnings
    assert (found.frames, found.constant_rate, found.key_distance) == (24, True, pytest.approx(0.48))
    assert [(s.kind, s.role, s.size) for s in found.streams] == [("video", "film", (176, 144))]
    assert VideoFacts.of(asdict(found)) == found


def test_a_film_that_needs_much(tmp_path):
    film = Film(aspect=Fraction(4, 3), tagged=False, patch=films.with_matrix("transposed"))
    found = facts(film, tmp_path)
    assert (found.decoder, found.reason) == ("pyav", "it is cut, mirrored or stretched")
    assert (found.rotation, found.mirrored, found.displayed) == (270, True, (144, 235))
    assert found.corrections == ("stretched by 4/3 to square pixels", "mirrored", "turned by 270 degrees")
    assert found.assumed[:2] == ("matrix", "range")


ALONE = "only the base layer of Dolby Vision is shown"


@pytest.mark.parametrize(
    ("profile", "compatible", "warnings"),
    [(8, 1, (ALONE,)), (5, 0, (ALONE, "its colours are known to Dolby Vision alone, and wrong here"))],
)
def test_dolby_vision_is_told_by_its_record(tmp_path, profile, compatible, warnings):
    found = facts(Film(patch=boxes.with_dolby_vision(profile, compatible)), tmp_path)
    assert found.dolby_vision and found.warnings == warnings


def test_pictures_of_chapters_are_no_film(tmp_path):
    path = films.write_side_by_side(tmp_path / "film.mp4", [Film(), Film(size=(352, 288))], 0)
    boxes.with_chapters_in(2)(path)
    found = decoding.probe(path).facts
    assert [stream.role for stream in found.streams] == ["film", "thumbnails"]
    assert (found.decoder, found.reason) == ("pyav", "it has thumbnails")


def test_of_several_programs_the_largest_is_the_film(tmp_path):
    path = many_streams.write_programs(tmp_path / "film.ts", [Film(size=(96, 80)), Film()])
    assert [stream.role for stream in decoding.probe(path).facts.streams] == ["other film", "film"]


def test_the_record_comes_with_the_frames(tmp_path):
    path = films.write_side_by_side(tmp_path / "film.mkv", [Film(size=(96, 80)), Film()], 1)
    decoded = decoding.decode(path, 2)
    assert decoded.facts == decoding.probe(path).facts and decoded.facts.stream == 1
    assert (
        decoded.decoder == decoded.facts.decoder == "pyav" and decoded.facts.reason == "it has several films"
    )
    assert [stream.role for stream in decoded.facts.streams] == ["other film", "film"]


@pytest.mark.parametrize(("name", "codec"), [("film.mp4", "libx264"), ("film.ts", "mpeg2video")])
def test_two_fields_are_not_woven(tmp_path, name, codec):
    """A bar moves on from field to field, so that its edges are combs where both are shown at once."""

    class Moving(Film):
        def picture(self, index):
            picture = np.zeros((*self.size[::-1], 3), np.uint8)
            for field in range(2):
                left = 6 * (2 * index + field)
                picture[field::2, left : left + 30] = 255
            return picture

        def frame(self, index):
            frame = self._frame(self.picture(index))
            frame.pts, frame.time_base = index, Fraction(1, self.rate)
            return frame

    def combs(picture):
        return np.abs(np.diff(picture[16:-16].astype(int), axis=0)).mean()

    options = {"b": "20M", "g": "12", "flags": "+ildct+ilme", "field_order": "tt"}
    film = Moving(name=name, codec=codec, options=options, frames=12)
    decoded = decoding.decode(film.write(tmp_path), [5, 8])
    assert decoded.facts.interlaced and "deinterlaced" in decoded.facts.corrections
    for index, frame in zip([5, 8], decoded.frames, strict=True):
        assert combs(frame) < combs(film.picture(index)) / 4
        assert frame[70, 12 * index + 6 : 12 * index + 24].mean() > 200  # the first field's place


def test_a_red_without_tags_is_told_by_its_lines():
    assert colour(2, 2, 2, 0, height=719, rgb=False).matrix == "bt601"
    assert colour(2, 2, 2, 0, height=720, rgb=False).matrix == "bt709"
    told = colour(9, 9, 16, 1, height=480, rgb=False)
    assert (told.matrix, told.primaries, told.hdr, told.assumed) == ("bt2020nc", "bt2020", "PQ", ())
    assert colour(0, 1, 13, 2, height=480, rgb=True).range == "full"


def test_the_tone_curve_keeps_the_dark_and_ends_at_white():
    assert tone_curve(np.array([1.0, 50.0])) == pytest.approx([1, 50], rel=1e-3)
    assert tone_curve(np.array([1000.0])) == pytest.approx([203], rel=1e-3)
    light = tone_curve(np.linspace(1, 1000, 200))
    assert (np.diff(light) > 0).all()
    assert 255 * films.sdr_signal(203) == pytest.approx(231, abs=1)


def test_half_transparent_black_is_grey():
    assert over_background(np.array([[[0, 0, 0, 128]]], np.uint8)).tolist() == [[[127, 127, 127]]]


@pytest.mark.parametrize("name", films.MATRICES)
def test_every_display_matrix_is_followed_pixel_by_pixel(name):
    a, b, u, c, d, v = films.MATRICES[name]
    matrix = np.array([a, b, u, c, d, v, 0, 0, 0], np.int32).tobytes()
    told = turns(matrix)
    picture = np.arange(6).reshape(2, 3)
    shown = picture.T if told["transposed"] else picture
    shown = shown[:, ::-1] if told["left_right"] else shown
    shown = shown[::-1] if told["up_down"] else shown
    assert films.undone(name)(shown).tolist() == picture.tolist()
    lies = Geometry((3, 2), **told)
    mirrored = picture[:, ::-1] if lies.mirrored else picture
    assert np.rot90(mirrored, -lies.rotation // 90).tolist() == shown.tolist()


def test_a_picture_is_cut_before_it_is_stretched():
    lies = Geometry((1440, 1088), (0, 0, 0, 8), Fraction(4, 3))
    assert lies.displayed == (1920, 1080) and not lies.plain


def test_a_clean_aperture_lies_about_its_centre():
    numbers = [160, 1, 128, 1, 4, 1, (1 << 32) - 2, 1]
    box = b"".join(number.to_bytes(4, "big") for number in numbers)
    assert _aperture(box, (176, 144)) == (12, 6, 4, 10)


def test_matroska_elements_are_found_inside_each_other():
    inner = bytes([0x83, 0x81, 1])
    entry = bytes([0xAE, 0x80 + len(inner)]) + inner
    tracks = bytes([0x16, 0x54, 0xAE, 0x6B, 0x40, len(entry)]) + entry
    segment = bytes([0x18, 0x53, 0x80, 0x67, 0x01, *[255] * 7]) + tracks
    assert list(_elements_inside(segment, 0x18538067, 0x1654AE6B, 0xAE)) == [inner]


def recovery_point(count: int) -> bytes:
    """Return a unit of supplemental information: another message, then a recovery point so many frames ahead."""
    bits = format(count + 1, "b")
    written = ("0" * (len(bits) - 1) + bits).ljust(8, "0")[:8]
    return bytes([6, 5, 2, 1, 2, 6, 1, int(written, 2), 0x80])


@pytest.mark.parametrize(
    ("unit", "kind"),
    [
        (b"\x65\x88", KeyKind.CLOSED),
        (recovery_point(0), KeyKind.OPEN),
        (recovery_point(3), KeyKind.NONE),
        (b"\x09\xf0", KeyKind.NONE),
    ],
)
@pytest.mark.parametrize("lengths", [True, False])
def test_key_frames_of_h264(unit, kind, lengths):
    parts, slice_of_p = [b"\x67\x64\x00", unit], b"\x41\x9a"
    if kind is not KeyKind.CLOSED:
        parts.append(slice_of_p)
    if lengths:
        packet = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        assert key_frames.key_kind("h264", b"\x01\x64\x00\x0a\xff", packet) is kind
        assert key_frames.parameters("h264", b"\x01\x64\x00\x0a\xff", packet) == parts[0]
    else:
        packet = b"".join(b"\0\0\1" + part for part in parts)
        assert key_frames.key_kind("h264", None, packet) is kind


@pytest.mark.parametrize(
    ("number", "kind"), [(19, KeyKind.CLOSED), (20, KeyKind.CLOSED), (21, KeyKind.OPEN), (1, KeyKind.NONE)]
)
def test_key_frames_of_hevc(number, kind):
    assert key_frames.key_kind("hevc", None, b"\0\0\1" + bytes([number << 1, 1, 0x80])) is kind
