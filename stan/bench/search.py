"""Sizes in; how long exact search takes with each engine, out: that of `stan.library`, and others.

Letters: N vectors, Q queries, E width. Vectors are random, of length one.
"""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int

from stan import bench
from stan.library.codes import ROWS_AT_ONCE, Codes
from stan.library.nearest import nearest
from stan.results import provenance

SIZES = (10_000, 100_000, 1_000_000)
WIDTH = 512
TOP = 10
BATCH = 32
REPEATS = 100
"""Repeats of one query, enough for a p99; a batch is repeated a tenth as often."""

TWO_STAGES = "stan int16"
STORE = "LanceDB flat fp32"
ONE_BY_ONE = TWO_STAGES, STORE
"""Engines that take one query at a time."""

Engine = Callable[[Float[np.ndarray, "Q E"]], Int[np.ndarray, "Q top"]]
"""Maps queries to the row numbers of their nearest vectors, best first."""


def search(
    sizes: Sequence[int] = SIZES, width: int = WIDTH, repeats: int = REPEATS, seed: int = 0
) -> dict[str, Any]:
    """Time one query and a batch of 32, by engine and number of vectors; engines take turns in every repeat.

    Beside median and spread, each row has engine, vectors, queries, p50, p99, memory (MB that holding the vectors adds
    to the process), agreement (percent of the exact top 10, by numpy in fp32, that the engine finds), precision, note
    and, of an engine in two stages, scored (percent of the vectors that the second stage scores). The row of an engine
    that isn't installed says so in its note and has no times.
    """
    rows = [row for size in sizes for row in _rows(size, width, repeats, seed, with_store=size == min(sizes))]
    peak = provenance.peak_memory_mb()
    return bench.document("exact search", "by row", rows, width=width, top=TOP, peak_mb=peak)


def _rows(size: int, width: int, repeats: int, seed: int, with_store: bool) -> list[dict[str, Any]]:
    queries = unit_vectors(repeats + BATCH, width, seed + 1)
    with tempfile.TemporaryDirectory(prefix="stan-bench-") as folder:
        engines, memory, missing = _engines(
            unit_vectors(size, width, seed), Path(folder) if with_store else None
        )
        truth = engines["numpy fp32"](queries)
        rows = []
        for count, times in ((1, repeats), (BATCH, max(2, repeats // 10))):
            calls = {
                name: lambda k, engine=engine, count=count: engine(queries[k : k + count])
                for name, engine in engines.items()
                if count == 1 or name not in ONE_BY_ONE
            }
            expected = np.concatenate([truth[k : k + count] for k in range(times)])
            for name, (taken, found) in bench.interleaved(calls, times).items():
                agreed = agreement(np.concatenate(found), expected)
                rows.append(
                    _row(name, size, count, taken, memory[name], agreed) | _scored(engines[name], size)
                )
    return rows + [_missing(name, size) for name in missing]


def _engines(
    vectors: Float[np.ndarray, "N E"], folder: Path | None
) -> tuple[dict[str, Engine], dict[str, float | None], list[str]]:
    """Return engines that hold the vectors, the MB that each added to the process, and the names of missing engines."""
    builders = {
        TWO_STAGES: TwoStages,
        "torch fp16": torch_fp16,
        "faiss fp16": partial(faiss_flat, half=True),
        "faiss fp32": partial(faiss_flat, half=False),
        "numpy fp32": numpy_fp32,
    }
    if folder:
        builders[STORE] = partial(lancedb_flat, folder=folder)
    engines, memory = {}, {}
    for name, build in builders.items():
        before = bench.resident()
        engine = build(vectors)
        if engine is not None:
            engines[name], after = engine, bench.resident()
            memory[name] = None if before is None or after is None else after - before
    memory["numpy fp32"] = vectors.nbytes / 1e6  # it keeps the vectors that were there before
    return engines, memory, [name for name in builders if name not in engines]


def agreement(found: Int[np.ndarray, "Q top"], truth: Int[np.ndarray, "Q top"]) -> float:
    """Return the percentage of the true nearest vectors that were found."""
    shared = [len(set(a) & set(b)) for a, b in zip(found.tolist(), truth.tolist(), strict=True)]
    return 100 * sum(shared) / truth.size


def unit_vectors(count: int, width: int, seed: int) -> Float[np.ndarray, "N E"]:
    """Return random vectors of length one in fp32."""
    vectors = np.random.default_rng(seed).standard_normal((count, width), np.float32)
    vectors /= np.sqrt(np.einsum("ne,ne->n", vectors, vectors))[:, None]  # needs no second array as large
    return vectors


class TwoStages:
    """Searches as a library with 200,000 windows or more does, and counts the vectors that it scores exactly."""

    def __init__(self, vectors: Float[np.ndarray, "N E"]):
        parts = (vectors[i : i + ROWS_AT_ONCE] for i in range(0, len(vectors), ROWS_AT_ONCE))
        self._codes = Codes.joined([Codes.of(part) for part in parts])
        self._starts = np.arange(len(vectors))
        self.scored: list[int] = []

    def __call__(self, queries: Float[np.ndarray, "Q E"]) -> Int[np.ndarray, "Q top"]:
        return np.stack([self._nearest(Codes.of(query[None])) for query in queries])

    def _nearest(self, query: Codes) -> Int[np.ndarray, " top"]:
        self.scored.append(0)

        def exact(rows: Int[np.ndarray, " R"]) -> Float[np.ndarray, " R"]:
            self.scored[-1] += len(rows)
            return self._codes.products_of(rows, query)

        return nearest(*self._codes.estimates(query), exact, self._starts, TOP)[0]


def torch_fp16(vectors: Float[np.ndarray, "N E"]) -> Engine:
    """Return an engine that scores every vector in fp16."""
    matrix = torch.empty(vectors.shape, dtype=torch.float16)
    matrix.copy_(torch.from_numpy(vectors))

    def nearest(queries: np.ndarray) -> np.ndarray:
        wanted = torch.from_numpy(queries).half()
        if len(wanted) == 1:  # torch has a faster kernel for two rows than for one vector
            wanted = wanted.repeat(2, 1)
        scores = F.linear(wanted, matrix)[: len(queries)]
        return scores.float().topk(TOP).indices.numpy()

    return nearest


def numpy_fp32(vectors: Float[np.ndarray, "N E"]) -> Engine:
    def nearest(queries: np.ndarray) -> np.ndarray:
        scores = queries @ vectors.T
        best = np.argpartition(-scores, TOP, axis=1)[:, :TOP]
        order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable")
        return np.take_along_axis(best, order, 1)

    return nearest


def faiss_flat(vectors: Float[np.ndarray, "N E"], half: bool) -> Engine | None:
    """Return an engine that uses faiss, the extra `faiss`; None if it isn't installed. half: vectors in fp16."""
    if importlib.util.find_spec("faiss") is None:
        return None
    faiss = importlib.import_module("faiss")
    kind = faiss.ScalarQuantizer.QT_fp16
    width, metric = vectors.shape[1], faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexScalarQuantizer(width, kind, metric) if half else faiss.IndexFlat(width, metric)
    index.train(vectors[:1])
    index.add(vectors)
    return lambda queries: index.search(queries, TOP)[1]


def lancedb_flat(vectors: Float[np.ndarray, "N E"], folder: Path) -> Engine:
    """Return an engine that uses the store's own scan on disk, without an index, one query at a time."""
    import lancedb
    import pyarrow as pa
    from lancedb.query import LanceVectorQueryBuilder

    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    rows = pa.table({"row": pa.array(np.arange(len(vectors))), "vector": column})
    table = lancedb.connect(folder).create_table("vectors", rows)

    def nearest(query: np.ndarray) -> np.ndarray:
        scan = table.search(query)
        assert isinstance(scan, LanceVectorQueryBuilder)
        return scan.distance_type("dot").select(["row", "_distance"]).limit(TOP).to_arrow()["row"].to_numpy()

    return lambda queries: np.stack([nearest(query) for query in queries])


def _row(
    engine: str, size: int, queries: int, taken: np.ndarray, memory: float | None, agreed: float
) -> dict[str, Any]:
    p50, p99 = np.percentile(taken, (50, 99))
    facts = {"engine": engine, "vectors": size, "queries": queries, "p50": float(p50), "p99": float(p99)}
    found = {"memory": memory, "agreement": agreed, "precision": engine.rsplit(" ", 1)[1], "note": ""}
    return bench.row(_name(engine, size, queries), taken, **facts, **found)


def _scored(engine: Engine, size: int) -> dict[str, float]:
    if not isinstance(engine, TwoStages):
        return {}
    return {"scored": 100 * float(np.mean(engine.scored)) / size}


def _missing(engine: str, size: int) -> dict[str, Any]:
    times = dict.fromkeys(("median", "spread", "p50", "p99", "memory", "agreement"))
    facts = {"engine": engine, "vectors": size, "queries": 1, "note": "not installed"}
    return {"name": _name(engine, size, 1)} | times | {"unit": "ms"} | facts


def _name(engine: str, size: int, queries: int) -> str:
    return f"{engine}, {size:,} vectors, {queries} {'query' if queries == 1 else 'queries'}"
