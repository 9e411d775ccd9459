"""A library of videos in, a page to search it, recognise it and look inside the model out (gradio)."""
