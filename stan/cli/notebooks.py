"""A folder in; the notebooks that come with stan, copied there, out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stan.cli.output import Json, emit, table


def notebooks(
    out: Annotated[Path, typer.Option(help="Folder for the copies; it is made if missing.")],
    as_json: Json = False,
) -> None:
    """Copy the notebooks (train, ablation, pretrain, tour, add_a_method) into a folder of your own.

    A notebook that already exists there with other content stays as it is.
    """
    from stan.common.files import write_bytes
    from stan.common.paths import project_folder

    out.mkdir(parents=True, exist_ok=True)
    copied = []
    for source in sorted(project_folder("notebooks").glob("*.ipynb")):
        target, content = out / source.name, source.read_bytes()
        known = target.read_bytes() if target.exists() else None
        if known is None:
            write_bytes(target, content)
        state = "copied" if known is None else "there already" if known == content else "kept yours"
        copied.append({"notebook": target, "state": state})
    emit({"out": out, "notebooks": copied}, as_json, _told)


def _told(document: dict[str, Any]) -> str:
    return table(document["notebooks"])
