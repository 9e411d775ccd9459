"""Widgets whose value stands in the address, so that a page can be sent as a link."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import streamlit as st

from dashboard.tables.records import StudyRuns

V = TypeVar("V")


def one(
    label: str,
    options: Sequence[V],
    key: str,
    default: V | None = None,
    format_func: Callable[[V], str] = str,
) -> V:
    """A drop-down list; starts at what the address says, else at `default` or the first option."""
    index = options.index(default) if default in options else 0
    return st.selectbox(label, options, index=index, key=key, format_func=format_func, bind="query-params")


def study(studies: Sequence[StudyRuns]) -> StudyRuns:
    """The study that a page is about."""
    return one("Study", studies, "study", format_func=lambda study: study.label)


def several(label: str, options: Sequence[V], key: str, default: Sequence[V] = ()) -> list[V]:
    chosen = [option for option in default if option in options]
    return st.multiselect(label, options, default=chosen, key=key, bind="query-params")


def switch(label: str, key: str, value: bool = False, help: str | None = None) -> bool:
    return st.toggle(label, value=value, key=key, help=help, bind="query-params")
