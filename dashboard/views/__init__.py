"""One file per page; each has `show()`, and widgets only: data comes from `data`, figures from `charts`."""
