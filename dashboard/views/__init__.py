"""One file per page; each has `show()` and holds widgets only: data comes from `dashboard.data`, figures from `dashboard.charts`."""
