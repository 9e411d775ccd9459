#!/usr/bin/env bash
# Moments of videos are kept in vector stores with the second at which they start. In JSON, 2 is an integer and 2.4 isn't, and
# annotations hold both. Here six moments start at 0, 2, 2.4, 3, 3.5 and 5.2 s, and three stores are asked by that number.
# Guess, written before the run: a number is a number; those from 2.5 s on are the three that start at 3, 3.5 and 5.2.
#
# Seen (chromadb 1.5.9, qdrant-client 1.20.0, lancedb 0.40.0): as guessed by Qdrant's local mode and LanceDB. Chroma compares
# integers with what is left of the limit without its fraction, 2. So the moment at 2 s is found from 2.5 s on, isn't before
# 2.5 s, and is found where the start shall be 2.4; a filter that excludes 2.4 excludes it, too. No warning is printed.
# Starts that are written as floats, 2.0, are compared as guessed. stan's library keeps its times as floats, in LanceDB.
#   from 2.5 s on:     chroma 2 3 3.5 5.2; qdrant 3 3.5 5.2; lancedb 3.0 3.5 5.2
#   before 2.5 s:      chroma 0 2.4; qdrant 0 2 2.4; lancedb 0.0 2.0 2.4
#   at 2.4 s:          chroma 2 2.4; as floats 2.4
#   not at 2.4 s:      chroma 0 3 3.5 5.2; as floats 0.0 2.0 3.0 3.5 5.2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q chromadb==1.5.9 qdrant-client==1.20.0 lancedb==0.40.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - 2>"$folder/log" <<'PYTHON' || { tail -5 "$folder/log" >&2; exit 1; }
import chromadb
import lancedb
import numpy as np
from qdrant_client import QdrantClient, models

STARTS = [0, 2, 2.4, 3, 3.5, 5.2]
vectors = np.eye(len(STARTS), dtype="float32")


def stored(name, starts):
    moments = chromadb.EphemeralClient().create_collection(name)
    ids = [str(number) for number in range(len(starts))]
    moments.add(ids=ids, embeddings=vectors.tolist(), metadatas=[{"start": start} for start in starts])
    return moments


def by_chroma(moments, **condition):
    """Return the starts of the moments that a search within a condition finds, of all that there are."""
    asked = {"start": {f"${name}": limit for name, limit in condition.items()}}
    found = moments.query(query_embeddings=vectors[:1].tolist(), n_results=len(STARTS), where=asked)
    return sorted(one["start"] for one in found["metadatas"][0])


qdrant = QdrantClient(":memory:")
qdrant.create_collection("moments", vectors_config=models.VectorParams(size=len(STARTS), distance=models.Distance.COSINE))
points = [models.PointStruct(id=i, vector=vectors[i].tolist(), payload={"start": STARTS[i]}) for i in range(len(STARTS))]
qdrant.upsert("moments", points)


def by_qdrant(**limit):
    only = models.Filter(must=[models.FieldCondition(key="start", range=models.Range(**limit))])
    found = qdrant.query_points("moments", query=vectors[0].tolist(), limit=len(STARTS), query_filter=only).points
    return sorted(one.payload["start"] for one in found)


rows = [{"vector": vector, "start": start} for vector, start in zip(vectors, STARTS)]
table = lancedb.connect("lance").create_table("moments", rows)


def by_lancedb(condition):
    return sorted(row["start"] for row in table.search(vectors[0]).where(condition).limit(len(STARTS)).to_list())


def told(starts):
    return " ".join(map(str, starts))


mixed, floats = stored("mixed", STARTS), stored("floats", [float(start) for start in STARTS])
later = by_chroma(mixed, gte=2.5), by_qdrant(gte=2.5), by_lancedb("start >= 2.5")
print("from 2.5 s on:     chroma {}; qdrant {}; lancedb {}".format(*map(told, later)))
assert later == ([2, 3, 3.5, 5.2], [3, 3.5, 5.2], [3, 3.5, 5.2])
earlier = by_chroma(mixed, lt=2.5), by_qdrant(lt=2.5), by_lancedb("start < 2.5")
print("before 2.5 s:      chroma {}; qdrant {}; lancedb {}".format(*map(told, earlier)))
assert earlier == ([0, 2.4], [0, 2, 2.4], [0, 2, 2.4])
equal = by_chroma(mixed, eq=2.4), by_chroma(floats, eq=2.4)
print("at 2.4 s:          chroma {}; as floats {}".format(*map(told, equal)))
assert equal == ([2, 2.4], [2.4])
unequal = by_chroma(mixed, ne=2.4), by_chroma(floats, ne=2.4)
print("not at 2.4 s:      chroma {}; as floats {}".format(*map(told, unequal)))
assert unequal == ([0, 3, 3.5, 5.2], [0, 2, 3, 3.5, 5.2])
assert by_chroma(floats, gte=2.5) == [3, 3.5, 5.2] and by_chroma(floats, lt=2.5) == [0, 2, 2.4]
PYTHON
