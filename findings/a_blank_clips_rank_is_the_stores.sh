#!/usr/bin/env bash
# A clip that gave no features is often kept as zeros. Cosine is not defined for it. Four vector stores are asked for the
# five clips of which clip 2 is blank, by cosine, the best first.
# Guess, written before the run: it comes last everywhere, or is refused when it is put in.
#
# Seen (duckdb 2.0.1, sqlite-vec 0.1.9 in SQLite by apsw 3.54.1.0, lancedb 0.40.0, qdrant-client 1.20.0): all four take it
# without a word. It is the best match by DuckDB's similarity and the last by its distance, because NaN counts as the largest
# number; the best by sqlite-vec, whose NaN becomes NULL, which SQLite sorts first; before clips that point elsewhere in
# Qdrant's local mode, with similarity 0; and left out by LanceDB, which gives four clips where five are asked for. Versions
# of a year before differ again: duckdb 1.4.1 puts it last both times, lancedb 0.25.2 first.
#   duckdb, similarity: [2, 0, 4, 1, 3]
#   duckdb, distance: [0, 4, 1, 3, 2]
#   sqlite-vec: [2, 0, 4, 1, 3]
#   qdrant: [0, 4, 2, 1, 3]
#   lancedb: [0, 4, 1, 3]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q duckdb==2.0.1 sqlite-vec==0.1.9 apsw==3.54.1.0 lancedb==0.40.0 qdrant-client==1.20.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import apsw
import duckdb
import lancedb
import numpy as np
import sqlite_vec
from qdrant_client import QdrantClient, models

generator = np.random.default_rng(0)
clips = generator.normal(size=(5, 8)).astype(np.float32)
clips /= np.linalg.norm(clips, axis=1, keepdims=True)
clips[2] = 0
query = (clips[0] + 0.1 * clips[1]).astype(np.float32)


def by_duckdb(order):
    table = duckdb.connect()
    table.execute("create table clips(id int, vector float[8])")
    table.executemany("insert into clips values (?, ?)", [(i, clip.tolist()) for i, clip in enumerate(clips)])
    asked = f"select id from clips order by array_cosine_{order}"
    return [id for (id,) in table.execute(asked.format("vector, ?::float[8]"), [query.tolist()]).fetchall()]


def by_sqlite():
    table = apsw.Connection(":memory:")
    table.enable_load_extension(True)
    table.load_extension(sqlite_vec.loadable_path())
    table.execute("create table clips(id, vector)")
    table.executemany("insert into clips values (?, ?)", [(i, clip.tobytes()) for i, clip in enumerate(clips)])
    asked = "select id from clips order by vec_distance_cosine(vector, ?)"
    return [id for (id,) in table.execute(asked, (query.tobytes(),))]


def by_qdrant():
    table = QdrantClient(":memory:")
    table.create_collection("clips", vectors_config=models.VectorParams(size=8, distance=models.Distance.COSINE))
    table.upsert("clips", [models.PointStruct(id=i, vector=clip.tolist()) for i, clip in enumerate(clips)])
    return [point.id for point in table.query_points("clips", query=query.tolist(), limit=5).points]


def by_lancedb():
    rows = [{"id": i, "vector": clip.tolist()} for i, clip in enumerate(clips)]
    table = lancedb.connect("store").create_table("clips", rows)
    return [row["id"] for row in table.search(query).metric("cosine").limit(5).to_list()]


found = {
    "duckdb, similarity": by_duckdb("similarity({}) desc"),
    "duckdb, distance": by_duckdb("distance({})"),
    "sqlite-vec": by_sqlite(),
    "qdrant": by_qdrant(),
    "lancedb": by_lancedb(),
}
for store, ids in found.items():
    print(f"{store}: {ids}")
assert found == {
    "duckdb, similarity": [2, 0, 4, 1, 3],
    "duckdb, distance": [0, 4, 1, 3, 2],
    "sqlite-vec": [2, 0, 4, 1, 3],
    "qdrant": [0, 4, 2, 1, 3],
    "lancedb": [0, 4, 1, 3],
}
PYTHON
