"""Commands in; the JSON schemas of what they print with `--json` out: the pages of the reference are made of them.

Keys that stand here stay; a document may have more.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
TRUTH: Schema = {"type": "boolean"}
ANY: Schema = {"type": "object"}


def _object(**keys: Schema) -> Schema:
    return {"type": "object", "properties": keys, "required": list(keys)}


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _by_name(value: Schema) -> Schema:
    return {"type": "object", "additionalProperties": value}


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _either(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def _with(schema: Schema, **keys: Schema) -> Schema:
    """Return the schema with these keys, which are not always there."""
    return {**schema, "properties": schema["properties"] | keys}


_INTERVAL = {"type": "array", "items": _maybe(NUMBER), "minItems": 2, "maxItems": 2}
_METRICS: Schema = {
    "type": "object",
    "description": "Numbers by name, in percent; nested by direction or part.",
}
_RUN = _object(id=TEXT, study=TEXT, row=TEXT, seed=WHOLE, status=TEXT, suite=_maybe(TEXT), metrics=_METRICS)
_SKIPPED = _object(file=TEXT, reason=TEXT, remedy=TEXT)
_RANKS = {"type": "object", "properties": dict.fromkeys(("R@1", "R@5", "R@10", "MdR", "MnR", "N"), NUMBER)}
_RESULT = _object(
    video=TEXT,
    id=TEXT,
    name=TEXT,
    folder=TEXT,
    score=NUMBER,
    percentile=_maybe(NUMBER),
    prominence=_maybe(NUMBER),
    start=NUMBER,
    end=NUMBER,
    duration=NUMBER,
    curve=_object(times=_list(NUMBER), scores=_list(NUMBER)),
)
_BENCH = _object(
    what=TEXT,
    machine=TEXT,
    device=TEXT,
    threads=WHOLE,
    precision=TEXT,
    rows=_list(_object(name=TEXT, median=_maybe(NUMBER), spread=_maybe(NUMBER), unit=TEXT)),
)
_EXPORTED: dict[str, Schema] = {
    **dict.fromkeys(("library", "file", "model", "signature"), TEXT),
    **dict.fromkeys(("videos", "windows", "width"), WHOLE),
}
_ERROR = _object(reason=TEXT, remedy=TEXT)

DOCUMENTS: dict[str, Schema] = {
    "doctor": _either(
        _object(ok=TRUTH, checks=_list(_object(name=TEXT, ok=TRUTH, detail=TEXT, remedy=TEXT, needed=TRUTH))),
        _object(ok=TRUTH, tolerance=NUMBER, sets=_list(ANY)),
    ),
    "notebooks": _object(out=TEXT, notebooks=_list(_object(notebook=TEXT, state=TEXT))),
    "world": _object(folder=TEXT, suite=TEXT, size=TEXT, seed=WHOLE),
    "data list": _list(
        _object(data=TEXT, task=TEXT, videos=_by_name(_maybe(WHOLE)), files=TEXT, source=TEXT)
    ),
    "data check": _object(
        data=TEXT,
        root=TEXT,
        task=TEXT,
        whole=TRUTH,
        decoded=TEXT,
        splits=_list(_object(split=TEXT, videos=WHOLE, missing=WHOLE)),
        findings=_list(
            _object(what=TEXT, split=TEXT, fault=TRUTH, count=WHOLE, examples=_list(TEXT), remedy=TEXT)
        ),
    ),
    "data prepare": _object(
        set=TEXT,
        out=TEXT,
        size=_maybe(WHOLE),
        splits=ANY,
        made=WHOLE,
        kept=WHOLE,
        missing=WHOLE,
        skipped=_list(_object(file=TEXT, reason=TEXT)),
        bytes=_object(before=WHOLE, after=WHOLE),
    ),
    "data summary": _object(
        data=TEXT,
        splits=_list(
            _object(
                split=TEXT, task=TEXT, clips=WHOLE, captions=WHOLE, classes=WHOLE, missing=WHOLE, hash=TEXT
            )
        ),
    ),
    "train": _RUN | {"required": [*_RUN["required"], "path"]},
    "ablate": _either(
        _object(
            runs=_list(
                _object(id=TEXT, row=TEXT, seed=WHOLE, status=TEXT, metric=_maybe(TEXT), value=_maybe(NUMBER))
            ),
            notebook=_maybe(TEXT),
            time=ANY,
        ),
        _object(
            runs=_list(_object(id=TEXT, what=TEXT, seconds=_maybe(NUMBER))),
            counts=_by_name(WHOLE),
            at_once=WHOLE,
            hours=_maybe(NUMBER),
        ),
    ),
    "recipe": _either(
        _list(_object(row=TEXT, settings=TEXT, backbone=TEXT, frames=WHOLE, temporal=TEXT, batch=WHOLE)),
        _object(row=TEXT, settings=TEXT, source=TEXT, printed=_list(ANY), command=TEXT, experiment=ANY),
    ),
    "runs": _list(_RUN),
    "track": _list(
        _object(run=TEXT, logger=TEXT, at=_maybe(TEXT), lines=WHOLE, evaluation=TRUTH, error=_maybe(TEXT))
    ),
    "import-runs": _list(_object(run=TEXT, row=TEXT, seed=WHOLE, suite=_maybe(TEXT))),
    "compare": _object(
        metric=TEXT,
        a=TEXT,
        b=TEXT,
        change=NUMBER,
        interval=_INTERVAL,
        won=WHOLE,
        lost=WHOLE,
        p=_maybe(NUMBER),
        runs=_list(_list(TEXT)),
        seeds=_list(WHOLE),
        values=_list(NUMBER),
        queries=WHOLE,
        won_queries=_list(TEXT),
        lost_queries=_list(TEXT),
        differing=_list(TEXT),
    ),
    "report": _object(
        study=TEXT, suites=_list(TEXT), size=TEXT, command=TEXT, rows=_list(ANY), files=_list(TEXT)
    ),
    "orderings": _object(
        registered=TEXT,
        level=NUMBER,
        margin=NUMBER,
        counts=_by_name(WHOLE),
        orderings=_list(
            _object(
                number=WHOLE,
                claim=TEXT,
                suites=_list(TEXT),
                study=TEXT,
                above=TEXT,
                below=_list(TEXT),
                state=TEXT,
                p=NUMBER,
                adjusted=NUMBER,
                missing=_list(TEXT),
            )
        ),
    ),
    "published": _list(
        _object(
            table=TEXT,
            benchmark=TEXT,
            row=TEXT,
            metric=TEXT,
            value=NUMBER,
            source=TEXT,
            status=TEXT,
            own=_maybe(NUMBER),
        )
    ),
    "cost": _either(
        _object(
            preset=TEXT,
            frames=WHOLE,
            views=WHOLE,
            gmacs_linear=NUMBER,
            gmacs_all=NUMBER,
            params=WHOLE,
            params_added=WHOLE,
            parts=ANY,
        ),
        _object(backbone=TEXT, frames=WHOLE, views=WHOLE, temporal=ANY, similarity=ANY),
    ),
    "metrics": _with(_object(t2v=_RANKS, v2t=_RANKS, conventions=_by_name(TEXT)), calibration=ANY),
    "evaluate": _either(
        _object(run=TEXT, split=TEXT, task=TEXT, headline=TEXT, arrangements=_list(ANY), queries=_list(ANY)),
        _object(run=TEXT, split=TEXT, task=TEXT, headline=TEXT, metrics=_METRICS),
    ),
    "interpolate": _object(
        run=TEXT,
        split=TEXT,
        moved=_object(parameters=WHOLE, distance=NUMBER),
        lines=_list(
            _object(
                on=TEXT,
                metric=TEXT,
                share=NUMBER,
                value=NUMBER,
                low=NUMBER,
                high=NUMBER,
                change=NUMBER,
                change_low=NUMBER,
                change_high=NUMBER,
                won=WHOLE,
                lost=WHOLE,
                p=NUMBER,
            )
        ),
        measured=_by_name(_object(metric=TEXT, shares=_list(NUMBER))),
        kept=TRUTH,
    ),
    "time": _object(
        video=TEXT,
        frames=WHOLE,
        draws=WHOLE,
        seed=WHOLE,
        queries=_list(
            _object(
                query=TEXT,
                forwards=NUMBER,
                reversed=NUMBER,
                frozen=NUMBER,
                shuffled=_object(mean=NUMBER, interval=_INTERVAL),
                says=TEXT,
            )
        ),
        labels=_list(_object(order=TEXT, label=TEXT, probability=NUMBER)),
    ),
    "backbones": _object(
        open_clip=TEXT,
        architectures=_list(
            _object(
                name=TEXT,
                refused=_maybe(TEXT),
                image_size=_maybe(ANY | {"type": ["integer", "array"]}),
                tags=_list(_object(tag=TEXT, model=TEXT, cached=_maybe(TEXT))),
            )
        ),
    ),
    "probe-levels": _object(
        rows=_list(_object(probe=TEXT, target=TEXT, level=WHOLE, score=_maybe(NUMBER))), needs=ANY
    ),
    "probe": _list(
        _either(
            _object(file=TEXT, error=_ERROR),
            _object(
                file=TEXT,
                container=TEXT,
                codec=TEXT,
                displayed=_list(WHOLE),
                frames=WHOLE,
                fps=NUMBER,
                duration=NUMBER,
                decoder=TEXT,
                reason=TEXT,
                corrections=_list(TEXT),
                warnings=_list(TEXT),
            ),
        )
    ),
    "index": _object(
        indexed=WHOLE,
        unchanged=WHOLE,
        removed=WHOLE,
        moved=WHOLE,
        skipped=_list(_SKIPPED),
        seconds=NUMBER,
        seconds_waiting=NUMBER,
    ),
    "forget": _object(removed=WHOLE),
    "search": _object(
        query=TEXT,
        results=_list(_with(_RESULT, match=NUMBER)),
        no_match=TRUTH,
        ms=_object(encode=NUMBER, search=NUMBER),
    ),
    "export-library": _object(**_EXPORTED, bytes=WHOLE),
    "import-library": _object(**_EXPORTED),
    "recognise": _object(
        video=TEXT,
        labels=_list(_with(_object(label=TEXT, probability=NUMBER, score=NUMBER), match=NUMBER)),
        none=_maybe(_object(probability=NUMBER, rejected=TRUTH, bank=WHOLE)),
        alike=_list({"type": "array"}),
        over_time=_object(
            of=TEXT,
            times=_list(NUMBER),
            labels=_list(TEXT),
            best=_list(TEXT),
            probabilities=_list(_list(NUMBER)),
        ),
        temperature=NUMBER,
        calibrated=TRUTH,
        ms=_object(encode=NUMBER, labels=NUMBER),
    ),
    "explain": _object(
        video=TEXT,
        model=TEXT,
        query=TEXT,
        score=NUMBER,
        times=_list(NUMBER),
        default=TEXT,
        baseline=TEXT,
        maps=_list(
            _object(name=TEXT, method=TEXT, part=TEXT, is_explanation=TRUTH, faithfulness=ANY, picture=TEXT)
        ),
        words=_list(_object(word=TEXT, change=NUMBER)),
        pictures=_by_name(TEXT),
        attention=TEXT,
        strip=TEXT,
        out=TEXT,
    ),
    "faithfulness": _object(
        model=TEXT,
        data=TEXT,
        split=TEXT,
        clips=WHOLE,
        random=_object(deletion=NUMBER, insertion=NUMBER),
        area=_maybe(NUMBER),
        rows=_list(_object(map=TEXT, is_explanation=TRUTH, deletion=NUMBER, insertion=NUMBER, better=NUMBER)),
    ),
    "pretrain": _object(unseen_stills=ANY, probes=ANY),
    "export": _with(
        _object(run=TEXT, out=TEXT, bytes=WHOLE), calibration=ANY, opset=WHOLE, parity=_by_name(NUMBER)
    ),
    "push": _object(run=TEXT, model=TEXT, commit=TEXT),
    "convert": _object(source=TEXT, target=TEXT, sha256=TEXT, parameters=WHOLE),
    **{
        f"bench {name}": _BENCH
        for name in ("search", "dashboard", "encode", "towers", "train", "decode", "service")
    },
}
"""The schema of each command's document, by its name after `stan`."""
