#!/usr/bin/env bash
# A clip was cut anew or its model replaced, so it gets another vector under the same id. It is put in once more, by the same
# call, in eight vector stores that hold three clips; then the new vector is asked for: similarity to clip 0 is 1 if it was
# replaced, and 0 by the old one.
# Guess, written before the run: the new vector replaces the old, or the id is refused because it is there.
#
# Seen (chromadb 1.5.9, faiss-cpu 1.15.1, lancedb 0.40.0, hnswlib 0.8.0, voyager 2.2.3, qdrant-client 1.20.0, pymilvus 3.0.2
# with milvus-lite 3.2.2, usearch 2.26.6): five do. Chroma keeps the old vector and says nothing. FAISS and LanceDB keep both:
# the clip is found by what it no longer shows, and twice among the results.
#   chroma kept, faiss both, lancedb both, hnswlib replaced, voyager replaced, qdrant replaced, milvus replaced, usearch refused
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q chromadb==1.5.9 faiss-cpu==1.15.1 hnswlib==0.8.0 lancedb==0.40.0 pymilvus==3.0.2 \
    milvus-lite==3.2.2 qdrant-client==1.20.0 usearch==2.26.6 voyager==2.2.3 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON' 2>"$folder/log" || { cat "$folder/log"; exit 1; }
import chromadb
import faiss
import hnswlib
import lancedb
import numpy as np
from pymilvus import MilvusClient
from qdrant_client import QdrantClient, models
from usearch.index import Index
from voyager import Index as Voyager
from voyager import Space

OLD = np.eye(4, dtype=np.float32)[:3]
NEW = np.eye(4, dtype=np.float32)[3:]


def by_chroma():
    clips = chromadb.EphemeralClient().create_collection("clips", metadata={"hnsw:space": "ip"})
    clips.add(ids=["0", "1", "2"], embeddings=OLD)
    clips.add(ids=["0"], embeddings=NEW)
    found = clips.query(query_embeddings=NEW, n_results=3)
    return [(int(id), 1 - distance) for id, distance in zip(found["ids"][0], found["distances"][0])]


def by_faiss():
    clips = faiss.IndexIDMap2(faiss.IndexFlatIP(4))
    clips.add_with_ids(OLD, np.arange(3))
    clips.add_with_ids(NEW, np.arange(1))
    scores, ids = clips.search(NEW, clips.ntotal)
    return list(zip(ids[0].tolist(), scores[0].tolist()))


def by_lancedb():
    clips = lancedb.connect("lance").create_table("clips", [{"id": i, "vector": one} for i, one in enumerate(OLD)])
    clips.add([{"id": 0, "vector": NEW[0]}])
    return [(row["id"], 1 - row["_distance"]) for row in clips.search(NEW[0]).metric("dot").limit(9).to_list()]


def by_hnswlib():
    clips = hnswlib.Index("ip", 4)
    clips.init_index(9)
    clips.add_items(OLD, [0, 1, 2])
    clips.add_items(NEW, [0])
    ids, distances = clips.knn_query(NEW, clips.element_count)
    return list(zip(ids[0].tolist(), (1 - distances[0]).tolist()))


def by_voyager():
    clips = Voyager(Space.InnerProduct, 4)
    clips.add_items(OLD, [0, 1, 2])
    clips.add_items(NEW, [0])
    ids, distances = clips.query(NEW, len(clips))
    return list(zip(ids[0].tolist(), (1 - distances[0]).tolist()))


def by_qdrant():
    clips = QdrantClient(":memory:")
    clips.create_collection("clips", models.VectorParams(size=4, distance=models.Distance.DOT))
    put = lambda vectors: clips.upsert("clips", [models.PointStruct(id=i, vector=one.tolist()) for i, one in enumerate(vectors)])
    put(OLD), put(NEW)
    return [(point.id, point.score) for point in clips.query_points("clips", query=NEW[0].tolist(), limit=9).points]


def by_milvus():
    clips = MilvusClient("./milvus.db")
    clips.create_collection("clips", dimension=4, metric_type="IP")
    put = lambda vectors: clips.insert("clips", [{"id": i, "vector": one.tolist()} for i, one in enumerate(vectors)])
    put(OLD), put(NEW)
    return [(hit["id"], hit["distance"]) for hit in clips.search("clips", NEW.tolist(), limit=9)[0]]


def by_usearch():
    clips = Index(ndim=4, metric="ip")
    clips.add(np.arange(3), OLD)
    try:
        clips.add(np.arange(1), NEW)
    except RuntimeError as error:
        assert "Duplicate keys" in str(error)
        return None


def told(found):
    if found is None:
        return "refused"
    scores = sorted(round(score) for id, score in found if id == 0)
    return {(0,): "kept", (1,): "replaced", (0, 1): "both"}[tuple(scores)]


stores = [by_chroma, by_faiss, by_lancedb, by_hnswlib, by_voyager, by_qdrant, by_milvus, by_usearch]
seen = {store.__name__.removeprefix("by_"): told(store()) for store in stores}
print(", ".join(f"{store} {what}" for store, what in seen.items()))
assert seen == {"chroma": "kept", "faiss": "both", "lancedb": "both", "hnswlib": "replaced", "voyager": "replaced",
                "qdrant": "replaced", "milvus": "replaced", "usearch": "refused"}
PYTHON
