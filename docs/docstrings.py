"""The lines of a docstring in; the same as reStructuredText, with arguments as a list, out.

In this project's docstrings an argument stands as `name: text`, its further lines indented. For Sphinx that is a broken
block quote.
"""

from __future__ import annotations

import re
from typing import Any

_ARGUMENT = re.compile(r"(\w+(?:, \w+)*): ")
_INDENT, _ITEM_INDENT = "    ", "  "


def arguments_as_list(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Handler of Sphinx's event `autodoc-process-docstring`, which changes `lines` in place."""
    made: list[str] = []
    inside = False
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        continues = inside and line.startswith(_INDENT)
        begins = _begins(line, following)
        if inside and line and not continues and not begins:
            made.append("")
        if begins and not inside and made and made[-1]:
            made.append("")
        inside = continues or begins
        made.append(_item(line) if begins else _ITEM_INDENT + line.lstrip() if continues else line)
    lines[:] = made


def _item(line: str) -> str:
    return _ARGUMENT.sub(r"- `\1`: ", line, count=1)


def _begins(line: str, following: str) -> bool:
    """Whether an argument begins on this line: its text ends here, or goes on indented."""
    ends = not following or following.startswith((_INDENT, "Return", "Raise")) or _ARGUMENT.match(following)
    return bool(_ARGUMENT.match(line) and ends)
