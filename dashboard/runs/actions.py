"""The ticked runs in; their tags, their hiding and the trash changed for all of them at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.components import data_grid
from dashboard.tables import arguments, records
from stan.results import marks, trash

_SAID = "said by an action"
_NAMED = 5
"""Most runs that are listed by name before an action."""


def said() -> None:
    """Say what the action that has just been asked for has done."""
    words = st.session_state.pop(_SAID, "")
    if words:
        st.info(labels.plain(words))


def show(ticked: pd.DataFrame) -> None:
    """Offer what can be done with the ticked runs."""
    with st.popover(f"With {_count(len(ticked))}", key="bulk"):
        names = ", ".join(labels.plain(run) for run in ticked["id"][:_NAMED])
        st.caption(names + (f" and {len(ticked) - _NAMED} more" if len(ticked) > _NAMED else ""))
        text = st.text_input("Tags", key="bulk tags", placeholder="separated by commas")
        ids, tags = list(ticked["id"]), marks.parsed(text)
        with st.container(horizontal=True):
            _button("Add tags", lambda: _mark(ids, lambda old: [*old, *tags]), not tags)
            _button(
                "Take tags away",
                lambda: _mark(ids, lambda old: [tag for tag in old if tag not in tags]),
                not tags,
            )
        with st.container(horizontal=True):
            _button("Hide", lambda: _hide(ids, True), bool(ticked["hidden"].all()))
            _button("Show again", lambda: _hide(ids, False), not ticked["hidden"].any())
        st.caption(
            "Moved into the folder `.trash` beside the runs, from which *Trash*, below, brings them back."
        )
        _button("Move to the trash", lambda: _throw_away(list(ticked["path"])))


def edit(table: pd.DataFrame) -> None:
    """Show the runs with cells for tags and notes, which are kept as soon as they are left."""
    ids = list(table["id"])
    key = "edited marks"

    def keep() -> None:
        for place, cells in st.session_state[key]["edited_rows"].items():
            changed = {name: text or "" for name, text in cells.items()}
            if "tags" in changed:
                changed["tags"] = marks.parsed(changed["tags"])
            records.mark(ids[int(place)], **changed)

    st.data_editor(
        table,
        key=key,
        hide_index=True,
        disabled=[name for name in table if name not in ("tags", "note")],
        column_config=data_grid.columns(table)
        | {
            "id": st.column_config.TextColumn(pinned=True, width=310),
            "tags": st.column_config.TextColumn(width=160, help="Separated by commas."),
            "note": st.column_config.TextColumn(width=400, max_chars=marks.LONGEST),
        },
        on_change=keep,
        height=data_grid.height(table),
    )


def show_trash() -> None:
    """List what is in the trash of the first root, with a way back."""
    content = list(trash.content(arguments.roots()[0]))
    folders = [folder for folder, _ in content]
    if not folders:
        return
    with st.expander(f"Trash: {_count(len(folders))}", key="trash"):
        times = [when and f"{when:%Y-%m-%d %H:%M}" for _, when in content]
        listed = pd.DataFrame(
            {"id": ["/".join(folder.parts[-3:]) for folder in folders], "put there (UTC)": times}
        )
        event = data_grid.show(
            listed, key=f"trashed {len(folders)}", on_select="rerun", selection_mode="multi-row", height=250
        )
        chosen = [folders[place] for place in event.selection.rows if place < len(folders)]
        _button("Bring back", lambda: _restore(chosen), not chosen)


def _button(label: str, act: Callable[[], str], disabled: bool = False) -> None:
    """Show a button whose action says what it has done, or why it couldn't."""

    def acted() -> None:
        try:
            st.session_state[_SAID] = act()
        except ValueError as error:
            st.session_state[_SAID] = f"Not done: {error}."

    st.button(label, key=f"act {label}", on_click=acted, disabled=disabled)


def _mark(ids: list[str], change: Callable[[tuple[str, ...]], list[str]]) -> str:
    for run in ids:
        records.mark(run, tags=tuple(dict.fromkeys(change(records.marks_of(run).tags))))
    return f"The tags of {_count(len(ids))} were changed."


def _hide(ids: list[str], hidden: bool) -> str:
    for run in ids:
        records.mark(run, hidden=hidden)
    return f"{_count(len(ids))} {'hidden' if hidden else 'shown again'}."


def _throw_away(paths: list[str]) -> str:
    trash.put(paths)
    return f"{_count(len(paths))} moved to the trash."


def _restore(folders: list[Path]) -> str:
    for folder in folders:
        trash.restore(folder)
    return f"{_count(len(folders))} brought back."


def _count(number: int) -> str:
    return f"{number} run{'s' * (number != 1)}"
