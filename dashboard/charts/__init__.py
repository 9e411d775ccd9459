"""Tables in, plotly figures out."""
