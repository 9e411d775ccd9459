"""Run records in, tables for the pages out."""
