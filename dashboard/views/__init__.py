"""Tables and charts in, the dashboard's pages out: one module of widgets per page, with TITLE and `show()`."""

VIEWS = (
    "overview",
    "live",
    "ablation",
    "orderings",
    "runs",
    "lost_queries",
    "frame_order",
    "kept_knowledge",
    "levels",
    "benchmarks",
    "methods",
    "speed",
)
"""Modules of the pages in the order of the navigation; the first one is the start page."""
