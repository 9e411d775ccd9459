"""The name of a temporal method or similarity in; a page out with its picture, its sources and its numbers."""

from __future__ import annotations

import streamlit as st

from dashboard.components import data_grid, url_widgets
from stan.report import method_cards
from stan.report.method_cards import Card
from stan.report.method_pictures import INK, NUMBERS, svg

TITLE = "Methods"

_INK_ON_DARK = "#F1F3F5"
_PICTURE_WIDTH = 560


def show() -> None:
    st.title(TITLE)
    st.caption(
        "What each temporal method and each similarity adds to CLIP, where, after which source, and how sure."
    )
    name = url_widgets.one_by_name("Method or similarity", method_cards.names(), "method", "stan", _listed)
    card = method_cards.card(name)
    st.subheader(card.mechanism.title)
    picture, words = st.columns(2, gap="large")
    with picture:
        ink = _INK_ON_DARK if st.context.theme.type == "dark" else INK
        st.image(svg(card.mechanism, ink), width=_PICTURE_WIDTH)
        for number, part in zip(NUMBERS, card.mechanism.parts, strict=False):
            st.markdown(f"{number} {part.words}")
    with words:
        for question, answer in method_cards.facts(card):
            st.markdown(f"**{question}:** {answer}")
    _numbers(card)
    st.caption(method_cards.origin())


def _listed(name: str) -> str:
    return f"{name} · {method_cards.card(name).mechanism.title}"


def _numbers(card: Card) -> None:
    for title, key, table in (
        ("Own numbers", "own", _own(card.name)),
        ("Printed numbers", "printed", method_cards.printed(card)),
    ):
        st.markdown(f"#### {title}")
        if table.empty:
            st.caption("None.")
        else:
            data_grid.show(table, key=key, pinned="row")


@st.cache_data(show_spinner=False)
def _own(name: str):
    return method_cards.own(method_cards.card(name))
