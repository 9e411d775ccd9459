"""Similarity matrices and right answers in; ranks, recall, accuracy (percent) and numbers of queries out.

Ties take the average rank, so a constant matrix gains nothing. `found` is the one place that decides which averaged
ranks count as found among the first K. Every function checks the number of queries and refuses NaN and infinity.

Conventions:

- text-to-video, `t2v`: every caption is a query of its own among all videos;
- video-to-text, `v2t`: a video's captions count as one candidate with the score of the best one (CLIP4Clip's
  convention);
- video-to-text, `v2t_all_captions`: every caption is a candidate of its own, and the best placed of a video's own
  captions counts (collaborative-experts' convention, in which own captions with an equal score are ties, too). It is
  reported beside `v2t` if a video has several captions; otherwise the two are the same;
- seen / unseen: only the queries are restricted to the group; the candidates remain the whole test set.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

HEADLINE = {"retrieval": "t2v.R@1", "recognition": "top-1"}
"""The metric by which validation picks an epoch and by which tables are sorted."""

CONVENTIONS = {
    "t2v": "every caption is a query among all videos",
    "v2t": "a video's captions are one candidate, with the score of the best (CLIP4Clip)",
    "v2t_all_captions": "every caption is a candidate, the best placed of a video's own counts"
    " (collaborative-experts)",
}
"""What each direction counts, in words."""

RECALL_AT = (1, 5, 10)
TOP = (1, 5)


def ranks(
    similarity: Float[np.ndarray, "Q C"],
    targets: Int[np.ndarray, " Q"] | None = None,
    names: Sequence[str] | None = None,
) -> Float[np.ndarray, " Q"]:
    """Return the rank of each query's right candidate: 1 + strictly better candidates + ties / 2. Rank 1 is best.

    `targets`: index of the right candidate, the diagonal when left out; `names`: names of the queries for
    messages. Raises ValueError for a score that is NaN or infinite, naming the query, and for sizes that don't
    match.
    """
    similarity = finite(similarity, names)
    queries, candidates = similarity.shape
    targets = _indices(np.arange(queries) if targets is None else targets, queries, candidates)
    own = similarity[np.arange(queries), targets][:, None]
    better = (similarity > own).sum(axis=1)
    tied = (similarity == own).sum(axis=1) - 1
    return 1.0 + better + tied / 2


def retrieval_ranks(
    similarity: Float[np.ndarray, "Q V"],
    owner: Int[np.ndarray, " Q"] | None = None,
    caption_names: Sequence[str] | None = None,
) -> tuple[Float[np.ndarray, " Q"], Float[np.ndarray, " V"]]:
    """Return the ranks of a captions x videos matrix: text-to-video per caption, video-to-text per video.

    `owner`: index of each caption's video; the diagonal when left out. Raises ValueError if a video has no
    caption.
    """
    similarity = finite(similarity, caption_names)
    captions, videos = similarity.shape
    owner = _indices(np.arange(captions) if owner is None else owner, captions, videos)
    missing = np.setdiff1d(np.arange(videos), owner)
    if missing.size:
        raise ValueError(
            f"{missing.size} of {videos} videos have no caption, the first is video {missing[0]}"
        )
    best = np.full((videos, videos), -np.inf)
    np.maximum.at(best, owner, similarity)  # best[g, v]: best caption of video g against video v
    return ranks(similarity, owner, caption_names), ranks(best.T)


def all_caption_ranks(
    similarity: Float[np.ndarray, "Q V"],
    owner: Int[np.ndarray, " Q"],
    caption_names: Sequence[str] | None = None,
) -> Float[np.ndarray, " V"]:
    """Return the rank of the best of each video's own captions among all captions: `v2t_all_captions`.

    Raises ValueError as `retrieval_ranks` does, but every video must have a caption: that is not checked here.
    """
    similarity = finite(similarity, caption_names)
    owner = _indices(owner, *similarity.shape)
    own = np.where(owner[:, None] == np.arange(similarity.shape[1]), similarity, -np.inf)
    return ranks(similarity.T, own.argmax(axis=0))


def found(ranks: Float[np.ndarray, "*shape"], k: int) -> Bool[np.ndarray, "*shape"]:
    """Return which averaged ranks count as found among the first k.

    This follows the retrieval evaluation that collaborative-experts published and later work reuses: the first
    place must be held alone, and for k > 1 the averaged rank must be below k + 1 (5.5 is found among the first 5).
    Without ties, this means rank <= k.
    """
    return ranks == 1 if k == 1 else ranks < k + 1


def recall(ranks: Float[np.ndarray, " Q"]) -> dict[str, float]:
    """Return {"R@1", "R@5", "R@10"} in percent, median rank "MdR", mean rank "MnR" and number of queries "N"."""
    ranks = _ranks(ranks, "queries")
    recalls = {f"R@{k}": 100 * found(ranks, k).sum() / len(ranks) for k in RECALL_AT}
    return {name: float(value) for name, value in recalls.items()} | {
        "MdR": float(np.median(ranks)),
        "MnR": float(np.mean(ranks)),
        "N": len(ranks),
    }


def retrieval(
    similarity: Float[np.ndarray, "Q V"],
    owner: Int[np.ndarray, " Q"] | None = None,
    seen: Bool[np.ndarray, " V"] | None = None,
    caption_names: Sequence[str] | None = None,
    v2t_similarity: Float[np.ndarray, "Q V"] | None = None,
) -> dict[str, dict]:
    """Return {"t2v": recall, "v2t": recall}.

    If videos have several captions, there is also "v2t_all_captions". If `seen` is given, the same metrics of each
    group stand under "seen" and "unseen"; a group without a video is left out.
    `similarity`: captions x videos; `owner`: index of each caption's video (the diagonal when left out);
    `v2t_similarity`: other scores for video-to-text (`stan.evaluation.test_time`).
    """
    back = similarity if v2t_similarity is None else v2t_similarity
    if np.shape(back) != np.shape(similarity):
        raise ValueError(
            f"v2t_similarity of shape {np.shape(back)}: expected {np.shape(similarity)}, the captions and videos of"
            " similarity"
        )
    text, _ = retrieval_ranks(similarity, owner, caption_names)
    _, video = retrieval_ranks(back, owner, caption_names)
    by_direction = {"t2v": text, "v2t": video}
    if owner is not None and len(text) > len(video):
        by_direction["v2t_all_captions"] = all_caption_ranks(back, owner, caption_names)
    result: dict[str, dict] = {name: recall(placed) for name, placed in by_direction.items()}
    if seen is None:
        return result
    seen = _flags(seen, len(video))
    for group, videos in (("seen", seen), ("unseen", ~seen)):
        captions = videos if owner is None else videos[np.asarray(owner)]
        if videos.any():
            result[group] = {
                name: recall(placed[captions if name == "t2v" else videos])
                for name, placed in by_direction.items()
            }
    return result


def top(ranks: Float[np.ndarray, " V"]) -> dict[str, float]:
    """Return {"top-1", "top-5"} in percent and "N". With five classes or fewer, top-5 is 100 by definition."""
    ranks = _ranks(ranks, "videos")
    return {f"top-{k}": float(100 * found(ranks, k).sum() / len(ranks)) for k in TOP} | {"N": len(ranks)}


def recognition(
    logits: Float[np.ndarray, "V classes"],
    labels: Int[np.ndarray, " V"],
    seen: Bool[np.ndarray, " V"] | None = None,
    names: Sequence[str] | None = None,
) -> dict[str, float | dict]:
    """Return `top` of all videos and, if `seen` is given, of each group under "seen" and "unseen"."""
    placed = ranks(logits, labels, names)
    result: dict[str, float | dict] = dict(top(placed))
    if seen is None:
        return result
    seen = _flags(seen, len(placed))
    groups = {"seen": placed[seen], "unseen": placed[~seen]}
    return result | {name: top(group) for name, group in groups.items() if len(group)}


def order_hits(
    similarity: Float[np.ndarray, "V C"], own: Int[np.ndarray, " V"], twins: Int[np.ndarray, " V"]
) -> tuple[Int[np.ndarray, " N"], Float[np.ndarray, " N"]]:
    """Return the indices of videos with a time-reversed twin, and whether each is nearer to its own text.

    A hit is 1 if the video is nearer to its own text than to its twin's, 0 if it is not, and 0.5 for equal scores.
    A model that is blind to order is right on half of the videos.
    `similarity`: videos x captions (or classes); `own`: caption or class of each video; `twins`: caption or
    class of its twin, -1 where there is none.
    """
    similarity = finite(similarity)
    videos, candidates = similarity.shape
    twins = np.asarray(twins)
    if twins.shape != (videos,):
        raise ValueError(f"twins for {len(twins)} videos, but {videos} rows of similarity")
    own = _indices(own, videos, candidates)
    index = np.flatnonzero(twins >= 0)
    _indices(twins[index], len(index), candidates)
    same = index[own[index] == twins[index]]
    if same.size:
        raise ValueError(
            f"video {same[0]} and its twin share caption or class {own[same[0]]}: order can't be told by it"
        )
    difference = similarity[index, own[index]] - similarity[index, twins[index]]
    return index, (np.sign(difference) + 1) / 2


def order_accuracy(
    similarity: Float[np.ndarray, "V C"], own: Int[np.ndarray, " V"], twins: Int[np.ndarray, " V"]
) -> dict[str, float]:
    """Return {"accuracy" in percent, "N" videos with a twin} of `order_hits`. Raises ValueError if N is 0."""
    _, hits = order_hits(similarity, own, twins)
    if len(hits) == 0:
        raise ValueError("no video has a time-reversed twin: order accuracy has nothing to count")
    return accuracy(hits)


def accuracy(hits: Float[np.ndarray, " N"]) -> dict[str, float]:
    """Return {"accuracy" in percent, "N"} of hits as `order_hits` returns them; there must be at least one."""
    return {"accuracy": float(100 * hits.mean()), "N": len(hits)}


def finite(
    similarity: Float[np.ndarray, "Q C"], names: Sequence[str] | None = None, what: str = "query"
) -> Float[np.ndarray, "Q C"]:
    """Return the matrix unchanged. Raises ValueError if it isn't one, and for NaN or infinity, naming the query."""
    similarity = np.asarray(similarity)
    if similarity.dtype.kind not in "biuf":
        raise ValueError(f"similarity must be numbers; it holds {similarity.dtype}")
    if similarity.ndim != 2 or 0 in similarity.shape:
        raise ValueError(
            f"similarity must be queries x candidates, both at least one; its shape is {similarity.shape}"
        )
    if names is not None and np.shape(names)[:1] != similarity.shape[:1]:
        raise ValueError(f"{np.size(names)} names for {len(similarity)} queries")
    broken = np.argwhere(~np.isfinite(similarity))
    if len(broken):
        query, candidate = (int(i) for i in broken[0])
        named = f" ({names[query]})" if names is not None else ""
        rows = len(np.unique(broken[:, 0]))
        raise ValueError(
            f"{what} {query}{named} scores {similarity[query, candidate]} against candidate {candidate}; "
            f"{rows} of {len(similarity)} queries have such scores: find the embedding that is not finite"
        )
    return similarity


def _ranks(values: Sequence[float] | np.ndarray, of: str) -> np.ndarray:
    """Return ranks as an array. Raises ValueError if there is none, and for what is no rank."""
    ranks = np.asarray(values)
    if ranks.ndim != 1 or ranks.dtype.kind not in "iuf":
        raise ValueError(f"ranks must be a list of numbers; they are {ranks.dtype} of shape {ranks.shape}")
    if len(ranks) == 0:
        raise ValueError(f"no {of} to average over")
    wrong = np.flatnonzero(~(np.isfinite(ranks) & (ranks >= 1)))
    if len(wrong):
        raise ValueError(
            f"rank {wrong[0]} is {ranks[wrong[0]]}; it must be finite and at least 1, which is best: `ranks` counts"
            " so"
        )
    return ranks


def _indices(values: Sequence[int] | np.ndarray, queries: int, candidates: int) -> np.ndarray:
    values = np.asarray(values)
    if values.shape != (queries,):
        raise ValueError(f"right candidates of shape {values.shape} for {queries} queries")
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"right candidates are numbered by integers, not by {values.dtype}")
    if queries and not (values.min() >= 0 and values.max() < candidates):
        first = int(np.flatnonzero((values < 0) | (values >= candidates))[0])
        raise ValueError(
            f"query {first}: right candidate {values[first]} is not one of {candidates} candidates"
        )
    return values.astype(np.int64)


def _flags(seen: Sequence[bool] | np.ndarray, videos: int) -> np.ndarray:
    seen = np.asarray(seen)
    if seen.shape != (videos,) or seen.dtype != bool:
        raise ValueError(
            f"seen must be {videos} booleans, one per video; got {seen.dtype} of shape {seen.shape}"
        )
    return seen
