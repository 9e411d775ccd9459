"""A folder of runs in; the named views of its table, kept in one file beside the studies, out.

A view is what its reader chose: values by the names of the page's widgets.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stan.common.files import write_json
from stan.common.json_values import from_json
from stan.results import lock

FILE = "views.json"
LONGEST_NAME = 80

View = dict[str, str | bool | list[str]]


def read(root: str | Path) -> dict[str, View]:
    """Return the views by name, in alphabetical order. Raises ValueError for a file that holds something else."""
    file = Path(root) / FILE
    try:
        views = from_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{file} can't be read ({error}): mend it, or move it away; it is left as it is"
        ) from None
    if not isinstance(views, dict) or not all(map(_is_view, views.values())):
        raise ValueError(f"{file} holds no views: mend it, or move it away; it is left as it is")
    return dict(sorted(views.items()))


def keep(root: str | Path, name: str, view: View) -> None:
    """Keep a view under a name, in the place of one that has it already.

    Raises ValueError for a name that is empty or too long, for a file that `read` can't read, which is left as it is,
    and if another process writes it.
    """
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST_NAME:
        raise ValueError(f"a view's name has 1 to {LONGEST_NAME} characters; this one has {len(name)}")
    _change(Path(root), {name: view})


def forget(root: str | Path, name: str) -> None:
    """Forget a view. Raises the same errors as `keep`, apart from those of names."""
    _change(Path(root), {name: None})


def _change(root: Path, changes: Mapping[str, View | None]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    taken = lock.acquire(root)
    try:
        changed = {**read(root), **changes}
        write_json(root / FILE, {name: view for name, view in changed.items() if view is not None})
    finally:
        lock.release(taken)


def _is_view(view: Any) -> bool:
    return isinstance(view, dict) and all(
        isinstance(value, str | bool)
        or (isinstance(value, list) and all(isinstance(one, str) for one in value))
        for value in view.values()
    )
