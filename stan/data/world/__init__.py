"""The embedded world, "shapes in motion": a seed in, stills and real video files with captions out."""
