"""Labels and options in, chosen values out: widgets that keep their value in the address, so a page can be shared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

from dashboard.tables.studies import StudyRuns

V = TypeVar("V")


def one(
    label: str,
    options: Sequence[V],
    key: str,
    default: V | None = None,
    format_func: Callable[[V], str] = str,
    help: str | None = None,
) -> V:
    """Return the choice from a drop-down list. It starts at the address's value, else `default` or the first option."""
    index = options.index(default) if default in options else 0
    return st.selectbox(
        label, options, index=index, key=key, format_func=format_func, help=help, bind="query-params"
    )


def one_by_name(
    label: str, names: Sequence[str], key: str, default: str, format_func: Callable[[str], str]
) -> str:
    """Return the choice from a drop-down list, as `one`; the address holds its name, not what is listed for it."""
    asked = st.query_params.get(key)
    st.session_state.setdefault(key, asked if asked in names else default)
    name = st.selectbox(label, names, key=key, format_func=format_func)
    if name != default:
        st.query_params[key] = name
    elif asked:
        del st.query_params[key]
    return name


def study(studies: Sequence[StudyRuns]) -> StudyRuns:
    """Return the study chosen for the page."""
    return one("Study", studies, "study", format_func=lambda study: study.label)


def several(
    label: str, options: Sequence[V], key: str, default: Sequence[V] = (), help: str | None = None
) -> list[V]:
    """Return the choices from a list, in the order in which they were made."""
    chosen = [option for option in default if option in options]
    return st.multiselect(label, options, default=chosen, key=key, help=help, bind="query-params")


def switch(label: str, key: str, value: bool = False, help: str | None = None) -> bool:
    return st.toggle(label, value=value, key=key, help=help, bind="query-params")
