"""A CSV file in; its records, each with the number of the line on which it begins, out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from stan.common.files import read_text


def records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number, values) of every record that is not blank, the header's among them.

    A record has several lines if a quoted value has. Raises ValueError, naming file and line, for what is no CSV in
    UTF-8.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""))
    begins = 1
    try:
        for values in reader:
            if values:
                yield begins, values
            begins = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{path}:{begins}: is no CSV ({error})") from error
