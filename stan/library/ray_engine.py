"""Videos to check in; the same videos, checked and embedded by the workers of a Ray cluster, out."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Collection, Container, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from stan.common.ray import RETRIES, cluster, processors_of
from stan.library.embedding import FileEmbeddings
from stan.library.prefetch import FileIdentity, LocalIndexEngine, Task
from stan.library.sources import Source
from stan.models.dual_encoder import DualEncoder

VIDEOS_AT_ONCE = 16
"""Maximum number of videos that a worker takes at a time. Their rows come back together, and all are embedded again if
the worker is lost."""
BLOCKS_PER_WORKER = 4
"""Minimum number of blocks per worker, if there are enough videos. All workers then finish at about the same time."""


@dataclass(frozen=True)
class Answer:
    """A worker's answer for one video: what it found, the embeddings unless the bytes are known, or the error."""

    source: Source
    waited: float = 0.0
    seen: FileIdentity | None = None
    embedded: FileEmbeddings | None = None
    error: Exception | None = None


class RayIndexEngine:
    """Embeds with workers that each hold the model, take some videos at a time and read ahead of the model among these.

    The cluster is the one that RAY_ADDRESS names, or else this machine. Indexed folders must lie under the same paths
    on all machines of the cluster. A worker takes one GPU if the cluster has any, otherwise one core. The videos of a
    lost worker go to another worker, at most three times.
    jobs: number of workers; None means one per GPU or core. Raises ValueError if Ray is not installed or no cluster can
    be reached.
    """

    def __init__(self, model: DualEncoder, window: float, jobs: int | None):
        self._ray = cluster()
        self._model, self._window = model, window
        processors, self._graphics = processors_of(self._ray)
        self.models = jobs or self._graphics or processors

    def videos(self, tasks: list[Task], known: Collection[str]) -> Generator[_Answered]:
        """Yield videos as they finish. A lost worker's videos are retried one at a time, then reported as OSError."""
        size = max(1, min(VIDEOS_AT_ONCE, len(tasks) // (BLOCKS_PER_WORKER * self.models)))
        unanswered = {task.source.path: task for task in tasks}
        for at_once in (size, 1):
            for answer in self._answers(list(unanswered.values()), known, at_once):
                yield _Answered(answer, unanswered.pop(answer.source.path), self._embed_here)
        for task in unanswered.values():
            lost = OSError("every worker that embedded it was lost, as when memory runs out")
            yield _Answered(Answer(task.source, error=lost), task, self._embed_here)

    def _answers(self, tasks: list[Task], known: Collection[str], at_once: int) -> Iterator[Answer]:
        if not tasks:
            return
        import ray.data

        blocks = [_table("task", tasks[i : i + at_once]) for i in range(0, len(tasks), at_once)]
        listed = ray.data.from_arrow(blocks)
        listed.context.enable_progress_bars = listed.context.print_on_execution_start = False
        listed.context.max_errored_blocks = -1  # blocks that are lost for good are missing from the answers
        answers = listed.map_batches(
            _Worker,
            fn_constructor_args=(
                ray.put(copy.deepcopy(self._model).cpu()),
                self._window,
                ray.put(set(known)),
            ),
            batch_size=None,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(
                size=min(self.models, len(blocks)),
                max_tasks_in_flight_per_actor=1,  # otherwise tasks that wait for a worker would be lost with it
            ),
            num_cpus=None if self._graphics else 1,
            num_gpus=1 if self._graphics else None,
            max_task_retries=RETRIES,
        )
        for row in answers.iter_rows():
            yield pickle.loads(row["answer"])

    def _embed_here(self, task: Task) -> FileEmbeddings:
        with closing(
            LocalIndexEngine.of(self._model, self._window).videos([replace(task, before=None)], ())
        ) as videos:
            return next(videos).embed()


class _Answered:
    """A `Video` that a worker has checked."""

    def __init__(self, answer: Answer, task: Task, embed_here: Any):
        self.source, self.waited = answer.source, answer.waited
        self._answer, self._task, self._embed_here = answer, task, embed_here

    def look(self) -> FileIdentity:
        if self._answer.error:
            raise self._answer.error
        assert self._answer.seen is not None, "an answer has what was seen, or an error"
        return self._answer.seen

    def embed(self) -> FileEmbeddings:
        """Return the worker's embeddings, or embed the video here if the worker has made none.

        This happens if the worker took the bytes for known, but the row that had them has been replaced meanwhile.
        """
        return self._answer.embedded or self._embed_here(self._task)


class _Worker:
    """A process that keeps the model. It takes tables of pickled tasks and returns tables of pickled answers."""

    def __init__(self, model: Any, window: float, known: Any):
        import ray

        self._known = ray.get(known)
        self._local = LocalIndexEngine.of(ray.get(model).to("cuda" if ray.get_gpu_ids() else "cpu"), window)

    def __call__(self, batch: pa.Table) -> pa.Table:
        tasks = [pickle.loads(task) for task in batch["task"].to_pylist()]
        videos = self._local.videos(tasks, self._known)
        return _table("answer", [_answer(video, self._known) for video in videos])


def _answer(video: Any, known: Container[str]) -> Answer:
    try:
        seen = video.look()
        new = seen.hash is not None and seen.hash not in known
        embedded = video.embed() if new else None
    except Exception as error:  # `_Answered.look` raises it
        return Answer(video.source, error=error)
    return Answer(video.source, video.waited, seen, embedded)


def _table(column: str, objects: list[Any]) -> pa.Table:
    return pa.table({column: pa.array([pickle.dumps(one) for one in objects], pa.large_binary())})
