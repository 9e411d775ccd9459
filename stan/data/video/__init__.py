"""A video file in, frames and times out."""
