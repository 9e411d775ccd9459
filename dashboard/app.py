"""Run folders in, one page per view out.

Start it with `streamlit run dashboard/app.py -- --runs runs`; `--runs` may be repeated.
"""

import sys
from importlib import import_module
from pathlib import Path

import streamlit as st

# `streamlit run` puts the folder of this file on the path, but not its parent, which holds the packages.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dashboard.views import VIEWS

modules = {name: import_module(f"dashboard.views.{name}") for name in VIEWS}
# Pages have no Material icons: the browser would fetch them from another server as the tab's icon.
pages = [
    st.Page(view.show, title=view.TITLE, url_path=name, default=name == VIEWS[0])
    for name, view in modules.items()
]

st.set_page_config(page_title="stan", layout="wide")
st.navigation(pages, position="top").run()
