"""Run folders in, four pages out: `streamlit run dashboard/app.py -- --runs runs` (several `--runs` allowed; also STAN_RUNS)."""

import sys
from pathlib import Path

import streamlit as st

# `streamlit run` puts this file's folder on the path, not the one that holds the packages.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dashboard.views import ablation, benchmarks, overview, runs  # noqa: E402

PAGES = [
    st.Page(overview.show, title="Overview", url_path="overview", icon=":material/dashboard:", default=True),
    st.Page(ablation.show, title="Ablation", url_path="ablation", icon=":material/compare_arrows:"),
    st.Page(runs.show, title="Runs", url_path="runs", icon=":material/table_rows:"),
    st.Page(benchmarks.show, title="Benchmarks", url_path="benchmarks", icon=":material/menu_book:"),
]

st.set_page_config(page_title="stan", page_icon=":material/movie:", layout="wide")
st.navigation(PAGES, position="top").run()
