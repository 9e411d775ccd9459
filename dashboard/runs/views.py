"""What the page's widgets say in; views of it kept under names, and the page set to one of them, out."""

from __future__ import annotations

import streamlit as st

from dashboard import labels
from dashboard.runs.choices import BASELINE, KEYS
from dashboard.tables import arguments
from stan.results import saved_views

_PROBLEM = "problem with views"


def show() -> None:
    """Show the views that are kept, each with a way to it, and keep what is on the page under a new name."""
    root = arguments.roots()[0]
    with st.popover("Saved views", key="views"):
        try:
            views = saved_views.read(root)
        except ValueError as error:
            st.error(labels.plain(error))
            return
        problem = st.session_state.pop(_PROBLEM, "")
        if problem:
            st.error(labels.plain(problem))
        for name, view in views.items():
            _line(root, name, view)
        if not views:
            st.caption("Filters, columns, groups, order and baseline of this page, under a name.")
        if arguments.writable():
            name = st.text_input("Name", key="view name", max_chars=saved_views.LONGEST_NAME)
            st.button(
                "Keep this view",
                key="keep view",
                disabled=not name.strip(),
                on_click=_keep,
                args=(root, name),
            )


def _line(root: str, name: str, view: saved_views.View) -> None:
    with st.container(horizontal=True):
        st.button(labels.plain(name), key=f"open {name}", on_click=_open, args=(view,))
        if arguments.writable():
            st.button("Forget", key=f"forget {name}", type="tertiary", on_click=_forget, args=(root, name))


def _open(view: saved_views.View) -> None:
    """Set the page's widgets to a view. Runs before the page does, which then puts the values into the address."""
    for key in KEYS:
        if type(view.get(key)) is type(st.session_state[key]):  # the file may have been written by hand
            st.session_state[key] = view[key]
    if view.get(BASELINE):
        st.query_params[BASELINE] = str(view[BASELINE])
    else:
        st.query_params.pop(BASELINE, None)


def _keep(root: str, name: str) -> None:
    view: saved_views.View = {key: st.session_state[key] for key in KEYS}
    baseline = st.query_params.get(BASELINE)
    _changed(saved_views.keep, root, name, view | ({BASELINE: baseline} if baseline else {}))


def _forget(root: str, name: str) -> None:
    _changed(saved_views.forget, root, name)


def _changed(change, *arguments: object) -> None:
    try:
        change(*arguments)
    except ValueError as error:
        st.session_state[_PROBLEM] = str(error)
