"""What every other package may use: files, paths, progress, registries, servers."""
