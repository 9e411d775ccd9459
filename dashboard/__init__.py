"""The Streamlit dashboard: run records and printed tables in, pages out. `streamlit run dashboard/app.py -- --runs runs`."""
