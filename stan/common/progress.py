"""A run's progress in; a progress bar per stage on a terminal, or calls of the caller's own function, out."""

from __future__ import annotations

from collections.abc import Callable

from tqdm import tqdm

Progress = Callable[[int, int], None]
"""Called with the number done and the total number."""

FileProgress = Callable[[int, int, str], None]
"""Called before each file with the number done, the total number, and the name of the next file."""

StageProgress = Callable[[str, int, int, dict[str, float]], None]
"""Called with the stage (training, levels of ...), the number done, the total number, and values to show."""


def stage(report: StageProgress | None, name: str) -> Progress | None:
    """Return `callback(done, total)`, which reports the progress of the stage `name`; None if there is no `report`."""
    return None if report is None else lambda done, total: report(name, done, total, {})


class Bars:
    """Shows a progress bar per stage, on a terminal only, or calls a caller's own `progress` instead."""

    def __init__(self, progress: StageProgress | None, shown: bool = True):
        self._progress, self._shown = progress, shown
        self._stage = ""
        self._bar: tqdm | None = None

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, stage: str, done: int, total: int, values: dict[str, float]) -> None:
        if not self._shown:
            return
        if self._progress is not None:
            self._progress(stage, done, total, values)
            return
        if self._bar is None or stage != self._stage:
            self.__exit__()
            self._stage, self._bar = stage, tqdm(desc=stage, total=total, disable=None)
        self._bar.update(done - self._bar.n)
        self._bar.set_postfix({name: f"{value:.3g}" for name, value in values.items()}, refresh=False)
