"""What a run says while it works in; a progress bar per stage on a terminal, or calls of one's own, out."""

from __future__ import annotations

from collections.abc import Callable

from tqdm import tqdm

Progress = Callable[[int, int], None]
"""Called with what is done and what there is in all."""

FileProgress = Callable[[int, int, str], None]
"""Called before each file with the number done, the number of all, and the name of the next."""

StageProgress = Callable[[str, int, int, dict[str, float]], None]
"""Called with the stage (training, levels of ...), what is done, what there is in all, and values to show."""


def stage(report: StageProgress | None, name: str) -> Progress | None:
    """A callable of what is done and what there is in all that reports the stage `name`."""
    return None if report is None else lambda done, total: report(name, done, total, {})


class Bars:
    """A progress bar per stage, on a terminal only; or a caller's own `progress` instead."""

    def __init__(self, progress: StageProgress | None, shown: bool = True):
        self._progress, self._shown = progress, shown
        self._stage, self._bar = "", None

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
        if stage != self._stage:
            self.__exit__()
            self._stage, self._bar = stage, tqdm(desc=stage, total=total, disable=None)
        self._bar.update(done - self._bar.n)
        self._bar.set_postfix({name: f"{value:.3g}" for name, value in values.items()}, refresh=False)
