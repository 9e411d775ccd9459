"""The Streamlit dashboard: run records and the paper's printed tables in, pages out."""
