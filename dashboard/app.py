"""Run folders in, eight pages out: `streamlit run dashboard/app.py -- --runs runs` (`--runs` may be repeated)."""

import sys
from pathlib import Path

import streamlit as st

# `streamlit run` puts this file's folder on the path, not the one that holds the packages.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dashboard.views import ablation, benchmarks, frame_order, live, lost_queries, overview, runs, speed  # noqa: E402

# Pages carry no Material icons: the browser would fetch them from elsewhere as the tab's icon.
PAGES = [
    st.Page(overview.show, title="Overview", default=True),
    st.Page(live.show, title="Live", url_path="live"),
    st.Page(ablation.show, title="Ablation", url_path="ablation"),
    st.Page(runs.show, title="Runs", url_path="runs"),
    st.Page(lost_queries.show, title="Failures", url_path="failures"),
    st.Page(frame_order.show, title="Time", url_path="time"),
    st.Page(benchmarks.show, title="Benchmarks", url_path="benchmarks"),
    st.Page(speed.show, title="Speed", url_path="speed"),
]

st.set_page_config(page_title="stan", layout="wide")
st.navigation(PAGES, position="top").run()
