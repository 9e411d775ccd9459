"""The record of a video file in; the same in words, a line per property, out."""

from __future__ import annotations

from stan.data.video.facts import StreamFacts, VideoFacts


def summary(facts: VideoFacts) -> dict[str, str]:
    """Return what a file is and how it is read, by the name of the property, in the order in which people ask."""
    return {
        "container": facts.container,
        **{f"stream {one.index}": _stream(one, one.index == facts.stream) for one in facts.streams},
        "codec": f"{_named(facts.codec, facts.profile)}; {facts.pixel_format}, {facts.bit_depth} bit"
        + ", transparency over white" * facts.alpha,
        "size": _size(facts),
        "turned": _turned(facts),
        "colours": _colours(facts),
        "HDR": _hdr(facts),
        "rate": f"{facts.frames} frames, {facts.fps:.3f} a second on average, "
        + ("constant" if facts.constant_rate else "variable"),
        "times": f"first {_seconds(facts.first_time)}, last {_seconds(facts.last_time)} by the file's clock",
        "duration": _duration(facts),
        "key frames": f"at most {_seconds(facts.key_distance)} apart" + ", open groups" * facts.open_groups,
        "read by": f"{facts.decoder}: {facts.reason}",
        "corrected": "; ".join(facts.corrections) or "nothing",
        "warnings": "; ".join(facts.warnings) or "none",
    }


def _stream(stream: StreamFacts, is_read: bool) -> str:
    parts = [stream.kind, stream.codec, stream.role, _pixels(stream.size) if stream.size else ""]
    return ", ".join(filter(None, [*parts, "default" * stream.default, "read" * is_read]))


def _size(facts: VideoFacts) -> str:
    left, top, right, bottom = facts.crop
    cut = f", cut by {left} left, {top} above, {right} right, {bottom} below" if any(facts.crop) else ""
    wide, high = facts.sample_aspect
    stretched = f", pixels of {wide}:{high}" if wide != high else ""
    return f"{_pixels(facts.stored)} as stored{cut}{stretched}; {_pixels(facts.displayed)} as shown"


def _turned(facts: VideoFacts) -> str:
    mirrored = "mirrored from left to right" if facts.mirrored else ""
    turned = f"by {facts.rotation} degrees clockwise" if facts.rotation else ""
    return ", then ".join(filter(None, [mirrored, turned])) or "no"


def _colours(facts: VideoFacts) -> str:
    values = {
        "matrix": facts.matrix,
        "primaries": facts.primaries,
        "transfer": facts.transfer,
        "range": facts.range,
    }
    told = (f"{name} {value}{' (assumed)' * (name in facts.assumed)}" for name, value in values.items())
    return ", ".join(told) + ", interlaced" * facts.interlaced


def _hdr(facts: VideoFacts) -> str:
    kind = f"{facts.hdr}, brought to SDR by a tone curve" if facts.hdr else "no"
    return kind + "; of Dolby Vision, the base layer" * facts.dolby_vision


def _duration(facts: VideoFacts) -> str:
    headers = {"container": facts.duration_by_container, "stream": facts.duration_by_stream}
    told = (f"{name} {'unknown' if value is None else _seconds(value)}" for name, value in headers.items())
    return f"{_seconds(facts.duration)}; by the headers: {', '.join(told)}"


def _named(codec: str, profile: str) -> str:
    return f"{codec}, {profile}" if profile else codec


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _seconds(value: float) -> str:
    return f"{value:.3f} s"
