"""Videos to look at in; the same, looked at and embedded by the workers of a Ray cluster, out."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Container, Iterator
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
"""That a worker takes at most: their rows come back together, and all are embedded again where the worker is lost."""
BLOCKS_PER_WORKER = 4
"""At least, where there are enough videos, so that all workers end at about the same time."""


@dataclass(frozen=True)
class Answer:
    """What a worker found of a video: what it saw, its embeddings unless its bytes are known, or what went wrong."""

    source: Source
    waited: float = 0.0
    seen: FileIdentity | None = None
    embedded: FileEmbeddings | None = None
    error: Exception | None = None


class RayIndexEngine:
    """Workers that each hold the model, take some videos at a time and read ahead of the model among them.

    The cluster is the one that RAY_ADDRESS names, or else this machine; folders that are indexed must lie under the
    same paths on all its machines. A worker takes one GPU where the cluster has any, else one core. The videos of a
    lost worker go to another, three times at most.
    jobs: workers; None: one per GPU or core. Raises ValueError where Ray isn't installed or no cluster is reached.
    """

    def __init__(self, model: DualEncoder, window: float, jobs: int | None):
        self._ray = cluster()
        self._model, self._window = model, window
        processors, self._graphics = processors_of(self._ray)
        self.models = jobs or self._graphics or processors

    def videos(self, tasks: list[Task], known: Container[str]) -> Iterator[_Answered]:
        """As they are done. A lost worker's videos are tried again one by one; OSError is what loses one, still."""
        size = max(1, min(VIDEOS_AT_ONCE, len(tasks) // (BLOCKS_PER_WORKER * self.models)))
        unanswered = {task.source.path: task for task in tasks}
        for at_once in (size, 1):
            for answer in self._answers(list(unanswered.values()), known, at_once):
                yield _Answered(answer, unanswered.pop(answer.source.path), self._embed_here)
        for task in unanswered.values():
            lost = OSError("every worker that embedded it was lost, as when memory runs out")
            yield _Answered(Answer(task.source, error=lost), task, self._embed_here)

    def _answers(self, tasks: list[Task], known: Container[str], at_once: int) -> Iterator[Answer]:
        if not tasks:
            return
        import ray.data

        blocks = [_table("task", tasks[i : i + at_once]) for i in range(0, len(tasks), at_once)]
        listed = ray.data.from_arrow(blocks)
        listed.context.enable_progress_bars = listed.context.print_on_execution_start = False
        listed.context.max_errored_blocks = -1  # what is lost for good is missing among the answers
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
                max_tasks_in_flight_per_actor=1,  # or those that wait for a worker would be lost with it
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
    """A `Video` that a worker has looked at."""

    def __init__(self, answer: Answer, task: Task, embed_here: Any):
        self.source, self.waited = answer.source, answer.waited
        self._answer, self._task, self._embed_here = answer, task, embed_here

    def look(self) -> FileIdentity:
        if self._answer.error:
            raise self._answer.error
        return self._answer.seen

    def embed(self) -> FileEmbeddings:
        """Here, where the worker took the bytes for known but the row that had them has meanwhile been replaced."""
        return self._answer.embedded or self._embed_here(self._task)


class _Worker:
    """A process that keeps the model; tables of pickled tasks in, tables of pickled answers out."""

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
    except Exception as error:  # raised by whoever collects the answers
        return Answer(video.source, error=error)
    return Answer(video.source, video.waited, seen, embedded)


def _table(column: str, objects: list[Any]) -> pa.Table:
    return pa.table({column: pa.array([pickle.dumps(one) for one in objects], pa.large_binary())})
