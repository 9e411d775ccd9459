"""CLIP's towers, the video encoder on top of them, and both together as a dual encoder."""
