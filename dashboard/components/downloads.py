"""Tables and figures in, rows of download buttons out. A file is made when its button is pressed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd
import streamlit as st
from matplotlib.figure import Figure

from stan.report import formats


def table(name: str, shown: pd.DataFrame, ids: Sequence[str], command: str) -> None:
    with st.container(horizontal=True):
        _button("Table, CSV", f"{name}.csv", partial(formats.csv, shown, ids, command), "text/csv")
        _button("Table, LaTeX", f"{name}.tex", partial(formats.latex, shown, ids, command), "text/x-tex")


def figure(name: str, draw: Callable[[], Figure], ids: Sequence[str], command: str) -> None:
    """Show the download buttons of a figure, which `draw` makes when a button is pressed."""

    def made(save: Callable[..., bytes]) -> bytes:
        return save(draw(), ids, command)

    with st.container(horizontal=True):
        _button("Figure, PNG", f"{name}.png", partial(made, formats.png), "image/png")
        _button("Figure, PDF", f"{name}.pdf", partial(made, formats.pdf), "application/pdf")


def _button(label: str, file: str, make, mime: str) -> None:
    st.download_button(
        label, make, file_name=file, mime=mime, on_click="ignore", icon=":material/download:", key=file
    )
