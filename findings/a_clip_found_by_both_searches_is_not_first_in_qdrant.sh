#!/usr/bin/env bash
# Videos are searched by what they show and by what is said, and the two lists are joined by reciprocal rank fusion (Cormack et
# al., 2009): a clip has the sum of 1 / (60 + rank) over the lists that hold it. Here each list has four of seven clips; one
# of them is fourth in both, the others are in one list only.
# Guess, written before the run: in every library the clip that both searches found comes first, as it has 2 / 64 and the others
# have 1 / 61 at most; that is what the method is for, and 60 is the paper's constant and everyone's default.
#
# Seen (qdrant-client 1.20.0 in memory, lancedb 0.40.0, ranx 0.3.21): it does by LanceDB and ranx. In Qdrant the first of a list
# has 1 / 2, the second 1 / 3: the clip has 2 / 5 and comes after the first of either list. To be before those, a clip must be
# among the first two of both lists, where it may be 61st by the paper. RrfQuery takes the constant; as Qdrant counts ranks
# from 0, its 61 is what others call 60. stan's search joins no lists, and is not concerned.
#   place of the clip that both found, of 7: qdrant 3, qdrant with 61 1, lancedb 1, ranx 1
#   its score: qdrant 0.4000, qdrant with 61 0.0312, lancedb 0.0312, ranx 0.0312
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q qdrant-client==1.20.0 lancedb==0.40.0 ranx==0.3.21 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - 2>"$folder/log" <<'PYTHON' || { tail -5 "$folder/log" >&2; exit 1; }
import lancedb
import pyarrow as pa
import ranx
from lancedb.rerankers import RRFReranker
from qdrant_client import QdrantClient, models

FOUND = 4
LISTS = {
    "shown": ["shown first", "shown second", "shown third", "both"],
    "said": ["said first", "said second", "said third", "both"],
}
CLIPS = sorted({*LISTS["shown"], *LISTS["said"]})


def distance(clip, name):
    return float(LISTS[name].index(clip)) if clip in LISTS[name] else 100.0


clips = [{"clip": clip, **{name: [distance(clip, name), 0.0] for name in LISTS}} for clip in CLIPS]

qdrant = QdrantClient(":memory:")
one = models.VectorParams(size=2, distance=models.Distance.EUCLID)
qdrant.create_collection("clips", vectors_config={name: one for name in LISTS})
qdrant.upsert(
    "clips",
    [
        models.PointStruct(id=number, vector={name: clip[name] for name in LISTS}, payload={"clip": clip["clip"]})
        for number, clip in enumerate(clips)
    ],
)


def by_qdrant(fusion):
    lists = [models.Prefetch(query=[0.0, 0.0], using=name, limit=FOUND) for name in LISTS]
    found = qdrant.query_points("clips", prefetch=lists, query=fusion, limit=len(CLIPS)).points
    return [(one.payload["clip"], one.score) for one in found]


def by_lancedb():
    schema = pa.schema({"clip": pa.string(), **dict.fromkeys(LISTS, pa.list_(pa.float32(), 2))})
    table = lancedb.connect("lance").create_table("clips", clips, schema=schema)
    searches = [table.search([0.0, 0.0], vector_column_name=name).limit(FOUND).with_row_id(True) for name in LISTS]
    joined = RRFReranker().rerank_multivector([search.to_arrow() for search in searches])
    return [(row["clip"], row["_relevance_score"]) for row in joined.to_pylist()]


def by_ranx():
    runs = [ranx.Run({"query": {clip: 10 - distance(clip, name) for clip in ranked}}) for name, ranked in LISTS.items()]
    joined = ranx.fuse(runs=runs, norm=None, method="rrf").to_dict()["query"]
    return sorted(joined.items(), key=lambda pair: -pair[1])


seen = {
    "qdrant": by_qdrant(models.FusionQuery(fusion=models.Fusion.RRF)),
    "qdrant with 61": by_qdrant(models.RrfQuery(rrf=models.Rrf(k=61))),
    "lancedb": by_lancedb(),
    "ranx": by_ranx(),
}
places = {name: 1 + [clip for clip, _ in joined].index("both") for name, joined in seen.items()}
scores = {name: dict(joined)["both"] for name, joined in seen.items()}
print("place of the clip that both found, of 7:", ", ".join(f"{name} {place}" for name, place in places.items()))
print("its score:", ", ".join(f"{name} {score:.4f}" for name, score in scores.items()))
assert all(sorted(clip for clip, _ in joined) == CLIPS for joined in seen.values())
assert list(places.values()) == [3, 1, 1, 1]
assert [round(score, 6) for score in scores.values()] == [0.4, *[2 / 64] * 3]
PYTHON
