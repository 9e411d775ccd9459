"""A library in, a file of its embeddings for other programs out, and the other way round."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stan.cli.output import Json, emit, lines, quiet
from stan.cli.videos import LIBRARY, Library


def export_library(
    out: Annotated[
        Path,
        typer.Argument(
            help="The file to write: .parquet, .npz (NumPy), or .faiss (with a .parquet of the same name)."
        ),
    ],
    library: Library = LIBRARY,
    as_json: Json = False,
) -> None:
    """Write all embeddings of a library with the videos and moments that they are of, for other programs."""
    from stan.library import interchange
    from stan.library.store import Store

    with quiet():
        told = interchange.write(Store(library), out)
    emit({"library": library, "file": out, **told, "bytes": out.stat().st_size}, as_json, lines)


def import_library(
    file: Annotated[Path, typer.Argument(help="A file that `stan export-library` wrote.")],
    library: Library = LIBRARY,
    as_json: Json = False,
) -> None:
    """Read exported embeddings into a new library, or into one that the same model made."""
    from stan.library import interchange
    from stan.library.store import Store

    with quiet():
        told = interchange.read(Store(library), file)
    emit({"library": library, "file": file, **told}, as_json, lines)
