"""The embedded world: what its plans promise, that equal seeds give equal bytes, and that the real readers read it."""

import hashlib
import json
import re
from collections import Counter

import numpy as np
import pytest

from stan.data.datasets import load
from stan.data.video.decoding import decode
from stan.data.world import concepts, motions, render, sentences, stills
from stan.data.world.render import HEIGHT, SHAPES, TEXTURES, WIDTH
from stan.data.world.suites import EVENT_FRAMES, SUITES, labels, plans
from stan.data.world.writer import MARKER, encode, write

WORDS_OF_PLACE = {
    "left",
    "right",
    "up",
    "down",
    "top",
    "bottom",
    "middle",
    "large",
    "small",
    "big",
    "turned",
    "tilted",
}


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    root = tmp_path_factory.mktemp("worlds")
    return {suite: write(suite, "tiny", root) for suite in SUITES}


def test_every_word_can_be_drawn():
    assert set(concepts.ALL.shapes) == set(SHAPES)
    assert set(concepts.ALL.backgrounds) == set(TEXTURES)
    assert set(concepts.ALL.colours) == set(concepts.RGB)


@pytest.mark.parametrize("part", ["shapes", "colours", "backgrounds"])
def test_a_third_of_the_concepts_is_never_in_training(part):
    seen, unseen = getattr(concepts.SEEN, part), getattr(concepts.UNSEEN, part)
    assert not set(seen) & set(unseen)
    assert 3 * len(unseen) == len(seen) + len(unseen)


@pytest.mark.parametrize("name", motions.MOTIONS)
def test_a_reversal_undoes_itself(name):
    event = motions.draw_event(name, concepts.SEEN, np.random.default_rng(0))
    assert event.reversed.reversed == event
    assert (event.reversed.sentence() != event.sentence()) == (event.reversed != event)


@pytest.mark.parametrize("name", motions.MOTIONS)
def test_tracks_stay_in_the_centre_crop(name):
    cut = (WIDTH - HEIGHT) / 2
    for seed in range(20):
        rng = np.random.default_rng(seed)
        event = motions.draw_event(name, concepts.ALL, rng)
        for track in motions.tracks_of(event, rng, EVENT_FRAMES):
            boxes = track.boxes()
            assert boxes.shape == (EVENT_FRAMES, 4)
            assert boxes[:, 0].min() >= cut and boxes[:, 2].max() <= WIDTH - cut
            assert boxes[:, 1].min() >= 0 and boxes[:, 3].max() <= HEIGHT


def test_moving_right_moves_right_and_left_left():
    for name, sign in (("right", 1), ("left", -1)):
        rng = np.random.default_rng(3)
        (track,) = motions.tracks_of(motions.draw_event(name, concepts.SEEN, rng), rng, EVENT_FRAMES)
        assert sign * (track.x[-1] - track.x[0]) >= 8
        assert np.ptp(track.y) == 0


def test_clockwise_is_clockwise_on_the_screen():
    rng = np.random.default_rng(0)
    (track,) = motions.tracks_of(
        motions.Event("clockwise", (motions.Appearance("red", "arrow"),)), rng, EVENT_FRAMES
    )
    assert np.all(np.diff(track.angle) >= 0)  # y points down, so a growing angle turns right into down


def test_eight_frames_tell_which_way_a_star_turns():
    for seed in range(100):
        rng = np.random.default_rng(seed)
        star = motions.Event("clockwise", (motions.Appearance("red", "star"),))
        (track,) = motions.tracks_of(star, rng, EVENT_FRAMES)
        centres = np.arange(8) * EVENT_FRAMES // 8 + EVENT_FRAMES // 16
        assert (
            np.diff(track.angle[centres]).max() < np.pi / 5
        )  # half of the turn after which it looks the same


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES)
def test_splits_share_no_caption_and_training_no_unseen_concept(suite):
    clips = plans(suite, "quick")
    captions = {s: {c for p in clips if p.split == s for c in p.captions()} for s in ("train", "val", "test")}
    assert not captions["train"] & captions["test"]
    assert not captions["train"] & captions["val"]
    assert not captions["val"] & captions["test"]
    unseen = {*concepts.UNSEEN.shapes, *concepts.UNSEEN.colours, *concepts.UNSEEN.backgrounds}
    assert not unseen & {word.strip(".") for c in captions["train"] | captions["val"] for word in c.split()}
    test = [p for p in clips if p.split == "test"]
    assert Counter(p.seen for p in test) == {True: 200, False: 200}


@pytest.mark.slow
@pytest.mark.parametrize("size", ["quick", "full"])
@pytest.mark.parametrize("suite", ["retrieval", "paragraph"])
def test_every_query_of_a_retrieval_test_is_unique(suite, size):
    clips = plans(suite, size)
    for split in ("val", "test"):
        captions = [p.captions() for p in clips if p.split == split]
        assert all(len(c) == 1 for c in captions)
        assert len({c[0] for c in captions}) == len(captions)


@pytest.mark.parametrize("suite", ["retrieval", "paragraph", "motions"])
def test_twins_are_each_other_backwards_with_another_caption_or_class(suite):
    clips = {p.id: p for p in plans(suite, "tiny")}
    paired = [p for p in clips.values() if p.twin]
    assert {p.split for p in paired} == {"train", "val", "test"} and len(paired) >= 24
    for plan in paired:
        twin = clips[plan.twin]
        assert twin.twin == plan.id
        assert (twin.label != plan.label) if suite == "motions" else (twin.captions() != plan.captions())
    np.testing.assert_array_equal(clips[paired[0].twin].frames()[::-1], paired[0].frames())


def test_every_clip_whose_words_have_a_direction_has_a_twin():
    for plan in plans("retrieval", "quick"):
        assert (plan.twin is not None) == any(event.reversed != event for event in plan.events)


def told(sentence: str) -> set[str]:
    """The motions that a sentence may speak of."""
    clause = re.sub(r" on a \w+ background$", "", sentence)
    found = {m for m in motions.MOTIONS if motions.class_name(m) == clause}
    for name, motion in motions.MOTIONS.items():
        patterns = [re.sub(r"\{\w+\}", r"[a-z ]+", phrase) for phrase in motion.phrases]
        found |= {name} if any(re.fullmatch(pattern, clause) for pattern in patterns) else set()
    return found


def test_readings_say_the_same_twice_and_then_the_reverse():
    first, second = sentences.draw_readings(400, 3)
    assert (first, second) == sentences.draw_readings(400, 3)
    assert any(a.startswith("something") for a in first) and any(a.startswith("a ") for a in first)
    spoken = [told(a) & told(b) for a, b in zip(first, second, strict=True)]
    assert all(a != b for a, b in zip(first, second, strict=True)) and all(spoken)
    for forwards, backwards in zip(spoken[::2], spoken[1::2], strict=True):
        assert {motions.MOTIONS[m].reversal or m for m in forwards} & backwards


def test_equal_seeds_give_equal_bytes_and_others_do_not():
    first, again, other = (plans("retrieval", "tiny", seed)[0] for seed in (0, 0, 1))
    assert (
        hashlib.sha256(first.frames().tobytes()).digest() == hashlib.sha256(again.frames().tobytes()).digest()
    )
    assert other.frames().tobytes() != first.frames().tobytes()


def test_frames_of_the_default_world_never_change():
    corner = plans("retrieval", "tiny")[0].frames()[0, : HEIGHT // 4, : WIDTH // 4]
    assert corner.mean((0, 1)).round(1).tolist() == [109.8, 103.3, 111.9]


@pytest.mark.slow
def test_stills_say_what_and_never_where():
    _, captions = stills.draw_stills(300, 0)
    words = {word for caption in captions for word in caption.split()}
    assert not words & WORDS_OF_PLACE
    assert set(concepts.ALL.shapes) <= words and set(concepts.ALL.backgrounds) <= words


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES)
def test_the_readers_of_the_real_sets_read_the_world(suite, worlds):
    expected = {p.id: p for p in plans(suite, "tiny")}
    for split, count in (("train", 24), ("val", 16), ("test", 24)):
        videos = load(f"world/{suite}:{worlds[suite]}", split)
        assert len(videos.clips) == count and not videos.missing
        for clip in videos.clips:
            plan = expected[clip.id]
            assert (clip.seen, clip.twin, clip.kind) == (plan.seen, plan.twin, plan.kind)
            if videos.task == "retrieval":
                assert clip.captions == plan.captions()
            else:
                assert videos.classes[clip.label] == plan.label.replace("[", "").replace("]", "")
    assert load(f"world/{suite}:{worlds[suite]}", "test").classes == labels(suite)


def test_files_are_h264_and_decode_to_what_was_drawn(worlds):
    plan = plans("motions", "tiny")[0]
    decoded = decode(worlds["motions"] / "videos" / plan.split / f"{plan.id}.mp4", EVENT_FRAMES)
    drawn = plan.frames()
    assert decoded.frames.shape == drawn.shape
    assert np.abs(decoded.frames.astype(int) - drawn).mean() < 6
    np.testing.assert_allclose(np.diff(decoded.times), 1 / 12, atol=1e-3)


@pytest.mark.slow
def test_a_complete_world_is_left_alone_and_an_incomplete_one_made_anew(tmp_path):
    folder = write("motions", "tiny", tmp_path)
    video = next((folder / "videos" / "test").iterdir())
    before = video.stat().st_mtime_ns
    assert write("motions", "tiny", tmp_path) == folder and video.stat().st_mtime_ns == before
    (folder / MARKER).unlink()
    video.write_bytes(b"half")
    write("motions", "tiny", tmp_path)
    assert video.stat().st_size > 100


@pytest.mark.slow
def test_another_world_in_the_folder_is_refused(tmp_path):
    folder = write("motions", "tiny", tmp_path)
    (folder / MARKER).write_text(json.dumps({"suite": "scenes"}))
    with pytest.raises(ValueError, match="holds another world"):
        write("motions", "tiny", tmp_path)


def test_a_full_world_with_the_smaller_test_of_before_is_refused(tmp_path):
    (folder := tmp_path / "motions-full").mkdir()
    before = {"suite": "motions", "size": "full", "seed": 0, "version": 3}
    (folder / MARKER).write_text(json.dumps(before))
    with pytest.raises(ValueError, match="holds another world"):
        write("motions", "full", tmp_path)


@pytest.mark.parametrize(("suite", "size"), [("sports", "quick"), ("motions", "huge")])
def test_unknown_names_are_refused(suite, size, tmp_path):
    with pytest.raises(ValueError, match="it has"):
        write(suite, size, tmp_path)
    assert not list(tmp_path.iterdir())


def test_encoding_keeps_the_number_of_frames(tmp_path):
    encode(np.zeros((7, 96, 112, 3), np.uint8), tmp_path / "seven.mp4")
    assert decode(tmp_path / "seven.mp4", 7).frames.shape == (7, 96, 112, 3)


def test_placeholders_fill_the_template_in_its_own_order(worlds):
    of_kind = {}
    for item in json.loads((worlds["motions"] / "train.json").read_text()):
        assert item["template"].count("[") == len(item["placeholders"])
        of_kind.setdefault(item["template"], item)
    cover = of_kind["Covering [something] with [something]"]
    cover_of, cover_by = cover["placeholders"]
    assert cover["label"].startswith((f"{cover_by} covers {cover_of}", f"{cover_by} slides over {cover_of}"))
    uncover = of_kind["Uncovering [something]"]
    assert f" {uncover['placeholders'][0]} " in f"{uncover['label']} "
    assert not uncover["label"].startswith(uncover["placeholders"][0])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("radius", [1.5, 6.0, 20.0])
def test_nothing_of_a_shape_shows_beyond_its_reach(shape, radius):
    moments = np.ones(16)
    angle, white = np.linspace(0, 2 * np.pi, 16), np.full((16, 3), 255.0)
    track = render.Track(shape, 50.5 * moments, 48.0 * moments, radius * moments, angle, white, moments)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32) + 0.5
    cover = render._coverage(track, x, y)
    assert cover.any()
    cover[:, *render._reach(track)] = 0
    assert not cover.any()
