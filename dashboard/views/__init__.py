"""The dashboard's pages: one file each with a TITLE and `show()`: widgets only, over tables and charts."""

VIEWS = ("overview", "live", "ablation", "runs", "lost_queries", "frame_order", "benchmarks", "speed")
"""Their modules, in the order of the navigation; the first one opens."""
