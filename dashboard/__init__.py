"""The Streamlit dashboard: run records and printed tables in, pages out."""
