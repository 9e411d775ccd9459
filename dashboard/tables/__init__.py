"""Run records in, the tables that pages show out."""
